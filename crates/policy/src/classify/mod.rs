//! Finds sensitive data and tell-tale text in bodies, queries and fields: classes and counts by field, never a value.
//!
//! One pass over bounded bytes, in the gateway, on every call. It judges nothing (a check does) and changes nothing. The
//! readers ([`json`], `form`, `xml`, `text`) cut a body into fields and values; `key` says what a field's name
//! promises; `value` hands each value to the few detectors that its bytes allow: `card`, `iban`, `person`, `national`,
//! `health`, `contact`, `secret`; `trace` finds stack traces and other slips of an answer; `custom` holds the classes that
//! the configuration adds.
//!
//! The cost is bounded by the bytes given: no detector looks further than a named constant from where it stands. One
//! [`Findings`] is meant to be used for many calls ([`Findings::clear`]): it remembers the fields of earlier answers, which
//! saves a third of the work.
//!
//! Credentials that belong where they are (an `Authorization` field) are found like all others; who does not want that
//! leaves those fields out.

mod card;
mod contact;
mod custom;
mod fields;
mod findings;
mod form;
mod health;
mod iban;
mod json;
mod key;
mod national;
mod person;
mod profile;
mod secret;
mod stream;
mod text;
mod trace;
mod trail;
mod value;
mod xml;

use std::fmt;

use probity_model::bundle::CustomClass;
use probity_model::{ClassHit, Place, Signal};

pub use custom::{ClassError, MAX_CLASSES, MAX_PATTERN, MAX_WORDS};
pub use fields::{Fields, MAX_FIELDS};
pub use findings::{Findings, MAX_HITS};
pub use json::MAX_DEPTH;
pub use stream::{Read, Window};
pub use trail::{Found, MAX_FOUND, Syntax};

use custom::Customs;
use fields::NodeId;
use trace::Traces;
use value::{Sink, Value};

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Json,
    /// `application/x-www-form-urlencoded` and `multipart/form-data`.
    Form,
    /// Read as JSON or XML all the same if it begins like one.
    Text,
    Xml,
    Graphql,
    /// Not read.
    Binary,
}

impl Content {
    /// By the value of a `Content-Type` field; parameters and letter case do not matter. An absent type is text.
    pub fn of(content_type: &str) -> Self {
        let essence = essence(content_type);
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let ends = |end: &str| {
            essence
                .len()
                .checked_sub(end.len())
                .and_then(|at| essence.get(at..))
                .is_some_and(|t| t.eq_ignore_ascii_case(end))
        };
        let starts = |start: &str| essence.get(..start.len()).is_some_and(|t| t.eq_ignore_ascii_case(start));
        if ends("json") || is("application/json-seq") {
            return Self::Json;
        }
        if is("application/x-www-form-urlencoded") || is("multipart/form-data") {
            return Self::Form;
        }
        if is("application/graphql") {
            return Self::Graphql;
        }
        if is("text/xml") || is("application/xml") || ends("+xml") && !is("image/svg+xml") {
            return Self::Xml;
        }
        if essence.is_empty() || starts("text/") || TEXTS.iter().any(|name| is(name)) {
            return Self::Text;
        }
        Self::Binary
    }
}

const TEXTS: [&str; 8] = [
    "application/javascript",
    "application/x-javascript",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/csv",
    "application/sql",
    "application/x-httpd-php",
];

/// A content type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Made once from a bundle, shared by all threads.
pub struct Scanner {
    traces: Traces,
    customs: Customs,
}

impl Scanner {
    pub fn new(custom: &[CustomClass]) -> Result<Self, ClassError> {
        Ok(Self { traces: Traces::new()?, customs: Customs::new(custom)? })
    }

    /// One body, or as much of it as the inspection bound let through.
    pub fn scan(&self, content: Content, place: Place, bytes: &[u8], truncated: bool, out: &mut Findings) {
        if truncated {
            out.signals.insert(Signal::InspectionTruncated);
        }
        out.trail.begin(bytes);
        out.trail.truncated = truncated;
        let root = NodeId::root(place);
        let mut sink = Sink { scanner: self, out, response: place.is_response(), depth: 0 };
        match (content, start(bytes)) {
            (Content::Json, _) | (Content::Text, Some(b'{' | b'[')) => {
                json::scan(bytes, truncated, root, &mut sink)
            }
            (Content::Xml, _) => xml::scan(bytes, truncated, root, &mut sink),
            (Content::Text, Some(b'<')) if is_xml(bytes) => xml::scan(bytes, truncated, root, &mut sink),
            (Content::Form, _) => form::scan(bytes, truncated, place, &mut sink),
            (Content::Graphql, _) => {
                sink.graphql(bytes);
                sink.document(root, bytes, truncated);
            }
            (Content::Text, _) => sink.document(root, bytes, truncated),
            (Content::Binary, _) => {}
        }
    }

    /// A query without its `?`. A secret in it raises [`Signal::CredentialInUrl`].
    pub fn scan_query(&self, query: &str, out: &mut Findings) {
        let mut sink = Sink { scanner: self, out, response: false, depth: 0 };
        sink.out.trail.begin(query.as_bytes());
        form::pairs(query.as_bytes(), false, NodeId::names(Place::RequestQuery), &mut sink);
        credential_in_url(Place::RequestQuery, out);
    }

    /// The value of a header, of a parameter, of a path's variable.
    pub fn scan_field(&self, place: Place, name: &str, value: &str, out: &mut Findings) {
        let mut sink = Sink { scanner: self, out, response: place.is_response(), depth: 0 };
        sink.out.trail.begin(value.as_bytes());
        let node = sink.member(NodeId::names(place), name.as_bytes());
        sink.value(node, Value::text(value.as_bytes(), false));
        credential_in_url(place, out);
    }
}

fn credential_in_url(place: Place, out: &mut Findings) {
    use probity_model::class::ClassGroup::Secret;
    let in_url = |hit: &ClassHit| hit.place == place && !hit.masked && hit.class.group() == Secret;
    if matches!(place, Place::RequestPath | Place::RequestQuery) && out.hits.iter().any(in_url) {
        out.signals.insert(Signal::CredentialInUrl);
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").finish_non_exhaustive()
    }
}

/// The first byte that is not white space or a byte order mark.
fn start(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().take(64).find(|b| !b.is_ascii_whitespace() && !matches!(b, 0xef | 0xbb | 0xbf))
}

fn is_xml(bytes: &[u8]) -> bool {
    bytes.get(..64.min(bytes.len())).is_some_and(|head| memchr::memmem::find(head, b"<?xml").is_some())
}

#[cfg(test)]
mod tests;
