//! A body that is too long to be held, changed as it goes by: a bounded window, and values judged as a whole all the same.

use probity_model::bundle::leaks::LeakAction;
use probity_model::{DataClass, Place};

use super::edit::{self, plan_part};
use super::{Plan, Style, Tokens, mask};
use crate::classify::{Content, Findings, Scanner, Window};

/// Bytes that are held at most, besides those that came last.
pub const WINDOW: usize = 32 * 1024;
/// Bytes before a part that its first values are judged by.
const BEHIND: usize = 256;
/// Bytes by which it is known what the body is.
const HEAD: usize = 64;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StreamError {
    #[error("a value was found that a rule refuses")]
    Blocked,
    #[error("a value was found that cannot be changed where it stands")]
    Lost,
}

/// One body in passing. Parts may be cut anywhere: what comes out does not depend on it, but for how far a dropped or replaced
/// value reaches where quotes do not match.
#[derive(Debug)]
pub struct Stream {
    content: Content,
    place: Place,
    content_type: Box<str>,
    style: Style,
    window: Option<Window>,
    findings: Findings,
    /// What went out already, kept to look back at, then what did not.
    held: Vec<u8>,
    behind: usize,
    plan: Plan,
}

impl Stream {
    /// `None` for a body that is not read: it passes as it is.
    pub fn new(content: Content, place: Place, content_type: &str, style: Style) -> Option<Self> {
        let multipart = content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
        if content == Content::Binary || multipart {
            return None;
        }
        let mut findings = Findings::new();
        findings.locate(true);
        Some(Self {
            content,
            place,
            content_type: content_type.into(),
            style,
            window: None,
            findings,
            held: Vec::new(),
            behind: 0,
            plan: Plan::default(),
        })
    }

    /// Takes the next bytes, and appends to `out` what may go on.
    pub fn feed(
        &mut self,
        scanner: &Scanner,
        mut bytes: &[u8],
        decide: &dyn Fn(&DataClass) -> LeakAction,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            let room = (self.behind + WINDOW).saturating_sub(self.held.len());
            let (now, later) = bytes.split_at_checked(room.min(bytes.len())).unwrap_or((bytes, b""));
            self.held.extend_from_slice(now);
            bytes = later;
            self.pass(scanner, false, decide, tokens, out)?;
        }
        Ok(())
    }

    /// The end of the body.
    pub fn finish(
        &mut self,
        scanner: &Scanner,
        decide: &dyn Fn(&DataClass) -> LeakAction,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError> {
        self.pass(scanner, true, decide, tokens, out)
    }

    /// What was done so far.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn pass(
        &mut self,
        scanner: &Scanner,
        last: bool,
        decide: &dyn Fn(&DataClass) -> LeakAction,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError> {
        if self.window.is_none() {
            if self.held.len() < HEAD && !last {
                return Ok(());
            }
            self.window = Window::new(self.content, self.place, &self.content_type, &self.held);
        }
        // A window that stays full would never move on.
        let mut stuck = false;
        loop {
            let own = self.held.len() - self.behind;
            let Some(window) = &mut self.window else {
                out.append(&mut self.held);
                return Ok(());
            };
            if own == 0 {
                return Ok(());
            }
            let full = own >= WINDOW;
            let read = scanner.scan_part(window, &self.held, self.behind, full, last, &mut self.findings);
            let done = read.done.min(own);
            if done == 0 {
                if !full || last {
                    return Ok(());
                }
                if std::mem::replace(&mut stuck, true) {
                    return Err(StreamError::Lost);
                }
                continue;
            }
            stuck = false;
            self.emit(done, decide, tokens, out)?;
            if !full && !last {
                return Ok(());
            }
        }
    }

    fn emit(
        &mut self,
        done: usize,
        decide: &dyn Fn(&DataClass) -> LeakAction,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError> {
        let (from, end) = (self.behind, self.behind + done);
        plan_part(&self.held, &self.findings, decide, tokens, self.style, Some(from..end), &mut self.plan);
        if self.plan.blocked {
            return Err(StreamError::Blocked);
        }
        if self.plan.lost {
            return Err(StreamError::Lost);
        }
        let mut edits = std::mem::take(&mut self.plan.edits);
        for edit in &mut edits {
            // Of a value that reaches over the window's edges each part is hidden by itself.
            if edit.range.start < from || edit.range.end > end {
                edit.range = edit.range.start.max(from)..edit.range.end.min(end);
                edit.with = mask::HIDDEN.as_bytes().to_vec();
            }
            edit.range.start -= from;
            edit.range.end -= from;
        }
        edit::apply(self.held.get(from..end).unwrap_or_default(), &edits, out);
        self.plan.edits = edits;
        let keep = end.saturating_sub(BEHIND);
        self.held.drain(..keep);
        self.behind = end - keep;
        self.findings.forget_places();
        Ok(())
    }
}
