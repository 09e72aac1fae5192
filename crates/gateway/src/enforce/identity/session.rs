//! Idle and absolute limits of sessions. A session is one credential from its first use here; what is known of it survives
//! a change of bundle and nothing else.
//!
//! The table is bounded: past its bound the session used longest ago is forgotten first, and a forgotten one begins anew.
//! Where the proof says when its user was authenticated, the absolute limit counts from there and needs no memory.

use std::collections::HashMap;
use std::sync::Mutex;

use probity_model::Timestamp;
use probity_model::bundle::identity::SessionLimits;
use probity_model::principal::Principal;
use probity_model::time::MICROS_PER_SECOND;

use crate::watch::lock;

const SHARDS: usize = 16;
/// Sessions remembered in each shard.
const SHARD_SESSIONS: usize = 16_384;
/// Sessions looked at for the one to forget.
const LOOKED_AT: usize = 16;

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Idle,
    Absolute,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    first: Timestamp,
    last: Timestamp,
    ended: Option<Ended>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions([Mutex<HashMap<[u8; 16], Session>>; SHARDS]);

impl Sessions {
    /// Takes a use of a credential into account. An ended session stays ended, however often it is tried.
    pub fn touch(&self, principal: &Principal, limits: &SessionLimits, now: Timestamp) -> Result<(), Ended> {
        if !limits.kinds.contains(&principal.kind) {
            return Ok(());
        }
        let credential = principal.proof.credential;
        let Some(shard) = self.0.get(usize::from(credential[0]) % SHARDS) else { return Ok(()) };
        let mut sessions = lock(shard);
        if !sessions.contains_key(&credential) && sessions.len() >= SHARD_SESSIONS {
            forget_one(&mut sessions);
        }
        let session = sessions.entry(credential).or_insert(Session { first: now, last: now, ended: None });
        if session.ended.is_none() {
            let began = principal.proof.authenticated_at.unwrap_or(session.first);
            session.ended = match limits {
                SessionLimits { absolute_s: Some(limit), .. } if passed(began, now, *limit) => {
                    Some(Ended::Absolute)
                }
                SessionLimits { idle_s: Some(limit), .. } if passed(session.last, now, *limit) => {
                    Some(Ended::Idle)
                }
                _ => None,
            };
        }
        match session.ended {
            Some(ended) => Err(ended),
            None => {
                session.last = session.last.max(now);
                Ok(())
            }
        }
    }
}

fn passed(since: Timestamp, now: Timestamp, limit_s: u32) -> bool {
    now.since(since) > i64::from(limit_s) * MICROS_PER_SECOND
}

/// Of a few, the one used longest ago; one that has not ended where there is one, so that trying many credentials does not
/// revive an ended session.
fn forget_one(sessions: &mut HashMap<[u8; 16], Session>) {
    let oldest = sessions
        .iter()
        .take(LOOKED_AT)
        .min_by_key(|(_, session)| (session.ended.is_some(), session.last))
        .map(|(credential, _)| *credential);
    if let Some(oldest) = oldest {
        sessions.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::identity::tests::principal;
    use probity_model::principal::PrincipalKind;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn limits(idle_s: Option<u32>, absolute_s: Option<u32>) -> SessionLimits {
        SessionLimits { idle_s, absolute_s, kinds: vec![PrincipalKind::User] }
    }

    #[test]
    fn sessions_end_by_rest_and_by_age() {
        use Ended::*;
        for (limits, uses, expected) in [
            (limits(Some(60), None), &[0, 60, 120][..], Ok(())),
            (limits(Some(60), None), &[0, 61], Err(Idle)),
            (limits(Some(60), None), &[0, 61, 62], Err(Idle)),
            (limits(None, Some(100)), &[0, 50, 100], Ok(())),
            (limits(None, Some(100)), &[0, 50, 101], Err(Absolute)),
            (limits(Some(60), Some(100)), &[0, 50, 101], Err(Absolute)),
            (limits(None, None), &[0, 999_999], Ok(())),
            (limits(Some(60), None), &[0, -5, 60], Ok(())),
        ] {
            let (sessions, caller) = (Sessions::default(), principal("ada"));
            let mut ended = Ok(());
            for seconds in uses {
                ended = sessions.touch(&caller, &limits, at(*seconds));
            }
            assert_eq!(ended, expected, "{limits:?} {uses:?}");
        }
    }

    #[test]
    fn the_proof_says_when_it_began_and_services_have_no_sessions() {
        let sessions = Sessions::default();
        let mut caller = principal("ada");
        caller.proof.authenticated_at = Some(at(-200));
        assert_eq!(sessions.touch(&caller, &limits(None, Some(100)), at(0)), Err(Ended::Absolute));
        caller.kind = PrincipalKind::Service;
        assert_eq!(sessions.touch(&caller, &limits(None, Some(100)), at(0)), Ok(()));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_has_ended() {
        let mut sessions = HashMap::new();
        for n in 0..4u8 {
            let ended = (n == 0).then_some(Ended::Idle);
            sessions.insert([n; 16], Session { first: at(0), last: at(i64::from(n)), ended });
        }
        forget_one(&mut sessions);
        assert!(sessions.contains_key(&[0; 16]) && !sessions.contains_key(&[1; 16]));
        let table = Sessions::default();
        for n in 0..SHARD_SESSIONS as u32 + 10 {
            let mut caller = principal("ada");
            caller.proof.credential = [0; 16];
            caller.proof.credential[8..12].copy_from_slice(&n.to_le_bytes());
            table.touch(&caller, &limits(Some(60), None), at(0)).unwrap();
        }
        assert_eq!(table.0[0].lock().unwrap().len(), SHARD_SESSIONS);
    }
}
