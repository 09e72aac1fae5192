//! Random tokens in the place of values, and the sealed map that leads back.
//!
//! A token says nothing of its value. The same value of the same class has one token while the map knows it: it is found by
//! a keyed hash. Values stand sealed (AES-256-GCM) in memory and in the file, which is appended to before a token is given
//! away, so that no token that left is without its value after the process ends. A full map gives no tokens; the caller
//! masks instead. Who may lead a token back is not decided here.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use probity_model::DataClass;
use zeroize::Zeroizing;

use crate::watch::lock;

/// Most values of one map.
pub const MAX_TOKENS: usize = 500_000;
/// Longest value that gets a token.
pub const MAX_TOKEN_VALUE: usize = 1024;
/// What every token begins with.
pub const TOKEN_PREFIX: &str = "ptk_";
const TOKEN_LETTERS: usize = 26;
const HEADER: &[u8; 18] = b"probity-tokens-v1\n";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const TAG: usize = 16;
/// Of one record without its sealed value.
const FIXED: usize = 16 + 16 + NONCE_LEN;

type Id = [u8; 16];

/// Why a map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the map of tokens cannot be read or written")]
    File(#[from] std::io::Error),
    #[error("`{0}` is no map of tokens")]
    Format(String),
    #[error("no key can be made")]
    Key,
}

/// See the module's head.
pub struct TokenMap {
    seal: LessSafeKey,
    lookup: hmac::Key,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tokens: HashMap<Id, Id>,
    values: HashMap<Id, Sealed>,
    file: Option<File>,
}

struct Sealed {
    nonce: [u8; NONCE_LEN],
    text: Box<[u8]>,
}

impl std::fmt::Debug for TokenMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenMap").finish_non_exhaustive()
    }
}

impl TokenMap {
    /// The map in `file`, or one in memory alone. `key` is the gateway's sealing key; keys of the map are derived from it.
    ///
    /// # Errors
    /// A file that cannot be read, or is none.
    pub fn open(key: &[u8; 32], file: Option<&Path>) -> Result<Self, TokenError> {
        Self::open_as(key, file, true)
    }

    /// As [`TokenMap::open`], for who only leads tokens back.
    ///
    /// # Errors
    /// A file that cannot be read, or is none.
    pub fn read(key: &[u8; 32], file: &Path) -> Result<Self, TokenError> {
        Self::open_as(key, Some(file), false)
    }

    fn open_as(key: &[u8; 32], file: Option<&Path>, write: bool) -> Result<Self, TokenError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derived = |purpose: &[u8]| hmac::sign(&root, purpose);
        let seal = UnboundKey::new(&AES_256_GCM, derived(b"probity-token-seal-v1").as_ref());
        let map = Self {
            seal: LessSafeKey::new(seal.map_err(|_| TokenError::Key)?),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, derived(b"probity-token-lookup-v1").as_ref()),
            held: Mutex::default(),
        };
        if let Some(path) = file {
            lock(&map.held).load(path, write)?;
        }
        Ok(map)
    }

    /// The token of a value: the one it has, or a new one. `None` when the map is full or cannot be kept.
    pub fn token(&self, class: &DataClass, value: &[u8]) -> Option<String> {
        if value.is_empty() || value.len() > MAX_TOKEN_VALUE {
            return None;
        }
        let lookup = self.lookup(class, value)?;
        let mut held = lock(&self.held);
        if let Some(token) = held.tokens.get(&lookup) {
            return Some(written(token));
        }
        if held.tokens.len() >= MAX_TOKENS {
            return None;
        }
        let (mut token, mut nonce) = ([0; 16], [0; NONCE_LEN]);
        rand::fill(&mut token).ok()?;
        rand::fill(&mut nonce).ok()?;
        let mut text = Zeroizing::new([class.as_str().as_bytes(), b"\0", value].concat());
        let tag = self
            .seal
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(token), &mut text)
            .ok()?;
        let sealed = [text.as_slice(), tag.as_ref()].concat();
        if let Err(error) = held.append(&token, &lookup, &nonce, &sealed) {
            tracing::error!(%error, "a token could not be kept: its value is masked");
            return None;
        }
        held.tokens.insert(lookup, token);
        held.values.insert(token, Sealed { nonce, text: sealed.into() });
        Some(written(&token))
    }

    /// The value behind a token, and its class.
    pub fn value(&self, token: &str) -> Option<(DataClass, Zeroizing<Vec<u8>>)> {
        let id = read(token)?;
        let held = lock(&self.held);
        let sealed = held.values.get(&id)?;
        let mut text = Zeroizing::new(sealed.text.to_vec());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let length = self.seal.open_in_place(nonce, Aad::from(id), &mut text).ok()?.len();
        text.truncate(length);
        let at = memchr::memchr(0, &text)?;
        let (class, value) = text.split_at_checked(at)?;
        let class = DataClass::parse(std::str::from_utf8(class).ok()?);
        Some((class, Zeroizing::new(value.get(1..)?.to_vec())))
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        lock(&self.held).tokens.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lookup(&self, class: &DataClass, value: &[u8]) -> Option<Id> {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(class.as_str().as_bytes());
        context.update(b"\0");
        context.update(value);
        context.sign().as_ref().first_chunk().copied()
    }
}

impl Held {
    /// A record that a crash cut off is cut away.
    fn load(&mut self, path: &Path, write: bool) -> Result<(), TokenError> {
        let mut options = OpenOptions::new();
        options.read(true).write(write).create(write).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = if bytes.is_empty() {
            if write {
                file.write_all(HEADER)?;
            }
            HEADER.len()
        } else {
            let records =
                bytes.strip_prefix(HEADER).ok_or_else(|| TokenError::Format(path.display().to_string()))?;
            HEADER.len() + self.take(records)
        };
        if write {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            self.file = Some(file);
        }
        Ok(())
    }

    /// Takes whole records; returns how many bytes they are.
    fn take(&mut self, records: &[u8]) -> usize {
        let mut rest = records;
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((record, tail)) = tail.split_at_checked(length) else { break };
            let parsed = || {
                let (token, record) = record.split_first_chunk::<16>()?;
                let (lookup, record) = record.split_first_chunk::<16>()?;
                let (nonce, text) = record.split_first_chunk::<NONCE_LEN>()?;
                (text.len() > TAG).then_some((*token, *lookup, *nonce, text))
            };
            let Some((token, lookup, nonce, text)) = parsed() else { break };
            self.tokens.insert(lookup, token);
            self.values.insert(token, Sealed { nonce, text: text.into() });
            rest = tail;
        }
        records.len() - rest.len()
    }

    fn append(&mut self, token: &Id, lookup: &Id, nonce: &[u8], sealed: &[u8]) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let length = u16::try_from(FIXED + sealed.len()).map_err(std::io::Error::other)?;
        let record = [&length.to_be_bytes()[..], token, lookup, nonce, sealed].concat();
        let before = file.stream_position()?;
        let written = file.write_all(&record);
        if written.is_err() {
            // Half a record would hide those behind it.
            file.set_len(before)?;
            file.seek(SeekFrom::Start(before))?;
        }
        written
    }
}

/// Lower-case letters and digits: fits into every text, and is no number.
fn written(token: &Id) -> String {
    let number = u128::from_be_bytes(*token);
    let mut text = String::with_capacity(TOKEN_PREFIX.len() + TOKEN_LETTERS);
    text.push_str(TOKEN_PREFIX);
    for place in (0..TOKEN_LETTERS).rev() {
        let letter = usize::try_from(number >> (place * 5) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(letter).copied().unwrap_or(b'a')));
    }
    text
}

fn read(text: &str) -> Option<Id> {
    let letters = text.strip_prefix(TOKEN_PREFIX).filter(|letters| letters.len() == TOKEN_LETTERS)?;
    let mut number = 0u128;
    for byte in letters.bytes() {
        let letter = ALPHABET.iter().position(|known| *known == byte)?;
        number = number << 5 | letter as u128;
    }
    // 26 letters have two bits more than a token.
    (letters.as_bytes().first().is_some_and(|first| b"abcdefgh".contains(first)))
        .then_some(number.to_be_bytes())
}

/// Where tokens stand in `bytes`.
pub(super) fn tokens_in(bytes: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    memchr::memmem::find_iter(bytes, TOKEN_PREFIX.as_bytes()).filter_map(move |at| {
        let text = bytes.get(at..at + TOKEN_PREFIX.len() + TOKEN_LETTERS)?;
        let text = std::str::from_utf8(text).ok()?;
        read(text).map(|_| (at, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const CARD: &[u8] = b"4111111111111111";

    #[test]
    fn a_value_has_one_token_and_comes_back() {
        let map = TokenMap::open(&KEY, None).unwrap();
        let token = map.token(&DataClass::CardNumber, CARD).unwrap();
        assert!(token.starts_with("ptk_") && token.len() == 30, "{token}");
        assert_eq!(map.token(&DataClass::CardNumber, CARD).as_ref(), Some(&token));
        assert_ne!(map.token(&DataClass::Iban, CARD).as_ref(), Some(&token));
        let (class, value) = map.value(&token).unwrap();
        assert_eq!((class, value.as_slice()), (DataClass::CardNumber, CARD));
        assert!(map.value("ptk_aaaaaaaaaaaaaaaaaaaaaaaaaa").is_none());
        assert!(map.value("4111111111111111").is_none());
        assert_eq!(map.len(), 2);
        // Another map makes another token.
        assert_ne!(TokenMap::open(&KEY, None).unwrap().token(&DataClass::CardNumber, CARD), Some(token));
    }

    #[test]
    fn the_file_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let token = TokenMap::open(&KEY, Some(&file)).unwrap().token(&DataClass::CardNumber, CARD).unwrap();
        let second = {
            let map = TokenMap::open(&KEY, Some(&file)).unwrap();
            assert_eq!(map.token(&DataClass::CardNumber, CARD).as_ref(), Some(&token));
            map.token(&DataClass::Ssn, b"123-45-6789").unwrap()
        };
        let bytes = std::fs::read(&file).unwrap();
        assert!(memchr::memmem::find(&bytes, CARD).is_none());
        // A torn record is cut away; what stands before it stays.
        std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        let map = TokenMap::open(&KEY, Some(&file)).unwrap();
        assert!(map.value(&token).is_some() && map.value(&second).is_none());
        let third = map.token(&DataClass::Ssn, b"123-45-6789").unwrap();
        drop(map);
        let map = TokenMap::read(&KEY, &file).unwrap();
        assert!(map.value(&token).is_some() && map.value(&third).is_some());
        // Another key opens nothing.
        assert!(TokenMap::read(&[8; 32], &file).unwrap().value(&token).is_none());
        std::fs::write(&file, b"something else").unwrap();
        assert!(matches!(TokenMap::read(&KEY, &file), Err(TokenError::Format(_))));
    }

    #[test]
    fn a_token_is_no_sensitive_value() {
        let map = TokenMap::open(&KEY, None).unwrap();
        let scanner = probity_policy::classify::Scanner::new(&[]).unwrap();
        for number in 0..300 {
            let token = map.token(&DataClass::CardNumber, format!("{number}").as_bytes()).unwrap();
            let mut findings = probity_policy::classify::Findings::new();
            let body = format!("{{\"pan\":\"{token}\",\"note\":\"paid by {token}\"}}");
            let (content, place) =
                (probity_policy::classify::Content::Json, probity_model::Place::ResponseBody);
            scanner.scan(content, place, body.as_bytes(), false, &mut findings);
            assert!(findings.hits.is_empty(), "{body} {:?}", findings.hits);
            assert_eq!(tokens_in(body.as_bytes()).count(), 2);
        }
    }
}
