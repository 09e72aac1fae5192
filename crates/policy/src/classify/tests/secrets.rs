use super::*;

/// Letters for keys that are made here, so that no scanner of this repository takes them for real ones.
fn filler(length: usize) -> String {
    "aB3dE5gH7jK9mN1pQ2sT4vW6xY8z".chars().cycle().take(length).collect()
}
fn hex(length: usize) -> String {
    "0123456789abcdef".chars().rev().cycle().take(length).collect()
}
fn upper(length: usize) -> String {
    filler(length).to_uppercase()
}

#[test]
fn vendors_keys() {
    let keys = [
        format!("AKIA{}", upper(16)),
        format!("ASIA{}", upper(16)),
        format!("ghp_{}", filler(36)),
        format!("gho_{}", filler(36)),
        format!("ghs_{}", filler(36)),
        format!("github_pat_{}_{}", filler(22), filler(59)),
        format!("glpat-{}", filler(20)),
        format!("sk_live_{}", filler(24)),
        format!("rk_live_{}", filler(24)),
        format!("xoxb-123456789012-{}", filler(24)),
        format!("AIza{}", filler(35)),
        format!("SG.{}.{}", filler(22), filler(43)),
        format!("SK{}", hex(32)),
        format!("npm_{}", filler(36)),
        format!("pypi-AgEIcHlwaS5vcmc{}", filler(60)),
        format!("sk-{}", filler(48)),
        format!("sk-proj-{}", filler(48)),
        format!("sk-ant-api03-{}", filler(80)),
        format!("abc8Q~{}", filler(34)),
    ];
    for key in &keys {
        assert!(finds(&DataClass::ApiKey, "x", key), "{key}");
        assert!(finds(&DataClass::ApiKey, "id", key), "{key} as an id");
        assert!(finds(&DataClass::ApiKey, "note", &format!("use {key}, not another")), "{key} in a text");
        assert!(
            finds(&DataClass::ApiKey, "url", &format!("https://a.example/?key={key}&x=1")),
            "{key} in a url"
        );
    }
    for text in [
        "AKIA",
        "AKIAabcdefghijklmnop",
        "AKIAXXXXXXXXXXXXXXXX",
        "sk_live_",
        "ghp_short",
        "xoxb-xxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-learn-is-a-library-for-machine-learning",
        "SK12",
        "AIzawa",
        "npm_install",
        "glpat-",
        "SG.1",
    ] {
        assert!(!finds(&DataClass::ApiKey, "x", text), "{text}");
    }
}

#[test]
fn keys_by_their_field() {
    table(
        DataClass::ApiKey,
        &[
            ("apiKey", &filler(32)),
            ("x-api-key", &filler(20)),
            ("client_secret", &filler(24)),
            ("token", &filler(40)),
            ("authorization", &format!("Bearer {}", filler(30))),
            ("accessToken", &hex(32)),
            ("note", &format!("AccountKey={}==", filler(86))),
            ("apiKey", "****************"),
        ],
        &[
            ("apiKey", "none"),
            ("token", "abc"),
            ("tokenType", "Bearer"),
            ("nextPageToken", &filler(40)),
            ("token", "a sentence about tokens 1"),
            ("secret", "https://vault.example/secret/1"),
            ("key", &filler(32)),
            ("x", &filler(32)),
            ("authorization", "Bearer"),
            ("apiKeyId", &filler(32)),
        ],
    );
}

#[test]
fn web_tokens_and_private_keys() {
    // {"alg":"HS256","typ":"JWT"} . {"sub":"1"} . signature
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl";
    table(
        DataClass::Jwt,
        &[
            ("x", token),
            ("token", token),
            ("id", token),
            ("authorization", &format!("Bearer {token}")),
            ("note", &format!("got {token} back")),
            ("url", &format!("https://a.example/cb?token={token}")),
            ("x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."),
        ],
        &[
            ("x", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
            ("x", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0"),
            ("x", "eyJzdWIiOiIxIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
            ("x", "a.b.c"),
            ("x", "www.example.com"),
            ("x", "eyJ.eyJ.eyJ"),
        ],
    );
    let head = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----");
    table(
        DataClass::PrivateKey,
        &[
            ("x", &head("PRIVATE KEY")),
            ("x", &head("RSA PRIVATE KEY")),
            ("privateKey", &head("EC PRIVATE KEY")),
            ("x", &head("OPENSSH PRIVATE KEY")),
            ("note", &format!("key:\n{}", head("ENCRYPTED PRIVATE KEY"))),
            ("x", &head("PGP PRIVATE KEY BLOCK")),
        ],
        &[("x", &head("CERTIFICATE")), ("x", &head("PUBLIC KEY")), ("x", "-----BEGIN"), ("x", "PRIVATE KEY")],
    );
}

#[test]
fn passwords() {
    table(
        DataClass::Password,
        &[
            ("password", "hunter2"),
            ("user_password", "hunter2"),
            ("pwd", "x"),
            ("newPassword", "correct horse"),
            ("passwordHash", "$2b$10$abcdefghijklmnopqrstuv"),
            ("password", "********"),
            ("dsn", "postgres://app:hunter2@db.example.com/x"),
            ("note", "login with password=hunter2 please"),
        ],
        &[
            ("password", ""),
            ("password", "null"),
            ("passwordResetRequired", "yes"),
            ("passwordPolicy", "strong"),
            ("x", "hunter2"),
            ("note", "Password: must be at least 8 characters"),
            ("dsn", "postgres://db.example.com:5432/x"),
            ("x", "https://example.com/@ada"),
        ],
    );
    assert_eq!(listed(&json(r#"{"password": "[REDACTED]"}"#)), ["password /password masked"]);
    assert_eq!(listed(&json(r#"{"password": "4111111111111111"}"#)), ["password /password"]);
    assert_eq!(listed(&json(r#"{"password": null, "passwords": []}"#)), [] as [&str; 0]);
}

#[test]
fn custom_classes() {
    let class = |name: &str, pattern: Option<&str>, words: &[&str]| CustomClass {
        class: DataClass::parse(name),
        label: "business secret".into(),
        pattern: pattern.map(Into::into),
        words: words.iter().map(|word| (*word).into()).collect(),
    };
    let scanner = Scanner::new(&[
        class("project-name", None, &["Bluebird", "Red Kite"]),
        class("employee-id", Some(r"\bEMP-\d{6}\b"), &[]),
    ])
    .expect("classes");
    let mut out = Findings::new();
    let body = r#"{"a": "bluebird and red kite", "b": ["EMP-123456", "EMP-12"], "c": "Bluebirds", "d": "EMP-1\u00323456"}"#;
    scanner.scan(Content::Json, Place::ResponseBody, body.as_bytes(), false, &mut out);
    assert_eq!(listed(&out), ["employee-id /b/*", "employee-id /d", "project-name /a x2"]);
    out.clear();
    scanner.scan(Content::Text, Place::RequestBody, b"EMP-123456, EMP-654321 of Bluebird", false, &mut out);
    assert_eq!(listed(&out), ["employee-id  x2", "project-name "]);

    let refused = |class: CustomClass, part: &str| {
        let error = Scanner::new(&[class]).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(class("own", Some("("), &[]), "class `own`: pattern is not a regular expression");
    refused(class("own", Some(r"\w{1000}{100}"), &[]), "class `own`: pattern is not a regular expression");
    refused(class("own", Some("a*"), &[]), "class `own`: pattern matches the empty text");
    refused(class("own", None, &[]), "class `own`: expected a pattern or words");
    refused(class("own", None, &[" "]), "class `own`: a word is empty");
    refused(class("ssn", Some("x"), &[]), "class `ssn` is a class of Probity's own");
    refused(class("own", Some(&"x".repeat(3000)), &[]), "class `own`: pattern is longer");
}
