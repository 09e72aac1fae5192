//! Fields that say where a call came from: `Forwarded` (RFC 7239) and `X-Forwarded-*`, always written by the gateway.
//!
//! Incoming ones are believed from trusted proxies alone, and of a list only the part that trusted proxies wrote.

use std::net::IpAddr;

use probity_http1::{RequestHead, check_host};

use crate::plan::Plan;

/// Hops of an incoming list that are read.
const MAX_HOPS: usize = 32;

/// Room for a usual value, so that writing it does not grow it step by step.
const ROOM: usize = 48;

/// Where a call came from, as it is recorded and told to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub client: IpAddr,
    /// The hops after the client, the connection's own peer last.
    via: Vec<IpAddr>,
    secure: bool,
    host: Option<Vec<u8>>,
}

/// The values for the upstream.
#[derive(Debug, Default)]
pub(crate) struct ForwardedFields {
    pub forwarded: Vec<u8>,
    pub addresses: Vec<u8>,
    pub host: Vec<u8>,
    pub proto: &'static str,
}

impl Origin {
    pub fn of(head: &RequestHead, peer: IpAddr, secure: bool, plan: &Plan) -> Self {
        let peer = peer.to_canonical();
        let mut origin = Self { client: peer, via: Vec::new(), secure, host: None };
        if plan.is_trusted(peer) {
            origin.believe(head, peer, |address| plan.is_trusted(address));
        }
        origin
    }

    fn believe(&mut self, head: &RequestHead, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) {
        let said = Said::read(head);
        let mut chain = vec![peer];
        for hop in said.addresses.iter().rev().take(MAX_HOPS) {
            // An unreadable hop ends what is known.
            let Some(address) = hop else { break };
            chain.push(*address);
            if !trusted(*address) {
                break;
            }
        }
        chain.reverse();
        if let Some((client, via)) = chain.split_first() {
            self.client = *client;
            self.via = via.to_vec();
        }
        self.secure = said.secure.unwrap_or(self.secure);
        self.host = said.host;
    }

    /// Whether the client came over TLS, as far as trusted proxies tell.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, and port where there is one, that the client asked for.
    pub fn authority<'a>(&'a self, head: &'a RequestHead) -> &'a [u8] {
        self.host.as_deref().or(head.host()).unwrap_or_default()
    }

    /// Writes the values; `own_host` is what the client asked for.
    pub fn fields(&self, own_host: Option<&[u8]>, out: &mut ForwardedFields) {
        out.addresses.reserve(ROOM);
        out.forwarded.reserve(2 * ROOM);
        out.proto = if self.secure { "https" } else { "http" };
        let host = self.host.as_deref().or(own_host).unwrap_or_default();
        out.host.extend_from_slice(host);
        put_address(&mut out.addresses, self.client);
        out.forwarded.extend_from_slice(b"for=");
        put_node(&mut out.forwarded, self.client);
        if !host.is_empty() {
            out.forwarded.extend_from_slice(b";host=\"");
            out.forwarded.extend_from_slice(host);
            out.forwarded.push(b'"');
        }
        out.forwarded.extend_from_slice(b";proto=");
        out.forwarded.extend_from_slice(out.proto.as_bytes());
        for hop in &self.via {
            out.addresses.extend_from_slice(b", ");
            put_address(&mut out.addresses, *hop);
            out.forwarded.extend_from_slice(b", for=");
            put_node(&mut out.forwarded, *hop);
        }
    }
}

/// What the incoming fields say.
#[derive(Debug, Default)]
struct Said {
    /// As written, nearest last; `None` where a hop is hidden or unreadable.
    addresses: Vec<Option<IpAddr>>,
    secure: Option<bool>,
    host: Option<Vec<u8>>,
}

impl Said {
    /// `X-Forwarded-For` where there is one, else `Forwarded`: a proxy that writes both means the same.
    fn read(head: &RequestHead) -> Self {
        let mut said = Self::default();
        let lists = |name: &'static [u8]| {
            head.fields().values(name).flat_map(|value| value.split(|byte| *byte == b','))
        };
        said.addresses = lists(b"x-forwarded-for").map(read_address).collect();
        if said.addresses.is_empty() {
            for element in lists(b"forwarded") {
                said.element(element);
            }
        }
        if let Some(proto) = head.header(b"x-forwarded-proto") {
            said.secure = read_proto(proto).or(said.secure);
        }
        if let Some(host) = head.header(b"x-forwarded-host") {
            said.host = read_host(host).or(said.host);
        }
        said
    }

    fn element(&mut self, element: &[u8]) {
        let mut address = None;
        for pair in element.split(|byte| *byte == b';') {
            let Some((name, value)) = split(pair, b'=') else { continue };
            let value = value.trim_ascii();
            let value = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
            match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"for" => address = read_address(value),
                b"proto" => self.secure = self.secure.or_else(|| read_proto(value)),
                b"host" => self.host = self.host.take().or_else(|| read_host(value)),
                _ => {}
            }
        }
        self.addresses.push(address);
    }
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(memchr::memchr(at, text)?)?;
    Some((before, after.get(1..)?))
}

/// An address with or without port and brackets.
fn read_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':')?.0,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn read_proto(text: &[u8]) -> Option<bool> {
    let first = text.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    match () {
        () if first.eq_ignore_ascii_case(b"https") => Some(true),
        () if first.eq_ignore_ascii_case(b"http") => Some(false),
        () => None,
    }
}

fn read_host(text: &[u8]) -> Option<Vec<u8>> {
    let first = text.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    check_host(first).ok().map(|()| first.to_vec())
}

fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put_v4(out, address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

/// Without the formatting machinery: this runs for every call.
fn put_v4(out: &mut Vec<u8>, octets: [u8; 4]) {
    for (index, octet) in octets.into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// RFC 7239: IPv6 in brackets and quotes.
fn put_node(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put_v4(out, address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(format!("\"[{address}]\"").as_bytes()),
    }
}

/// Whether the gateway writes this field itself, so that what came is dropped.
pub(crate) fn is_replaced(name: &[u8]) -> bool {
    match name.len() {
        6 => name.eq_ignore_ascii_case(b"expect"),
        9 => name.eq_ignore_ascii_case(b"forwarded") || name.eq_ignore_ascii_case(b"x-real-ip"),
        12 => name.eq_ignore_ascii_case(b"x-request-id"),
        13.. => name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded-")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use probity_http1::{Limits, parse_request};

    fn check(fields: &str, peer: &str, client: &str, addresses: &str, forwarded: &str) {
        let mut text = BytesMut::from(format!("GET / HTTP/1.1\r\nHost: a:1\r\n{fields}\r\n").as_bytes());
        let head = parse_request(&mut text, &Limits::default()).unwrap().unwrap();
        let peer: IpAddr = peer.parse().unwrap();
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let mut origin = Origin { client: peer, via: Vec::new(), secure: false, host: None };
        if trusted(peer) {
            origin.believe(&head, peer, trusted);
        }
        let mut out = ForwardedFields::default();
        origin.fields(head.host(), &mut out);
        assert_eq!(origin.client.to_string(), client, "{fields}");
        assert_eq!(String::from_utf8(out.addresses).unwrap(), addresses, "{fields}");
        assert_eq!(String::from_utf8(out.forwarded).unwrap(), forwarded, "{fields}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let plain = "for=192.0.2.1;host=\"a:1\";proto=http";
        check("", "192.0.2.1", "192.0.2.1", "192.0.2.1", plain);
        check("X-Forwarded-For: 198.51.100.7\r\n", "192.0.2.1", "192.0.2.1", "192.0.2.1", plain);
        check(
            "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\n",
            "10.0.0.1",
            "198.51.100.7",
            "198.51.100.7, 10.0.0.1",
            "for=198.51.100.7;host=\"b.example\";proto=https, for=10.0.0.1",
        );
        // What stands before the first untrusted hop may be the client's invention.
        check(
            "X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.0.0.9\r\n",
            "10.0.0.1",
            "198.51.100.7",
            "198.51.100.7, 10.0.0.9, 10.0.0.1",
            "for=198.51.100.7;host=\"a:1\";proto=http, for=10.0.0.9, for=10.0.0.1",
        );
        check(
            "Forwarded: for=\"[2001:db8::1]:99\";proto=https;host=c.example, for=10.0.0.2\r\n",
            "10.0.0.1",
            "2001:db8::1",
            "2001:db8::1, 10.0.0.2, 10.0.0.1",
            "for=\"[2001:db8::1]\";host=\"c.example\";proto=https, for=10.0.0.2, for=10.0.0.1",
        );
        check(
            "Forwarded: for=unknown, for=_hidden\r\nX-Forwarded-Host: <script>\r\n",
            "10.0.0.1",
            "10.0.0.1",
            "10.0.0.1",
            "for=10.0.0.1;host=\"a:1\";proto=http",
        );
        check(
            "X-Forwarded-For: \r\n",
            "10.0.0.1",
            "10.0.0.1",
            "10.0.0.1",
            "for=10.0.0.1;host=\"a:1\";proto=http",
        );
    }

    #[test]
    fn replaced_fields() {
        for name in
            ["Forwarded", "x-forwarded-for", "X-FORWARDED-PREFIX", "x-request-id", "Expect", "X-Real-IP"]
        {
            assert!(is_replaced(name.as_bytes()), "{name}");
        }
        for name in ["host", "forward", "x-forwarded", "x-request", "accept"] {
            assert!(!is_replaced(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn addresses_are_written() {
        for text in ["0.0.0.0", "9.10.99.100", "255.255.255.255", "203.0.113.7"] {
            let mut out = Vec::new();
            put_address(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
