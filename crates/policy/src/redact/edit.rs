//! What is found in a body becomes edits; edits become the changed body.

use std::ops::Range;

use probity_model::DataClass;
use probity_model::bundle::leaks::LeakAction;

use super::mask::{self, Style};
use super::syntax::{self, REDACTED};
use super::{Plan, Tokens};
use crate::classify::{Findings, Found, Syntax};

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: Vec<u8>,
    /// A member that goes with its comma.
    drops: bool,
    action: LeakAction,
}

/// What is to become of `body`, in which `findings` were located. `decide` is asked for each class that was found.
pub fn plan(
    body: &[u8],
    findings: &Findings,
    decide: impl Fn(&DataClass) -> LeakAction,
    tokens: &mut dyn Tokens,
    style: Style,
) -> Plan {
    let mut plan = Plan::default();
    plan_part(body, findings, decide, tokens, style, None, &mut plan);
    plan
}

/// As [`plan`], for the hits that reach into `part` alone. In a part a dropped field keeps its name, as its comma may have
/// gone out already.
pub(super) fn plan_part(
    body: &[u8],
    findings: &Findings,
    decide: impl Fn(&DataClass) -> LeakAction,
    tokens: &mut dyn Tokens,
    style: Style,
    part: Option<Range<usize>>,
    plan: &mut Plan,
) {
    plan.edits.clear();
    plan.lost |= findings.is_lost();
    for found in findings.found() {
        let outside = |part: &Range<usize>| {
            let hit = found.range(body);
            hit.end <= part.start || hit.start >= part.end
        };
        if part.as_ref().is_some_and(outside) {
            continue;
        }
        let action = decide(&found.class);
        if action == LeakAction::Pass {
            continue;
        }
        let mut untokened = false;
        match action {
            LeakAction::Block => plan.blocked = true,
            _ => plan.edits.push(edit(body, found, action, tokens, style, part.is_none(), &mut untokened)),
        }
        plan.note(&found.class, findings.pointer(found), action, untokened);
    }
    settle(body, &mut plan.edits);
}

fn edit(
    body: &[u8],
    found: &Found,
    action: LeakAction,
    tokens: &mut dyn Tokens,
    style: Style,
    whole: bool,
    untokened: &mut bool,
) -> Edit {
    let hit = found.range(body);
    // A name cannot go without its value: it is hidden.
    let action = match action {
        LeakAction::Drop | LeakAction::Replace | LeakAction::Tokenise if found.key => LeakAction::Mask,
        action => action,
    };
    let make = |range, with, drops| Edit { range, with, drops, action };
    match action {
        LeakAction::Drop => {
            let (range, with, drops) = drop_field(body, found, &hit, whole);
            make(range, with, drops)
        }
        LeakAction::Replace => {
            let (range, number) = match found.number {
                true => (hit, true),
                false => (syntax::value(found.syntax, body, &hit), false),
            };
            make(range, written(found.syntax, REDACTED, number), false)
        }
        LeakAction::Tokenise => {
            // What proves a payment or opens a door is never kept, not even behind a token.
            let keeps = !mask::is_authentication(&found.class);
            let value = found.value(body);
            let token = keeps.then(|| tokens.token(&found.class, &value)).flatten();
            *untokened = token.is_none();
            let text = token.unwrap_or_else(|| mask::mask(&found.class, &value, style));
            make(hit, written(found.syntax, &text, found.number), false)
        }
        _ => {
            let text = mask::mask(&found.class, &found.value(body), style);
            make(hit, written(found.syntax, &text, found.number), false)
        }
    }
}

/// A number becomes a text, with quotes.
fn written(syntax: Syntax, text: &str, number: bool) -> Vec<u8> {
    let text = syntax::write(syntax, text);
    match number {
        true => [&b"\""[..], &text, b"\""].concat(),
        false => text,
    }
}

fn drop_field(body: &[u8], found: &Found, hit: &Range<usize>, whole: bool) -> (Range<usize>, Vec<u8>, bool) {
    match found.syntax {
        Syntax::Json => {
            let value = match found.number {
                true => hit.clone(),
                false => {
                    let inner = syntax::value(Syntax::Json, body, hit);
                    inner.start.saturating_sub(1)..(inner.end + 1).min(body.len())
                }
            };
            match syntax::member(body, &value).filter(|_| whole) {
                Some(mut member) => {
                    syntax::commas(body, &mut member);
                    (member, Vec::new(), true)
                }
                // The places of other items stay.
                None => (value, b"null".to_vec(), false),
            }
        }
        Syntax::Form if whole => (syntax::pair(body, hit), Vec::new(), false),
        Syntax::Form | Syntax::Xml | Syntax::Multipart => {
            (syntax::value(found.syntax, body, hit), Vec::new(), false)
        }
        Syntax::Text => (hit.clone(), Vec::new(), false),
    }
}

/// In order, and one where several overlap: of two the one that hides more, over all that both cover.
fn settle(body: &[u8], edits: &mut Vec<Edit>) {
    edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
    let mut settled: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits.drain(..) {
        let Some(last) = settled.last_mut() else {
            settled.push(edit);
            continue;
        };
        let touches = last.drops && edit.drops && edit.range.start <= last.range.end;
        if !touches && edit.range.start >= last.range.end {
            settled.push(edit);
            continue;
        }
        let range = last.range.start..last.range.end.max(edit.range.end);
        // What only overlaps in part shows, in either form, some of the other.
        let contained = edit.range.end <= last.range.end;
        let stronger = last.drops || contained && last.action >= edit.action;
        if !stronger {
            last.with = match (contained || edit.range == last.range, edit.drops) {
                (_, true) => Vec::new(),
                (true, _) if edit.range == last.range => edit.with,
                _ => mask::HIDDEN.as_bytes().to_vec(),
            };
            (last.drops, last.action) = (edit.drops, last.action.max(edit.action));
        }
        last.range = range;
    }
    for edit in settled.iter_mut().filter(|edit| edit.drops) {
        syntax::last_comma(body, &mut edit.range);
    }
    *edits = settled;
}

/// Appends `body` to `out` with its edits made.
pub fn apply(body: &[u8], edits: &[Edit], out: &mut Vec<u8>) {
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(body.get(at..edit.range.start).unwrap_or_default());
        out.extend_from_slice(&edit.with);
        at = edit.range.end.max(at);
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
}
