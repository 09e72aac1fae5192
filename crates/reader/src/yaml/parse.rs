//! YAML, from the events of `saphyr-parser`. Its recursive loader is not used: nesting is bounded here.

use std::collections::HashMap;
use std::sync::Arc;

use probity_model::Severity;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::build::Builder;
use super::{Fault, Tree};
use crate::diagnostics::{Diagnostics, Position, quoted};

pub(super) fn yaml(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Result<Tree, Fault> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::new(file, text.len() / 2, false);
    let mut anchors: HashMap<usize, u32> = HashMap::new();
    let mut documents = 0u32;
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            let at = Position::of(error.marker().line(), error.marker().col() + 1);
            Fault::new(at, format!("not valid YAML: {}", error.info()))
        })?;
        let at = Position::of(span.start.line(), span.start.col() + 1);
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    diagnostics.push_hint(
                        Severity::High,
                        at,
                        "the file holds more than one document",
                        "the first is read; put the others into files of their own",
                    );
                    break;
                }
            }
            Event::Alias(id) => match anchors.get(&id) {
                Some(target) => builder.alias(at, *target)?,
                None => return Err(Fault::new(at, "an alias names no anchored value of this document")),
            },
            Event::Scalar(value, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref(), at, diagnostics);
                let in_key = builder.expects_key();
                let node = builder.scalar(at, &value, plain)?;
                if anchor > 0 && !in_key {
                    anchors.insert(anchor, node);
                }
            }
            Event::SequenceStart(anchor, tag) => {
                is_text(tag.as_deref(), at, diagnostics);
                let node = builder.open(at, false)?;
                if anchor > 0 {
                    anchors.insert(anchor, node);
                }
            }
            Event::MappingStart(anchor, tag) => {
                is_text(tag.as_deref(), at, diagnostics);
                let node = builder.open(at, true)?;
                if anchor > 0 {
                    anchors.insert(anchor, node);
                }
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close(diagnostics)?,
        }
    }
    builder.finish()
}

/// Whether the tag makes text of a plain scalar. Tags that are none of YAML's own are reported: nothing here knows
/// what they stand for.
fn is_text(tag: Option<&Tag>, at: Position, diagnostics: &mut Diagnostics) -> bool {
    let Some(tag) = tag else { return false };
    if tag.is_yaml_core_schema() {
        return matches!(tag.suffix.as_str(), "str" | "binary" | "timestamp");
    }
    // The non-specific tag `!` asks for no type resolution.
    if matches!((tag.handle.as_str(), tag.suffix.as_str()), ("", "!") | ("!", "")) {
        return true;
    }
    let name = quoted(&tag.to_string());
    diagnostics.push_hint(
        Severity::High,
        at,
        format!("tag {name} has no meaning here"),
        "expected a value without a tag",
    );
    false
}
