//! Finds the end of a head and refuses lines that end in LF alone: once over the bytes, before any
//! tokenizing.
//!
//! Only LF is judged here, so that a head cut at any byte and the whole head are refused for the same reason.

use memchr::memchr_iter;

use crate::Refusal;

pub(crate) enum Scan {
    /// The block ends before this offset, its empty line included.
    Complete(usize),
    /// More bytes are needed.
    Partial,
    /// No end within the bound. `first_line` says that not even the first line ended.
    TooLarge { first_line: bool },
}

/// Looks for the empty line within the first `bound` bytes.
pub(crate) fn block_end(bytes: &[u8], bound: usize) -> Result<Scan, Refusal> {
    let window = bytes.get(..bound).unwrap_or(bytes);
    let mut line_start = 0;
    for newline in memchr_iter(b'\n', window) {
        if newline == 0 || window.get(newline - 1) != Some(&b'\r') {
            return Err(Refusal::BareLf);
        }
        if newline == line_start + 1 {
            return Ok(Scan::Complete(newline + 1));
        }
        line_start = newline + 1;
    }
    if bytes.len() >= bound {
        return Ok(Scan::TooLarge { first_line: line_start == 0 });
    }
    Ok(Scan::Partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, bound: usize, expected: &str) {
        let got = match block_end(input.as_bytes(), bound) {
            Ok(Scan::Complete(end)) => format!("{end}"),
            Ok(Scan::Partial) => "partial".to_owned(),
            Ok(Scan::TooLarge { first_line }) => format!("large {first_line}"),
            Err(refusal) => refusal.name().to_owned(),
        };
        assert_eq!(got, expected, "{input:?} within {bound}");
    }

    #[test]
    fn ends_are_found() {
        check("", 9, "partial");
        check("a\r\n\r\nrest\n", 99, "5");
        check("a\r\n\r\n", 5, "5");
        check("a\r\n\r\n", 4, "large false");
        check("abcdef", 6, "large true");
        check("a\r\nb", 99, "partial");
        check("a\r\n\r", 99, "partial");
        check("\r\n", 99, "2");
        check("\n", 99, "bare-lf");
        check("a\n\n", 99, "bare-lf");
        check("a\r\nb\n\r\n", 99, "bare-lf");
        check("a\r\n\n", 99, "bare-lf");
    }
}
