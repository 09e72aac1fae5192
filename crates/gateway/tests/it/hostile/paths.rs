//! Paths and queries that two readers may read differently.

use super::{Expect, Row, credentials, get, passed, refused, row};

/// Asked of the service that refuses what it does not know, by a patient who is no staff.
fn strict(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: strict.example\r\n{}Connection: close\r\n\r\n",
        credentials::patient_key()
    )
    .into_bytes()
}

pub fn rows() -> Vec<Row> {
    let staff = || refused(403, "gateway-role-missing");
    let unknown = || refused(404, "gateway-operation-unknown");
    let malformed = |name: &str| refused(400, &format!("gateway-{name}"));
    let foreign = || refused(403, "gateway-object-foreign");
    let deep = "/a".repeat(2_000);
    let long_name = format!("/{}", "a".repeat(7_000));
    let own: Vec<(&str, &str, Expect)> = vec![
        ("admin as it is", "/admin", staff()),
        ("admin in capitals", "/ADMIN", unknown()),
        ("admin with a letter encoded", "/%61dmin", staff()),
        ("admin encoded twice", "/%2561dmin", unknown()),
        ("admin with a slash behind", "/admin/", unknown()),
        ("admin with a slash before", "//admin", unknown()),
        ("admin with an encoded slash before", "/%2fadmin", unknown()),
        ("admin with a parameter", "/admin;jsessionid=1", unknown()),
        ("admin with an encoded question mark", "/admin%3fx", unknown()),
        ("admin with an extension", "/admin.json", unknown()),
        ("admin with a space behind", "/admin%20", unknown()),
        ("admin with a tab behind", "/admin%09", refused(400, "gateway-control-byte")),
        ("admin with a query", "/admin?debug=true", staff()),
        ("admin behind a dot", "/./admin", malformed("dot-segment")),
        ("admin behind a climb", "/free/../admin", malformed("dot-segment")),
        ("admin behind an encoded climb", "/free/%2e%2e/admin", malformed("dot-segment")),
        ("admin behind a half encoded climb", "/free/.%2E/admin", malformed("dot-segment")),
        ("admin behind a climb encoded twice", "/free/%252e%252e/admin", refused(400, "gateway-dot-segment")),
        ("a climb behind an encoded slash", "/free/..%2fadmin", malformed("dot-segment")),
        ("a climb with a parameter", "/free/..;/admin", malformed("dot-segment")),
        ("a climb behind a backslash", "/free/..%5cadmin", malformed("dot-segment")),
        ("a bare backslash", "/free\\..\\admin", malformed("target-byte")),
        ("a fragment", "/admin#x", malformed("fragment")),
        ("NUL encoded", "/admin%00", malformed("nul-in-path")),
        ("NUL before an extension", "/admin%00.png", malformed("nul-in-path")),
        ("overlong slash", "/free%c0%afadmin", malformed("overlong-utf8")),
        ("overlong dots", "/%c0%ae%c0%ae/admin", malformed("overlong-utf8")),
        ("overlong NUL", "/admin%c0%80", malformed("overlong-utf8")),
        ("overlong in three bytes", "/%e0%80%af", malformed("overlong-utf8")),
        ("overlong in four bytes", "/%f0%80%80%af", malformed("overlong-utf8")),
        ("a percent alone", "/%", malformed("percent-encoding")),
        ("a percent and a letter", "/%zz", malformed("percent-encoding")),
        ("a percent of IIS", "/%u0061dmin", malformed("percent-encoding")),
        ("a quote", "/\"admin\"", malformed("target-byte")),
        ("angle brackets", "/<script>", malformed("target-byte")),
        ("fullwidth letters", "/%ef%bd%81dmin", unknown()),
        ("2,000 segments", &deep, unknown()),
        ("a segment of 7,000 letters", &long_name, unknown()),
        ("another's record", "/records/p-2", foreign()),
        ("another's record, a letter encoded", "/records/%70-2", foreign()),
        ("another's record behind an encoded slash", "/records/p-1%2fp-2", foreign()),
        ("a record in latin-1", "/records/p-1%ff", foreign()),
        ("own and another's record", "/records/p-1,p-2", foreign()),
        ("a wildcard for a record", "/records/*", foreign()),
        ("an identifier of letters", "/patients/abc", refused(400, "contract-parameter-type")),
        ("an identifier below its least", "/patients/0", refused(400, "contract-parameter-bounds")),
        ("an identifier below nothing", "/patients/-1", refused(400, "contract-parameter-bounds")),
        ("an identifier of SQL", "/patients/1%27%20OR%201=1", refused(400, "contract-parameter-type")),
        ("an identifier with a fraction", "/patients/1.5", refused(400, "contract-parameter-type")),
        ("an identifier in hexadecimal", "/patients/0x1", refused(400, "contract-parameter-type")),
        (
            "an identifier and an undeclared parameter",
            "/patients/1?admin=1",
            refused(400, "contract-unknown-parameter"),
        ),
        ("an identifier that is a list", "/patients/1,2", refused(400, "contract-parameter-type")),
        ("an identifier not a number", "/patients/NaN", refused(400, "contract-parameter-type")),
    ];
    let mut rows: Vec<_> =
        own.into_iter().map(|(name, target, expect)| row("path", name, strict(target), expect)).collect();
    let flood = (0..1_500).map(|n| format!("a{n}=1&")).collect::<String>();
    let repeated = "page=1&".repeat(1_000);
    let long = format!("q={}", "x".repeat(6_000));
    let queries: Vec<(&str, &str, Expect)> = vec![
        ("a good query", "q=a&page=2", passed(&["GET /search?q=a&page=2"], &[])),
        ("1,500 parameters", &flood, refused(414, "gateway-target-too-long")),
        ("one parameter 1,000 times", &repeated, refused(400, "contract-repeated-parameter")),
        ("a parameter twice", "page=1&page=2", refused(400, "contract-repeated-parameter")),
        ("a parameter twice, once encoded", "page=1&p%61ge=2", refused(400, "contract-repeated-parameter")),
        ("a parameter of 6,000 letters", &long, refused(400, "contract-parameter-bounds")),
        ("an undeclared parameter", "q=a&debug=1", refused(400, "contract-unknown-parameter")),
        ("a parameter as an array", "page[]=1", refused(400, "contract-unknown-parameter")),
        ("a parameter as an object", "page[$gt]=1", refused(400, "contract-unknown-parameter")),
        ("a prototype", "__proto__[admin]=1", refused(400, "contract-unknown-parameter")),
        ("a number of letters", "page=a", refused(400, "contract-parameter-type")),
        ("an empty number", "page=", refused(400, "contract-parameter-type")),
        ("a huge number", "page=1e999", refused(400, "contract-parameter-type")),
        ("a line end", "q=a%0d%0aSet-Cookie:%20x=1", passed(&["q=a%0d%0aSet-Cookie"], &["\nset-cookie"])),
        ("NUL", "q=a%00b", passed(&["q=a%00b"], &[])),
        ("overlong UTF-8", "q=%c0%af", refused(400, "contract-parameter-syntax")),
        ("a percent alone", "q=%", refused(400, "contract-parameter-syntax")),
        ("bytes past ASCII", "q=caf\u{e9}", refused(400, "gateway-target-byte")),
        ("semicolons between", "q=a;page=x", passed(&["q=a;page=x"], &[])),
        ("a question mark more", "q=a?page=x", passed(&["q=a?page=x"], &[])),
        ("only separators", "&&&&", passed(&["GET /search?"], &[])),
        ("only equal signs", "=&==&=", refused(400, "contract-unknown-parameter")),
    ];
    for (name, query, expect) in queries {
        rows.push(row("query", name, get(&format!("/search?{query}"), ""), expect));
    }
    rows
}
