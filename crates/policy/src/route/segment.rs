//! Segments: walking a path, comparing with `%41` as `A`, and partial variables such as `{name}.json`.

use super::MAX_LITERAL;

/// The segments of a path that begins with `/`, from left to right; the last may be empty (`/a/`).
#[derive(Clone, Copy)]
pub(super) struct Segments<'a> {
    rest: Option<&'a [u8]>,
    encoded: bool,
}

impl<'a> Segments<'a> {
    /// `None` for what is not a path, such as the `*` of `OPTIONS *`.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let rest = path.as_bytes().strip_prefix(b"/")?;
        Some(Self { rest: Some(rest), encoded: memchr::memchr(b'%', rest).is_some() })
    }
    /// Whether there is a `%` anywhere.
    pub(super) fn is_encoded(self) -> bool {
        self.encoded
    }
    #[inline]
    pub(super) fn split(self) -> Option<(&'a [u8], Self)> {
        let rest = self.rest?;
        // Segments are short: a plain walk beats a search that has to warm up.
        let end = rest.iter().position(|byte| *byte == b'/');
        match end.and_then(|end| rest.split_at_checked(end)) {
            Some((head, tail)) => Some((head, Self { rest: tail.get(1..), ..self })),
            None => Some((rest, Self { rest: None, ..self })),
        }
    }
}

/// `segment` with `%XX` of unreserved characters decoded and other `%xx` in upper case, written into `buffer` only when
/// a `%` is there. `None` if the result is longer than any literal.
pub(super) fn comparable<'a>(segment: &'a [u8], buffer: &'a mut [u8; MAX_LITERAL]) -> Option<&'a [u8]> {
    if memchr::memchr(b'%', segment).is_none() {
        return Some(segment);
    }
    let mut length = 0;
    let mut rest = segment;
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = match (first, tail.first().copied().and_then(hex), tail.get(1).copied().and_then(hex)) {
            (b'%', Some(high), Some(low)) => Some(high << 4 | low),
            _ => None,
        };
        match decoded {
            Some(byte) if is_unreserved(byte) => {
                push(buffer, &mut length, byte)?;
                rest = tail.get(2..)?;
            }
            Some(_) => {
                push(buffer, &mut length, b'%')?;
                push(buffer, &mut length, tail.first()?.to_ascii_uppercase())?;
                push(buffer, &mut length, tail.get(1)?.to_ascii_uppercase())?;
                rest = tail.get(2..)?;
            }
            None => {
                push(buffer, &mut length, first)?;
                rest = tail;
            }
        }
    }
    buffer.get(..length)
}

fn push(buffer: &mut [u8], length: &mut usize, byte: u8) -> Option<()> {
    *buffer.get_mut(*length)? = byte;
    *length += 1;
    Some(())
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 3986, 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Literal(Box<[u8]>),
    Partial(Partial),
    Variable,
}

impl Pattern {
    /// `None` if braces do not match or a literal is too long.
    pub(super) fn of(segment: &str) -> Option<Self> {
        let mut literals = Vec::new();
        let mut rest = segment;
        while let Some((literal, tail)) = rest.split_once('{') {
            literals.push(literal_bytes(literal)?);
            let (name, tail) = tail.split_once('}')?;
            if name.contains('{') {
                return None;
            }
            rest = tail;
        }
        literals.push(literal_bytes(rest)?);
        if literals.len() == 1 {
            return literals.pop().map(Self::Literal);
        }
        match literals.iter().all(|literal| literal.is_empty()) {
            true => Some(Self::Variable),
            false => Some(Self::Partial(Partial { literals })),
        }
    }
}

fn literal_bytes(text: &str) -> Option<Box<[u8]>> {
    if text.contains('}') {
        return None;
    }
    comparable(text.as_bytes(), &mut [0; MAX_LITERAL])
        .filter(|text| text.len() <= MAX_LITERAL)
        .map(Into::into)
}

/// What stands before, between and after the variables of one segment; at least two entries, some empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partial {
    literals: Vec<Box<[u8]>>,
}

impl Partial {
    /// More literal bytes first, then fewer variables.
    pub(super) fn specificity(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.literals.iter().map(|literal| literal.len()).sum(), std::cmp::Reverse(self.literals.len()))
    }

    /// Each variable takes at least one byte, and as few as it can.
    pub(super) fn matches(&self, segment: &[u8]) -> bool {
        let [first, middle @ .., last] = self.literals.as_slice() else { return false };
        let Some(rest) = segment.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
        for literal in middle {
            let Some(after) = rest.get(1..) else { return false };
            let Some(at) = memchr::memmem::find(after, literal) else { return false };
            let Some(tail) = after.get(at + literal.len()..) else { return false };
            rest = tail;
        }
        !rest.is_empty()
    }
}
