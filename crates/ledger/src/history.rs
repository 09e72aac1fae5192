//! `checkpoints.log`: every checkpoint that was ever signed, in order. Its last record is the truth about
//! the log's size; the file `checkpoint` follows it.
//!
//! Format version 1: the line `probity-checkpoints/1`, then records of a line `@<bytes> <before> <digest>` and a
//! note of that many bytes. `digest` is the first 16 hexadecimal digits of SHA-256 over `before` and the note,
//! `before` the digest of the record before (16 zeros in the first). No line of a note starts with `@`, so
//! records are found from any place. The chain is unsigned: it names a careless change, the notes'
//! signatures and a checkpoint kept elsewhere prove a careful one.

use std::ops::Range;

use crate::checkpoint::{Checkpoint, decimal};
use crate::hash::{concat, hex};
use crate::note::MAX_NOTE_BYTES;

pub const FILE: &str = "checkpoints.log";
pub const HEADER: &str = "probity-checkpoints/1\n";
/// Longest record: a note and its line.
pub const MAX_RECORD: usize = MAX_NOTE_BYTES + 64;

/// What the first record names as the one before it.
pub const START: &str = "0000000000000000";

/// One record found in the file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it stands, in bytes from the start of what was read.
    pub at: Range<usize>,
    /// Digest of the record before.
    pub before: String,
    /// Its own digest.
    pub digest: String,
    pub checkpoint: Checkpoint,
}

/// The text of the record that follows the one with digest `before`, and its own digest.
pub fn record(before: &str, checkpoint: &Checkpoint) -> (String, String) {
    let note = checkpoint.as_str();
    let digest = digest(before, note);
    (format!("@{} {before} {digest}\n{note}", note.len()), digest)
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
            Ok(mut record) => {
                let len = record.at.end;
                record.at = at..at + len;
                records.push(record);
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

fn one(bytes: &[u8]) -> Result<Record, &'static str> {
    let line_len = bytes.iter().take(64).position(|byte| *byte == b'\n').ok_or("no record line")?;
    let (line, rest) = bytes.split_at_checked(line_len + 1).ok_or("no record line")?;
    let line = std::str::from_utf8(line).map_err(|_| "no record line")?;
    let line = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')).ok_or("no record line")?;
    let mut fields = line.split(' ');
    let (Some(len), Some(before), Some(expected), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("no record line");
    };
    let len = decimal(len).and_then(|len| usize::try_from(len).ok()).ok_or("record length is no number")?;
    if len > MAX_NOTE_BYTES {
        return Err("record longer than a note may be");
    }
    let note = rest.get(..len).ok_or("record is cut short")?;
    let note = std::str::from_utf8(note).map_err(|_| "record is not text")?;
    if digest(before, note) != expected {
        return Err("record does not match its digest");
    }
    let checkpoint = Checkpoint::parse(note).map_err(|_| "record is not a checkpoint")?;
    let at = 0..line_len + 1 + len;
    Ok(Record { at, before: before.into(), digest: expected.into(), checkpoint })
}

fn digest(before: &str, note: &str) -> String {
    hex(&concat(&[before.as_bytes(), note.as_bytes()])).chars().take(16).collect()
}

#[cfg(test)]
mod tests;
