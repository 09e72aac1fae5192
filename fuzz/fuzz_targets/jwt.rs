//! Tokens, DPoP proofs and key sets from strangers: nothing panics, and nothing unsigned is believed.
//!
//! The input is up to three parts, separated by line ends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (token, proof, set) = (part(), part(), part());
    assert!(!probity_gateway::judge_hostile(token, proof, set));
});
