//! Properties: cuts fields out of bodies that their caller may not write or read, or refuses.

use std::sync::Arc;

use bytes::Bytes;
use probity_model::bundle::authorization::{Forbidden, PropertyRule};
use probity_model::{Place, Principal};
use probity_policy::authorize::{Properties, has_one, json};

use super::super::{Held, Ruling};

/// A property rule compiled.
#[derive(Debug)]
pub(super) struct Shaped {
    pub rule: PropertyRule,
    pub readable: Option<Properties>,
    pub writable: Option<Properties>,
}

/// What is to be done about a body.
pub(super) enum Finding {
    /// A ruling that may refuse; where it does not, the body goes on as it is.
    Refuse(Ruling),
    /// The body without the fields.
    Cut(Ruling, Bytes),
}

impl Shaped {
    pub fn new(rule: &PropertyRule) -> Arc<Self> {
        let readable = rule.readable.as_ref().map(Properties::new);
        let writable = rule.writable.as_ref().map(Properties::new);
        Arc::new(Self { rule: rule.clone(), readable, writable })
    }

    /// Whether it stands for this caller. One who was not proved has no role.
    pub fn concerns(&self, principal: Option<&Principal>) -> bool {
        let roles = principal.map_or(&[][..], |principal| principal.roles.as_slice());
        (self.rule.roles.is_empty() || has_one(roles, &self.rule.roles))
            && !has_one(roles, &self.rule.unless_roles)
    }

    /// Judges a body. `encoded` bytes, and what is longer than what is held, cannot be judged.
    pub fn judge(
        &self,
        properties: &Properties,
        body: &Held,
        encoded: bool,
        place: Place,
    ) -> Option<Finding> {
        let data = match body {
            Held::Whole { data, .. } if data.is_empty() => return None,
            Held::Whole { data, .. } => data,
            Held::Begun(_) => return Some(self.unread(place, "too-long")),
            Held::Streaming => return None,
        };
        if encoded {
            return Some(self.unread(place, "encoded"));
        }
        let hits = match properties.forbidden(data) {
            Ok(hits) if hits.is_empty() => return None,
            Ok(hits) => hits,
            Err(malformed) => return Some(self.unread(place, malformed.word())),
        };
        let found = format!("{} fields", hits.len());
        let ruling = self.ruling(place, &found);
        Some(match self.rule.forbidden {
            Forbidden::Refuse => Finding::Refuse(ruling),
            Forbidden::Strip => Finding::Cut(ruling, json::without(data, hits).into()),
        })
    }

    fn unread(&self, place: Place, found: &str) -> Finding {
        Finding::Refuse(self.ruling(place, found))
    }

    fn ruling(&self, place: Place, found: &str) -> Ruling {
        let title = "a field is not for this caller";
        Ruling::new("property-authz", "gateway-property-forbidden", self.rule.mode, 403, title).found(
            Some(place),
            &*self.rule.name,
            found,
        )
    }
}
