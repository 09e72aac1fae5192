//! Who is counted together: a call's keys, as keyed hashes. Nothing of a caller is kept but those.

use std::net::IpAddr;

use probity_model::Principal;
use probity_model::bundle::limits::LimitKey;

use crate::ingress::Call;
use crate::siphash::SipKey;

/// An address as it is counted: IPv4 whole, of IPv6 the first 64 bits, which is what one subscriber has.
pub(crate) fn network_of(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => (u128::from(address) >> 64 << 64).to_be_bytes(),
    }
}

/// The same in words, as passes of a challenge are signed for it.
pub(super) fn network_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(_) => format!("{}/64", std::net::Ipv6Addr::from(network_of(address))),
    }
}

/// What is hashed into a key; each kind apart from the others.
#[derive(Clone, Copy)]
enum Part {
    Consumer = 1,
    Principal,
    Credential,
    Address,
    Operation,
    Tenant,
    Claim,
    Header,
    Name,
}

fn mix(hash: SipKey, key: u64, part: Part, bytes: &[u8]) -> u64 {
    hash.chain(key ^ (part as u64) << 56, bytes)
}

pub(super) fn client(call: &Call) -> IpAddr {
    call.origin.as_ref().map_or(call.line.peer(), |origin| origin.client)
}

/// The key of a call under a seed.
pub(super) fn key(hash: SipKey, seed: u64, by: &[LimitKey], call: &Call) -> u64 {
    by.iter().fold(seed, |key, by| one(hash, key, by, call).unwrap_or_else(|| by_address(hash, key, call)))
}

pub(super) fn by_address(hash: SipKey, key: u64, call: &Call) -> u64 {
    mix(hash, key, Part::Address, &network_of(client(call)))
}

pub(super) fn by_consumer(hash: SipKey, key: u64, principal: &Principal) -> u64 {
    match &principal.consumer {
        Some(consumer) => mix(hash, key, Part::Consumer, consumer.as_bytes()),
        None => {
            let issuer = mix(hash, key, Part::Principal, principal.issuer.as_bytes());
            mix(hash, issuer, Part::Principal, principal.subject.as_bytes())
        }
    }
}

pub(super) fn by_credential(hash: SipKey, key: u64, principal: &Principal) -> u64 {
    mix(hash, key, Part::Credential, &principal.proof.credential)
}

/// An account by the name that a sign-in gives, however it is written.
pub(super) fn name(hash: SipKey, name: &str) -> u64 {
    mix(hash, 0, Part::Name, name.trim().to_lowercase().as_bytes())
}

pub(super) fn by_name(hash: SipKey, key: u64, name: u64) -> u64 {
    mix(hash, key, Part::Name, &name.to_le_bytes())
}

fn one(hash: SipKey, key: u64, by: &LimitKey, call: &Call) -> Option<u64> {
    let principal = call.principal.as_deref();
    Some(match by {
        LimitKey::Consumer => by_consumer(hash, key, principal?),
        LimitKey::Credential => by_credential(hash, key, principal?),
        LimitKey::Address => by_address(hash, key, call),
        LimitKey::Operation => {
            let operation = call.route.and_then(|route| route.operation).unwrap_or(usize::MAX);
            mix(hash, key, Part::Operation, &operation.to_le_bytes())
        }
        // The seed is the service's.
        LimitKey::Service => key,
        LimitKey::Tenant => mix(hash, key, Part::Tenant, principal?.tenant.as_ref()?.as_bytes()),
        LimitKey::Claim(name) => match principal?.attributes.get(name)? {
            serde_json::Value::String(text) => mix(hash, key, Part::Claim, text.as_bytes()),
            other => mix(hash, key, Part::Claim, other.to_string().as_bytes()),
        },
        LimitKey::Header(name) => mix(hash, key, Part::Header, call.head.as_ref()?.header(name.as_bytes())?),
    })
}

/// Whether a key can be made before the caller is proved.
pub(super) fn is_early(by: &[LimitKey]) -> bool {
    by.iter().all(|by| {
        matches!(by, LimitKey::Address | LimitKey::Operation | LimitKey::Service | LimitKey::Header(_))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_network() {
        let same =
            |one: &str, other: &str| network_of(one.parse().unwrap()) == network_of(other.parse().unwrap());
        assert!(same("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(!same("192.0.2.7", "192.0.2.8"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("192.0.2.7", "::c000:207"));
        assert_eq!(network_text("2001:db8:1:2:3::9".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(network_text("::ffff:192.0.2.7".parse().unwrap()), "192.0.2.7");
    }
}
