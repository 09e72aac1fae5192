//! The request corpus and what this codec makes of it.

use crate::reading::{End, Reading, read};

const REQUESTS: &str = include_str!("../corpus/requests.txt");

/// Fewer cases would weaken the comparison with other servers.
const LEAST_CASES: usize = 450;

#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub verdict: &'static str,
    pub bytes: Vec<u8>,
}

pub fn cases() -> Vec<Case> {
    REQUESTS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut columns = line.splitn(3, " | ");
            let mut next = || columns.next().unwrap_or_else(|| panic!("three columns in `{line}`"));
            Case { verdict: next(), name: next(), bytes: unescape(next()) }
        })
        .collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let (byte, count, len) = match escape.as_bytes() {
            [b'r', ..] => (b'\r', 1, 1),
            [b'n', ..] => (b'\n', 1, 1),
            [b't', ..] => (b'\t', 1, 1),
            [b'0', ..] => (0, 1, 1),
            [b'\\', ..] => (b'\\', 1, 1),
            [b'x', ..] => (u8::from_str_radix(&escape[1..3], 16).expect("two hexadecimal digits"), 1, 3),
            [b'{', ..] => {
                let end = escape.find('}').expect("a closing brace");
                let (count, letter) = escape[1..end].split_once(':').expect("a count and a letter");
                (letter.as_bytes()[0], count.parse().expect("a count"), end + 1)
            }
            _ => panic!("unknown escape in `{text}`"),
        };
        bytes.extend(std::iter::repeat_n(byte, count));
        rest = &escape[len..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn verdict(reading: &Reading) -> String {
    let count = reading.requests.len();
    match reading.end {
        End::Complete => count.to_string(),
        End::More => format!("{count}+more"),
        End::Refused(refusal) => format!("{count}+{}", refusal.name()),
    }
}

#[test]
fn every_case_is_read_as_its_verdict_says() {
    let cases = cases();
    assert!(cases.len() >= LEAST_CASES, "{} cases", cases.len());
    let wrong: Vec<_> = cases
        .iter()
        .map(|case| (case, verdict(&read([&case.bytes[..]]))))
        .filter(|(case, got)| *got != case.verdict)
        .map(|(case, got)| format!("{}: expected {}, got {got}", case.name, case.verdict))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn bytes_one_by_one_are_read_alike() {
    for case in cases() {
        let whole = read([&case.bytes[..]]);
        assert_eq!(read(case.bytes.chunks(1)), whole, "{}", case.name);
        assert_eq!(read(case.bytes.chunks(7)), whole, "{} by sevens", case.name);
    }
}
