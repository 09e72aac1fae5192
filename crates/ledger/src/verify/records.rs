//! Holds the checkpoints of one log against each other, the given keys and the given checkpoints.

use std::collections::BTreeMap;

use super::report::ChangeKind;
use super::scan::{Outcome, Reader, Source};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::history::{self, HEADER, Record};
use crate::log::CHECKPOINT;
use crate::note::MAX_NOTE_BYTES;
use crate::{LogId, NoteError};

/// Longest history read.
const MAX_HISTORY_BYTES: u64 = 4 << 30;

impl Reader<'_> {
    pub fn checkpoint_file(&mut self) -> Option<Checkpoint> {
        let Some(bytes) = self.read(CHECKPOINT, MAX_NOTE_BYTES as u64) else {
            self.change(ChangeKind::Missing, CHECKPOINT, None, "the checkpoint is missing".into());
            return None;
        };
        let parsed = std::str::from_utf8(&bytes).map(Checkpoint::parse);
        match parsed {
            Ok(Ok(checkpoint)) => Some(checkpoint),
            Ok(Err(error)) => {
                self.change(
                    ChangeKind::Flip,
                    CHECKPOINT,
                    None,
                    format!("the checkpoint was changed: {error}"),
                );
                None
            }
            Err(_) => {
                self.change(
                    ChangeKind::Flip,
                    CHECKPOINT,
                    None,
                    "the checkpoint was changed: not text".into(),
                );
                None
            }
        }
    }

    pub fn history(&mut self) -> Vec<Record> {
        let Some(bytes) = self.read(history::FILE, MAX_HISTORY_BYTES) else {
            let message = "the history of checkpoints is missing".to_owned();
            self.change(ChangeKind::Missing, history::FILE, None, message);
            return Vec::new();
        };
        self.history_len = bytes.len() as u64;
        let body = bytes.strip_prefix(HEADER.as_bytes());
        if body.is_none() {
            self.change(ChangeKind::Flip, history::FILE, None, "its first line was changed".into());
        }
        let start = history::next_record(&bytes).unwrap_or(bytes.len());
        let body = body.unwrap_or_else(|| bytes.get(start..).unwrap_or_default());
        let (records, damage) = history::records(body);
        for damage in &damage {
            let before = records.iter().filter(|record| record.at.end <= damage.at).count();
            let kind = if damage.what.contains("cut short") { ChangeKind::Cut } else { ChangeKind::Flip };
            let message = format!("after checkpoint record {before}: {}", damage.what);
            self.change(kind, history::FILE, None, message);
        }
        if damage.is_empty() {
            self.chain(&records);
        }
        records
    }

    /// Holds each record against the one before.
    fn chain(&mut self, records: &[Record]) {
        let known: BTreeMap<&str, usize> =
            records.iter().enumerate().map(|(at, record)| (record.digest.as_str(), at + 1)).collect();
        let mut before = history::START;
        let mut last_size = None;
        let mut reported = false;
        for (at, record) in records.iter().enumerate() {
            let number = at + 1;
            let follows = record.before == before;
            let size = record.checkpoint.size();
            let grows = last_size.is_none_or(|last| last < size);
            if !follows && !reported {
                let twice = known.get(record.digest.as_str()).is_some_and(|last| *last != number)
                    || records.iter().take(at).any(|earlier| earlier.digest == record.digest);
                let elsewhere = known.contains_key(record.before.as_str());
                let (kind, what) = if twice {
                    (ChangeKind::Insert, "stands in the history twice".to_owned())
                } else if elsewhere || (record.before == history::START && at > 0) {
                    (ChangeKind::Reorder, "stands in another place than it was written to".to_owned())
                } else if at == 0 || grows {
                    (ChangeKind::Cut, "follows records that were cut out".to_owned())
                } else {
                    (ChangeKind::Insert, format!("of {size} leaves was put in"))
                };
                self.change(kind, history::FILE, None, format!("checkpoint record {number} {what}"));
                // What follows a break is out of step as well; one name is enough.
                reported = matches!(kind, ChangeKind::Reorder | ChangeKind::Insert);
            } else if follows && !grows {
                let message = format!("checkpoint record {number} does not grow: {size} leaves");
                self.change(ChangeKind::Rewrite, history::FILE, None, message);
            }
            before = &record.digest;
            last_size = Some(size);
        }
    }

    /// Whether the file `checkpoint` is of the log that the folder holds.
    pub fn is_own(&mut self, file: &Checkpoint, held: LogId) -> bool {
        let other = file.log().filter(|log| *log != held);
        if let Some(other) = other {
            let message = format!("the file holds the checkpoint of the log `{other}`");
            self.change(ChangeKind::Swap, CHECKPOINT, None, message);
        }
        other.is_none()
    }

    /// Checks every signature; `None` without a key for this log.
    pub fn signatures(&mut self, history: &[Record], file: Option<&Checkpoint>) -> Option<bool> {
        if self.keys.is_empty() {
            return None;
        }
        let mut all = !history.is_empty();
        for (at, record) in history.iter().enumerate() {
            if let Err(error) = self.signed(&record.checkpoint) {
                all = false;
                self.unsigned(history::FILE, &format!("checkpoint record {}", at + 1), &error);
            }
        }
        if let Some(file) = file
            && let Err(error) = self.signed(file)
        {
            all = false;
            self.unsigned(CHECKPOINT, "the checkpoint", &error);
        }
        Some(all)
    }

    fn signed(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let mut result = Ok(());
        for key in &self.keys {
            result = checkpoint.verify(key);
            // A bad signature of a key that is named outweighs a good one of another.
            if matches!(result, Ok(()) | Err(CheckpointError::Note(NoteError::BadSignature(_)))) {
                break;
            }
        }
        result
    }

    fn unsigned(&mut self, file: &str, what: &str, error: &CheckpointError) {
        let kind = match error {
            CheckpointError::Origin { .. } => ChangeKind::Swap,
            _ => ChangeKind::BadSignature,
        };
        self.change(kind, file, None, format!("{what}: {error}"));
    }

    /// The checkpoint that the rest is held against, after comparing the file with its history.
    pub fn reference(&mut self, history: &[Record], file: Option<Checkpoint>) -> Option<Checkpoint> {
        let last = history.last().map(|record| record.checkpoint.clone());
        let (Some(file), Some(last)) = (&file, &last) else { return last.or(file) };
        let behind = history.iter().rev().position(|record| record.checkpoint.as_str() == file.as_str());
        match behind {
            Some(0) => {}
            Some(1) => self.report.notes.push(format!(
                "`{}/{CHECKPOINT}` is one record behind its history: an interrupted append, completed when the ledger is opened",
                self.log
            )),
            Some(_) if self.is_growing() => {}
            Some(behind) => {
                let message = format!(
                    "the checkpoint was rolled back by {behind} records to {} leaves; the history goes on to {}",
                    file.size(),
                    last.size()
                );
                self.change(ChangeKind::RollBack, CHECKPOINT, None, message);
            }
            None if file.size() > last.size() => {
                let message = format!(
                    "the history ends at {} leaves, the checkpoint states {}: its last records were cut",
                    last.size(),
                    file.size()
                );
                self.change(ChangeKind::Cut, history::FILE, None, message);
                return Some(file.clone());
            }
            None => {
                let message = format!("the checkpoint of {} leaves was changed: its history does not hold it", file.size());
                self.change(ChangeKind::Flip, CHECKPOINT, None, message);
            }
        }
        Some(last.clone())
    }

    /// Holds the log against the given checkpoints; returns the sizes that it extends.
    pub fn anchors(&mut self, given: &[&Checkpoint], size: u64, outcome: &Outcome) -> Vec<u64> {
        let mut matched = Vec::new();
        for (at, anchor) in given.iter().enumerate() {
            if !self.keys.is_empty()
                && let Err(error) = self.signed(anchor)
            {
                self.change(ChangeKind::Unusable, CHECKPOINT, None, format!("the given checkpoint: {error}"));
                continue;
            }
            let known = anchor.size();
            if known > size {
                let message =
                    format!("the log was rolled back: it has {size} leaves, the given checkpoint {known}");
                self.change(ChangeKind::RollBack, CHECKPOINT, Some((size, known - 1)), message);
            } else if outcome.failed.iter().any(|root| root.source == Source::Anchor(at)) {
                let good = outcome.passed.iter().map(|root| root.size).filter(|good| *good < known).max();
                // Only roots from outside are beyond the forger's reach.
                let from = good.filter(|_| !outcome.sound).unwrap_or(0);
                let message = format!(
                    "leaves {from} to {} are not those of the given checkpoint of {known} leaves: the past was rewritten",
                    known - 1
                );
                self.change(ChangeKind::Rewrite, CHECKPOINT, Some((from, known - 1)), message);
            } else {
                matched.push(known);
            }
        }
        matched
    }
}
