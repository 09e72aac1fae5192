//! What verification found: as data with a format name, and in plain words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::LogId;

/// Most changes listed; the rest is counted.
const MAX_CHANGES: usize = 200;
const FORMAT: &str = "probity-verify-report/1";

/// The outcome of [`crate::verify_dir`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// `probity-verify-report/1`.
    pub format: String,
    /// What was verified.
    pub path: String,
    /// What was found to be changed; empty if the ledger is intact.
    pub changes: Vec<Change>,
    /// Changes beyond those listed.
    pub omitted: u64,
    /// One entry per log.
    pub logs: Vec<LogReport>,
    /// What is worth knowing and no change, as traces of an interrupted append.
    pub notes: Vec<String>,
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReport {
    /// The log.
    pub log: LogId,
    /// Origin stated by its checkpoint; empty if there is none.
    pub origin: String,
    /// Leaves stated by its newest checkpoint.
    pub size: u64,
    /// Root computed from what was read, hexadecimal.
    pub root: String,
    /// Checkpoints in its history.
    pub checkpoints: u64,
    /// Tile files read.
    pub tiles: u64,
    /// Whether every checkpoint is signed by a given key; absent if no key was given for this log.
    pub signed: Option<bool>,
    /// Sizes of the given checkpoints that this log extends.
    pub anchors: Vec<u64>,
}

/// One thing that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The log, where it is one log's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogId>,
    /// What kind of change.
    pub kind: ChangeKind,
    /// The file, relative to the ledger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// First and last leaf concerned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaves: Option<(u64, u64)>,
    /// In words.
    pub message: String,
}

/// Kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// Bytes were changed in place.
    Flip,
    /// Something was taken out.
    Cut,
    /// Something was put in.
    Insert,
    /// Things that are all there stand in another order.
    Reorder,
    /// Two files or logs were exchanged.
    Swap,
    /// A later state was replaced by an earlier one.
    RollBack,
    /// Leaves, hashes and checkpoint were changed to fit each other, or not to one state any more.
    Rewrite,
    /// A signature is missing or does not verify under the given key.
    BadSignature,
    /// A file is missing.
    Missing,
    /// A file could not be read.
    Unreadable,
    /// A key or checkpoint was given that is not this ledger's.
    Unusable,
}

impl ChangeKind {
    /// The kind as it stands in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Cut => "cut",
            Self::Insert => "insert",
            Self::Reorder => "reorder",
            Self::Swap => "swap",
            Self::RollBack => "roll back",
            Self::Rewrite => "rewrite",
            Self::BadSignature => "bad signature",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Unusable => "unusable",
        }
    }
}

impl VerifyReport {
    pub(super) fn new(path: &str) -> Self {
        Self {
            format: FORMAT.into(),
            path: path.into(),
            changes: Vec::new(),
            omitted: 0,
            logs: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        if self.changes.len() < MAX_CHANGES {
            self.changes.push(change);
        } else {
            self.omitted += 1;
        }
    }

    /// Takes over what was found in one log.
    pub(super) fn absorb(&mut self, other: Self) {
        other.changes.into_iter().for_each(|change| self.push(change));
        self.omitted += other.omitted;
        self.notes.extend(other.notes);
    }

    pub(super) fn order(&mut self) {
        self.changes.sort_by(|a, b| (a.log, &a.leaves, &a.file).cmp(&(b.log, &b.leaves, &b.file)));
    }

    /// Whether nothing was changed, as far as can be seen.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether every log was held against a key or a checkpoint from outside, and stood.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.is_intact() && self.logs.iter().all(|log| log.signed == Some(true) || !log.anchors.is_empty())
    }

    /// The outcome in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        if !self.is_intact() {
            let count = self.changes.len() as u64 + self.omitted;
            return format!("NOT intact: {count} {} found", if count == 1 { "change" } else { "changes" });
        }
        let signed = self.logs.iter().all(|log| log.signed == Some(true));
        let anchored = self.logs.iter().all(|log| !log.anchors.is_empty());
        match (signed, anchored) {
            (true, true) => "intact: signed by the given key, extends the given checkpoints".into(),
            (true, false) => {
                "intact: signed by the given key; only a checkpoint kept elsewhere would show a roll back"
                    .into()
            }
            (false, true) => "intact: extends the given checkpoints".into(),
            (false, false) => "self-consistent, not anchored".into(),
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path, self.summary())?;
        for change in &self.changes {
            writeln!(f, "  {change}")?;
        }
        if self.omitted > 0 {
            writeln!(f, "  and {} more", self.omitted)?;
        }
        for log in &self.logs {
            writeln!(f, "  {log}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind.as_str())?;
        if let Some(log) = self.log {
            write!(f, "log `{log}`: ")?;
        }
        f.write_str(&self.message)?;
        match &self.file {
            Some(file) => write!(f, " (`{file}`)"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, size, root, checkpoints, tiles, .. } = self;
        write!(f, "log `{log}`: {size} leaves, root {root}, {checkpoints} checkpoints, {tiles} tiles read")?;
        match self.signed {
            Some(true) => f.write_str(", signed by the given key")?,
            Some(false) => f.write_str(", NOT signed by the given key")?,
            None => f.write_str(", signature not checked")?,
        }
        self.anchors.iter().try_for_each(|size| write!(f, ", extends the given checkpoint of {size} leaves"))
    }
}
