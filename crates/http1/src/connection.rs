//! `Connection` and the fields that end at this hop.

use crate::Refusal;
use crate::field::Kind;
use crate::octet::{self, TOKEN};

/// Fields that `Connection` may not take away from the next hop: dropping one would change what it reads or
/// allows.
const KEPT: &[&[u8]] = &[
    b"host",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"authorization",
    b"cookie",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"origin",
    b"expect",
];

/// Whether the field ends at this hop: one of the fixed list, or named in a `Connection` value.
///
/// ```
/// use probity_http1::is_hop_by_hop;
/// assert!(is_hop_by_hop(b"Keep-Alive", []));
/// assert!(is_hop_by_hop(b"X-Trace", [&b"close, x-trace"[..]]));
/// assert!(!is_hop_by_hop(b"Authorization", [&b"authorization"[..]]));
/// ```
pub fn is_hop_by_hop<'a>(name: &[u8], connection: impl IntoIterator<Item = &'a [u8]>) -> bool {
    Kind::of(name).is_hop_by_hop() || is_nominated(name, connection)
}

pub(crate) fn is_nominated<'a>(name: &[u8], connection: impl IntoIterator<Item = &'a [u8]>) -> bool {
    !is_kept(name)
        && connection.into_iter().any(|value| options(value).any(|option| option.eq_ignore_ascii_case(name)))
}

/// What the `Connection` fields of one head say together.
#[derive(Default)]
pub(crate) struct Options {
    pub close: bool,
    pub keep_alive: bool,
    pub upgrade: bool,
    /// Options beyond the three: names of further fields of this hop.
    pub nominates: bool,
}

impl Options {
    /// Adds one `Connection` value. Options that take away end-to-end fields are refused from a client; from
    /// an upstream they are passed over, as [`is_hop_by_hop`] does.
    pub fn add(&mut self, value: &[u8], from_client: bool) -> Result<(), Refusal> {
        for option in options(value) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !octet::all(option, TOKEN) || (from_client && is_kept(option)) {
                return Err(Refusal::ConnectionOption);
            } else {
                self.nominates = true;
            }
        }
        Ok(())
    }

    /// Whether the connection can carry another message; `close` wins over `keep-alive`.
    pub fn keeps_alive(&self, http11: bool) -> bool {
        !self.close && (http11 || self.keep_alive)
    }
}

fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|octet| *octet == b',').map(octet::trim).filter(|option| !option.is_empty())
}

fn is_kept(name: &[u8]) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name)) || name.eq_ignore_ascii_case(b"transfer-encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_add_up() {
        for (values, http11, keeps) in [
            (&[][..], true, true),
            (&[], false, false),
            (&["close"], true, false),
            (&["Keep-Alive"], false, true),
            (&["keep-alive, close"], true, false),
            (&["keep-alive", "CLOSE"], false, false),
            (&["", ", ,"], true, true),
        ] {
            let mut options = Options::default();
            values.iter().for_each(|value| options.add(value.as_bytes(), true).unwrap());
            assert_eq!(options.keeps_alive(http11), keeps, "{values:?}");
        }
    }

    #[test]
    fn odd_options_are_refused_from_a_client() {
        for value in
            ["host", "close, Authorization", "transfer-encoding", "a b", "x=y", "\"close\"", "content-length"]
        {
            assert_eq!(
                Options::default().add(value.as_bytes(), true),
                Err(Refusal::ConnectionOption),
                "{value}"
            );
        }
        assert_eq!(Options::default().add(b"transfer-encoding", false), Ok(()));
    }

    #[test]
    fn hop_by_hop_fields() {
        for name in [
            "connection",
            "Keep-Alive",
            "TE",
            "Transfer-Encoding",
            "UPGRADE",
            "proxy-connection",
            "Proxy-Authorization",
        ] {
            assert!(is_hop_by_hop(name.as_bytes(), []), "{name}");
        }
        for name in ["host", "content-length", "x-a", "trailer", "cookie"] {
            assert!(!is_hop_by_hop(name.as_bytes(), [&b"host, content-length, cookie"[..]]), "{name}");
        }
        assert!(is_hop_by_hop(b"X-A", [&b"close"[..], b"x-b ,x-a"]));
    }
}
