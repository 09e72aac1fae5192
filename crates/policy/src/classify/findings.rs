//! What scanning one call found: hits, signals and field names. Holds no value, and is reused from call to call.

use std::sync::Arc;

use probity_model::{ClassHit, DataClass, Place, Signals};

use super::fields::{Fields, NodeId};
use super::trail::{Found, Trail};

/// Most distinct (class, place, field, masked) of one call; later ones only raise counts of what is there.
pub const MAX_HITS: usize = 128;

/// Filled by [`super::Scanner`]; one for each call, or cleared between calls.
#[derive(Debug, Default)]
pub struct Findings {
    /// Merged by class, place, field and masked.
    pub hits: Vec<ClassHit>,
    pub signals: Signals,
    /// Names of fields, by place.
    pub fields: Fields,
    /// Where each hit stands, so that a repeated field is merged without its text.
    origins: Vec<NodeId>,
    /// A value without its escapes; cleared after each use.
    pub(super) scratch: Vec<u8>,
    pub(super) trail: Trail,
}

impl Findings {
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it, and keeps its memory.
    pub fn clear(&mut self) {
        self.hits.clear();
        self.origins.clear();
        self.signals = Signals::default();
        self.fields.clear();
        self.trail.clear();
    }

    /// Whether scans keep where their hits stand: [`Findings::found`].
    pub fn locate(&mut self, locate: bool) {
        self.trail.enabled = locate;
    }

    /// Where the unmasked hits of the last scan stand, in the order in which they were found.
    pub fn found(&self) -> &[Found] {
        &self.trail.found
    }

    /// Some hits have no place: there were too many, or they stand where nothing can be changed.
    pub fn is_lost(&self) -> bool {
        self.trail.lost
    }

    /// Forgets the places, not the hits.
    pub fn forget_places(&mut self) {
        self.trail.clear();
    }

    /// The field of a hit, as in [`ClassHit::field`].
    pub fn pointer(&self, found: &Found) -> String {
        self.fields.pointer(found.node)
    }

    /// Hash of the answer's shape: status class, essence of the content type, set of field pointers of the response
    /// body. The same on every machine and in every run.
    pub fn shape(&self, status: u16, content_type: &str) -> u64 {
        let essence = super::essence(content_type);
        let head = fnv(OFFSET, &[b'0'.wrapping_add((status / 100).min(9) as u8), b' ']);
        let head = essence.bytes().fold(head, |hash, byte| fnv(hash, &[byte.to_ascii_lowercase()]));
        mix(head.wrapping_add(mix(self.fields.sum(Place::ResponseBody))))
    }

    /// The pointers behind [`Findings::shape`], sorted.
    pub fn field_names(&self) -> Vec<Arc<str>> {
        self.fields.names(Place::ResponseBody)
    }

    pub(super) fn hit(&mut self, node: NodeId, class: DataClass, masked: bool, times: u32) {
        if self.origins.len() != self.hits.len() {
            // The caller took the hits out; what comes now starts afresh.
            self.origins.clear();
            self.origins.resize(self.hits.len(), NodeId::NONE);
        }
        let same = |hit: &ClassHit, at: NodeId| at == node && hit.masked == masked && hit.class == class;
        let latest = self.fields.hit(node);
        let known = match self.hits.get(latest).zip(self.origins.get(latest)) {
            Some((hit, at)) if same(hit, *at) => Some(latest),
            _ => self.hits.iter().zip(&self.origins).position(|(hit, at)| same(hit, *at)),
        };
        if let Some(hit) = known.and_then(|at| self.hits.get_mut(at)) {
            hit.count = hit.count.saturating_add(times);
            return;
        }
        if self.hits.len() >= MAX_HITS {
            return;
        }
        self.fields.set_hit(node, self.hits.len());
        let (place, field) = (self.fields.place(node), self.fields.pointer(node));
        self.hits.push(ClassHit { class, place, field, count: times, masked });
        self.origins.push(node);
    }
}

/// FNV-1a, 64 bits (public domain).
pub(super) const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

#[inline]
pub(super) fn fnv(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Spreads every bit over all others, so that sums of hashes keep sets apart.
#[inline]
pub(super) const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}
