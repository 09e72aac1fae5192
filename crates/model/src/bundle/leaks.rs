//! What becomes of sensitive data in answers, and in requests where asked: by class, role and operation.
//!
//! Environments are no part of this: the server compiles the rules of the service's environment and leaves out the others.
//! What is done to a body is `probity-policy`'s `redact`; when, `probity-gateway`'s `enforce::leaks`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataClass, EnforcementMode};

/// Of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeakPolicy {
    pub mode: EnforcementMode,
    /// For answers; the first rule that fits a class decides, what none names passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<LeakRule>,
    /// For queries, fields and bodies of requests, before the upstream sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<LeakRule>,
    /// Operations whose upstream gets values for tokens; see [`Operations`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detokenise: Option<Operations>,
    #[serde(default)]
    pub bodies: BodyBounds,
    /// Digits of a card number that stay in clear at its beginning: 6, or 8 where the number has 16 digits or more.
    #[serde(default = "six")]
    pub card_bin: u8,
}

/// What becomes of some classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeakRule {
    pub classes: Vec<DataClass>,
    /// A caller with one of these; empty for all, callers that proved nothing too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Operations::is_all")]
    pub operations: Operations,
    pub action: LeakAction,
}

/// Which operations of a service: all, or those at these indices of [`super::BundleService::operations`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operations {
    #[default]
    All,
    At(Vec<u32>),
}

impl Operations {
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
    /// Whether the operation at `index` is one of them; a call for no known operation is only in [`Operations::All`].
    pub fn contains(&self, index: Option<u32>) -> bool {
        match self {
            Self::All => true,
            Self::At(known) => index.is_some_and(|index| known.contains(&index)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeakAction {
    Pass,
    /// Hidden but for what the class may show: of a card number the BIN and the last four digits.
    Mask,
    /// A random token in its place; masked where no token can be made.
    Tokenise,
    /// The whole value gives way to a fixed word.
    Replace,
    /// The field goes, its name too.
    Drop,
    /// The call is refused.
    Block,
}

impl LeakAction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Mask => "mask",
            Self::Tokenise => "tokenise",
            Self::Replace => "replace",
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }
}

/// How much of a body is held, and what its content coding may unfold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BodyBounds {
    /// A body up to this is decided whole; a longer one is changed as it streams.
    pub hold: u64,
    /// Most bytes that a coded body unfolds to.
    pub decoded: u64,
    /// Most bytes that one coded byte unfolds to, past the first 64 KiB.
    pub ratio: u32,
    pub undecodable: Undecodable,
}

impl Default for BodyBounds {
    fn default() -> Self {
        Self { hold: 1 << 20, decoded: 8 << 20, ratio: 100, undecodable: Undecodable::Refuse }
    }
}

/// What becomes of a body whose coding is unknown, broken or out of bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Undecodable {
    #[default]
    Refuse,
    /// It passes as it came, with a flag in its record.
    Pass,
}

const fn six() -> u8 {
    6
}
