//! Classes that the configuration adds: a pattern, a dictionary, or both, each within bounds.

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, MatchKind};
use probity_model::DataClass;
use probity_model::bundle::CustomClass;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::text::MARGIN;

pub const MAX_CLASSES: usize = 64;
/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 2000;
/// Most dictionary words of all classes together.
pub const MAX_WORDS: usize = 50_000;
const MAX_WORD: usize = 200;
/// Compiled size of one pattern.
const PATTERN_BYTES: usize = 1 << 20;
/// Deepest nesting of one pattern.
const PATTERN_DEPTH: u32 = 50;
/// Most matches counted in one value.
const MAX_MATCHES: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum ClassError {
    #[error("class `{class}`: pattern is not a regular expression within the size limit")]
    Pattern { class: String, source: Box<regex::Error> },
    #[error("class `{class}`: pattern is longer than {MAX_PATTERN} bytes")]
    PatternLength { class: String },
    #[error("class `{class}`: pattern matches the empty text, expected at least one byte")]
    PatternEmpty { class: String },
    #[error("class `{class}`: expected a pattern or words")]
    Empty { class: String },
    #[error("class `{class}`: a word is empty or longer than {MAX_WORD} bytes")]
    Word { class: String },
    #[error("class `{class}` is a class of Probity's own or given twice, expected another name")]
    Name { class: String },
    #[error("more than {MAX_CLASSES} classes or {MAX_WORDS} words")]
    TooMany,
    #[error("words could not be compiled")]
    Search(#[source] aho_corasick::BuildError),
    #[error("patterns are too large together")]
    Patterns(#[source] Box<regex::Error>),
}

/// Compiled; empty in most configurations.
pub(super) struct Customs {
    classes: Vec<DataClass>,
    /// One pass tells which of `patterns` match at all.
    any: RegexSet,
    patterns: Vec<(Regex, usize)>,
    words: Option<AhoCorasick>,
    /// The class of each word.
    owners: Vec<usize>,
}

impl Customs {
    pub(super) fn new(custom: &[CustomClass]) -> Result<Self, ClassError> {
        let mut names = HashSet::new();
        let mut customs = Self {
            classes: Vec::new(),
            any: RegexSet::empty(),
            patterns: Vec::new(),
            words: None,
            owners: Vec::new(),
        };
        let mut words: Vec<&str> = Vec::new();
        let mut sources: Vec<&str> = Vec::new();
        for (index, own) in custom.iter().enumerate() {
            let class = own.class.to_string();
            if !matches!(own.class, DataClass::Custom(_)) || !names.insert(class.clone()) {
                return Err(ClassError::Name { class });
            }
            if own.pattern.is_none() && own.words.is_empty() {
                return Err(ClassError::Empty { class });
            }
            if own.words.iter().any(|word| word.trim().is_empty() || word.len() > MAX_WORD) {
                return Err(ClassError::Word { class });
            }
            if let Some(pattern) = &own.pattern {
                customs.patterns.push((compile(pattern, class)?, index));
                sources.push(pattern);
            }
            words.extend(own.words.iter().map(|word| word.trim()));
            customs.owners.extend(own.words.iter().map(|_| index));
            customs.classes.push(own.class.clone());
        }
        if custom.len() > MAX_CLASSES || words.len() > MAX_WORDS {
            return Err(ClassError::TooMany);
        }
        let limit = PATTERN_BYTES * MAX_CLASSES;
        customs.any = RegexSetBuilder::new(&sources)
            .size_limit(limit)
            .nest_limit(PATTERN_DEPTH)
            .build()
            .map_err(|source| ClassError::Patterns(Box::new(source)))?;
        if !words.is_empty() {
            let search = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::LeftmostLongest)
                .build(&words);
            customs.words = Some(search.map_err(ClassError::Search)?);
        }
        Ok(customs)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Tells each class found in one value, and how often.
    pub(super) fn scan(&self, bytes: &[u8], cut: bool, mut found: impl FnMut(&DataClass, &[u8])) {
        let limit = if cut { bytes.len().saturating_sub(MARGIN) } else { bytes.len() };
        for index in self.any.matches(bytes) {
            let Some((pattern, owner)) = self.patterns.get(index) else { continue };
            let matches = pattern.find_iter(bytes).take(MAX_MATCHES).filter(|found| found.end() <= limit);
            let Some(class) = self.classes.get(*owner) else { continue };
            matches.for_each(|value| found(class, value.as_bytes()));
        }
        let Some(words) = &self.words else { return };
        let inside = |at: Option<&u8>| {
            at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80)
        };
        for word in words.find_iter(bytes).take(MAX_MATCHES) {
            let before = word.start().checked_sub(1).and_then(|at| bytes.get(at));
            let whole = !inside(before) && !inside(bytes.get(word.end()));
            let owner = self.owners.get(word.pattern().as_usize()).and_then(|owner| self.classes.get(*owner));
            if let Some(class) = owner.filter(|_| whole && word.end() <= limit) {
                found(class, bytes.get(word.range()).unwrap_or_default());
            }
        }
    }
}

fn compile(pattern: &str, class: String) -> Result<Regex, ClassError> {
    if pattern.len() > MAX_PATTERN {
        return Err(ClassError::PatternLength { class });
    }
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).nest_limit(PATTERN_DEPTH).build();
    match built {
        Ok(regex) if regex.is_match(b"") => Err(ClassError::PatternEmpty { class }),
        Ok(regex) => Ok(regex),
        Err(source) => Err(ClassError::Pattern { class, source: Box::new(source) }),
    }
}
