//! `Host`, `:authority` and the authority of an absolute-form target, under one rule.

use std::net::Ipv6Addr;

use crate::Refusal;
use crate::octet::{self, HOST};

/// Longest name of a host (RFC 1035), a final dot included.
const MAX_NAME_BYTES: usize = 254;

/// Judges `name`, `name:port`, `[v6]` or `[v6]:port`. User information, percent-encoding and empty labels are
/// refused.
pub fn check_host(host: &[u8]) -> Result<(), Refusal> {
    let port = match host.strip_prefix(b"[") {
        Some(rest) => after_address(rest),
        None => after_name(host),
    };
    match port {
        Some(port) if is_port(port) => Ok(()),
        _ => Err(Refusal::HostInvalid),
    }
}

/// What follows a valid name: empty or a colon and a port.
fn after_name(host: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b':', host).unwrap_or(host.len());
    let (name, port) = host.split_at_checked(end)?;
    let odd_dots = name.starts_with(b".") || name.windows(2).any(|pair| pair == b"..");
    (!name.is_empty() && name.len() <= MAX_NAME_BYTES && octet::all(name, HOST) && !odd_dots).then_some(port)
}

fn after_address(rest: &[u8]) -> Option<&[u8]> {
    let (address, port) = rest.split_at_checked(memchr::memchr(b']', rest)?)?;
    std::str::from_utf8(address).ok()?.parse::<Ipv6Addr>().ok()?;
    port.strip_prefix(b"]")
}

fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] if !digits.is_empty() && digits.len() <= 5 => digits
            .iter()
            .try_fold(0u32, |value, digit| {
                digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
            })
            .is_some_and(|port| port <= u32::from(u16::MAX)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in
            ["a", "a.example", "A-b_c.d:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "a.", "a:0"]
        {
            assert_eq!(check_host(host.as_bytes()), Ok(()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a:",
            "a:b",
            "a:65536",
            "a:123456",
            "a:1:2",
            "a b",
            "a/b",
            "a@b",
            "a,b",
            "a%41",
            "a..b",
            ".a",
            ".",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[]",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "::1",
            "a#",
            "a?b",
            "h\u{e9}",
            "a;b",
            "a\\b",
        ] {
            assert_eq!(check_host(host.as_bytes()), Err(Refusal::HostInvalid), "{host}");
        }
        assert_eq!(check_host(&[b'a'; 255]), Err(Refusal::HostInvalid));
    }
}
