//! Compiles `protect.answers`.

use probity_model::bundle::answers::{AnswerPolicy, CorsPolicy, SameSite};

use super::Context;
use crate::config::answers::{AnswersConfig, CorsConfig};

/// Most origins, methods or headers of one policy.
const MAX_LIST: usize = 500;

pub(super) fn compile(context: &Context<'_>, config: &AnswersConfig) -> Result<Option<AnswerPolicy>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    let headers = &config.headers;
    let values = [&headers.hsts, &headers.content_security_policy, &headers.referrer_policy];
    for value in values.into_iter().flatten() {
        if value.is_empty() || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(format!("`{value}` cannot be the value of a header"));
        }
    }
    if config.cookies.same_site == Some(SameSite::None) && !config.cookies.secure {
        return Err("same_site `none` needs `secure`".to_owned());
    }
    Ok(Some(AnswerPolicy {
        mode,
        errors: config.errors,
        banners: config.banners,
        headers: config.headers.clone(),
        cookies: config.cookies,
        cors: config.cors.as_ref().map(cors).transpose()?,
    }))
}

fn cors(config: &CorsConfig) -> Result<CorsPolicy, String> {
    for (what, list) in
        [("origins", &config.origins), ("methods", &config.methods), ("headers", &config.headers)]
    {
        if list.len() > MAX_LIST {
            return Err(format!("{} {what}, expected at most {MAX_LIST}", list.len()));
        }
    }
    let origins = config.origins.iter().map(|origin| {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        match is_origin(&origin) {
            true => Ok(origin.as_str().into()),
            false => Err(format!(
                "`{origin}` is no origin, expected `https://app.example`, `https://*.example` or `*`"
            )),
        }
    });
    let origins: Vec<std::sync::Arc<str>> = origins.collect::<Result<_, _>>()?;
    if config.credentials && origins.iter().any(|origin| &**origin == "*") {
        return Err("origin `*` with credentials would let any site read what a user may".to_owned());
    }
    let token = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let odd = config.methods.iter().chain(&config.headers).chain(&config.exposed).find(|name| !token(name));
    if let Some(odd) = odd {
        return Err(format!("`{odd}` is no name of a method or header"));
    }
    Ok(CorsPolicy {
        origins,
        methods: config.methods.iter().map(|method| method.to_ascii_uppercase().into()).collect(),
        headers: config.headers.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
        exposed: config.exposed.iter().map(|name| name.as_str().into()).collect(),
        credentials: config.credentials,
        max_age: u32::try_from(config.max_age.as_millis() / 1000).unwrap_or(u32::MAX),
    })
}

fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &[&str], credentials: bool, fits: bool) {
        let config = CorsConfig {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            methods: vec!["get".to_owned()],
            headers: vec!["Content-Type".to_owned()],
            exposed: Vec::new(),
            credentials,
            max_age: probity_reader::config::Duration::from_millis(600_000),
        };
        assert_eq!(cors(&config).is_ok(), fits, "{origins:?}");
    }

    #[test]
    fn origins() {
        check(
            &["https://app.example", "https://*.example", "http://localhost:3000", "http://[::1]:8080"],
            true,
            true,
        );
        check(&["*"], false, true);
        check(&["*"], true, false);
        check(&["app.example"], false, false);
        check(&["https://app.example/path"], false, false);
        check(&["https://"], false, false);
    }
}
