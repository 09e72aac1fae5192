//! Attribute rules over a call: what of it they see, and what their answer comes to.

use std::sync::Arc;

use probity_model::bundle::BundleService;
use probity_model::bundle::authorization::{AttributePolicy, OperationWords};
use probity_model::path::TemplateSegment;
use probity_policy::authorize::{AttributeRules, PathVariable, RequestView, Said, place};

use super::super::{BuildError, Ruling};
use super::text;
use crate::ingress::Call;

/// Pairs of a query that rules see.
const MAX_QUERY: usize = 256;

#[derive(Debug)]
pub(super) struct Rules {
    policy: AttributePolicy,
    rules: AttributeRules,
}

impl Rules {
    pub fn build(policy: &AttributePolicy) -> Result<Self, BuildError> {
        let modules = policy.modules.iter().map(|module| (&*module.name, &*module.rego));
        let rules = AttributeRules::compile(modules).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            faults.join("; ")
        })?;
        Ok(Self { policy: policy.clone(), rules })
    }

    /// What the rules refuse of a call; a rule that stops refuses as well.
    pub fn judge(&self, call: &Call, service: Option<&BundleService>) -> Option<Ruling> {
        let operation = call.route.and_then(|route| route.operation);
        let position = operation.and_then(|operation| u32::try_from(operation).ok());
        if let Some(judged) = &self.policy.operations
            && position.is_none_or(|position| judged.binary_search(&position).is_err())
        {
            return None;
        }
        let mode = self.policy.mode;
        let stopped = |found: &str| {
            let title = "a rule failed";
            Ruling::new("function-authz", "gateway-policy-error", mode, 403, title).found(None, "", found)
        };
        let known = operation.and_then(|operation| service?.operations.get(operation));
        let words = position.and_then(|position| self.policy.described.get(&position));
        let Some(request) = self.view(call, known.map(|known| &known.template), words) else {
            return Some(stopped("unreadable"));
        };
        let refused = |field: String, found: &str| {
            let title = "not for this caller";
            Ruling::new("function-authz", "gateway-policy-denied", mode, 403, title).found(None, field, found)
        };
        match self.rules.judge(call.principal.as_deref(), &request, call.started_at) {
            Ok(Said::Allow) => None,
            Ok(Said::Deny(rule)) => Some(refused(rule, "denied")),
            Ok(Said::NotAllowed) => Some(refused("allow".to_owned(), "not-allowed")),
            Err(_) => Some(stopped("stopped")),
        }
    }

    /// `None` for a request that cannot be shown as its upstream will read it.
    fn view<'a>(
        &'a self,
        call: &'a Call,
        template: Option<&'a probity_model::Template>,
        words: Option<&'a OperationWords>,
    ) -> Option<RequestView<'a>> {
        let head = call.head.as_ref()?;
        let path = text(head.path());
        let mut variables = Vec::new();
        for segment in template.into_iter().flat_map(|template| template.segments()) {
            if let (TemplateSegment::Variable(name), Some(template)) = (segment, template) {
                variables.push((name, PathVariable::of(template, name)?.value(path)?.into_owned()));
            }
        }
        let query = text(head.query().unwrap_or_default());
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() >= MAX_QUERY {
                return None;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((place::decoded(name, true)?.into_owned(), place::decoded(value, true)?.into_owned()));
        }
        let mut headers = Vec::new();
        for name in &self.policy.headers {
            let mut values = head.fields().values(name.as_bytes());
            if let Some(value) = values.next() {
                // Of two, nobody knows which one counts.
                if values.next().is_some() {
                    return None;
                }
                headers.push((&**name, std::str::from_utf8(value).ok()?));
            }
        }
        let shared = |all: fn(&OperationWords) -> &Vec<Arc<str>>| {
            words.map_or_else(Vec::new, |words| all(words).iter().map(|word| &**word).collect())
        };
        Some(RequestView {
            method: text(call.method()),
            template: template.map_or("", |template| template.as_str()),
            path: variables,
            query: pairs,
            headers,
            client: call.client().to_string(),
            tags: shared(|words| &words.tags),
            classes: shared(|words| &words.classes),
        })
    }
}
