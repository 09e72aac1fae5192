//! What checks want to know of a listener's certificate: who, by whom, until when, for which names.
//!
//! A reader of DER for exactly these fields, bounded and tolerant: what it cannot read stays empty. It verifies
//! nothing; rustls does.

use probity_model::Timestamp;
use probity_model::bundle::identity::CertificateNameKind;

/// One certificate of a listener's chain, leaf first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// RFC 4514-like text, `CN=a.example,O=Example`.
    pub subject: String,
    pub issuer: String,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// Issuer and subject are the same name.
    pub self_signed: bool,
    /// DNS names and addresses of the subject.
    pub names: Vec<String>,
    pub der: Vec<u8>,
}

/// When a certificate that is in use ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expiry {
    /// The listener that serves it, or the host of the upstream that it is for.
    pub place: String,
    pub name: String,
    pub at: Timestamp,
}

impl Expiry {
    pub fn of(place: &str, certificates: &[CertificateFacts]) -> Vec<Self> {
        let one = |certificate: &CertificateFacts| {
            let name = certificate.names.first().unwrap_or(&certificate.subject).clone();
            certificate.not_after.map(|at| Self { place: place.to_owned(), name, at })
        };
        certificates.iter().filter_map(one).collect()
    }
}

/// Names read of one certificate.
const MAX_NAMES: usize = 128;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const MAIL: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const RESOURCE: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl CertificateFacts {
    pub fn read(der: &[u8]) -> Self {
        Self { der: der.to_vec(), ..Self::fields(der).unwrap_or_default() }
    }

    fn fields(der: &[u8]) -> Option<Self> {
        let certificate = Reader(der).expect(SEQUENCE)?;
        let mut body = Reader(Reader(certificate).expect(SEQUENCE)?);
        if body.peek() == Some(VERSION) {
            body.next()?;
        }
        let _serial = body.next()?;
        let _algorithm = body.next()?;
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = Reader(body.expect(SEQUENCE)?);
        let subject = body.expect(SEQUENCE)?;
        let _public_key = body.next()?;
        let mut facts = Self {
            subject: name(subject),
            issuer: name(issuer),
            not_before: validity.next().and_then(moment),
            not_after: validity.next().and_then(moment),
            self_signed: subject == issuer,
            ..Self::default()
        };
        while let Some((tag, value)) = body.next() {
            if tag == EXTENSIONS {
                facts.names = Reader(value).expect(SEQUENCE).map(alternative_names).unwrap_or_default();
            }
        }
        Some(facts)
    }
}

/// The whole SubjectPublicKeyInfo of a certificate, tag and length included: what pins are digests of.
pub(crate) fn public_key_info(der: &[u8]) -> Option<&[u8]> {
    let mut body = Reader(Reader(Reader(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
    if body.peek() == Some(VERSION) {
        body.next()?;
    }
    for _before_the_key in 0..5 {
        body.next()?;
    }
    let before = body.0;
    body.expect(SEQUENCE)?;
    before.get(..before.len().checked_sub(body.0.len())?)
}

/// Reads one element after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, value)| value)
    }
}

fn name(sequence: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Reader(sequence);
    while let Some(set) = sets.expect(SET) {
        let mut pair = Reader(Reader(set).expect(SEQUENCE).unwrap_or_default());
        let (Some(id), Some((_, value))) = (pair.expect(OBJECT_ID), pair.next()) else { continue };
        let label = match id {
            [0x55, 0x04, 3] => "CN".to_owned(),
            [0x55, 0x04, 6] => "C".to_owned(),
            [0x55, 0x04, 7] => "L".to_owned(),
            [0x55, 0x04, 8] => "ST".to_owned(),
            [0x55, 0x04, 10] => "O".to_owned(),
            [0x55, 0x04, 11] => "OU".to_owned(),
            other => format!("#{}", crate::bundle::hex(other)),
        };
        parts.push(format!("{label}={}", String::from_utf8_lossy(value)));
    }
    parts.join(",")
}

fn moment((tag, value): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // Two digits mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>| full.get(range);
    Timestamp::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    ))
}

/// Names by which a client may be known: those of the subject, and its common name last.
pub(crate) fn identities(der: &[u8]) -> Vec<(CertificateNameKind, String)> {
    identities_of(der).unwrap_or_default()
}

fn identities_of(der: &[u8]) -> Option<Vec<(CertificateNameKind, String)>> {
    let mut body = Reader(Reader(Reader(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
    if body.peek() == Some(VERSION) {
        body.next()?;
    }
    for _before_subject in 0..4 {
        body.next()?;
    }
    let mut common = Vec::new();
    let mut sets = Reader(body.expect(SEQUENCE)?);
    while let Some(set) = sets.expect(SET) {
        let mut pair = Reader(Reader(set).expect(SEQUENCE).unwrap_or_default());
        if pair.expect(OBJECT_ID) == Some(&[0x55, 0x04, 3])
            && let Some((_, value)) = pair.next()
        {
            common.push((CertificateNameKind::CommonName, String::from_utf8_lossy(value).into_owned()));
        }
    }
    let mut names = Vec::new();
    while let Some((tag, value)) = body.next() {
        if tag == EXTENSIONS {
            names = Reader(value).expect(SEQUENCE).map(|all| alternative(all, identity)).unwrap_or_default();
        }
    }
    names.extend(common);
    Some(names)
}

fn identity((tag, value): (u8, &[u8])) -> Option<(CertificateNameKind, String)> {
    let kind = match tag {
        MAIL => CertificateNameKind::Email,
        DNS_NAME => CertificateNameKind::Dns,
        RESOURCE => CertificateNameKind::Uri,
        _ => return None,
    };
    Some((kind, std::str::from_utf8(value).ok()?.to_owned()))
}

fn alternative_names(extensions: &[u8]) -> Vec<String> {
    alternative(extensions, general_name)
}

fn alternative<T>(extensions: &[u8], read: impl Fn((u8, &[u8])) -> Option<T>) -> Vec<T> {
    let mut all = Reader(extensions);
    while let Some(extension) = all.expect(SEQUENCE) {
        let mut extension = Reader(extension);
        if extension.expect(OBJECT_ID) != Some(SUBJECT_ALT_NAME) {
            continue;
        }
        while let Some((tag, value)) = extension.next() {
            if tag == OCTET_STRING {
                let mut names = Reader(Reader(value).expect(SEQUENCE).unwrap_or_default());
                return std::iter::from_fn(|| names.next()).filter_map(read).take(MAX_NAMES).collect();
            }
        }
    }
    Vec::new()
}

fn general_name((tag, value): (u8, &[u8])) -> Option<String> {
    match tag {
        DNS_NAME => Some(String::from_utf8_lossy(value).into_owned()),
        IP_ADDRESS => match value.len() {
            4 => <[u8; 4]>::try_from(value).ok().map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(value).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.example".into(), "127.0.0.1".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Probe");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        params.not_before = rcgen::date_time_ymd(2025, 2, 3);
        params.not_after = rcgen::date_time_ymd(2052, 4, 5);
        let certificate = params.self_signed(&key).unwrap();
        let facts = CertificateFacts::read(certificate.der());
        assert_eq!(facts.subject, "CN=Probe,O=Example");
        assert_eq!(facts.issuer, facts.subject);
        assert!(facts.self_signed);
        assert_eq!(facts.names, ["a.example", "127.0.0.1"]);
        assert_eq!(facts.not_before, Timestamp::parse("2025-02-03"));
        assert_eq!(facts.not_after, Timestamp::parse("2052-04-05"));
        assert_eq!(public_key_info(&facts.der).unwrap(), rcgen::PublicKeyData::subject_public_key_info(&key));
        for cut in 0..facts.der.len() {
            let _ = CertificateFacts::read(&facts.der[..cut]);
            let _ = public_key_info(&facts.der[..cut]);
        }
    }
}
