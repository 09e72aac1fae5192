//! `protect.leaks`: what becomes of sensitive data.

use probity_model::EnforcementMode;
use probity_model::bundle::leaks::{LeakAction, Undecodable};
use probity_reader::config::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of sensitive data in answers, and in requests where asked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaksConfig {
    /// `protect.mode` when absent.
    pub mode: Option<EnforcementMode>,
    /// Where this service runs (`production`, `test`): rules for other environments do not count.
    pub environment: Option<String>,
    /// For answers; the first rule that fits decides. When absent: card numbers, SSNs and account numbers are masked,
    /// verification codes, track data, passwords and private keys dropped.
    pub responses: Option<Vec<LeakRuleConfig>>,
    /// For requests, before the upstream sees them; nothing when empty.
    pub requests: Vec<LeakRuleConfig>,
    /// Operations (`POST /payments`, `* /**`, or `*` for all) whose upstream gets values in the place of tokens.
    pub detokenise: Vec<String>,
    /// A body up to this is decided whole; a longer one is changed as it streams.
    pub hold: ByteSize,
    /// Most that a coded body unfolds to.
    pub decoded: ByteSize,
    /// Most bytes that one coded byte unfolds to.
    pub ratio: u32,
    /// A body whose coding is unknown, broken or out of bounds: `refuse`, or `pass` with a flag.
    pub undecodable: Undecodable,
    /// Digits of a card number in clear at its beginning: 6 or 8.
    pub card_bin: u8,
}

/// What becomes of some classes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakRuleConfig {
    /// Classes (`card-number`, or one of `classes`) and groups of them (`card`, `card-authentication`, `health`,
    /// `personal`, `secret`, `custom`).
    pub classes: Vec<String>,
    /// For callers with one of these roles; for all when empty.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `GET /cards/{id}`, `* /v2/admin/**`; all when empty.
    #[serde(default)]
    pub operations: Vec<String>,
    /// In one of these environments; in all when empty.
    #[serde(default)]
    pub environments: Vec<String>,
    /// `pass`, `mask`, `tokenise`, `replace`, `drop` or `block`.
    pub action: LeakAction,
}

impl Default for LeaksConfig {
    fn default() -> Self {
        let bounds = probity_model::bundle::leaks::BodyBounds::default();
        Self {
            mode: None,
            environment: None,
            responses: None,
            requests: Vec::new(),
            detokenise: Vec::new(),
            hold: ByteSize(bounds.hold),
            decoded: ByteSize(bounds.decoded),
            ratio: bounds.ratio,
            undecodable: bounds.undecodable,
            card_bin: 6,
        }
    }
}
