//! An upstream's answer while controls look at it: its head, what becomes of its fields, its body.

use std::borrow::Cow;

use bytes::Bytes;
use probity_http1::ResponseHead;
use probity_policy::classify::Content;

use super::body::Held;
use crate::observe::ContentType;

/// Fields that describe bytes which are no longer those.
const OF_THE_BYTES: [&str; 8] = [
    "etag",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
    "accept-ranges",
    "content-range",
    "content-encoding",
];

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub head: ResponseHead,
    /// How the body is read, by its type.
    pub content: Content,
    /// As the client will see it.
    pub status: u16,
    pub edits: FieldEdits,
    pub body: Held,
    /// The body's bytes go out without the content coding that they came with.
    pub decoded: bool,
    /// As they came, of a whole body.
    pub coded: Option<Bytes>,
    /// They change as they stream by.
    pub filtered: bool,
}

impl Answer {
    pub fn of(head: ResponseHead) -> Self {
        let status = head.status();
        Self {
            content: ContentType::of(head.header(b"content-type")).content,
            head,
            status,
            edits: FieldEdits::default(),
            body: Held::Streaming,
            decoded: false,
            coded: None,
            filtered: false,
        }
    }

    /// The head as the client sees it, and the body.
    pub fn shown(self) -> (Shown, Held) {
        let bytes_changed = self.body_differs();
        (Shown { head: self.head, status: self.status, edits: self.edits, bytes_changed }, self.body)
    }

    fn body_differs(&self) -> bool {
        self.body.is_changed() || self.decoded || self.filtered
    }

    /// The fields for the client, without those of the connection and of the framing.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        shown_fields(&self.head, &self.edits, self.body_differs())
    }
}

fn shown_fields<'a>(
    head: &'a ResponseHead,
    edits: &'a FieldEdits,
    bytes_changed: bool,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    let kept = head.end_to_end().filter(move |(name, _)| {
        let is = |field: &&str| name.eq_ignore_ascii_case(field.as_bytes());
        let stale = bytes_changed && OF_THE_BYTES.iter().any(is);
        !stale && !name.eq_ignore_ascii_case(b"x-request-id") && !edits.removes(name)
    });
    kept.chain(edits.fields())
}

/// The head of an answer as its client sees it: the upstream's, and what became of its fields.
#[derive(Debug)]
pub(crate) struct Shown {
    head: ResponseHead,
    status: u16,
    edits: FieldEdits,
    bytes_changed: bool,
}

impl From<ResponseHead> for Shown {
    fn from(head: ResponseHead) -> Self {
        Self { status: head.status(), head, edits: FieldEdits::default(), bytes_changed: false }
    }
}

impl Shown {
    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn upstream_status(&self) -> u16 {
        self.head.status()
    }

    /// Without those of the connection and of the framing.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        shown_fields(&self.head, &self.edits, self.bytes_changed)
    }

    /// The first field of that name.
    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What becomes of the fields of a head: an answer's, or a request's on its way upstream.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldEdits {
    /// In lower case.
    removed: Vec<Cow<'static, str>>,
    set: Vec<(Cow<'static, str>, String)>,
}

impl FieldEdits {
    /// Removes every field of that name, in lower case.
    pub fn remove(&mut self, name: impl Into<Cow<'static, str>>) {
        self.removed.push(name.into());
    }

    /// Puts one field in the place of all of that name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        self.set.retain(|(other, _)| *other != name);
        self.removed.push(name.clone());
        self.set.push((name, value.into()));
    }

    /// Adds a field beside others of that name.
    pub fn add(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.set.push((name.into(), value.into()));
    }

    /// The fields that are set or added.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.set.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    pub fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|removed| name.eq_ignore_ascii_case(removed.as_bytes()))
    }
}
