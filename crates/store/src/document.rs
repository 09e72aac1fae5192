//! Documents and keys: how a value becomes the text of a column, and comes back.

use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

/// Longest id of a subject or operation, as a key; a PostgreSQL index takes no entry above 2,704 bytes.
pub const MAX_SUBJECT_BYTES: usize = 2_048;
/// Longest of every other id or name, as a key.
pub const MAX_NAME_BYTES: usize = 480;

/// The text of a key column: PostgreSQL text holds no NUL. Each character is written on its own, so that a prefix of
/// a text gives a prefix of its key, and no two texts give one key.
pub(crate) fn key(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => out.push_str("\\0"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out
}

/// The first text after every text that begins with `prefix`; `None` when there is no such text.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

impl Store {
    pub(crate) fn name_key(&self, what: &'static str, text: &str) -> Result<String, StoreError> {
        self.bounded(what, key(text), MAX_NAME_BYTES)
    }

    pub(crate) fn subject_key(&self, what: &'static str, text: &str) -> Result<String, StoreError> {
        self.bounded(what, key(text), MAX_SUBJECT_BYTES)
    }

    fn bounded(&self, what: &'static str, key: String, limit: usize) -> Result<String, StoreError> {
        match key.len() <= limit {
            true => Ok(key),
            false => Err(StoreError::KeyTooLong { database: self.database(), what, bytes: key.len(), limit }),
        }
    }

    pub(crate) fn number(&self, what: &'static str, number: u64) -> Result<i64, StoreError> {
        i64::try_from(number).map_err(|_| StoreError::NumberTooLarge {
            database: self.database(),
            what,
            number,
        })
    }

    /// JSON text of `value`, proven to be readable again: what was acknowledged must not stop the next start.
    pub(crate) fn document<T: Serialize + DeserializeOwned>(
        &self,
        table: &'static str,
        key: &str,
        value: &T,
    ) -> Result<String, StoreError> {
        let written = serde_json::to_string(value);
        written.and_then(|text| serde_json::from_str::<T>(&text).map(|_| text)).map_err(|source| {
            StoreError::Unwritable { database: self.database(), table, key: key.to_owned(), source }
        })
    }

    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        table: &'static str,
        key: &str,
        document: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(document).map_err(|source| StoreError::Unreadable {
            database: self.database(),
            table,
            key: key.to_owned(),
            expected: "the JSON document that was written",
            source: Some(source),
        })
    }

    pub(crate) fn failed(&self, doing: &'static str) -> impl Fn(DbErr) -> StoreError + use<> {
        let database = self.database();
        move |source| StoreError::Query { database: database.clone(), doing, source }
    }
}

#[cfg(test)]
mod tests;
