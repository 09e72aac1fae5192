//! Names the fault of a block that the tokenizer rejected. Runs on refused input only, so it favours clarity.
//!
//! It never accepts: a block without a fault that it knows is refused with the most general reason.

use crate::octet::{self, TOKEN};
use crate::path::odd_octet;
use crate::{MAX_HEADERS, Refusal};

/// The fault of a complete request head.
pub(crate) fn request(head: &[u8]) -> Refusal {
    let (line, rest) = first_line(head);
    request_line(line).unwrap_or_else(|| fields(rest))
}

/// The fault of a complete response head.
pub(crate) fn response(head: &[u8]) -> Refusal {
    let (line, rest) = first_line(head);
    status_line(line).unwrap_or_else(|| fields(rest))
}

/// The fault of a field block.
pub(crate) fn fields(block: &[u8]) -> Refusal {
    let mut count = 0;
    for line in lines(block) {
        if let Some(fault) = field_line(line) {
            return fault;
        }
        count += 1;
    }
    if count > MAX_HEADERS { Refusal::TooManyHeaders } else { Refusal::FieldName }
}

fn first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let (line, rest) = head.split_at_checked(end).unwrap_or((head, &[]));
    (line.strip_suffix(b"\r\n").unwrap_or(line), rest)
}

/// Lines up to the empty one.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block
        .split_inclusive(|octet| *octet == b'\n')
        .map(|line| line.strip_suffix(b"\r\n").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

fn request_line(line: &[u8]) -> Option<Refusal> {
    if line.contains(&b'\r') {
        return Some(Refusal::BareCr);
    }
    let mut parts = line.split(|octet| *octet == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Some(controls(line).unwrap_or(Refusal::RequestLine));
    };
    if let Some(odd) = target.iter().find(|octet| octet::class(**octet) & octet::VISIBLE == 0) {
        return Some(odd_octet(*odd));
    }
    match () {
        () if controls(line).is_some() => controls(line),
        () if method.is_empty() || target.is_empty() => Some(Refusal::RequestLine),
        () if !octet::all(method, TOKEN) => Some(Refusal::Method),
        () => version_fault(version, Refusal::RequestLine),
    }
}

fn status_line(line: &[u8]) -> Option<Refusal> {
    if line.contains(&b'\r') {
        return Some(Refusal::BareCr);
    }
    let (version, rest) = line.split_at_checked(8).unwrap_or((line, &[]));
    if let Some(fault) = version_fault(version, Refusal::StatusLine) {
        return Some(fault);
    }
    match rest {
        [b' ', a, b, c] | [b' ', a, b, c, b' ', ..]
            if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            controls(rest)
        }
        _ => Some(Refusal::StatusLine),
    }
}

fn version_fault(version: &[u8], malformed: Refusal) -> Option<Refusal> {
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => None,
        [b'H', b'T', b'T', b'P', b'/', ..] => Some(Refusal::Version),
        _ => Some(malformed),
    }
}

fn field_line(line: &[u8]) -> Option<Refusal> {
    if line.contains(&b'\r') {
        return Some(Refusal::BareCr);
    }
    if matches!(line, [b' ' | b'\t', ..]) {
        return Some(Refusal::ObsFold);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(controls(line).unwrap_or(Refusal::FieldName));
    };
    let name = line.get(..colon).unwrap_or_default();
    if let Some(bare) = name.strip_suffix(b" ").or(name.strip_suffix(b"\t")) {
        let token = !bare.is_empty() && octet::all(octet::trim(bare), TOKEN);
        return Some(if token { Refusal::SpaceBeforeColon } else { Refusal::FieldName });
    }
    if let Some(fault) = controls(line) {
        return Some(fault);
    }
    (name.is_empty() || !octet::all(name, TOKEN)).then_some(Refusal::FieldName)
}

/// A control other than HTAB, which has its place in values.
fn controls(line: &[u8]) -> Option<Refusal> {
    line.iter().any(|octet| octet::is_control(*octet) && *octet != b'\t').then_some(Refusal::ControlByte)
}
