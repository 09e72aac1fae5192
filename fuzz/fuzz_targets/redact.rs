//! Bodies that are changed: a stream is the same however it is cut, edits keep all else, and what passes comes through.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use probity_model::bundle::leaks::LeakAction;
use probity_model::{DataClass, Place};
use probity_policy::classify::{Content, Findings, Scanner};
use probity_policy::redact::{NoTokens, Stream, StreamError, Style, apply, plan};

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(&[]).expect("no classes"));

fuzz_target!(|data: &[u8]| {
    let Some(([choice, step], body)) = data.split_first_chunk::<2>() else { return };
    let content = match choice & 3 {
        0 => Content::Json,
        1 => Content::Xml,
        2 => Content::Form,
        _ => Content::Text,
    };
    let action = match choice >> 2 & 3 {
        0 => LeakAction::Mask,
        1 => LeakAction::Replace,
        2 => LeakAction::Drop,
        _ => LeakAction::Tokenise,
    };
    let mut findings = Findings::new();
    findings.locate(true);
    SCANNER.scan(content, Place::ResponseBody, body, false, &mut findings);
    let planned = plan(body, &findings, |_| action, &mut NoTokens, Style::default());
    let mut at = 0;
    for edit in &planned.edits {
        assert!(at <= edit.range.start && edit.range.start <= edit.range.end && edit.range.end <= body.len());
        at = edit.range.end;
    }
    let mut out = Vec::new();
    apply(body, &planned.edits, &mut out);
    assert!(!planned.edits.is_empty() || out == body);

    let step = usize::from(*step).max(1);
    let whole = streamed(content, body, body.len().max(1), action);
    let pieces = streamed(content, body, step, action);
    // Where quotes do not match, how far a value reaches outwards depends on what went out already.
    if matches!(action, LeakAction::Mask | LeakAction::Tokenise) {
        assert_eq!(whole, pieces);
    }
    if let Some(passed) = streamed(content, body, step, LeakAction::Pass) {
        assert_eq!(passed.as_deref(), Ok(body));
    }
});

fn streamed(content: Content, body: &[u8], step: usize, action: LeakAction) -> Option<Result<Vec<u8>, StreamError>> {
    let mut stream = Stream::new(content, Place::ResponseBody, "", Style::default())?;
    let decide = |_: &DataClass| action;
    let mut out = Vec::new();
    for piece in body.chunks(step) {
        if let Err(error) = stream.feed(&SCANNER, piece, &decide, &mut NoTokens, &mut out) {
            return Some(Err(error));
        }
    }
    Some(stream.finish(&SCANNER, &decide, &mut NoTokens, &mut out).map(|()| out))
}
