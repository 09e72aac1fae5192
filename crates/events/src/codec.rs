//! One exchange as bytes: postcard, without its sequence number, which its place in the segment gives.

use postcard::ser_flavors::Flavor;
use probity_model::Exchange;

/// Largest encoded record.
pub const MAX_RECORD: usize = 1024 * 1024;

/// Bytes of a segment that are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("expected an exchange of version {}", probity_model::exchange::EXCHANGE_VERSION)]
    Exchange,
    #[error("{0} bytes follow the exchange, expected none")]
    Rest(usize),
}

/// Appends the encoded exchange. Its sequence number should be 0 (one byte); [`decode_record`] sets it.
///
/// # Errors
/// When postcard refuses a value, which no exchange holds.
pub fn encode_record(exchange: &Exchange, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
    postcard::serialize_with_flavor(exchange, Appender(out))
}

/// Reads one exchange from exactly these bytes and numbers it.
///
/// # Errors
/// [`DecodeError`] for anything but one whole exchange.
pub fn decode_record(bytes: &[u8], sequence: u64) -> Result<Exchange, DecodeError> {
    let (mut exchange, rest) =
        postcard::take_from_bytes::<Exchange>(bytes).map_err(|_| DecodeError::Exchange)?;
    if !rest.is_empty() {
        return Err(DecodeError::Rest(rest.len()));
    }
    exchange.sequence = sequence;
    Ok(exchange)
}

/// The request id stands at a fixed place in a record: after the sequence number (0) and its own length.
pub fn request_id_of(record: &[u8]) -> Option<&[u8]> {
    match record {
        [0, 16, rest @ ..] => rest.get(..16),
        _ => None,
    }
}

/// Seven bits a byte, low ones first.
pub fn put_length(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Splits the next length-prefixed record off; `None` when the bytes hold none.
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    for (position, byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return bytes.get(position + 1..)?.split_at_checked(length);
        }
    }
    None
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Flavor for Appender<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
