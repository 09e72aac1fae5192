//! What traffic shows of one operation, folded call by call in bounded memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use probity_model::decision::{Action, EnforcementMode};
use probity_model::exchange::{AuthenticationState, CredentialScheme, Protocol};
use probity_model::inventory::{
    AuthenticationSeen, Observed, ObservedClass, ResponsePattern, SeenInterval, SizeSummary,
};
use probity_model::time::MICROS_PER_SECOND;
use probity_model::{ClassHit, Exchange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decided::{self, DecisionSeen, Origin};

pub const MAX_CALLERS: usize = 512;
pub const MAX_PATTERNS: usize = 64;
pub const MAX_CLASSES: usize = 256;
pub const MAX_QUERY_NAMES: usize = 128;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// The fold behind [`Observed`]: the same, with the sets that its counts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    pub summary: Observed,
    callers: BTreeSet<u64>,
    minute: i64,
    minute_calls: BTreeMap<u64, u64>,
    /// Some 2xx body was inspected whole.
    pub inspected: bool,
    pub error_types: BTreeSet<Arc<str>>,
    /// What the gateway decided on these calls.
    #[serde(default)]
    pub decisions: BTreeSet<DecisionSeen>,
    /// From where answered calls came.
    #[serde(default)]
    pub origins: BTreeSet<Origin>,
}

impl Fold {
    pub fn new(first: &Exchange) -> Self {
        let summary = Observed {
            calls: 0,
            seen: SeenInterval::at(first.started_at),
            statuses: BTreeMap::new(),
            authentication: AuthenticationSeen::default(),
            schemes: BTreeMap::new(),
            callers: 0,
            callers_capped: false,
            classes: Vec::new(),
            patterns: Vec::new(),
            signals: BTreeMap::new(),
            signals_on_error: BTreeMap::new(),
            protocols: BTreeMap::new(),
            tls: BTreeMap::new(),
            query: BTreeSet::new(),
            request_types: BTreeSet::new(),
            sizes: SizeSummary::default(),
            burst_per_minute: 0,
            limited: 0,
            first_sequence: first.sequence,
            last_sequence: first.sequence,
        };
        Self {
            summary,
            callers: BTreeSet::new(),
            minute: 0,
            minute_calls: BTreeMap::new(),
            inspected: false,
            error_types: BTreeSet::new(),
            decisions: BTreeSet::new(),
            origins: BTreeSet::new(),
        }
    }

    pub fn add(&mut self, call: &Exchange) {
        decided::add(&mut self.decisions, &call.decisions);
        if let (200..=399, Some(address)) = (call.status, call.client) {
            self.origins.insert(Origin::of(address));
        }
        self.add_counts(call);
        self.add_authentication(call);
        self.add_caller(call);
        self.add_classes(call);
        self.add_pattern(call);
    }

    fn add_counts(&mut self, call: &Exchange) {
        let summary = &mut self.summary;
        summary.calls += 1;
        summary.seen.extend(call.started_at);
        *summary.statuses.entry(call.status).or_default() += 1;
        summary.limited += u64::from(call.status == 429);
        summary.last_sequence = summary.last_sequence.max(call.sequence);
        summary.first_sequence = summary.first_sequence.min(call.sequence);
        for signal in call.signals.iter() {
            *summary.signals.entry(signal).or_default() += 1;
            if call.status >= 400 {
                *summary.signals_on_error.entry(signal).or_default() += 1;
            }
        }
        *summary.protocols.entry(protocol_name(call.protocol).to_owned()).or_default() += 1;
        let tls = match &call.tls {
            Some(tls) => format!("{} {}", tls.version, tls.suite),
            None => "clear".to_owned(),
        };
        *summary.tls.entry(tls).or_default() += 1;
        for name in &call.query {
            if summary.query.len() < MAX_QUERY_NAMES {
                summary.query.insert(name.clone());
            }
        }
        let types = &mut summary.request_types;
        if call.status < 400 && !call.request_type.is_empty() && types.len() < MAX_PATTERNS {
            types.insert(call.request_type.clone());
        }
        let sizes = &mut summary.sizes;
        sizes.request_bytes = sizes.request_bytes.saturating_add(call.request_bytes);
        sizes.response_bytes = sizes.response_bytes.saturating_add(call.response_bytes);
        sizes.response_bytes_max = sizes.response_bytes_max.max(call.response_bytes);
        sizes.total_us = sizes.total_us.saturating_add(call.durations.total_us);
        sizes.total_us_max = sizes.total_us_max.max(call.durations.total_us);
        if call.status >= 400 && !call.response_type.is_empty() && self.error_types.len() < MAX_PATTERNS {
            self.error_types.insert(call.response_type.clone());
        }
        let truncated = call.signals.contains(probity_model::Signal::InspectionTruncated);
        let imported = call.signals.contains(probity_model::Signal::Imported);
        let body_seen = call.response_bytes > 0 || call.status == 204;
        self.inspected |= (200..300).contains(&call.status) && !truncated && !imported && body_seen;
    }

    fn add_authentication(&mut self, call: &Exchange) {
        let seen = &mut self.summary.authentication;
        let (answered, refused, other) = match call.authentication.state {
            AuthenticationState::None => {
                (&mut seen.none_answered, &mut seen.none_refused, &mut seen.none_other)
            }
            AuthenticationState::Presented => {
                (&mut seen.presented_answered, &mut seen.presented_refused, &mut seen.presented_other)
            }
            AuthenticationState::Verified => {
                (&mut seen.verified_answered, &mut seen.verified_refused, &mut seen.verified_other)
            }
            AuthenticationState::Unknown => return,
        };
        match call.status {
            200..=399 => *answered += 1,
            401 | 403 => *refused += 1,
            _ => *other += 1,
        }
        if call.status < 400 && call.authentication.scheme != CredentialScheme::None {
            let scheme = call.authentication.scheme.name().to_owned();
            *self.summary.schemes.entry(scheme).or_default() += 1;
        }
    }

    fn add_caller(&mut self, call: &Exchange) {
        let caller = caller_key(call);
        if self.callers.len() < MAX_CALLERS {
            self.callers.insert(caller);
        } else if !self.callers.contains(&caller) {
            self.summary.callers_capped = true;
        }
        self.summary.callers = self.callers.len() as u32;
        let minute = call.started_at.as_micros().div_euclid(MICROS_PER_MINUTE);
        if minute > self.minute {
            self.minute = minute;
            self.minute_calls.clear();
        }
        if minute == self.minute
            && (self.minute_calls.len() < MAX_CALLERS || self.minute_calls.contains_key(&caller))
        {
            let calls = self.minute_calls.entry(caller).or_default();
            *calls += 1;
            self.summary.burst_per_minute = self.summary.burst_per_minute.max(*calls);
        }
    }

    fn add_classes(&mut self, call: &Exchange) {
        let unauthenticated = call.authentication.state == AuthenticationState::None;
        for hit in &call.classes {
            let masked = hit.masked || kept_back(call, hit);
            let classes = &mut self.summary.classes;
            let known = classes.iter().position(|seen| {
                seen.class == hit.class
                    && seen.place == hit.place
                    && seen.masked == masked
                    && seen.field == hit.field
            });
            if known.is_none() && classes.len() < MAX_CLASSES {
                classes.push(ObservedClass {
                    class: hit.class.clone(),
                    place: hit.place,
                    field: hit.field.clone(),
                    masked,
                    calls: 0,
                    calls_unauthenticated: 0,
                    calls_ok: 0,
                    calls_error: 0,
                    seen: SeenInterval::at(call.started_at),
                });
            } else if known.is_none() {
                continue;
            }
            let index = known.unwrap_or(classes.len().saturating_sub(1));
            let Some(entry) = classes.get_mut(index) else { continue };
            entry.calls += 1;
            entry.calls_unauthenticated += u64::from(unauthenticated);
            entry.calls_ok += u64::from(call.status < 400);
            entry.calls_error += u64::from(call.status >= 400);
            entry.seen.extend(call.started_at);
        }
    }

    fn add_pattern(&mut self, call: &Exchange) {
        let patterns = &mut self.summary.patterns;
        if let Some(pattern) = patterns.iter_mut().find(|pattern| pattern.shape == call.shape) {
            pattern.calls += 1;
            if let (true, Some(fields)) = (pattern.fields.is_empty(), &call.shape_fields) {
                pattern.fields.clone_from(fields);
            }
        } else if patterns.len() < MAX_PATTERNS {
            patterns.push(ResponsePattern {
                shape: call.shape,
                status_class: u8::try_from(call.status / 100).unwrap_or(0),
                content_type: call.response_type.clone(),
                fields: call.shape_fields.clone().unwrap_or_default(),
                calls: 1,
            });
        }
    }

    /// Takes over what another fold counted, when two templates turn out to be one.
    pub fn merge(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.summary, other.summary);
        mine.calls += theirs.calls;
        mine.seen.extend(theirs.seen.first);
        mine.seen.extend(theirs.seen.last);
        add_counts(&mut mine.statuses, theirs.statuses);
        add_counts(&mut mine.schemes, theirs.schemes);
        add_counts(&mut mine.signals, theirs.signals);
        add_counts(&mut mine.signals_on_error, theirs.signals_on_error);
        add_counts(&mut mine.protocols, theirs.protocols);
        add_counts(&mut mine.tls, theirs.tls);
        mine.query.extend(theirs.query);
        mine.request_types.extend(theirs.request_types);
        let (a, b) = (&mut mine.authentication, theirs.authentication);
        a.none_answered += b.none_answered;
        a.none_refused += b.none_refused;
        a.none_other += b.none_other;
        a.presented_answered += b.presented_answered;
        a.presented_refused += b.presented_refused;
        a.presented_other += b.presented_other;
        a.verified_answered += b.verified_answered;
        a.verified_refused += b.verified_refused;
        a.verified_other += b.verified_other;
        merge_classes(&mut mine.classes, theirs.classes);
        merge_patterns(&mut mine.patterns, theirs.patterns);
        let (a, b) = (&mut mine.sizes, theirs.sizes);
        a.request_bytes = a.request_bytes.saturating_add(b.request_bytes);
        a.response_bytes = a.response_bytes.saturating_add(b.response_bytes);
        a.response_bytes_max = a.response_bytes_max.max(b.response_bytes_max);
        a.total_us = a.total_us.saturating_add(b.total_us);
        a.total_us_max = a.total_us_max.max(b.total_us_max);
        mine.burst_per_minute = mine.burst_per_minute.max(theirs.burst_per_minute);
        mine.limited += theirs.limited;
        mine.first_sequence = mine.first_sequence.min(theirs.first_sequence);
        mine.last_sequence = mine.last_sequence.max(theirs.last_sequence);
        for caller in other.callers {
            if self.callers.len() < MAX_CALLERS {
                self.callers.insert(caller);
            } else if !self.callers.contains(&caller) {
                mine.callers_capped = true;
            }
        }
        mine.callers = self.callers.len() as u32;
        mine.callers_capped |= theirs.callers_capped;
        self.inspected |= other.inspected;
        self.error_types.extend(other.error_types);
        self.decisions.extend(other.decisions);
        self.origins.extend(other.origins);
    }

    /// Only ever answered 404 (or 410, 405): not an operation that exists.
    pub fn never_answered(&self) -> bool {
        self.summary.statuses.keys().all(|status| matches!(status, 404 | 405 | 410))
    }

    pub fn last_seen(&self) -> Timestamp {
        self.summary.seen.last
    }
}

fn merge_classes(mine: &mut Vec<ObservedClass>, theirs: Vec<ObservedClass>) {
    for class in theirs {
        let known = mine.iter_mut().find(|seen| {
            seen.class == class.class
                && seen.place == class.place
                && seen.masked == class.masked
                && seen.field == class.field
        });
        if let Some(known) = known {
            known.calls += class.calls;
            known.calls_unauthenticated += class.calls_unauthenticated;
            known.calls_ok += class.calls_ok;
            known.calls_error += class.calls_error;
            known.seen.extend(class.seen.first);
            known.seen.extend(class.seen.last);
        } else if mine.len() < MAX_CLASSES {
            mine.push(class);
        }
    }
}

fn merge_patterns(mine: &mut Vec<ResponsePattern>, theirs: Vec<ResponsePattern>) {
    for pattern in theirs {
        if let Some(known) = mine.iter_mut().find(|known| known.shape == pattern.shape) {
            known.calls += pattern.calls;
            if known.fields.is_empty() {
                known.fields = pattern.fields;
            }
        } else if mine.len() < MAX_PATTERNS {
            mine.push(pattern);
        }
    }
}

fn add_counts<K: Ord>(mine: &mut BTreeMap<K, u64>, theirs: BTreeMap<K, u64>) {
    for (key, count) in theirs {
        *mine.entry(key).or_default() += count;
    }
}

/// What the gateway masked, replaced or took out did not leave as it was found.
fn kept_back(call: &Exchange, hit: &ClassHit) -> bool {
    call.decisions.iter().any(|decision| {
        let input = &decision.input;
        matches!(decision.action, Action::Change | Action::Refuse)
            && decision.mode == EnforcementMode::Block
            && input.class.as_ref() == Some(&hit.class)
            && input.place == Some(hit.place)
            && (input.field.is_empty() || input.field == hit.field)
    })
}

/// Verified identity, else presented credential, else address: a 64-bit key that never leaves the fold.
fn caller_key(call: &Exchange) -> u64 {
    let authentication = &call.authentication;
    if let Some(bytes) = authentication.identity.or(authentication.credential) {
        let (head, _) = bytes.split_at(8);
        return head.iter().fold(0, |key, byte| key << 8 | u64::from(*byte));
    }
    match call.client {
        Some(std::net::IpAddr::V4(address)) => u64::from(u32::from(address)),
        Some(std::net::IpAddr::V6(address)) => {
            let bits = u128::from(address);
            (bits >> 64) as u64 ^ bits as u64 ^ 1 << 63
        }
        None => 0,
    }
}

pub fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http10 => "http/1.0",
        Protocol::Http11 => "http/1.1",
        Protocol::Http2 => "h2",
        Protocol::Grpc => "grpc",
        Protocol::Websocket => "websocket",
        Protocol::Upgraded => "upgraded",
        Protocol::Unknown => "unknown",
    }
}
