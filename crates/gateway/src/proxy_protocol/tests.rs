use proptest::prelude::*;

use super::*;

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

fn check(bytes: &[u8], expected: Result<Option<&str>, ProxyFault>) {
    let source = |text: &str| text.parse::<SocketAddr>().unwrap();
    let expected = expected.map(|text| Some(ProxyHeader { length: bytes.len(), source: text.map(source) }));
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(read_proxy_header(bytes), expected, "{text:?}");
    if expected.is_ok() {
        // What follows is not looked at, and every beginning of it asks for more.
        assert_eq!(read_proxy_header(&[bytes, b"GET / HTTP/1.1\r\n"].concat()), expected, "{text:?}");
        for end in 0..bytes.len() {
            assert_eq!(read_proxy_header(&bytes[..end]), Ok(None), "{text:?} cut at {end}");
        }
    }
}

#[test]
fn lines() {
    for (line, expected) in [
        ("TCP4 203.0.113.9 10.0.0.1 51234 443", Ok(Some("203.0.113.9:51234"))),
        ("TCP6 2001:db8::1 ::1 0 65535", Ok(Some("[2001:db8::1]:0"))),
        ("UNKNOWN", Ok(None)),
        ("UNKNOWN ffff::1 ::1 1 2", Ok(None)),
        ("UNKNOWN whatever it says", Ok(None)),
        ("TCP4 203.0.113.9 10.0.0.1 51234", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 10.0.0.1 51234 443 ", Err(ProxyFault::Line)),
        ("TCP4  203.0.113.9 10.0.0.1 51234 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.09 10.0.0.1 51234 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113 10.0.0.1 51234 443", Err(ProxyFault::Line)),
        ("TCP4 ::1 ::1 1 2", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 nowhere 51234 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 10.0.0.1 +80 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 10.0.0.1 080 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 10.0.0.1 65536 443", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9 10.0.0.1 51234 x", Err(ProxyFault::Line)),
        ("TCP6 203.0.113.9 10.0.0.1 1 2", Err(ProxyFault::Line)),
        ("UDP4 203.0.113.9 10.0.0.1 1 2", Err(ProxyFault::Family)),
        ("tcp4 203.0.113.9 10.0.0.1 1 2", Err(ProxyFault::Family)),
        ("unknown", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.9\t10.0.0.1 1 2", Err(ProxyFault::Line)),
        ("TCP4 203.0.113.\u{00b2} 10.0.0.1 1 2", Err(ProxyFault::Line)),
    ] {
        check(format!("PROXY {line}\r\n").as_bytes(), expected);
    }
    check(b"PROXY UNKNOWN \xff\r\n", Err(ProxyFault::Line));
    let long = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(read_proxy_header(&long.as_bytes()[..MAX_LINE - 1]), Ok(None));
    assert_eq!(read_proxy_header(long.as_bytes()), Err(ProxyFault::Long));
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_LINE - 16));
    check(longest.as_bytes(), Ok(None));
}

#[test]
fn other_beginnings() {
    for bytes in
        [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"PROXX", b"\r\n\r\n\0\r\nQUIX", b" PROXY TCP4"]
    {
        assert_eq!(read_proxy_header(bytes), Err(ProxyFault::Missing), "{bytes:?}");
    }
}

#[test]
fn binary_headers() {
    let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xc8, 0x22, 0x01, 0xbb];
    let mut v6 = [0; 36];
    (v6[0], v6[1], v6[15], v6[33]) = (0x20, 0x01, 1, 7);
    let tlv = [0x04, 0, 2, 9, 9, 0x05, 0, 0];
    let with = |extension: &[u8]| [&v4[..], extension].concat();
    for (bytes, expected) in [
        (v2(0x21, 0x11, &v4), Ok(Some("203.0.113.9:51234"))),
        (v2(0x21, 0x21, &v6), Ok(Some("[2001::1]:7"))),
        (v2(0x21, 0x11, &with(&tlv)), Ok(Some("203.0.113.9:51234"))),
        (v2(0x21, 0x31, &[b'/'; 216]), Ok(None)),
        (v2(0x21, 0x00, &[]), Ok(None)),
        (v2(0x21, 0x00, &tlv), Ok(None)),
        (v2(0x20, 0x00, &[]), Ok(None)),
        (v2(0x20, 0x11, &v4), Ok(None)),
        (v2(0x20, 0xff, &[1, 2, 3]), Ok(None)),
        (v2(0x22, 0x11, &v4), Err(ProxyFault::Command)),
        (v2(0x11, 0x11, &v4), Err(ProxyFault::Command)),
        (v2(0x21, 0x12, &v4), Err(ProxyFault::Family)),
        (v2(0x21, 0x10, &v4), Err(ProxyFault::Family)),
        (v2(0x21, 0x41, &v4), Err(ProxyFault::Family)),
        (v2(0x21, 0x11, &v4[..11]), Err(ProxyFault::Short)),
        (v2(0x21, 0x21, &v4), Err(ProxyFault::Short)),
        (v2(0x21, 0x11, &with(&[4, 0])), Err(ProxyFault::Short)),
        (v2(0x21, 0x11, &with(&[4, 0, 3, 1, 2])), Err(ProxyFault::Short)),
        (v2(0x21, 0x11, &with(&[4, 0xff, 0xff])), Err(ProxyFault::Short)),
        (v2(0x21, 0x11, &vec![0; MAX_REST + 1]), Err(ProxyFault::Long)),
    ] {
        check(&bytes, expected);
    }
    // The longest is refused before any of it is waited for.
    assert_eq!(read_proxy_header(&v2(0x21, 0x11, &[0; 9_000])[..FIXED]), Err(ProxyFault::Long));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any bytes: no panic, no header that is longer than what was given, and more bytes change no verdict.
    #[test]
    fn any_bytes(start in 0..4usize, bytes in prop::collection::vec(any::<u8>(), 0..300), more in any::<[u8; 4]>()) {
        let begin: &[u8] = [&b""[..], SIGNATURE, b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00"][start];
        let bytes = [begin, &bytes].concat();
        let read = read_proxy_header(&bytes);
        if let Ok(Some(header)) = read {
            prop_assert!(header.length <= bytes.len() && header.length <= FIXED + MAX_REST);
        }
        if read != Ok(None) {
            prop_assert_eq!(read_proxy_header(&[&bytes[..], &more].concat()), read);
        }
    }

    /// What a proxy writes is read back, in both versions.
    #[test]
    fn round_trip(ip in any::<IpAddr>(), port in any::<u16>(), other in any::<u16>(), tlvs in prop::collection::vec((any::<u8>(), 0..40u8), 0..4)) {
        let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!("PROXY {family} {ip} {ip} {port} {other}\r\n");
        let expected = Some(SocketAddr::new(ip, port));
        prop_assert_eq!(read_proxy_header(line.as_bytes()), Ok(Some(ProxyHeader { length: line.len(), source: expected })));
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let mut rest = [&octets[..], &octets, &port.to_be_bytes(), &other.to_be_bytes()].concat();
        for (kind, length) in tlvs {
            rest.extend([kind, 0, length]);
            rest.extend(std::iter::repeat_n(7, usize::from(length)));
        }
        let bytes = v2(0x21, if ip.is_ipv4() { 0x11 } else { 0x21 }, &rest);
        prop_assert_eq!(read_proxy_header(&bytes), Ok(Some(ProxyHeader { length: bytes.len(), source: expected })));
    }
}
