//! Every reason to refuse, each with a stable name. Names are interface: metrics, records and findings carry
//! them.

/// Why a message was refused, or why the writer would not write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    HeadTooLarge,
    TargetTooLong,
    TooManyHeaders,
    RequestLine,
    StatusLine,
    Version,
    Method,
    Connect,
    TargetForm,
    TargetByte,
    Fragment,
    PercentEncoding,
    OverlongUtf8,
    NulInPath,
    DotSegment,
    ControlByte,
    BareLf,
    BareCr,
    ObsFold,
    SpaceBeforeColon,
    FieldName,
    FieldValue,
    HostMissing,
    HostRepeated,
    HostInvalid,
    HostMismatch,
    TeWithCl,
    RepeatedCl,
    ClNotNumeric,
    TeUnknown,
    TeDoubled,
    Http10WithTe,
    FramingLookalike,
    ExpectUnknown,
    ConnectionOption,
    BodyForbidden,
    ChunkSize,
    ChunkExtension,
    ChunkLf,
    ChunkEnd,
    TrailerField,
    TrailersTooLarge,
    BodyCut,
    BodyLength,
    FramingField,
    Status,
}

/// The row of the refusal table: name, status for a client, text.
type Row = (&'static str, u16, &'static str);

impl Refusal {
    /// All refusals, for metrics that start at zero and for documentation.
    pub const ALL: &'static [Self] = &[
        Self::HeadTooLarge,
        Self::TargetTooLong,
        Self::TooManyHeaders,
        Self::RequestLine,
        Self::StatusLine,
        Self::Version,
        Self::Method,
        Self::Connect,
        Self::TargetForm,
        Self::TargetByte,
        Self::Fragment,
        Self::PercentEncoding,
        Self::OverlongUtf8,
        Self::NulInPath,
        Self::DotSegment,
        Self::ControlByte,
        Self::BareLf,
        Self::BareCr,
        Self::ObsFold,
        Self::SpaceBeforeColon,
        Self::FieldName,
        Self::FieldValue,
        Self::HostMissing,
        Self::HostRepeated,
        Self::HostInvalid,
        Self::HostMismatch,
        Self::TeWithCl,
        Self::RepeatedCl,
        Self::ClNotNumeric,
        Self::TeUnknown,
        Self::TeDoubled,
        Self::Http10WithTe,
        Self::FramingLookalike,
        Self::ExpectUnknown,
        Self::ConnectionOption,
        Self::BodyForbidden,
        Self::ChunkSize,
        Self::ChunkExtension,
        Self::ChunkLf,
        Self::ChunkEnd,
        Self::TrailerField,
        Self::TrailersTooLarge,
        Self::BodyCut,
        Self::BodyLength,
        Self::FramingField,
        Self::Status,
    ];

    /// The stable kebab-case name.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The status for the client that sent the message.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The status for the client when an upstream sent the message: always 502.
    pub const fn upstream_status(self) -> u16 {
        502
    }

    /// One line that says what was expected.
    pub const fn text(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> Row {
        match self {
            Self::HeadTooLarge => {
                ("head-too-large", 431, "the head exceeds its bound, expected a smaller one")
            }
            Self::TargetTooLong => {
                ("target-too-long", 414, "the request target exceeds its bound, expected a shorter one")
            }
            Self::TooManyHeaders => ("too-many-headers", 431, "too many header fields, expected fewer"),
            Self::RequestLine => (
                "request-line",
                400,
                "malformed request line, expected `METHOD target HTTP/1.1` with single spaces",
            ),
            Self::StatusLine => ("status-line", 400, "malformed status line, expected `HTTP/1.1 200 reason`"),
            Self::Version => ("version", 505, "unsupported version, expected `HTTP/1.1` or `HTTP/1.0`"),
            Self::Method => ("method", 400, "malformed method, expected upper-case letters, `-` and `_`"),
            Self::Connect => ("connect", 501, "the method `CONNECT` is not served, expected another"),
            Self::TargetForm => (
                "target-form",
                400,
                "odd form of request target, expected a path, `http(s)://host/path`, or `*` with `OPTIONS`",
            ),
            Self::TargetByte => {
                ("target-byte", 400, "a byte that a request target cannot hold, expected it percent-encoded")
            }
            Self::Fragment => ("fragment", 400, "a fragment in the request target, expected none"),
            Self::PercentEncoding => (
                "percent-encoding",
                400,
                "malformed or too deep percent-encoding in the path, expected `%` and two hexadecimal digits",
            ),
            Self::OverlongUtf8 => {
                ("overlong-utf8", 400, "an overlong UTF-8 form in the path, expected the shortest")
            }
            Self::NulInPath => ("nul-in-path", 400, "a NUL in the path, expected none in any encoding"),
            Self::DotSegment => {
                ("dot-segment", 400, "a `.` or `..` segment in the path, expected a resolved path")
            }
            Self::ControlByte => ("control-byte", 400, "a control byte, expected none"),
            Self::BareLf => ("bare-lf", 400, "a line that ends in LF alone, expected CRLF"),
            Self::BareCr => ("bare-cr", 400, "a CR without LF, expected CRLF"),
            Self::ObsFold => ("obs-fold", 400, "a folded header line, expected one line per field"),
            Self::SpaceBeforeColon => {
                ("space-before-colon", 400, "white space between a field name and its colon, expected none")
            }
            Self::FieldName => {
                ("field-name", 400, "malformed field name, expected a token followed by a colon")
            }
            Self::FieldValue => {
                ("field-value", 400, "malformed field value, expected visible text without surrounding space")
            }
            Self::HostMissing => ("host-missing", 400, "no `Host`, expected one"),
            Self::HostRepeated => ("host-repeated", 400, "more than one `Host`, expected one"),
            Self::HostInvalid => {
                ("host-invalid", 400, "malformed host, expected a name or an address with an optional port")
            }
            Self::HostMismatch => (
                "host-mismatch",
                400,
                "`Host` differs from the authority of the request target, expected the same",
            ),
            Self::TeWithCl => {
                ("te-with-cl", 400, "both `Transfer-Encoding` and `Content-Length`, expected one of them")
            }
            Self::RepeatedCl => ("repeated-cl", 400, "more than one `Content-Length`, expected one"),
            Self::ClNotNumeric => {
                ("cl-not-numeric", 400, "malformed `Content-Length`, expected decimal digits")
            }
            Self::TeUnknown => ("te-unknown", 501, "unknown transfer coding, expected `chunked` alone"),
            Self::TeDoubled => ("te-doubled", 400, "a repeated transfer coding, expected `chunked` once"),
            Self::Http10WithTe => {
                ("http10-with-te", 400, "`Transfer-Encoding` with HTTP/1.0, expected HTTP/1.1")
            }
            Self::FramingLookalike => (
                "framing-lookalike",
                400,
                "a field name that some servers read as a framing field, expected `-` in place of `_`",
            ),
            Self::ExpectUnknown => ("expect-unknown", 417, "odd `Expect`, expected `100-continue` once"),
            Self::ConnectionOption => {
                ("connection-option", 400, "odd option in `Connection`, expected names of hop-by-hop fields")
            }
            Self::BodyForbidden => {
                ("body-forbidden", 400, "a framed body on a response that cannot have one, expected none")
            }
            Self::ChunkSize => {
                ("chunk-size", 400, "malformed chunk size, expected 1 to 8 hexadecimal digits")
            }
            Self::ChunkExtension => {
                ("chunk-extension", 400, "malformed or too long chunk extension, expected a short one")
            }
            Self::ChunkLf => ("chunk-lf", 400, "a chunk line that ends in LF alone, expected CRLF"),
            Self::ChunkEnd => ("chunk-end", 400, "a chunk without CRLF after its data, expected CRLF"),
            Self::TrailerField => {
                ("trailer-field", 400, "a field that cannot be a trailer, expected it in the head")
            }
            Self::TrailersTooLarge => {
                ("trailers-too-large", 431, "the trailer block exceeds its bound, expected a smaller one")
            }
            Self::BodyCut => {
                ("body-cut", 400, "the peer closed before the end of the body, expected all of it")
            }
            Self::BodyLength => (
                "body-length",
                400,
                "the body differs from its declared length, expected as many bytes as declared",
            ),
            Self::FramingField => (
                "framing-field",
                400,
                "a framing or connection field where the writer states it, expected end-to-end fields",
            ),
            Self::Status => ("status", 400, "status code out of range, expected 100 to 999"),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        for name in names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
        }
    }

    #[test]
    fn all_is_in_declaration_order_and_complete() {
        // The last variant's discriminant counts the variants.
        assert_eq!(Refusal::ALL.len(), Refusal::Status as usize + 1);
        assert!(Refusal::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn every_status_is_an_error_and_upstreams_get_502() {
        for refusal in Refusal::ALL {
            assert!([400, 414, 417, 431, 501, 505].contains(&refusal.status()), "{}", refusal.name());
            assert_eq!(refusal.upstream_status(), 502);
            assert!(refusal.text().contains("expected"), "{}", refusal.name());
        }
    }
}
