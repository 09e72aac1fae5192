//! How often, how much, how many at once; and what repeated failures lead to.
//!
//! The arithmetic is `probity_policy::limit`'s. Here is what is counted: [`caller`] makes a call's keys, [`quotas`] are
//! those that survive a restart, [`ladder`] counts failures, [`challenge`] is the operator's, [`fields`] what callers are
//! told, [`account`] whom a sign-in names, [`lines`] what connections may do.
//!
//! Limits that need no proved caller are judged before the caller is proved, so that they also guard the proving.

mod account;
mod caller;
mod challenge;
mod fields;
mod ladder;
mod lines;
mod quotas;

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use probity_http1::BodyFraming;
use probity_model::EnforcementMode;
use probity_model::bundle::BundleService;
use probity_model::bundle::limits::LimitPolicy;
use probity_model::bundle::limits::{
    EscalationKey, Limit, LimitAlgorithm, LimitCost, LimitMatch, NameSource, weaker,
};
use probity_policy::limit::quota::Period;
use probity_policy::limit::{
    InFlight, NANOS_PER_MS, NEVER, Quota, SlidingWindow, Slot, Table, TokenBucket, Verdict,
};

use self::challenge::Challenge;
use self::ladder::{Consequence, Ladder, Standing};
pub(crate) use self::lines::Seated;
use self::quotas::Quotas;
use super::identity::token::Revocation;
use super::{Answer, BuildError, Held, Ruling, State};
use crate::ingress::{Call, Stop};
use crate::metrics::Stage;
use crate::siphash::SipKey;
use crate::watch::lock;

/// Callers whose use is known at the same moment: 50 to 100 bytes each once there are so many.
const MAX_KEYS: usize = 2 << 20;
/// Callers whose failures are known.
const MAX_FAILING: usize = 1 << 20;
/// Calls that may wait at the same moment because their caller is slowed.
const MAX_SLOWED: usize = 1_024;
/// Longest wait of a slowed call.
const MAX_SLOW_MS: u32 = 30_000;
/// Largest body of a sign-in.
const SIGN_IN_BYTES: u64 = 64 * 1024;
/// Marks the keys of revoked credentials.
const REVOKED: u64 = 3;
/// Bytes that one unit of a cost by size stands for.
const KIB: u64 = 1_024;

/// What outlives a bundle.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Random in each process.
    hash: SipKey,
    epoch: Instant,
    keys: Table,
    failures: Table,
    flight: InFlight,
    slowed: AtomicUsize,
    /// When the last revocation ends: until the first there is nothing to look up.
    revoked_until: AtomicU64,
    quotas: OnceLock<Quotas>,
    lines: lines::Lines,
}

impl Default for Memory {
    fn default() -> Self {
        let random = std::hash::RandomState::new();
        let half = |n: u64| std::hash::BuildHasher::hash_one(&random, n).to_le_bytes();
        let mut key = [0; 16];
        key.iter_mut().zip([half(0), half(1)].concat()).for_each(|(to, from)| *to = from);
        Self {
            hash: SipKey::new(key),
            epoch: Instant::now(),
            keys: Table::new(MAX_KEYS),
            failures: Table::new(MAX_FAILING),
            flight: InFlight::default(),
            slowed: AtomicUsize::new(0),
            revoked_until: AtomicU64::new(0),
            quotas: OnceLock::new(),
            lines: lines::Lines::default(),
        }
    }
}

impl Memory {
    /// Keeps quotas in a folder from now on; to be called before the first bundle is in force.
    pub fn keep_quotas(&self, folder: &Path, identity_key: &[u8; 32]) {
        let now = seconds(crate::gateway::now());
        self.quotas.get_or_init(|| Quotas::open(folder, identity_key, now));
    }

    /// Writes down what was used. Nothing is taken any more.
    pub fn close(&self) {
        if let Some(quotas) = self.quotas.get() {
            quotas.close(seconds(crate::gateway::now()));
        }
    }

    fn quotas(&self) -> &Quotas {
        self.quotas.get_or_init(|| Quotas::in_memory(self.hash))
    }

    /// Nanoseconds of this process, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(NANOS_PER_MS)
    }
}

fn seconds(at: probity_model::Timestamp) -> u64 {
    u64::try_from(at.0 / probity_model::time::MICROS_PER_SECOND).unwrap_or(0)
}

/// What a call took and gives back, or is still to be charged for.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Places of limits, keys and costs.
    took: Vec<(u16, u64, u64)>,
    flights: Vec<Flight>,
    /// Place of the limit that is nearest to its end.
    tightest: Option<(u16, Verdict)>,
    /// The account that a sign-in names, hashed.
    name: Option<u64>,
    /// Refused because of earlier failures: that is no failure of its own.
    barred: bool,
}

/// One of those that go on at the same moment.
#[derive(Debug)]
pub(crate) struct Flight {
    state: Arc<State>,
    key: u64,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.state.limits.flight.leave(self.key);
    }
}

/// A call that waits; counted while it does.
struct Slowed<'a>(&'a AtomicUsize);

impl Drop for Slowed<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[derive(Debug)]
enum Counter {
    Bucket(TokenBucket),
    Window(SlidingWindow),
    Quota(Quota, Mutex<Period>),
    Concurrency(u32),
}

#[derive(Debug)]
struct Rule {
    limit: Limit,
    mode: EnforcementMode,
    counter: Counter,
    /// Judged before the caller is proved.
    early: bool,
    /// One bit for each operation; absent where all count.
    operations: Option<Box<[u64]>>,
    seed: u64,
    policy: String,
}

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    pub mode: EnforcementMode,
    state: Arc<State>,
    rules: Box<[Rule]>,
    announce: bool,
    sign_in: Box<[(usize, Option<NameSource>)]>,
    ladders: Box<[Ladder]>,
    challenge: Option<Challenge>,
    wants_name: bool,
}

impl Guard {
    pub fn build(
        policy: &LimitPolicy,
        service: &BundleService,
        state: &Arc<State>,
    ) -> Result<Self, BuildError> {
        let memory = &state.limits;
        let seed = |hash: SipKey, kind: u64, name: &str| {
            hash.chain(hash.chain(kind, service.id.as_str().as_bytes()), name.as_bytes())
        };
        let rules = policy.limits.iter().filter_map(|limit| {
            let mode = weaker(policy.mode, limit.mode);
            // The keys of quotas are the same after a restart.
            let hash = match limit.algorithm {
                LimitAlgorithm::Quota { .. } => memory.quotas().hash,
                _ => memory.hash,
            };
            (mode != EnforcementMode::Off)
                .then(|| Rule::build(limit, mode, seed(hash, 1, &limit.name), service.operations.len()))
        });
        let rules: Box<[Rule]> = rules.collect();
        if u16::try_from(rules.len()).is_err() {
            return Err(format!("{} limits", rules.len()).into());
        }
        let ladders: Box<[Ladder]> = policy
            .escalations
            .iter()
            .map(|each| Ladder::build(each, policy.mode, seed(memory.hash, 2, &each.name)))
            .filter(|ladder| ladder.mode != EnforcementMode::Off)
            .collect();
        let sign_in = policy.sign_in.iter().map(|each| (each.operation as usize, each.name.clone()));
        Ok(Self {
            mode: policy.mode,
            state: Arc::clone(state),
            rules,
            announce: policy.announce,
            sign_in: sign_in.collect(),
            wants_name: ladders.iter().any(Ladder::wants_name),
            ladders,
            challenge: policy.challenge.as_ref().map(Challenge::build).transpose()?,
        })
    }

    /// Before the caller is proved: what stands against its address, and limits that need no more than that.
    pub async fn judge_stranger(&self, call: &mut Call) -> Result<(), Stop> {
        self.judge_standing(call, |by| by == EscalationKey::Address).await?;
        self.judge_rules(call, true)
    }

    /// Takes from every limit that fits, or refuses.
    pub async fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        if self.wants_name
            && let Some(Some(NameSource::Header(name))) = self.sign_in_of(call)
        {
            let value = call.head.as_ref().and_then(|head| head.header(name.as_bytes()));
            let named = value.map(|value| caller::name(self.hash(), &String::from_utf8_lossy(value)));
            call.limits.name = named;
            self.judge_standing(call, |by| by == EscalationKey::Name).await?;
        }
        self.judge_credential(call)?;
        self.judge_standing(call, |by| matches!(by, EscalationKey::Credential | EscalationKey::Consumer))
            .await?;
        self.judge_rules(call, false)
    }

    /// How much of the body names the account.
    pub fn wants_body(&self, call: &Call) -> Option<u64> {
        (self.wants_name && matches!(self.sign_in_of(call), Some(Some(NameSource::Body(_)))))
            .then_some(SIGN_IN_BYTES)
    }

    /// What stands against the account that a sign-in names.
    pub async fn judge_body(&self, call: &mut Call) -> Result<(), Stop> {
        if !self.wants_name {
            return Ok(());
        }
        let Some(Some(NameSource::Body(place))) = self.sign_in_of(call) else { return Ok(()) };
        if matches!(&call.body, Held::Begun(_)) {
            let ruling = Ruling::new(
                "authn-bruteforce",
                "gateway-sign-in-too-large",
                self.mode,
                413,
                "the sign-in is too large to be read",
            );
            let place = Some(probity_model::Place::RequestBody);
            return call.rule(ruling.found(place, "", "too-large"));
        }
        let content_type = call.head.as_ref().and_then(|head| head.header(b"content-type"));
        let name = call.body.whole().and_then(|body| account::named(body, content_type, place));
        call.limits.name = name.map(|name| caller::name(self.hash(), &name));
        self.judge_standing(call, |by| by == EscalationKey::Name).await
    }

    /// States the limits in the answer's fields.
    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        if !self.announce {
            return Ok(());
        }
        if let Some((place, verdict)) = call.limits.tightest
            && let Some(rule) = self.rules.get(usize::from(place))
        {
            answer.edits.set("ratelimit", fields::state(&rule.limit.name, &verdict));
            answer.edits.set("ratelimit-policy", self.policies(call));
        }
        Ok(())
    }

    /// At the end of a call: what its body costs, and whether it failed.
    pub fn settle(&self, call: &mut Call) {
        let memory = &self.state.limits;
        let taken = std::mem::take(&mut call.limits);
        for (place, key, _) in &taken.took {
            let Some(rule) = self.rules.get(usize::from(*place)) else { continue };
            let units = u64::from(rule.limit.cost.request_kib);
            if units > 0 && declared(call).is_none() {
                let cost = units * call.request_bytes.div_ceil(KIB);
                self.charge(rule, *key, cost, seconds(call.started_at));
            }
        }
        if call.status < 400 || taken.barred || self.ladders.is_empty() {
            return;
        }
        let failed_sign_in = matches!(call.status, 401 | 403) && self.sign_in_of(call).is_some();
        let now = memory.now();
        for ladder in self.ladders.iter().filter(|ladder| ladder.is_failure(call.status, failed_sign_in)) {
            let Some(key) = ladder.key(memory.hash, call, taken.name) else { continue };
            let address = caller::by_address(memory.hash, 0, call);
            match ladder.add(&memory.failures, key, now, taken.name, address) {
                Consequence::None => {}
                Consequence::Blocked => told(ladder),
                Consequence::Revoked { until } => {
                    told(ladder);
                    if ladder.mode == EnforcementMode::Block {
                        self.revoke(call, now, until);
                    }
                }
            }
        }
    }

    /// Takes the credential of the call out of use in all services; the block stands besides.
    fn revoke(&self, call: &Call, now: u64, until: u64) {
        let Some(principal) = &call.principal else { return };
        let memory = &self.state.limits;
        let key = caller::by_credential(memory.hash, REVOKED, principal);
        memory.failures.update(key, now, |slot| *slot = Slot { value: 1, expires: until });
        memory.revoked_until.fetch_max(until, Relaxed);
        // A token is done with; what is kept by the operator may come back.
        let revoked = Revocation::Credential(principal.proof.credential);
        self.state.identity.tokens.revoke(&revoked, call.started_at);
    }

    /// Whether the credential was revoked, by whichever service.
    fn judge_credential(&self, call: &mut Call) -> Result<(), Stop> {
        let memory = &self.state.limits;
        let until = memory.revoked_until.load(Relaxed);
        if until == 0 {
            return Ok(());
        }
        let Some(principal) = &call.principal else { return Ok(()) };
        let now = memory.now();
        let key = caller::by_credential(memory.hash, REVOKED, principal);
        if until <= now || memory.failures.peek(key, now).is_none() {
            return Ok(());
        }
        let ruling = Ruling::new(
            "authn-bruteforce",
            "gateway-credential-withdrawn",
            self.mode,
            401,
            "the credential was revoked after repeated failures",
        );
        self.bar(
            call,
            ruling
                .found(None, "credential", "revoked")
                .field("www-authenticate", "Bearer error=\"invalid_token\""),
        )
    }

    fn hash(&self) -> SipKey {
        self.state.limits.hash
    }

    /// Where the call is a sign-in: where it names the account, if that is known.
    fn sign_in_of(&self, call: &Call) -> Option<Option<&NameSource>> {
        let operation = call.route?.operation?;
        self.sign_in.iter().find(|(at, _)| *at == operation).map(|(_, name)| name.as_ref())
    }

    async fn judge_standing(&self, call: &mut Call, of: impl Fn(EscalationKey) -> bool) -> Result<(), Stop> {
        if self.ladders.is_empty() {
            return Ok(());
        }
        let memory = &self.state.limits;
        let mut slow = 0;
        for ladder in self.ladders.iter().filter(|ladder| of(ladder.by)) {
            // Who fails at signing in is held up where it signs in, and blocked everywhere.
            let Some(key) = ladder.key(memory.hash, call, call.limits.name) else { continue };
            let standing = ladder.standing(&memory.failures, key, memory.now());
            if ladder.is_of_sign_in()
                && !matches!(standing, Standing::Blocked { .. })
                && self.sign_in_of(call).is_none()
            {
                continue;
            }
            let ruling = |mode, title: &'static str, found: &'static str| {
                Ruling::new(ladder.check, Cow::Owned(ladder.rule.clone()), mode, 429, title).found(
                    None,
                    by_text(ladder.by),
                    found,
                )
            };
            match standing {
                Standing::Free => {}
                Standing::Mark => {
                    call.rule(ruling(EnforcementMode::Observe, "repeated failures", "marked"))?;
                }
                Standing::Slow { ms } => {
                    call.rule(ruling(EnforcementMode::Observe, "repeated failures", "slowed"))?;
                    if ladder.mode == EnforcementMode::Block {
                        slow = slow.max(ms.min(MAX_SLOW_MS));
                    }
                }
                Standing::Challenge => {
                    let passed = self.challenge.as_ref().is_some_and(|challenge| {
                        challenge.is_passed(call, caller::client(call), seconds(call.started_at))
                    });
                    if !passed {
                        let mut ruling =
                            ruling(ladder.mode, "a challenge is to be passed first", "challenged");
                        if let Some(challenge) = &self.challenge {
                            challenge.put(&mut ruling);
                        }
                        self.bar(call, ruling)?;
                    }
                }
                Standing::Blocked { ns } => {
                    let ruling = ruling(ladder.mode, "blocked after repeated failures", "blocked");
                    self.bar(call, ruling.field("retry-after", fields::seconds(ns).max(1).to_string()))?;
                }
            }
        }
        if slow > 0 && !call.is_rehearsal() { self.slow(call, slow).await } else { Ok(()) }
    }

    fn bar(&self, call: &mut Call, ruling: Ruling) -> Result<(), Stop> {
        let ended = call.rule(ruling);
        call.limits.barred |= ended.is_err();
        ended
    }

    /// Lets the call wait, without a thread. Where too many wait already it is refused.
    async fn slow(&self, call: &mut Call, ms: u32) -> Result<(), Stop> {
        let slowed = &self.state.limits.slowed;
        let before = slowed.fetch_add(1, Relaxed);
        let _slowed = Slowed(slowed);
        if before >= MAX_SLOWED {
            let ruling = Ruling::new(
                "dos-limits",
                "gateway-slowed-too-many",
                self.mode,
                429,
                "too many calls are slowed already",
            );
            return self.bar(call, ruling.field("retry-after", u64::from(ms).div_ceil(1_000).to_string()));
        }
        // The wait is no time that the gateway spent.
        call.lap(Stage::Limits);
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
        call.lap(Stage::Body);
        Ok(())
    }

    fn judge_rules(&self, call: &mut Call, early: bool) -> Result<(), Stop> {
        let at = seconds(call.started_at);
        for (place, rule) in (0u16..).zip(&self.rules).filter(|(_, rule)| rule.early == early) {
            if !rule.applies(call) {
                continue;
            }
            let (key, cost) = (rule.key(self, call), rule.cost(call));
            let verdict = self.take(rule, key, cost, at, call);
            if verdict.admitted {
                call.limits.took.push((place, key, cost));
                let tighter = |(_, other): &(u16, Verdict)| fields::is_tighter(&verdict, other);
                if call.limits.tightest.as_ref().is_none_or(tighter) {
                    call.limits.tightest = Some((place, verdict));
                }
                continue;
            }
            let ruling = self.refusal(rule, &verdict, call);
            if ruling.mode == EnforcementMode::Block {
                self.give_back(call, at);
            }
            call.rule(ruling)?;
        }
        Ok(())
    }

    fn take(&self, rule: &Rule, key: u64, cost: u64, at: u64, call: &mut Call) -> Verdict {
        let memory = &self.state.limits;
        match &rule.counter {
            Counter::Bucket(bucket) => {
                let now = memory.now();
                memory.keys.update(key, now, |slot| bucket.take(slot, now, cost))
            }
            Counter::Window(window) => {
                let now = memory.now();
                memory.keys.update(key, now, |slot| window.take(slot, now, cost))
            }
            Counter::Quota(quota, period) => {
                memory.quotas().take(quota, key, current(quota, period, at), at, cost)
            }
            Counter::Concurrency(limit) => {
                let entered = memory.flight.enter(key, *limit);
                if entered.is_some() {
                    call.limits.flights.push(Flight { state: Arc::clone(&self.state), key });
                }
                let remaining = u64::from(limit.saturating_sub(entered.unwrap_or(*limit)));
                let retry_ns = if entered.is_some() { 0 } else { 1 };
                Verdict {
                    admitted: retry_ns == 0,
                    limit: u64::from(*limit),
                    remaining,
                    reset_ns: 0,
                    retry_ns,
                }
            }
        }
    }

    fn charge(&self, rule: &Rule, key: u64, cost: u64, at: u64) {
        let memory = &self.state.limits;
        let now = memory.now();
        match &rule.counter {
            Counter::Bucket(bucket) => memory.keys.update(key, now, |slot| bucket.charge(slot, now, cost)),
            Counter::Window(window) => memory.keys.update(key, now, |slot| window.charge(slot, now, cost)),
            Counter::Quota(quota, period) => {
                memory.quotas().charge(quota, key, current(quota, period, at), at, cost);
            }
            Counter::Concurrency(_) => {}
        }
    }

    /// A call that one limit refuses takes nothing from the others.
    fn give_back(&self, call: &mut Call, at: u64) {
        let memory = &self.state.limits;
        let now = memory.now();
        call.limits.flights.clear();
        for (place, key, cost) in std::mem::take(&mut call.limits.took) {
            match self.rules.get(usize::from(place)).map(|rule| &rule.counter) {
                Some(Counter::Bucket(bucket)) => {
                    memory.keys.update_kept(key, now, |slot| bucket.give_back(slot, cost));
                }
                Some(Counter::Window(window)) => {
                    memory.keys.update_kept(key, now, |slot| window.give_back(slot, cost));
                }
                Some(Counter::Quota(..)) => memory.quotas().give_back(key, at, cost),
                Some(Counter::Concurrency(_)) | None => {}
            }
        }
    }

    fn refusal(&self, rule: &Rule, verdict: &Verdict, call: &Call) -> Ruling {
        let name = &rule.limit.name;
        let (check, found) = match rule.counter {
            Counter::Concurrency(_) => ("dos-limits", "too-many-at-once"),
            _ if verdict.retry_ns == NEVER => ("rate-limit", "too-expensive"),
            _ => ("rate-limit", "used-up"),
        };
        let by: Vec<Cow<'static, str>> = rule.limit.by.iter().map(key_text).collect();
        let mut ruling = Ruling::new(
            check,
            format!("gateway-limit-{name}"),
            rule.mode,
            429,
            format!("the limit {name} is used up"),
        )
        .found(None, by.join("+"), found);
        if rule.mode != EnforcementMode::Block {
            return ruling;
        }
        if verdict.retry_ns != NEVER {
            ruling = ruling.field("retry-after", fields::seconds(verdict.retry_ns).max(1).to_string());
        }
        if self.announce {
            ruling = ruling
                .field("ratelimit", fields::state(name, verdict))
                .field("ratelimit-policy", self.policies(call));
        }
        ruling
    }

    /// Every limit that counts the call.
    fn policies(&self, call: &Call) -> String {
        let mut out = String::with_capacity(64);
        for rule in self.rules.iter().filter(|rule| rule.applies(call)) {
            if !out.is_empty() {
                out.push_str(", ");
            }
            out.push_str(&rule.policy);
        }
        out
    }
}

impl Rule {
    fn build(limit: &Limit, mode: EnforcementMode, seed: u64, operations: usize) -> Self {
        let counter = match &limit.algorithm {
            LimitAlgorithm::TokenBucket { burst, rate, per_ms } => Counter::Bucket(TokenBucket::new(
                u64::from(*burst),
                u64::from(*rate),
                per_ms.saturating_mul(NANOS_PER_MS),
            )),
            LimitAlgorithm::SlidingWindow { limit, window_ms } => {
                Counter::Window(SlidingWindow::new(*limit, window_ms.saturating_mul(NANOS_PER_MS)))
            }
            LimitAlgorithm::Quota { limit, period, zone } => {
                Counter::Quota(Quota::new(*limit, *period, zone), Mutex::default())
            }
            LimitAlgorithm::Concurrency { limit } => Counter::Concurrency(*limit),
        };
        let LimitMatch { operations: listed, roles, anonymous, .. } = &limit.applies;
        let listed = listed.as_ref().map(|listed| {
            let mut bits = vec![0u64; operations.div_ceil(64)];
            for at in listed {
                if let Some(word) = bits.get_mut(*at as usize / 64) {
                    *word |= 1 << (at % 64);
                }
            }
            bits.into_boxed_slice()
        });
        Self {
            early: caller::is_early(&limit.by) && roles.is_empty() && !anonymous,
            mode,
            counter,
            operations: listed,
            seed,
            policy: fields::policy(limit),
            limit: limit.clone(),
        }
    }

    fn applies(&self, call: &Call) -> bool {
        let LimitMatch { methods, roles, anonymous, .. } = &self.limit.applies;
        let listed = self.operations.as_ref().is_none_or(|bits| {
            call.route
                .and_then(|route| route.operation)
                .is_some_and(|at| bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1))
        });
        let principal = call.principal.as_deref();
        listed
            && (methods.is_empty() || methods.iter().any(|method| method.as_bytes() == call.method()))
            && (roles.is_empty()
                || principal.is_some_and(|who| who.roles.iter().any(|role| roles.contains(role))))
            && (!anonymous || principal.is_none())
    }

    fn key(&self, guard: &Guard, call: &Call) -> u64 {
        let hash = match self.counter {
            Counter::Quota(..) => guard.state.limits.quotas().hash,
            _ => guard.hash(),
        };
        caller::key(hash, self.seed, &self.limit.by, call)
    }

    fn cost(&self, call: &Call) -> u64 {
        let LimitCost { call: once, request_kib } = self.limit.cost;
        match request_kib {
            0 => u64::from(once),
            units => {
                let kib = declared(call).unwrap_or(0).div_ceil(KIB);
                u64::from(once).saturating_add(u64::from(units).saturating_mul(kib))
            }
        }
    }
}

fn told(ladder: &Ladder) {
    tracing::warn!(escalation = &*ladder.name, mode = ?ladder.mode, "a caller is blocked after repeated failures");
}

/// Bytes of the request's body, where its head says so.
fn declared(call: &Call) -> Option<u64> {
    match call.head.as_ref()?.framing() {
        BodyFraming::None => Some(0),
        BodyFraming::Length(bytes) => Some(bytes),
        BodyFraming::Chunked | BodyFraming::UntilClose => None,
    }
}

/// The period of a quota that lasts; worked out when the last one has ended.
fn current(quota: &Quota, kept: &Mutex<Period>, at: u64) -> Period {
    let mut kept = lock(kept);
    if !kept.holds(at) {
        *kept = quota.period(at);
    }
    *kept
}

fn key_text(key: &probity_model::bundle::limits::LimitKey) -> Cow<'static, str> {
    use probity_model::bundle::limits::LimitKey;
    match key {
        LimitKey::Consumer => "consumer".into(),
        LimitKey::Credential => "credential".into(),
        LimitKey::Address => "address".into(),
        LimitKey::Operation => "operation".into(),
        LimitKey::Service => "service".into(),
        LimitKey::Tenant => "tenant".into(),
        LimitKey::Claim(name) => format!("claim:{name}").into(),
        LimitKey::Header(name) => format!("header:{name}").into(),
    }
}

const fn by_text(by: EscalationKey) -> &'static str {
    match by {
        EscalationKey::Address => "address",
        EscalationKey::Credential => "credential",
        EscalationKey::Consumer => "consumer",
        EscalationKey::Name => "account",
    }
}
