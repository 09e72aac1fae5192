//! Attributes that cookies get where they lack them.

use probity_model::bundle::answers::{CookiePolicy, SameSite};

use crate::enforce::Answer;

/// Cookies of one answer that are looked at.
const MAX_COOKIES: usize = 64;

pub(super) fn harden(answer: &mut Answer, policy: CookiePolicy, secure: bool) {
    let given = || answer.head.headers().filter(|(name, _)| name.eq_ignore_ascii_case(b"set-cookie"));
    if given().next().is_none() {
        return;
    }
    // A value that is no text is left out: no browser takes it as it stands.
    let cookies: Vec<String> = given()
        .take(MAX_COOKIES)
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .map(|value| hardened(value, policy, secure))
        .collect();
    answer.edits.remove("set-cookie");
    cookies.into_iter().for_each(|cookie| answer.edits.add("set-cookie", cookie));
}

fn hardened(cookie: &str, policy: CookiePolicy, secure: bool) -> String {
    let has = |wanted: &str| {
        cookie.split(';').skip(1).any(|attribute| {
            attribute.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
        })
    };
    let mut out = cookie.to_owned();
    if policy.secure && secure && !has("secure") {
        out.push_str("; Secure");
    }
    if policy.http_only && !has("httponly") {
        out.push_str("; HttpOnly");
    }
    match policy.same_site.filter(|_| !has("samesite")) {
        Some(SameSite::Strict) => out.push_str("; SameSite=Strict"),
        Some(SameSite::Lax) => out.push_str("; SameSite=Lax"),
        Some(SameSite::None) if secure => out.push_str("; SameSite=None"),
        Some(SameSite::None) | None => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        let policy = CookiePolicy::default();
        for (given, secure, expected) in [
            ("a=b", true, "a=b; Secure; HttpOnly; SameSite=Lax"),
            ("a=b; Path=/; secure; HTTPONLY", true, "a=b; Path=/; secure; HTTPONLY; SameSite=Lax"),
            ("a=secure", false, "a=secure; HttpOnly; SameSite=Lax"),
            ("a=b; SameSite=None; Secure; HttpOnly", true, "a=b; SameSite=None; Secure; HttpOnly"),
        ] {
            assert_eq!(hardened(given, policy, secure), expected);
        }
        let off = CookiePolicy { secure: false, http_only: false, same_site: None };
        assert_eq!(hardened("a=b", off, true), "a=b");
    }
}
