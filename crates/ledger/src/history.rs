//! `checkpoints.log`: every checkpoint that was ever signed, in order. Its last record is the truth about
//! the log's size; the file `checkpoint` follows it.
//!
//! Format version 1: the line `probity-checkpoints/1`, then records of a line `@<bytes> <16 hexadecimal
//! digits>` and a note of that many bytes; the digits are the first of the note's SHA-256. No line of a note
//! starts with `@`, so records are found from any place.

use std::ops::Range;

use crate::checkpoint::{Checkpoint, decimal};
use crate::hash::{hex, sha256};
use crate::note::MAX_NOTE_BYTES;

pub const FILE: &str = "checkpoints.log";
pub const HEADER: &str = "probity-checkpoints/1\n";
/// Longest record: a note and its line.
pub const MAX_RECORD: usize = MAX_NOTE_BYTES + 64;

/// One record found in the file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it stands, in bytes from the start of what was read.
    pub at: Range<usize>,
    pub checkpoint: Checkpoint,
}

/// The text of one record.
pub fn record(checkpoint: &Checkpoint) -> String {
    let note = checkpoint.as_str();
    format!("@{} {}\n{note}", note.len(), digest(note))
}

/// A place that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it starts.
    pub at: usize,
    pub what: &'static str,
}

/// Records of `bytes`, with the damage between them. `bytes` starts at the file's start or amid a record.
pub fn records(bytes: &[u8]) -> (Vec<Record>, Vec<Damage>) {
    let mut records = Vec::new();
    let mut damage = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match one(rest) {
            Ok((len, checkpoint)) => {
                records.push(Record { at: at..at + len, checkpoint });
                at += len;
            }
            Err(what) => {
                damage.push(Damage { at, what });
                // Past this line, then on to the next record.
                at += next_record(rest).unwrap_or(rest.len());
            }
        }
    }
    (records, damage)
}

/// Offset of the first record that starts after the first byte.
pub fn next_record(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\n@").map(|at| at + 1)
}

fn one(bytes: &[u8]) -> Result<(usize, Checkpoint), &'static str> {
    let line_len = bytes.iter().take(64).position(|byte| *byte == b'\n').ok_or("no record line")?;
    let (line, rest) = bytes.split_at_checked(line_len + 1).ok_or("no record line")?;
    let line = std::str::from_utf8(line).map_err(|_| "no record line")?;
    let fields = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')?.split_once(' '));
    let (len, expected) = fields.ok_or("no record line")?;
    let len = decimal(len).and_then(|len| usize::try_from(len).ok()).ok_or("record length is no number")?;
    if len > MAX_NOTE_BYTES {
        return Err("record longer than a note may be");
    }
    let note = rest.get(..len).ok_or("record is cut short")?;
    let note = std::str::from_utf8(note).map_err(|_| "record is not text")?;
    if digest(note) != expected {
        return Err("record does not match its digest");
    }
    let checkpoint = Checkpoint::parse(note).map_err(|_| "record is not a checkpoint")?;
    Ok((line_len + 1 + len, checkpoint))
}

fn digest(note: &str) -> String {
    hex(&sha256(note.as_bytes())).chars().take(16).collect()
}

#[cfg(test)]
mod tests;
