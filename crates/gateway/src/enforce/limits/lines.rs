//! What connections of one address may do: how many are open, and how many handshakes they ask for.

use std::net::IpAddr;
use std::sync::Arc;

use probity_model::bundle::ConnectionLimits;
use probity_policy::limit::{InFlight, NANOS_PER_SECOND, Table, TokenBucket};

use super::Memory;
use super::caller::network_of;
use crate::enforce::State;

/// Addresses whose handshakes are known.
const MAX_ADDRESSES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Lines {
    open: InFlight,
    handshakes: Table,
}

impl Default for Lines {
    fn default() -> Self {
        Self { open: InFlight::default(), handshakes: Table::new(MAX_ADDRESSES) }
    }
}

/// A connection that counts for its address, while it lives.
#[derive(Debug)]
pub(crate) struct Seated {
    state: Arc<State>,
    key: u64,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.state.limits.lines.open.leave(self.key);
    }
}

impl Memory {
    /// Whether an address may have one more connection; a name for why not.
    pub fn seat(
        state: &Arc<State>,
        address: IpAddr,
        limits: &ConnectionLimits,
        tls: bool,
    ) -> Result<Option<Seated>, &'static str> {
        let memory = &state.limits;
        let key = memory.hash.chain(0, &network_of(address));
        if tls && limits.handshakes_per_second > 0 {
            let rate = u64::from(limits.handshakes_per_second);
            let bucket = TokenBucket::new(rate.saturating_mul(2), rate, NANOS_PER_SECOND);
            let now = memory.now();
            let verdict = memory.lines.handshakes.update(key, now, |slot| bucket.take(slot, now, 1));
            if !verdict.admitted {
                return Err("too-many-handshakes");
            }
        }
        if limits.connections_per_address == 0 {
            return Ok(None);
        }
        match memory.lines.open.enter(key, limits.connections_per_address) {
            Some(_) => Ok(Some(Seated { state: Arc::clone(state), key })),
            None => Err("too-many-connections-of-address"),
        }
    }
}
