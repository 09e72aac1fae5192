//! What is no longer believed, whatever its proof says. Looked at with every call, after any cache, so that a revocation
//! counts with the first call after its bundle is in force.

use std::collections::HashMap;
use std::sync::Arc;

use probity_model::Timestamp;
use probity_model::bundle::identity::Revocation;
use probity_model::principal::Principal;

use crate::bundle::hex;

/// Revocations by the narrowest thing that they name.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    by_credential: HashMap<Arc<str>, Vec<Revocation>>,
    by_subject: HashMap<Arc<str>, Vec<Revocation>>,
    by_consumer: HashMap<Arc<str>, Vec<Revocation>>,
    by_issuer: HashMap<Arc<str>, Vec<Revocation>>,
}

impl Revocations {
    /// One that names nothing is passed over: it would refuse everyone.
    pub fn new(list: &[Revocation]) -> Self {
        let mut all = Self::default();
        for revocation in list {
            let (table, key) = match revocation {
                Revocation { credential: Some(key), .. } => (&mut all.by_credential, key),
                Revocation { subject: Some(key), .. } => (&mut all.by_subject, key),
                Revocation { consumer: Some(key), .. } => (&mut all.by_consumer, key),
                Revocation { issuer: Some(key), .. } => (&mut all.by_issuer, key),
                _ => continue,
            };
            table.entry(Arc::clone(key)).or_default().push(revocation.clone());
        }
        all
    }

    pub fn hold(&self, principal: &Principal) -> bool {
        let credential = || hex(&principal.proof.credential);
        (!self.by_credential.is_empty() && any(self.by_credential.get(&*credential()), principal))
            || (!self.by_subject.is_empty() && any(self.by_subject.get(&principal.subject), principal))
            || (!self.by_issuer.is_empty() && any(self.by_issuer.get(&principal.issuer), principal))
            || principal.consumer.as_ref().is_some_and(|consumer| {
                !self.by_consumer.is_empty() && any(self.by_consumer.get(consumer), principal)
            })
    }
}

fn any(list: Option<&Vec<Revocation>>, principal: &Principal) -> bool {
    list.is_some_and(|list| list.iter().any(|revocation| means(revocation, principal)))
}

fn means(revocation: &Revocation, principal: &Principal) -> bool {
    let same = |wanted: &Option<Arc<str>>, has: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| has == Some(wanted))
    };
    // What does not say when it was issued may be older than any moment.
    let before = |moment: Timestamp| principal.proof.issued_at.is_none_or(|issued| issued < moment);
    same(&revocation.issuer, Some(&principal.issuer))
        && same(&revocation.subject, Some(&principal.subject))
        && same(&revocation.consumer, principal.consumer.as_deref())
        && revocation
            .credential
            .as_deref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&hex(&principal.proof.credential)))
        && revocation.issued_before.is_none_or(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::identity::tests::principal;

    #[test]
    fn every_part_that_is_named_must_hold() {
        let mut caller = principal("ada");
        caller.proof.issued_at = Some(Timestamp::from_seconds(100));
        let some = |text: &str| Some(Arc::from(text));
        let none = Revocation::default();
        for (revocation, expected) in [
            (none.clone(), false),
            (Revocation { subject: some("ada"), ..none.clone() }, true),
            (Revocation { subject: some("bob"), ..none.clone() }, false),
            (Revocation { issuer: some("probity"), ..none.clone() }, true),
            (Revocation { issuer: some("other"), subject: some("ada"), ..none.clone() }, false),
            (Revocation { consumer: some("clinic-app"), ..none.clone() }, true),
            (Revocation { credential: some(&"07".repeat(16)), ..none.clone() }, true),
            (Revocation { credential: some(&"08".repeat(16)), ..none.clone() }, false),
            (
                Revocation {
                    subject: some("ada"),
                    issued_before: Some(Timestamp::from_seconds(101)),
                    ..none.clone()
                },
                true,
            ),
            (
                Revocation {
                    subject: some("ada"),
                    issued_before: Some(Timestamp::from_seconds(100)),
                    ..none.clone()
                },
                false,
            ),
        ] {
            assert_eq!(
                Revocations::new(std::slice::from_ref(&revocation)).hold(&caller),
                expected,
                "{revocation:?}"
            );
        }
    }
}
