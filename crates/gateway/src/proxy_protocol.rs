//! The PROXY protocol, versions 1 and 2: how a load balancer that passes bytes on tells who connected to it.
//!
//! [`read_proxy_header`] is a strict reader of the beginning of a connection, sans I/O; [`take`] reads exactly the
//! header off a connection, so that TLS finds its first byte. Whom to believe is the listener's configuration. What is
//! not understood is refused, as the specification wants: a receiver must not guess.
//!
//! Source: haproxy.org, "The PROXY protocol", versions 1 & 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Longest line of version 1, its CRLF included.
const MAX_LINE: usize = 107;
/// Most bytes that follow the fixed part in version 2: addresses, and extensions that nothing here needs.
const MAX_REST: usize = 4_096;
const FIXED: usize = 16;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const WORD: &[u8] = b"PROXY ";

/// Bytes of a TLV's type and length.
const TLV_HEAD: usize = 3;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Bytes of the header; what follows is the client's.
    pub length: usize,
    /// Who connected; `None` where the proxy speaks for itself (`LOCAL`, a health check) or does not know.
    pub source: Option<SocketAddr>,
}

/// Why a connection does not begin as it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    #[error("no PROXY protocol header, expected version 1 or 2")]
    Missing,
    #[error("the header is longer than it may be")]
    Long,
    #[error("malformed header of version 1")]
    Line,
    #[error("unknown version or command")]
    Command,
    #[error("unknown family or transport of addresses, expected TCP")]
    Family,
    #[error("the header is shorter than its addresses and extensions")]
    Short,
}

/// Reads the header at the beginning of `bytes`; `None` while more of it must come.
///
/// # Errors
/// [`ProxyFault`] as soon as it is clear.
pub fn read_proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let begins = |whole: &[u8]| bytes.iter().zip(whole).all(|(found, expected)| found == expected);
    if begins(SIGNATURE) {
        return if bytes.len() < FIXED { Ok(None) } else { version_2(bytes) };
    }
    if begins(WORD) {
        return version_1(bytes);
    }
    Err(ProxyFault::Missing)
}

fn version_1(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let head = bytes.get(..MAX_LINE.min(bytes.len())).unwrap_or_default();
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(ProxyFault::Long) };
    };
    let line = head.get(..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or(ProxyFault::Line)?;
    let length = end + 2;
    let mut words = line.split(' ');
    let _proxy = words.next();
    let family = words.next();
    // Whatever else an unknown one says is to be ignored.
    if family == Some("UNKNOWN") {
        return Ok(Some(ProxyHeader { length, source: None }));
    }
    let mut word = || words.next().ok_or(ProxyFault::Line);
    let (source, destination, port, other_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err(ProxyFault::Line);
    }
    let address = |text: &str| -> Result<IpAddr, ProxyFault> {
        match family {
            Some("TCP4") => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| ProxyFault::Line),
            Some("TCP6") => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| ProxyFault::Line),
            _ => Err(ProxyFault::Family),
        }
    };
    let source = address(source)?;
    address(destination)?;
    read_port(other_port)?;
    Ok(Some(ProxyHeader { length, source: Some(SocketAddr::new(source, read_port(port)?)) }))
}

/// Decimal, without sign or leading zeros.
fn read_port(text: &str) -> Result<u16, ProxyFault> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(ProxyFault::Line)
}

fn version_2(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let Some((fixed, after)) = bytes.split_at_checked(FIXED) else { return Ok(None) };
    let [.., command, family, high, low] = fixed else { return Ok(None) };
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyFault::Command),
    };
    let rest = usize::from(u16::from_be_bytes([*high, *low]));
    if rest > MAX_REST {
        return Err(ProxyFault::Long);
    }
    let addresses = match family {
        0x11 => 12,
        0x21 => 36,
        // A stream over a Unix socket.
        0x31 => 216,
        0x00 => 0,
        // Of its own connection a proxy may say anything.
        _ if local => 0,
        _ => return Err(ProxyFault::Family),
    };
    let length = FIXED + rest;
    let header = |source| Ok(Some(ProxyHeader { length, source }));
    if local {
        return if after.len() < rest { Ok(None) } else { header(None) };
    }
    if rest < addresses {
        return Err(ProxyFault::Short);
    }
    let Some(rest) = after.get(..rest) else { return Ok(None) };
    let (addresses, extensions) = rest.split_at_checked(addresses).ok_or(ProxyFault::Short)?;
    skip_extensions(extensions)?;
    let ip = match addresses.len() {
        12 => addresses.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        36 => addresses.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    };
    // Both addresses come first, then both ports.
    let port = port_at(addresses, addresses.len().saturating_sub(4));
    header(ip.zip(port).map(SocketAddr::from))
}

fn port_at(addresses: &[u8], at: usize) -> Option<u16> {
    addresses.get(at..)?.first_chunk().map(|port| u16::from_be_bytes(*port))
}

/// Extensions must fill what is left exactly. None is used.
fn skip_extensions(mut left: &[u8]) -> Result<(), ProxyFault> {
    while !left.is_empty() {
        let (head, rest) = left.split_at_checked(TLV_HEAD).ok_or(ProxyFault::Short)?;
        let [_, high, low] = head else { return Err(ProxyFault::Short) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        left = rest.get(length..).ok_or(ProxyFault::Short)?;
    }
    Ok(())
}

/// Takes the header, and not a byte more, off a connection.
pub(crate) async fn take(stream: &mut TcpStream) -> std::io::Result<Result<ProxyHeader, ProxyFault>> {
    // On the heap: what waits for it is a task of every connection.
    let mut room = vec![0; FIXED + MAX_REST];
    let mut taken = 0;
    loop {
        let Some(free) = room.get_mut(taken..).filter(|free| !free.is_empty()) else {
            return Ok(Err(ProxyFault::Long));
        };
        let peeked = stream.peek(free).await?;
        if peeked == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let read = read_proxy_header(room.get(..taken + peeked).unwrap_or_default());
        // What was seen and does not end the header is part of it.
        let wanted = match read {
            Ok(Some(header)) => header.length - taken,
            Ok(None) => peeked,
            Err(fault) => return Ok(Err(fault)),
        };
        stream.read_exact(room.get_mut(taken..taken + wanted).unwrap_or_default()).await?;
        taken += wanted;
        if let Ok(Some(header)) = read {
            return Ok(Ok(header));
        }
    }
}

#[cfg(test)]
mod tests;
