//! Fields of a JSON text by pointer, with where they stand, so that cutting one leaves every other byte as it was.
//!
//! A strict, bounded walk over the bytes: no value is built. Members of the same name are all seen, since nobody knows
//! which one the reader behind will take. Pointers are RFC 6901 with `*` for every item of a list and member of an
//! object.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Deepest nesting that is walked.
pub const MAX_DEPTH: usize = 96;
/// Most places found in one text; one with more cannot be judged.
pub const MAX_HITS: usize = 65_536;

/// Whether a text is a list or an object: only these have fields.
pub fn has_fields(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Why a text cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no JSON at byte {0}")]
    At(usize),
    #[error("more than {MAX_DEPTH} levels deep")]
    Deep,
    #[error("more than {MAX_HITS} places")]
    Many,
}

impl Malformed {
    /// A word for decisions.
    pub const fn word(self) -> &'static str {
        match self {
            Self::At(_) => "unreadable",
            Self::Deep => "too-deep",
            Self::Many => "too-many",
        }
    }
}

/// Pointers compiled into a tree.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    named: Vec<(Box<str>, usize)>,
    any: Option<usize>,
    /// A pointer ends here, and which.
    ends: Option<usize>,
}

/// One pointer, and whether every item that its last `*` stands for has what it names.
#[derive(Clone, Debug)]
pub struct Pointer {
    whole: Pointers,
    items: Option<Pointers>,
    lists: Pointers,
}

impl Pointer {
    pub fn new(pointer: &str) -> Self {
        let items = pointer.rfind("/*").and_then(|at| Some((pointer.get(..at)?, pointer.get(..at + 2)?)));
        Self {
            whole: Pointers::new([pointer]),
            items: items.map(|(_, items)| Pointers::new([items])),
            lists: Pointers::new([items.map_or(pointer, |(list, _)| list)]),
        }
    }

    /// Every value that it names, and whether one is missing: none at all, or none in one of the items. An empty list
    /// misses nothing.
    ///
    /// # Errors
    /// As [`Pointers::find`].
    pub fn find(&self, text: &[u8]) -> Result<(Vec<Hit>, bool), Malformed> {
        let found = self.whole.find(text)?;
        let Some(items) = &self.items else {
            let missing = found.is_empty();
            return Ok((found, missing));
        };
        let items = items.find(text)?;
        let mut starts = found.iter().map(|hit| hit.value.start).peekable();
        let mut missing = items.is_empty() && self.lists.find(text)?.is_empty();
        for item in items {
            while starts.next_if(|start| *start < item.value.start).is_some() {}
            missing |= starts.peek().is_none_or(|start| *start >= item.value.end);
        }
        Ok((found, missing))
    }
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which pointer, by its position.
    pub pointer: usize,
    /// Where its value stands.
    pub value: Range<usize>,
    /// The value with its name.
    whole: Range<usize>,
    /// Where the sibling before ends and the one after begins.
    previous: Option<usize>,
    next: Option<usize>,
    /// Counts the containers of the text, and the place in this one.
    container: usize,
    index: usize,
}

impl Pointers {
    pub fn new<S: AsRef<str>>(pointers: impl IntoIterator<Item = S>) -> Self {
        let mut all = Self { nodes: vec![Node::default()] };
        for (number, pointer) in pointers.into_iter().enumerate() {
            all.insert(pointer.as_ref(), number);
        }
        all
    }

    fn insert(&mut self, pointer: &str, number: usize) {
        let mut at = 0;
        for token in pointer.split('/').skip(1) {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            let child = if token == "*" {
                *node.any.get_or_insert(next)
            } else {
                let token = token.replace("~1", "/").replace("~0", "~");
                match node.named.iter().find(|(name, _)| **name == *token) {
                    Some((_, child)) => *child,
                    None => {
                        node.named.push((token.into(), next));
                        next
                    }
                }
            };
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.ends.get_or_insert(number);
        }
    }

    /// Every value that a pointer names.
    ///
    /// # Errors
    /// [`Malformed`] for what is no JSON, or too deep, or too much.
    pub fn find(&self, text: &[u8]) -> Result<Vec<Hit>, Malformed> {
        self.walk(text, false)
    }

    /// Every value, largest first, that no pointer names and that leads to none.
    ///
    /// # Errors
    /// As [`Pointers::find`].
    pub fn others(&self, text: &[u8]) -> Result<Vec<Hit>, Malformed> {
        self.walk(text, true)
    }

    fn walk(&self, text: &[u8], others: bool) -> Result<Vec<Hit>, Malformed> {
        let mut walk =
            Walk { text, at: 0, depth: 0, pointers: self, others, hits: Vec::new(), containers: 0 };
        let all = self.nodes.first().and_then(|root| root.ends);
        walk.blank();
        let start = walk.at;
        walk.value(&if all.is_some() { Active::Named } else { Active::root() })?;
        let value = start..walk.at;
        walk.blank();
        if walk.at != text.len() {
            return Err(Malformed::At(walk.at));
        }
        if let Some(pointer) = all.filter(|_| !others) {
            let whole = value.clone();
            walk.hits.push(Hit { pointer, value, whole, previous: None, next: None, container: 0, index: 0 });
        }
        Ok(walk.hits)
    }
}

/// The text of a scalar: strings without their escapes, numbers and words as they are written. `None` for null, lists
/// and objects.
pub fn scalar<'a>(text: &'a [u8], value: &Range<usize>) -> Option<Cow<'a, str>> {
    let raw = text.get(value.clone())?;
    match raw.first()? {
        b'"' => unescaped(raw.get(1..raw.len().checked_sub(1)?)?),
        b'{' | b'[' | b'n' => None,
        _ => std::str::from_utf8(raw).ok().map(Cow::Borrowed),
    }
}

fn unescaped(inner: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", inner, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).ok().map(Cow::Owned)
}

/// The text without the values that were hit; their names and commas go with them. The root itself cannot be cut.
pub fn without(text: &[u8], mut hits: Vec<Hit>) -> Vec<u8> {
    hits.sort_by_key(|hit| (hit.whole.start, std::cmp::Reverse(hit.whole.end)));
    let mut cuts: Vec<Range<usize>> = Vec::new();
    // For each container, how many of its members were cut from the front on.
    let mut leading: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
    let mut covered = 0;
    for hit in hits {
        if hit.whole.start < covered {
            continue;
        }
        covered = hit.whole.end;
        let front = leading.entry(hit.container).or_default();
        let (start, end) = if *front == hit.index {
            *front += 1;
            (hit.whole.start, hit.next.unwrap_or(hit.whole.end))
        } else {
            (hit.previous.unwrap_or(hit.whole.start), hit.whole.end)
        };
        cuts.push(start..end);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for cut in cuts {
        out.extend_from_slice(text.get(from..cut.start.max(from)).unwrap_or_default());
        from = from.max(cut.end);
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}

/// Where a value stands in the tree of pointers: several nodes where names and `*` meet.
enum Active {
    /// Below a pointer that ended: all of it is named.
    Named,
    At(Vec<usize>),
}

impl Active {
    fn root() -> Self {
        Self::At(vec![0])
    }
    fn leads_nowhere(&self) -> bool {
        matches!(self, Self::At(nodes) if nodes.is_empty())
    }
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    pointers: &'a Pointers,
    /// Look for what is not named.
    others: bool,
    hits: Vec<Hit>,
    containers: usize,
}

/// A container while its members are walked.
struct Members {
    container: usize,
    index: usize,
    previous: Option<usize>,
    /// The hit that waits to be told where its next sibling begins.
    waiting: Option<usize>,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault<T>(&self) -> Result<T, Malformed> {
        Err(Malformed::At(self.at))
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return self.fault();
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, active: &Active) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'{') => self.container(active, b'}'),
            Some(b'[') => self.container(active, b']'),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fault(),
        }
    }

    fn container(&mut self, active: &Active, close: u8) -> Result<(), Malformed> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Malformed::Deep);
        }
        self.containers += 1;
        let mut members = Members { container: self.containers, index: 0, previous: None, waiting: None };
        self.blank();
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.member(active, close == b'}', &mut members)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => break,
                _ => return self.fault(),
            }
            self.blank();
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    fn member(&mut self, active: &Active, named: bool, members: &mut Members) -> Result<(), Malformed> {
        let start = self.at;
        if let Some(waiting) = members.waiting.take()
            && let Some(hit) = self.hits.get_mut(waiting)
        {
            hit.next = Some(start);
        }
        let name = if named {
            let name = self.string()?;
            self.blank();
            self.expect(b':')?;
            self.blank();
            Some(name)
        } else {
            None
        };
        let below = self.step(active, name)?;
        let value_start = self.at;
        let pointer = match &below {
            // Not named and leading nowhere: the largest such value is one hit.
            At::Unnamed if self.others => Some(usize::MAX),
            // Something should stand below, and a plain value stands here.
            At::Nodes(_) if self.others && !matches!(self.peek(), Some(b'{' | b'[' | b'n')) => {
                Some(usize::MAX)
            }
            At::Ends(pointer) if !self.others => Some(*pointer),
            _ => None,
        };
        let slot = pointer.map(|pointer| {
            let hit = Hit {
                pointer,
                value: value_start..value_start,
                whole: start..start,
                previous: members.previous,
                next: None,
                container: members.container,
                index: members.index,
            };
            self.hits.push(hit);
            self.hits.len() - 1
        });
        if self.hits.len() > MAX_HITS {
            return Err(Malformed::Many);
        }
        let inner = match below {
            At::Unnamed => Active::At(Vec::new()),
            At::Ends(_) => Active::Named,
            At::Nodes(nodes) => Active::At(nodes),
            At::Named => Active::Named,
        };
        let before = self.hits.len();
        self.value(&inner)?;
        if slot.is_some() && self.others {
            // What is below is part of it.
            self.hits.truncate(before);
        }
        if let Some(hit) = slot.and_then(|slot| self.hits.get_mut(slot)) {
            hit.value.end = self.at;
            hit.whole.end = self.at;
        }
        members.waiting = slot;
        members.previous = Some(self.at);
        members.index += 1;
        Ok(())
    }

    /// Where one member leads to.
    fn step(&self, active: &Active, name: Option<Range<usize>>) -> Result<At, Malformed> {
        let Active::At(nodes) = active else { return Ok(At::Named) };
        if active.leads_nowhere() {
            // Inside something that was hit as a whole, or that nobody asked for.
            return Ok(if self.others { At::Named } else { At::Unnamed });
        }
        let raw = name.and_then(|name| self.text.get(name));
        let unescaped = match raw {
            Some(raw) => Some(unescaped(raw).ok_or(Malformed::At(self.at))?),
            None => None,
        };
        let mut next = Vec::new();
        let mut ends = None;
        for node in nodes.iter().filter_map(|node| self.pointers.nodes.get(*node)) {
            let by_name = unescaped
                .as_deref()
                .and_then(|name| node.named.iter().find(|(known, _)| **known == *name))
                .map(|(_, child)| *child);
            for child in by_name.into_iter().chain(node.any) {
                ends = ends.or(self.pointers.nodes.get(child).and_then(|node| node.ends));
                next.push(child);
            }
        }
        Ok(match (ends, next.is_empty()) {
            (Some(pointer), _) => At::Ends(pointer),
            (None, true) => At::Unnamed,
            (None, false) => At::Nodes(next),
        })
    }

    /// The inside of a string.
    fn string(&mut self) -> Result<Range<usize>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else { return self.fault() };
            self.at += found;
            if self.peek() == Some(b'"') {
                let end = self.at;
                self.at += 1;
                return Ok(start..end);
            }
            // The escaped octet, whatever it is.
            self.at += 2;
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return self.fault();
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.fault() } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        self.digits()?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}

/// What a member is in the tree of pointers.
enum At {
    /// No pointer names it or leads on from it.
    Unnamed,
    Ends(usize),
    Nodes(Vec<usize>),
    /// Part of something that was settled above.
    Named,
}
