//! Absolute `https` addresses, as issuers and proofs hold them. Not a general URL parser: what is not needed is refused.

use std::net::IpAddr;

/// Bytes of an address.
const MAX_ADDRESS: usize = 2048;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub https: bool,
    /// Lower case; IPv6 without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// Path and query, never empty.
    pub target: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("expected `https://host/path`")]
    Malformed,
    #[error("clear text is for loopback addresses alone, expected `https`")]
    ClearText,
}

impl Address {
    /// `http` is accepted for a loopback address alone.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let address = Self::split(text).ok_or(AddressError::Malformed)?;
        if address.https || address.is_loopback() { Ok(address) } else { Err(AddressError::ClearText) }
    }

    fn split(text: &str) -> Option<Self> {
        if text.len() > MAX_ADDRESS
            || !text.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
            || text.contains('#')
        {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let https = if scheme.eq_ignore_ascii_case("https") {
            true
        } else if scheme.eq_ignore_ascii_case("http") {
            false
        } else {
            return None;
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end)?;
        let (host, port) = split_authority(authority, if https { 443 } else { 80 })?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Some(Self { https, host: host.to_ascii_lowercase().into(), port, target: target.into() })
    }

    pub fn is_loopback(&self) -> bool {
        self.host.parse::<IpAddr>().map_or(&*self.host == "localhost", |address| address.is_loopback())
    }

    /// The value of `Host`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    pub fn with_target(&self, target: String) -> Self {
        Self { target: target.into(), ..self.clone() }
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }
}

/// Host and port of an authority without user information.
pub(super) fn split_authority(authority: &str, usual: u16) -> Option<(&str, u16)> {
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte)) {
        return None;
    }
    let port = match port {
        None | Some("") => usual,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match Address::parse(text) {
            Ok(address) => format!("{} {}", address.authority(), address.target),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn addresses_are_absolute_and_encrypted() {
        check("https://id.example", "id.example /");
        check("https://ID.example:443/a/b?c=d", "id.example /a/b?c=d");
        check("HTTPS://id.example:8443?x", "id.example:8443 /?x");
        check("https://[2606:4700::1]:99/", "[2606:4700::1]:99 /");
        check("http://127.0.0.1:9/x", "127.0.0.1:9 /x");
        check("http://[::1]/x", "[::1] /x");
        check("http://localhost/x", "localhost /x");
        check("http://id.example/x", "ClearText");
        check("http://127.0.0.1.example/x", "ClearText");
        for odd in [
            "",
            "id.example",
            "//id.example",
            "ftp://id.example",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "https://user@id.example",
            "https://id.example#x",
            "https://id.example:x",
            "https://id.example:70000",
            "https://id example/",
            "https://[::1",
            "https://[zz]/",
            "https://a\u{e9}/",
            "https://id.example\r\nx: y",
        ] {
            check(odd, "Malformed");
        }
    }
}
