//! What a run of bytes is made of: one table look-up a byte, so that a value goes only to the detectors that can match.

pub(super) const DIGIT: u32 = 1;
/// `a-f`, `A-F`.
pub(super) const HEX: u32 = 1 << 1;
/// Letters beyond `f`.
pub(super) const LETTER: u32 = 1 << 2;
/// Also set for upper-case letters.
pub(super) const UPPER: u32 = 1 << 3;
/// Space, tab, line ends.
pub(super) const SPACE: u32 = 1 << 4;
pub(super) const DASH: u32 = 1 << 5;
pub(super) const DOT: u32 = 1 << 6;
pub(super) const AT: u32 = 1 << 7;
pub(super) const COLON: u32 = 1 << 8;
/// `/` and `\`.
pub(super) const SLASH: u32 = 1 << 9;
/// Bytes that hide others: `*`, `#`, and any byte beyond ASCII (bullets).
pub(super) const MASK: u32 = 1 << 10;
pub(super) const ANGLE: u32 = 1 << 11;
pub(super) const PAREN: u32 = 1 << 12;
pub(super) const PLUS: u32 = 1 << 13;
pub(super) const EQUALS: u32 = 1 << 14;
pub(super) const UNDERSCORE: u32 = 1 << 15;
pub(super) const CARET: u32 = 1 << 16;
pub(super) const OTHER: u32 = 1 << 17;
/// Belongs to a token of running text.
pub(super) const WORD: u32 = 1 << 19;
pub(super) const WIDE: u32 = 1 << 20;
/// `x` and `X`: hide digits as well.
pub(super) const EX: u32 = 1 << 21;
pub(super) const BIG_EX: u32 = 1 << 22;

#[allow(clippy::indexing_slicing, reason = "run by the compiler only")]
const CLASSES: [u32; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT | WORD,
            b'a'..=b'f' => HEX | WORD,
            b'A'..=b'F' => HEX | UPPER | WORD,
            b'x' => LETTER | EX | WORD,
            b'X' => LETTER | UPPER | BIG_EX | WORD,
            b'g'..=b'z' => LETTER | WORD,
            b'G'..=b'Z' => LETTER | UPPER | WORD,
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            b'-' => DASH | WORD,
            b'.' => DOT | WORD,
            b'@' => AT | WORD,
            b':' => COLON,
            b'/' => SLASH,
            b'\\' => SLASH,
            b'*' => MASK | WORD,
            b'#' => MASK | WORD,
            b'<' | b'>' => ANGLE,
            b'(' | b')' => PAREN,
            b'+' => PLUS | WORD,
            b'=' => EQUALS,
            b'_' => UNDERSCORE | WORD,
            b'^' => CARET,
            b'~' => WORD,
            0x80..=0xff => MASK | WIDE | WORD,
            b',' | b';' | b'!' | b'?' | b'%' | b'&' | b'$' => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "a byte is always below 256")]
pub(super) fn class(byte: u8) -> u32 {
    CLASSES[byte as usize]
}

/// The union of all bytes' classes, and how many of them are digits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Profile {
    pub(super) flags: u32,
    pub(super) digits: u32,
}

impl Profile {
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (chunks, rest) = bytes.as_chunks::<4>();
        let (mut flags, mut digits) = (0, 0);
        for chunk in chunks {
            let [a, b, c, d] = chunk.map(class);
            flags |= a | b | c | d;
            // DIGIT is the lowest bit.
            digits += (a & DIGIT) + (b & DIGIT) + (c & DIGIT) + (d & DIGIT);
        }
        for byte in rest {
            let class = class(*byte);
            flags |= class;
            digits += class & DIGIT;
        }
        Self { flags, digits }
    }
    #[inline(always)]
    pub(super) fn has(self, flags: u32) -> bool {
        self.flags & flags != 0
    }
}
