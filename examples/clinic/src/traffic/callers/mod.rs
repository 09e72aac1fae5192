//! Who calls, how often, and in which order.
//!
//! A caller first goes once through its opening, so that every operation it knows is called, and then calls what
//! it usually does: popularity falls with the rank in its list, now and then it errs. What each kind of consumer
//! does is in its own file.

mod attacker;
mod machines;
mod mobile;
mod staff;

use std::collections::VecDeque;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::call::{Call, Credential, Keep, Protocol};
use super::connection::Answer;
use crate::credentials::{ADMIN_TOKEN, API_KEY_HEADER, BATCH_KEY, PARTNER_KEY, PATIENT_TOKENS, STAFF_TOKENS};
use crate::state::Clinic;

/// Patients with a current mobile app; the next one has the old version, the last is the attacker's account.
const PHONES: usize = 6;
const OLD_PHONE: usize = PHONES;
const ATTACKER_ACCOUNT: usize = 7;

/// Shares of all calls in thousandths; the phones make the rest.
const STAFF_SHARE: usize = 70;
const ADMIN_SHARE: usize = 40;
const PARTNER_SHARE: usize = 70;
const BATCH_SHARE: usize = 70;
const OLD_PHONE_SHARE: usize = 45;
const ATTACKER_SHARE: usize = 140;

/// Calls in a hundred, after the opening, that go wrong by the caller's own mistake.
const ERRORS_PERCENT: u32 = 9;

/// Newest things of one kind that a caller remembers.
const KEPT_MAX: usize = 16;

/// Builds the next call out of what the caller knows.
type Step = fn(&mut Scene) -> Call;

enum Next {
    Step(Step),
    Ready(Box<Call>),
}

/// What a caller knows.
pub(super) struct Scene {
    /// The clinic's rows as seeded, for ids that exist.
    clinic: Arc<Clinic>,
    rng: ChaCha8Rng,
    /// Index of the caller's own user among those of its kind.
    own: usize,
    /// Calls made so far.
    made: usize,
    kept: [VecDeque<String>; 5],
}

impl Scene {
    /// A row of `rows`, the earlier the likelier.
    fn popular<T: Clone>(&mut self, rows: &[T]) -> Option<T> {
        let rank = zipf(&mut self.rng, rows.len());
        rows.get(rank).cloned()
    }

    /// One of a table's entries, the earlier the likelier.
    fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.popular(words).unwrap_or_default()
    }

    fn kept_of(&mut self, keep: Keep) -> Option<&mut VecDeque<String>> {
        let [appointments, payments, patients, exports, sessions] = &mut self.kept;
        match keep {
            Keep::Nothing => None,
            Keep::Appointment => Some(appointments),
            Keep::Payment => Some(payments),
            Keep::Patient => Some(patients),
            Keep::Export => Some(exports),
            Keep::Session => Some(sessions),
        }
    }

    /// The newest id of this kind that an answer gave.
    fn newest(&mut self, keep: Keep) -> Option<String> {
        self.kept_of(keep)?.back().cloned()
    }

    fn take_newest(&mut self, keep: Keep) -> Option<String> {
        self.kept_of(keep)?.pop_back()
    }

    /// A day of the demo's month.
    fn day(&mut self) -> String {
        format!("2026-11-{:02}", zipf(&mut self.rng, 26) + 3)
    }

    /// A moment that hardly any appointment has.
    fn moment(&mut self) -> String {
        let (hour, minute) = (self.rng.random_range(7..19), self.rng.random_range(0..60));
        format!(
            "2027-{:02}-{:02}T{hour:02}:{minute:02}:00Z",
            self.rng.random_range(1..13),
            self.rng.random_range(1..29)
        )
    }

    fn clinician(&mut self) -> String {
        let clinic = Arc::clone(&self.clinic);
        self.popular(&clinic.clinicians).map(|clinician| clinician.slug).unwrap_or_default()
    }

    /// Any patient's id.
    fn patient(&mut self) -> String {
        let clinic = Arc::clone(&self.clinic);
        self.popular(&clinic.patients).map(|patient| patient.id).unwrap_or_default()
    }
}

/// An index below `length`, with a likelihood that falls as 1/(index+1).
fn zipf(rng: &mut ChaCha8Rng, length: usize) -> usize {
    let weight = |index: usize| 1.0 / (index as f64 + 1.0);
    let total: f64 = (0..length).map(weight).sum();
    let mut left = rng.random::<f64>() * total;
    for index in 0..length {
        left -= weight(index);
        if left < 0.0 {
            return index;
        }
    }
    0
}

pub(super) struct Caller {
    pub consumer: &'static str,
    pub index: usize,
    pub calls: usize,
    pub protocol: Protocol,
    user_agent: &'static str,
    credential: (&'static str, String),
    opening: VecDeque<Next>,
    usual: &'static [Step],
    errors: &'static [Step],
    scene: Scene,
}

impl Caller {
    pub fn next_call(&mut self) -> Call {
        let mut call = match self.opening.pop_front() {
            Some(Next::Ready(call)) => *call,
            Some(Next::Step(step)) => step(&mut self.scene),
            None => {
                let errs = self.scene.rng.random_range(0..100) < ERRORS_PERCENT;
                let steps = if errs { self.errors } else { self.usual };
                let rank = zipf(&mut self.scene.rng, steps.len());
                match steps.get(rank) {
                    Some(step) => step(&mut self.scene),
                    // Only a caller without any usual step: it asks whether the API is there.
                    None => Call::get("/health", "/health"),
                }
            }
        };
        self.scene.made += 1;
        let own = |(name, value): &(&'static str, String)| Some((*name, value.clone()));
        let credential = match &call.credential {
            Credential::Own => own(&self.credential),
            Credential::None => None,
            Credential::Bearer(token) => Some((AUTHORIZATION_NAME, format!("Bearer {token}"))),
            Credential::Key(key) => Some((API_KEY_HEADER, (*key).to_owned())),
        };
        call.headers.extend(credential);
        if !call.headers.iter().any(|(name, _)| *name == USER_AGENT_NAME) {
            call.headers.push((USER_AGENT_NAME, self.user_agent.to_owned()));
        }
        call
    }

    pub fn remember(&mut self, call: &Call, answer: &Answer) {
        let field = if call.keep == Keep::Session { "accessToken" } else { "id" };
        let id = match answer.body.as_ref().and_then(|body| body.get(field)) {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return,
        };
        if let Some(kept) = self.scene.kept_of(call.keep).filter(|_| answer.status < 300) {
            kept.push_back(id);
            if kept.len() > KEPT_MAX {
                kept.pop_front();
            }
        }
    }
}

const AUTHORIZATION_NAME: &str = "authorization";
const USER_AGENT_NAME: &str = "user-agent";

fn bearer(token: &str) -> (&'static str, String) {
    (AUTHORIZATION_NAME, format!("Bearer {token}"))
}

fn key(key: &str) -> (&'static str, String) {
    (API_KEY_HEADER, key.to_owned())
}

fn steps(opening: &[Step]) -> VecDeque<Next> {
    opening.iter().copied().map(Next::Step).collect()
}

/// All callers of a run of `calls` calls, which they share out exactly.
pub(super) fn callers(seed: u64, calls: usize) -> Vec<Caller> {
    let clinic = Arc::new(crate::seed::clinic());
    let mut all = Vec::new();
    let mut streams = 0;
    let mut scene = |own: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(streams);
        streams += 1;
        Scene { clinic: Arc::clone(&clinic), rng, own, made: 0, kept: Default::default() }
    };
    let share = |thousandths: usize| calls * thousandths / 1000;
    let caller = |consumer, index, share, credential, opening, scene| Caller {
        consumer,
        index,
        calls: share,
        protocol: Protocol::Http1,
        user_agent: "",
        credential,
        opening,
        usual: &[],
        errors: &[],
        scene,
    };

    for (index, token) in STAFF_TOKENS.iter().enumerate() {
        all.push(Caller {
            user_agent: staff::USER_AGENT,
            usual: staff::USUAL,
            errors: staff::ERRORS,
            ..caller("staff", index, share(STAFF_SHARE), bearer(token), steps(staff::OPENING), scene(index))
        });
    }
    all.push(Caller {
        user_agent: staff::USER_AGENT,
        usual: staff::ADMIN_USUAL,
        errors: staff::ADMIN_ERRORS,
        ..caller("admin", 0, share(ADMIN_SHARE), bearer(ADMIN_TOKEN), steps(staff::ADMIN_OPENING), scene(0))
    });
    all.push(Caller {
        user_agent: machines::PARTNER_USER_AGENT,
        protocol: Protocol::Http2,
        usual: machines::PARTNER_USUAL,
        errors: machines::PARTNER_ERRORS,
        ..caller(
            "partner",
            0,
            share(PARTNER_SHARE),
            key(PARTNER_KEY),
            steps(machines::PARTNER_OPENING),
            scene(0),
        )
    });
    all.push(Caller {
        user_agent: machines::BATCH_USER_AGENT,
        usual: machines::BATCH_USUAL,
        errors: machines::BATCH_ERRORS,
        ..caller("batch", 0, share(BATCH_SHARE), key(BATCH_KEY), steps(machines::BATCH_OPENING), scene(0))
    });
    let [old_token, attacker_token] = [OLD_PHONE, ATTACKER_ACCOUNT].map(|own| PATIENT_TOKENS.get(own));
    all.push(Caller {
        user_agent: mobile::OLD_USER_AGENT,
        usual: mobile::OLD_USUAL,
        errors: mobile::ERRORS,
        ..caller(
            "mobile-app",
            OLD_PHONE,
            share(OLD_PHONE_SHARE),
            bearer(old_token.unwrap_or(&"")),
            steps(mobile::OLD_OPENING),
            scene(OLD_PHONE),
        )
    });
    let plot = attacker::opening(&clinic, ATTACKER_ACCOUNT);
    let attacks = share(ATTACKER_SHARE).max(plot.len());
    all.push(Caller {
        user_agent: attacker::USER_AGENT,
        usual: attacker::USUAL,
        errors: attacker::USUAL,
        ..caller(
            "attacker",
            0,
            attacks,
            bearer(attacker_token.unwrap_or(&"")),
            plot.into_iter().map(|call| Next::Ready(Box::new(call))).collect(),
            scene(ATTACKER_ACCOUNT),
        )
    });
    let mut left = calls.saturating_sub(all.iter().map(|caller| caller.calls).sum());
    for (index, token) in PATIENT_TOKENS.iter().take(PHONES).enumerate() {
        let own = left / (PHONES - index);
        left -= own;
        all.push(Caller {
            user_agent: if index % 2 == 0 { mobile::IOS_USER_AGENT } else { mobile::ANDROID_USER_AGENT },
            usual: mobile::USUAL,
            errors: mobile::ERRORS,
            ..caller("mobile-app", index, own, bearer(token), steps(mobile::OPENING), scene(index))
        });
    }
    all
}
