//! Observing: what a call shows of itself, without keeping a value of it.
//!
//! [`request`] and [`response`] read fields, [`credential`] finds out who calls, [`record`] puts it all together as an
//! [`probity_model::Exchange`]. Classification itself is `probity-policy`'s; keeping is `probity-events`'s. Nothing
//! here decides or changes anything.

mod credential;
mod imported;
mod record;
mod request;
mod response;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use probity_model::{GatewayId, Principal, RequestId, Timestamp};
use probity_policy::classify::Content;

use crate::gateway::Tuning;
use crate::siphash::SipKey;
use crate::watch::lock;

pub(crate) use self::credential::CredentialCache;
pub use self::imported::{ImportObserver, ImportRefusal, RecordedCall};
pub(crate) use self::record::{Ending, Observed, exchange, is_own_field, keep_findings, lend_findings};
pub(crate) use self::request::{AgentCache, RequestFacts, is_grpc, protocol};

/// Shapes whose names were given already; past this many they are given again.
const MAX_SHAPES: usize = 65_536;
/// Content types of which each worker keeps the reading.
const MAX_TYPES: usize = 256;
/// Longest content type that is recorded.
const MAX_TYPE_BYTES: usize = 96;

/// Keys and memory of observation, one for the gateway.
#[derive(Debug)]
pub(crate) struct Observer {
    pub gateway: GatewayId,
    pub enabled: bool,
    pub key_version: u16,
    identity: hmac::Key,
    /// Hashes path segments, so that distinct values can be counted.
    segments: SipKey,
    /// Random in each process: for caches and request ids.
    local: SipKey,
    shapes: Mutex<HashSet<u64>>,
    pub probe: Option<fn(&str)>,
}

impl Observer {
    /// `None` where the system gives no random numbers.
    pub fn new(
        gateway: GatewayId,
        identity_key: &[u8; 32],
        key_version: u16,
        tuning: Tuning,
    ) -> Option<Self> {
        let identity = hmac::Key::new(hmac::HMAC_SHA256, identity_key);
        let tag = hmac::sign(&identity, b"probity-path-v1");
        let segments = SipKey::new(tag.as_ref().first_chunk().copied()?);
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        Some(Self {
            gateway,
            enabled: tuning.observe,
            key_version,
            identity,
            segments,
            local: SipKey::new(random),
            shapes: Mutex::default(),
            probe: tuning.stage_probe,
        })
    }

    /// A fresh UUIDv7; its random part is a keyed hash of a count, so that one id does not tell the next.
    pub fn request_id(&self, at: Timestamp) -> RequestId {
        thread_local! { static COUNT: Cell<u64> = const { Cell::new(0) } }
        let count = COUNT.get();
        COUNT.set(count.wrapping_add(1));
        let thread = std::ptr::from_ref(&count) as u64;
        let mut seed = [0; 24];
        seed.as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip([count, thread, at.as_micros() as u64])
            .for_each(|(part, value)| *part = value.to_le_bytes());
        let (first, second) = (self.local.hash(&seed), self.segments.hash(&seed) ^ self.local.hash(b"id"));
        let mut random = [0; 10];
        random
            .iter_mut()
            .zip(first.to_le_bytes().into_iter().chain(second.to_le_bytes()))
            .for_each(|(place, byte)| *place = byte);
        RequestId::from_parts(u64::try_from(at.as_millis()).unwrap_or(0), random)
    }

    /// A hash for caches: never recorded, another one in each process.
    pub fn local_hash(&self, value: &[u8]) -> u64 {
        self.local.hash(value)
    }

    /// The name of a proved caller in records: a keyed hash of issuer and subject.
    pub fn identity_of(&self, principal: &Principal) -> [u8; 16] {
        name_of(&self.identity, &principal.issuer, &principal.subject)
    }

    pub fn segment_hash(&self, segment: &str) -> u64 {
        self.segments.hash(segment.as_bytes())
    }

    /// Whether this gateway meets the shape for the first time.
    fn is_new_shape(&self, shape: u64) -> bool {
        let mut shapes = lock(&self.shapes);
        if shapes.len() >= MAX_SHAPES {
            shapes.clear();
        }
        shapes.insert(shape)
    }
}

/// The name in records of whom `issuer` calls `subject`, under the key of those records.
pub fn identity_name(identity_key: &[u8; 32], issuer: &str, subject: &str) -> [u8; 16] {
    name_of(&hmac::Key::new(hmac::HMAC_SHA256, identity_key), issuer, subject)
}

fn name_of(key: &hmac::Key, issuer: &str, subject: &str) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    for part in [b"probity-identity-v1", issuer.as_bytes(), subject.as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign().as_ref().first_chunk().copied().unwrap_or_default()
}

/// The usual methods: interned for records, and a bound for labels.
#[derive(Debug)]
pub(crate) struct Methods;

impl Methods {
    pub const NAMES: [&str; 10] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "TRACK", "other"];

    pub fn index(method: &[u8]) -> usize {
        Self::NAMES.iter().position(|name| name.as_bytes() == method).unwrap_or(Self::NAMES.len() - 1)
    }

    fn interned(method: &[u8]) -> Arc<str> {
        thread_local! { static KNOWN: Vec<Arc<str>> = Methods::NAMES.iter().map(|name| (*name).into()).collect(); }
        let index = Self::index(method);
        match KNOWN.with(|known| known.get(index).filter(|_| index + 1 < Self::NAMES.len()).cloned()) {
            Some(known) => known,
            None => String::from_utf8_lossy(method).as_ref().into(),
        }
    }
}

/// A content type as records and classification need it.
#[derive(Debug, Clone)]
pub(crate) struct ContentType {
    pub essence: Arc<str>,
    pub content: Content,
}

impl ContentType {
    /// Reads a `Content-Type`; each worker remembers the usual ones.
    pub fn of(value: Option<&[u8]>) -> Self {
        thread_local! { static KNOWN: RefCell<HashMap<Box<[u8]>, ContentType>> = RefCell::default(); }
        let value = value.unwrap_or_default();
        KNOWN.with_borrow_mut(|known| {
            if let Some(found) = known.get(value) {
                return found.clone();
            }
            let read = Self::read(value);
            if known.len() >= MAX_TYPES {
                known.clear();
            }
            if value.len() <= MAX_TYPE_BYTES {
                known.insert(value.into(), read.clone());
            }
            read
        })
    }

    fn read(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"/+-._".contains(&letter);
        let recorded = essence.len() <= MAX_TYPE_BYTES && essence.bytes().all(plain);
        let content = match () {
            // An absent type is read as what it looks like.
            () if value.is_empty() => Content::Text,
            () if recorded => Content::of(&essence),
            () => Content::Binary,
        };
        Self { essence: if recorded { essence.into() } else { "".into() }, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_differ_and_sort_by_time() {
        let observer = Observer::new("g".into(), &[1; 32], 1, Tuning::default()).unwrap();
        let at = Timestamp::from_seconds(1_700_000_000);
        let ids: HashSet<_> = (0..1000).map(|_| observer.request_id(at)).collect();
        assert_eq!(ids.len(), 1000);
        assert!(observer.request_id(at.plus_micros(1_000_000)) > *ids.iter().max().unwrap());
        assert!(ids.iter().all(|id| id.to_string().chars().nth(14) == Some('7')));
    }

    #[test]
    fn content_types() {
        for (value, essence) in [
            ("application/json; charset=utf-8", "application/json"),
            ("Text/HTML", "text/html"),
            ("", ""),
            ("a b@c", ""),
        ] {
            assert_eq!(&*ContentType::of(Some(value.as_bytes())).essence, essence, "{value}");
        }
        assert_eq!(ContentType::of(None).content, Content::Text);
        assert_eq!(ContentType::of(Some(b"application/problem+json")).content, Content::Json);
        assert_eq!(ContentType::of(Some(b"image/png")).content, Content::Binary);
    }
}
