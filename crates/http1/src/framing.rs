//! How the end of a body is found, and the two fields that say so.

use crate::{Refusal, Version, octet};

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body and no framing field.
    None,
    /// Exactly so many bytes; the head says `Content-Length`.
    Length(u64),
    /// Chunks; the head says `Transfer-Encoding: chunked`.
    Chunked,
    /// Responses only: everything until the upstream closes.
    UntilClose,
}

impl BodyFraming {
    /// Whether no byte of body follows.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// Reads a `Content-Length` value, of HTTP/1.1 or HTTP/2: decimal digits alone, no list, no sign, no
/// overflow.
pub fn parse_content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() {
        return Err(Refusal::ClNotNumeric);
    }
    value
        .iter()
        .try_fold(0u64, |sum, digit| match digit {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
            _ => None,
        })
        // Peers count in signed 64 bits.
        .filter(|length| *length <= i64::MAX as u64)
        .ok_or(Refusal::ClNotNumeric)
}

/// The framing fields of one head, gathered while its fields are walked.
#[derive(Default)]
pub(crate) struct FramingFields<'a> {
    content_length: Option<&'a [u8]>,
    content_length_repeated: bool,
    transfer_encoding: Option<&'a [u8]>,
    transfer_encoding_repeated: bool,
}

impl<'a> FramingFields<'a> {
    pub fn add_content_length(&mut self, value: &'a [u8]) {
        self.content_length_repeated |= self.content_length.replace(value).is_some();
    }

    pub fn add_transfer_encoding(&mut self, value: &'a [u8]) {
        self.transfer_encoding_repeated |= self.transfer_encoding.replace(value).is_some();
    }

    /// What the fields declare: never [`BodyFraming::UntilClose`].
    pub fn declared(&self, version: Version) -> Result<BodyFraming, Refusal> {
        match (self.transfer_encoding, self.content_length) {
            (None, None) => Ok(BodyFraming::None),
            (Some(_), Some(_)) => Err(Refusal::TeWithCl),
            (None, Some(_)) if self.content_length_repeated => Err(Refusal::RepeatedCl),
            (None, Some(length)) => parse_content_length(length).map(BodyFraming::Length),
            (Some(_), None) if version == Version::Http10 => Err(Refusal::Http10WithTe),
            (Some(_), None) if self.transfer_encoding_repeated => Err(Refusal::TeDoubled),
            (Some(coding), None) => check_transfer_encoding(coding).map(|()| BodyFraming::Chunked),
        }
    }
}

/// Reads the only transfer coding served: `chunked`, once.
fn check_transfer_encoding(value: &[u8]) -> Result<(), Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let all_chunked = value
        .split(|octet| *octet == b',')
        .all(|coding| octet::trim(coding).eq_ignore_ascii_case(b"chunked"));
    Err(if all_chunked { Refusal::TeDoubled } else { Refusal::TeUnknown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_lengths() {
        for (value, expected) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("99999999999999999999999", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("1,1", None),
            ("1, 1", None),
            ("0x1", None),
            ("1.0", None),
            ("1e1", None),
            ("\u{661}", None),
        ] {
            assert_eq!(parse_content_length(value.as_bytes()).ok(), expected, "{value}");
        }
    }

    #[test]
    fn transfer_encodings() {
        for (value, expected) in [
            ("chunked", "ok"),
            ("Chunked", "ok"),
            ("chunked, chunked", "te-doubled"),
            ("chunked,chunked", "te-doubled"),
            ("gzip, chunked", "te-unknown"),
            ("chunked, identity", "te-unknown"),
            ("identity", "te-unknown"),
            ("", "te-unknown"),
            (",chunked", "te-unknown"),
            ("chunked,", "te-unknown"),
            ("chunked;q=1", "te-unknown"),
            ("\"chunked\"", "te-unknown"),
            ("xchunked", "te-unknown"),
        ] {
            let got = check_transfer_encoding(value.as_bytes()).map_or_else(Refusal::name, |()| "ok");
            assert_eq!(got, expected, "{value}");
        }
    }
}
