//! Compiles `identity.issuers` and `identity.tokens`. Secrets are sealed apart, last of all: what is compiled names them
//! alone, and nothing that is compared, simulated or shown holds one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use probity_gateway::{check_tokens, seal_secret};
use probity_model::Bundle;
use probity_model::bundle::identity::token::{
    ClaimMap, DecryptionKey, DpopPolicy, Introspection, Issuer, JwksPolicy, KeySource, TokenBounds,
    TokenCache, TokenPolicy,
};
use probity_reader::config::Duration;
use zeroize::Zeroizing;

use crate::config::identity::IdentityConfig;
use crate::config::identity::issuer::{ClaimsConfig, DecryptionConfig, IntrospectionConfig, IssuerConfig};
use crate::sources::Loaded;

/// The vault's name of the key that seals secrets in bundles.
pub const SEALING_SEED: &str = "bundle-secrets";
/// Largest file with keys or a secret.
const MAX_FILE_BYTES: u64 = 256 * 1024;
const MAX_SKEW_S: u32 = 300;
const MAX_WINDOW_S: u32 = 300;

/// The issuers of the configuration, without their secrets; `None` where there are none.
pub(super) fn compile(loaded: &Loaded) -> Result<Option<TokenPolicy>, String> {
    let config = &loaded.config.identity;
    if config.issuers.is_empty() {
        return Ok(None);
    }
    let mut names = BTreeSet::new();
    let mut issuers = Vec::new();
    for (index, each) in config.issuers.iter().enumerate() {
        let at = |problem: String| format!("identity.issuers[{index}]: {problem}");
        if !names.insert(each.name.as_str()) {
            return Err(at(format!("`{}` is there twice", each.name)));
        }
        issuers.push(issuer(loaded, each).map_err(at)?);
    }
    let tokens = &config.tokens;
    let window_s = seconds(tokens.dpop.window);
    if !(1..=MAX_WINDOW_S).contains(&window_s) {
        return Err(format!("identity.tokens.dpop.window: expected 1s to {MAX_WINDOW_S}s"));
    }
    Ok(Some(TokenPolicy {
        issuers,
        cache: TokenCache {
            entries: tokens.remember,
            seconds: seconds(tokens.remember_for),
            ..TokenCache::default()
        },
        dpop: DpopPolicy {
            algorithms: tokens.dpop.algorithms.clone(),
            window_s,
            nonce: tokens.dpop.nonce,
            replay_entries: tokens.dpop.remember,
        },
        bounds: TokenBounds { token_bytes: u32::try_from(tokens.max_size.0).unwrap_or(u32::MAX) },
        ..TokenPolicy::default()
    }))
}

/// Seals what the issuers of a compiled bundle need, and has the gateway's own code look at the whole. What a bundle holds
/// already (one that is rolled back to) stays.
pub fn seal(bundle: &mut Bundle, loaded: &Loaded, sealing_key: &[u8; 32]) -> Result<(), String> {
    let Some(policy) = bundle.identity.as_mut().and_then(|identity| identity.tokens.as_mut()) else {
        return Ok(());
    };
    for (name, secret) in secrets(loaded, &loaded.config.identity)? {
        if !policy.sealed.contains_key(name.as_str()) {
            let sealed = seal_secret(sealing_key, &name, &secret).map_err(|error| error.to_string())?;
            policy.sealed.insert(name.into(), sealed);
        }
    }
    check_tokens(policy, sealing_key).map_err(|error| format!("identity.issuers: {error}"))
}

fn issuer(loaded: &Loaded, config: &IssuerConfig) -> Result<Issuer, String> {
    if config.audiences.is_empty() {
        return Err(
            "`audiences` is empty, expected at least one: else every token of the issuer counts".into()
        );
    }
    if config.algorithms.is_empty() {
        return Err("`algorithms` is empty, expected at least one".into());
    }
    let clock_skew_s = seconds(config.clock_skew);
    if clock_skew_s > MAX_SKEW_S {
        return Err(format!("`clock_skew` is longer than {MAX_SKEW_S}s"));
    }
    if config.opaque_only && config.introspection.is_none() {
        return Err("`opaque_only` without `introspection`: no token could be judged".into());
    }
    let keys = match (&config.jwks_url, &config.jwks_file, config.opaque_only) {
        (None, None, true) => KeySource::None,
        (None, None, false) => KeySource::Discovery,
        (Some(url), None, false) => KeySource::Url(url.clone()),
        (None, Some(file), false) => {
            let text = String::from_utf8(read(loaded, file)?.to_vec());
            KeySource::Inline(text.map_err(|_| format!("`{}` is not UTF-8", file.display()))?)
        }
        _ => return Err("expected one of `jwks_url`, `jwks_file` and `opaque_only`".into()),
    };
    Ok(Issuer {
        name: config.name.as_str().into(),
        issuer: config.issuer.as_str().into(),
        audiences: texts(&config.audiences),
        algorithms: config.algorithms.clone(),
        types: texts(&config.types),
        keys,
        clock_skew_s,
        max_lifetime_s: config.max_lifetime.map(seconds),
        jwks: JwksPolicy {
            max_age_s: seconds(config.jwks.max_age),
            cool_down_s: seconds(config.jwks.cool_down),
            stale_s: seconds(config.jwks.stale),
        },
        claims: claims(&config.claims),
        sender_constrained: config.sender_constrained,
        introspection: config.introspection.as_ref().map(|each| introspection(config, each)),
        decryption: config
            .decryption
            .iter()
            .enumerate()
            .map(|(index, key)| decryption(config, index, key))
            .collect(),
        encrypted_only: config.encrypted_only,
        allow_private: config.allow_private,
        ca_file: config.ca.as_ref().map(|file| loaded.path(file).display().to_string()),
    })
}

fn claims(config: &ClaimsConfig) -> ClaimMap {
    let text = |text: &Option<String>| text.as_deref().map(Arc::from);
    ClaimMap {
        roles: texts(&config.roles),
        scopes: texts(&config.scopes),
        tenant: text(&config.tenant),
        consumer: text(&config.consumer),
        environment: text(&config.environment),
        attributes: texts(&config.attributes),
        kind: config.kind,
    }
}

fn introspection(issuer: &IssuerConfig, config: &IntrospectionConfig) -> Introspection {
    Introspection {
        url: config.url.clone(),
        client_id: config.client_id.as_str().into(),
        secret: client_secret(issuer).into(),
        prefix: config.prefix.as_deref().map(Arc::from),
        positive_s: seconds(config.positive),
        negative_s: seconds(config.negative),
    }
}

fn decryption(issuer: &IssuerConfig, index: usize, config: &DecryptionConfig) -> DecryptionKey {
    DecryptionKey {
        kid: config.kid.as_deref().map(Arc::from),
        kind: config.kind,
        secret: private_key(issuer, index).into(),
    }
}

fn client_secret(issuer: &IssuerConfig) -> String {
    format!("{}/client", issuer.name)
}

fn private_key(issuer: &IssuerConfig, index: usize) -> String {
    format!("{}/key-{index}", issuer.name)
}

type Secret = (String, Zeroizing<Vec<u8>>);

fn secrets(loaded: &Loaded, config: &IdentityConfig) -> Result<Vec<Secret>, String> {
    let mut out = Vec::new();
    for issuer in &config.issuers {
        if let Some(introspection) = &issuer.introspection {
            out.push((client_secret(issuer), read(loaded, &introspection.secret_file)?));
        }
        for (index, key) in issuer.decryption.iter().enumerate() {
            let pem = read(loaded, &key.key_file)?;
            let der = der(&pem).ok_or_else(|| {
                format!("`{}` holds no private key, expected PEM with PKCS#8", key.key_file.display())
            })?;
            out.push((private_key(issuer, index), der));
        }
    }
    Ok(out)
}

/// Every file that issuers name.
pub fn files(config: &IdentityConfig) -> impl Iterator<Item = &Path> {
    config.issuers.iter().flat_map(|issuer| {
        let one = [issuer.jwks_file.as_deref(), issuer.ca.as_deref()].into_iter().flatten();
        let secret = issuer.introspection.iter().map(|each| each.secret_file.as_path());
        one.chain(secret).chain(issuer.decryption.iter().map(|key| key.key_file.as_path()))
    })
}

fn der(pem: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|sign| !sign.is_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

fn read(loaded: &Loaded, file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let path = loaded.path(file);
    let problem = |error: std::io::Error| format!("`{}` cannot be read: {error}", file.display());
    let size = std::fs::metadata(&path).map_err(problem)?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("`{}` is larger than {MAX_FILE_BYTES} bytes", file.display()));
    }
    std::fs::read(&path).map(Zeroizing::new).map_err(problem)
}

fn texts(names: &[String]) -> Vec<Arc<str>> {
    names.iter().map(|name| name.as_str().into()).collect()
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n-----END PRIVATE KEY-----\n";

    fn loaded(issuer: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("jwks.json", JWKS);
        write("secret", "hunter2\n");
        write("key.pem", PEM);
        write("empty", "");
        let text = format!(
            "version: 1\nidentity:\n  issuers:\n    - {{name: main, issuer: 'https://id.example', {issuer}}}\nservices:\n  - {{name: a, upstreams: [{{url: 'http://127.0.0.1:1'}}]}}\n"
        );
        let loaded = Loaded::parse(&folder.path().join("probity.yaml"), text).unwrap();
        std::mem::forget(folder.keep());
        loaded
    }

    fn check(issuer: &str, expected: &str) {
        let loaded = loaded(issuer);
        let compiled = compile(&loaded).and_then(|policy| {
            let mut bundle = probity_gateway::refusing_bundle();
            let tokens = policy.unwrap();
            bundle.identity =
                Some(probity_model::bundle::IdentityPolicy { tokens: Some(tokens), ..Default::default() });
            seal(&mut bundle, &loaded, &[3; 32])?;
            Ok(bundle)
        });
        let _ = std::fs::remove_dir_all(&loaded.base);
        match compiled {
            Ok(bundle) => {
                let text = serde_json::to_string(&bundle).unwrap();
                assert!(!text.contains("hunter2") && !text.contains("MC4CAQAw"), "{text}");
                let tokens = bundle.identity.unwrap().tokens.unwrap();
                let names: Vec<_> = tokens.sealed.keys().map(|name| &**name).collect();
                assert_eq!(format!("{:?} {names:?}", tokens.issuers[0].keys).replace(JWKS, "SET"), expected);
            }
            Err(problem) => assert!(problem.contains(expected), "{problem}"),
        }
    }

    #[test]
    fn issuers_compile_and_secrets_are_sealed() {
        check("audiences: [api], jwks_file: jwks.json", &format!("Inline({JWKS:?}) []"));
        check(
            "audiences: [api], jwks_url: 'https://id.example/keys', introspection: {client_id: g, secret_file: secret}",
            r#"Url("https://id.example/keys") ["main/client"]"#,
        );
        check(
            "audiences: [api], decryption: [{kind: x25519, key_file: key.pem}]",
            r#"Discovery ["main/key-0"]"#,
        );
        check(
            "audiences: [api], opaque_only: true, introspection: {url: 'https://id.example/i', client_id: g, secret_file: secret}",
            r#"None ["main/client"]"#,
        );
        check("audiences: []", "`audiences` is empty");
        check("audiences: [a], algorithms: []", "`algorithms` is empty");
        check("audiences: [a], opaque_only: true", "`opaque_only` without `introspection`");
        check("audiences: [a], jwks_url: 'https://a', jwks_file: jwks.json", "expected one of");
        check("audiences: [a], jwks_url: 'http://id.example/keys'", "no usable address");
        check("audiences: [a], jwks_file: empty", "keys given inline");
        check("audiences: [a], jwks_file: absent", "`absent` cannot be read");
        check("audiences: [a], clock_skew: 10m", "`clock_skew` is longer");
        check("audiences: [a], decryption: [{kind: rsa, key_file: secret}]", "holds no private key");
        check("audiences: [a], decryption: [{kind: rsa, key_file: key.pem}]", "unusable");
    }
}
