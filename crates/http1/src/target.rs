//! Methods and the four forms of request target (RFC 9112, section 3.2).

use std::ops::Range;

use crate::octet::{self, METHOD};
use crate::path::origin_form;
use crate::{Refusal, check_host};

/// Longest method that is read; the registered ones have at most 17 letters.
const MAX_METHOD_BYTES: usize = 32;

/// How the client wrote the target. Authority-form belongs to `CONNECT`, which is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `*`, with `OPTIONS` alone
    Asterisk,
}

/// Judges a method by the same rules in HTTP/1.1 and HTTP/2.
pub fn check_method(method: &[u8]) -> Result<(), Refusal> {
    if method == b"CONNECT" {
        return Err(Refusal::Connect);
    }
    if method.is_empty() || method.len() > MAX_METHOD_BYTES || !octet::all(method, METHOD) {
        return Err(Refusal::Method);
    }
    Ok(())
}

/// Ranges are offsets into the target.
pub(crate) struct Target {
    pub form: TargetForm,
    pub path: Range<usize>,
    pub query: Option<Range<usize>>,
    pub authority: Option<Authority>,
}

pub(crate) struct Authority {
    pub range: Range<usize>,
    pub default_port: &'static [u8],
}

pub(crate) fn parse(method: &[u8], target: &[u8]) -> Result<Target, Refusal> {
    match target {
        [b'/', ..] => origin(target, 0),
        b"*" if method == b"OPTIONS" => {
            Ok(Target { form: TargetForm::Asterisk, path: 0..1, query: None, authority: None })
        }
        _ => absolute(method, target),
    }
}

fn origin(target: &[u8], offset: usize) -> Result<Target, Refusal> {
    let end = offset + origin_form(target.get(offset..).unwrap_or_default())?;
    let query = (end < target.len()).then(|| end + 1..target.len());
    Ok(Target { form: TargetForm::Origin, path: offset..end, query, authority: None })
}

fn absolute(method: &[u8], target: &[u8]) -> Result<Target, Refusal> {
    let (start, default_port): (_, &[u8]) = match () {
        () if starts_with(target, b"http://") => (b"http://".len(), b":80"),
        () if starts_with(target, b"https://") => (b"https://".len(), b":443"),
        () => return Err(odd_form(target)),
    };
    let rest = target.get(start..).unwrap_or_default();
    let authority_len =
        rest.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    check_host(rest.get(..authority_len).unwrap_or_default())?;
    let path_start = start + authority_len;
    let parsed = match target.get(path_start) {
        // Without a path, `OPTIONS` means `*` to some and `/` to others.
        None if method == b"OPTIONS" => return Err(Refusal::TargetForm),
        None => {
            Target { form: TargetForm::Absolute, path: path_start..path_start, query: None, authority: None }
        }
        Some(b'#') => return Err(Refusal::Fragment),
        Some(_) => origin(target, path_start)?,
    };
    let authority = Some(Authority { range: start..path_start, default_port });
    Ok(Target { form: TargetForm::Absolute, authority, ..parsed })
}

fn odd_form(target: &[u8]) -> Refusal {
    match target.iter().find(|octet| octet::class(**octet) & octet::VISIBLE == 0) {
        Some(octet) => crate::path::odd_octet(*octet),
        None => Refusal::TargetForm,
    }
}

fn starts_with(target: &[u8], scheme: &[u8]) -> bool {
    target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Whether `Host` names the authority of an absolute-form target, a default port aside.
pub(crate) fn same_host(host: &[u8], authority: &[u8], default_port: &[u8]) -> bool {
    let bare = |host| <[u8]>::strip_suffix(host, default_port).unwrap_or(host);
    bare(host).eq_ignore_ascii_case(bare(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, input: &str, expected: &str) {
        let got = match parse(method.as_bytes(), input.as_bytes()) {
            Err(refusal) => refusal.name().to_owned(),
            Ok(target) => {
                let show = |range: Range<usize>| input[range].to_owned();
                format!(
                    "{:?} {} {} {}",
                    target.form,
                    target.authority.map_or("-".into(), |authority| show(authority.range)),
                    show(target.path),
                    target.query.map_or("-".into(), show),
                )
            }
        };
        assert_eq!(got, expected, "{method} {input}");
    }

    #[test]
    fn forms() {
        check("GET", "/", "Origin - / -");
        check("GET", "/a?b?c", "Origin - /a b?c");
        check("GET", "/a?", "Origin - /a ");
        check("GET", "http://h/a?b", "Absolute h /a b");
        check("GET", "HTTPS://h:443", "Absolute h:443  -");
        check("GET", "http://[::1]:8/", "Absolute [::1]:8 / -");
        check("OPTIONS", "*", "Asterisk - * -");
        check("GET", "*", "target-form");
        check("OPTIONS", "http://h", "target-form");
        check("OPTIONS", "http://h/", "Absolute h / -");
        check("GET", "http://h?x", "target-form");
        check("GET", "http://h#x", "fragment");
        check("GET", "http:///x", "host-invalid");
        check("GET", "http://u@h/x", "host-invalid");
        check("GET", "ftp://h/", "target-form");
        check("GET", "h:80", "target-form");
        check("GET", "a/b", "target-form");
        check("GET", "?x", "target-form");
        check("GET", "\u{e9}", "target-byte");
        check("GET", "http://h/../x", "dot-segment");
    }

    #[test]
    fn methods() {
        for (method, expected) in [
            ("GET", "ok"),
            ("M-SEARCH", "ok"),
            ("X_Y", "ok"),
            ("get", "method"),
            ("", "method"),
            ("G1", "method"),
        ] {
            assert_eq!(
                check_method(method.as_bytes()).map_or_else(Refusal::name, |()| "ok"),
                expected,
                "{method}"
            );
        }
        assert_eq!(check_method(b"CONNECT"), Err(Refusal::Connect));
        assert_eq!(check_method(&[b'A'; 33]), Err(Refusal::Method));
    }

    #[test]
    fn hosts_compare_without_case_and_default_port() {
        assert!(same_host(b"A.example:80", b"a.EXAMPLE", b":80"));
        assert!(!same_host(b"a.example:80", b"a.example", b":443"));
        assert!(!same_host(b"a.example", b"b.example", b":80"));
    }
}
