//! The risk tier of an operation: the catalogue's ordered rules, first match wins, shown with the formula that gave it.

use probity_model::inventory::{Risk, RiskTier};
use serde::{Deserialize, Serialize};

/// `catalog/risk.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRules {
    /// Ordered; the first rule whose every condition holds gives the tier.
    pub rules: Vec<RiskRule>,
    /// When none holds.
    pub otherwise: RiskTier,
    /// Open findings of this severity or above raise the tier by one.
    pub raised_by: probity_model::Severity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRule {
    pub tier: RiskTier,
    /// Audiences for which the rule holds; any when empty. An operation of unknown audience counts as public.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Whether sensitive data was seen or is documented; either when absent.
    #[serde(default)]
    pub sensitive: Option<bool>,
    /// In words, shown beside the tier.
    pub formula: String,
}

/// What the rules see of one operation.
#[derive(Clone, Copy, Debug)]
pub struct RiskInput<'a> {
    pub audience: Option<&'a str>,
    pub sensitive: bool,
    pub worst_finding: Option<probity_model::Severity>,
}

impl RiskRules {
    pub fn judge(&self, input: RiskInput<'_>) -> Risk {
        let audience = input.audience.unwrap_or("public");
        let rule = self.rules.iter().find(|rule| {
            (rule.audience.is_empty() || rule.audience.iter().any(|name| name == audience))
                && rule.sensitive.is_none_or(|wanted| wanted == input.sensitive)
        });
        let (tier, mut formula) = match rule {
            Some(rule) => (rule.tier, rule.formula.clone()),
            None => (self.otherwise, "no rule matched".to_owned()),
        };
        let assumed = if input.audience.is_none() { " (audience unknown, taken as public)" } else { "" };
        formula.push_str(assumed);
        let raised = input.worst_finding.is_some_and(|severity| severity >= self.raised_by);
        match (raised, tier) {
            (true, RiskTier::Low) => {
                Risk { tier: RiskTier::Moderate, formula: formula + ", raised by an open finding" }
            }
            (true, RiskTier::Moderate) => {
                Risk { tier: RiskTier::High, formula: formula + ", raised by an open finding" }
            }
            _ => Risk { tier, formula },
        }
    }
}
