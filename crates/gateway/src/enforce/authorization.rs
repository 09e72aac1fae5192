//! Who may do what: operations, access by role and scope, objects and their owners.
//!
//! This is glue: it finds the parts of a call that the rules of [`probity_policy::authorize`] judge, and turns what they
//! come to into rulings. [`build`] turns the bundle's lists by rule into lists by operation, so that a call looks at
//! nothing but the rules that name it; [`object`] finds objects in calls and answers,
//! [`given`] remembers who was given which, [`property`] cuts fields, [`attribute`] runs rules in Rego, [`privilege`] keeps
//! what of their privileges consumers use.
//!
//! The order: an unknown operation; access rules; operations that no rule names; objects; rules in Rego. All that name the
//! operation must hold. Whoever was not proved is told so (401) before anything else about the operation.

mod attribute;
mod build;
mod given;
mod object;
mod privilege;
mod property;

use std::sync::Arc;

use probity_model::bundle::BundleService;
use probity_model::bundle::authorization::AuthorizationPolicy;
use probity_model::bundle::authorization::{AccessRule, UnknownOperations};
use probity_model::{EnforcementMode, Place, Principal};
use probity_policy::authorize::{Pointers, Unmet, json, unmet};

use self::object::Bound;
pub use self::privilege::Privileges;
use self::property::{Finding, Shaped};
use super::{Answer, BuildError, Ruling, State};
use crate::ingress::{Call, Stop};

/// Bytes of a body that are held where the bundle does not say.
const HOLD_BYTES: u64 = 1024 * 1024;

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    given: given::Given,
    used: privilege::Used,
}

impl Memory {
    /// What consumers were granted and used.
    pub fn privileges(&self) -> Vec<Privileges> {
        self.used.all()
    }
}

/// This control in front of one service.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The strictest of its parts: what a panic comes to.
    pub mode: EnforcementMode,
    realm: Box<str>,
    unknown: Option<UnknownOperations>,
    unlisted: EnforcementMode,
    hold_bytes: u64,
    access: Vec<AccessRule>,
    attributes: Option<attribute::Rules>,
    state: Arc<State>,
    /// What is demanded of each operation; `None` where nothing is.
    operations: Vec<Option<Box<Demands>>>,
}

/// What the rules demand of one operation.
#[derive(Debug, Default)]
struct Demands {
    superseded: bool,
    unlisted: bool,
    /// Positions in `Guard::access`.
    access: Vec<usize>,
    head: Vec<Bound>,
    body: Vec<Bound>,
    answer: Vec<Bound>,
    /// Ids that answers give, by the family that they are kept for.
    learn: Vec<(Arc<str>, Arc<Pointers>)>,
    properties: Vec<Arc<Shaped>>,
}

impl Guard {
    pub fn build(
        policy: &AuthorizationPolicy,
        service: &BundleService,
        state: &Arc<State>,
    ) -> Result<Self, BuildError> {
        build::guard(service, policy, state)
    }

    /// Operation, roles, scopes, attributes, objects named by path and query.
    pub fn judge_head(&self, call: &mut Call) -> Result<(), Stop> {
        self.judge_known(call)?;
        if let Some(demands) = self.demands(call) {
            self.judge_caller(call, demands)?;
        }
        if let Some(rules) = &self.attributes {
            let plan = Arc::clone(&call.plan);
            let service = call.route.and_then(|route| plan.bundle.services.get(route.service));
            if let Some(ruling) = rules.judge(call, service) {
                call.rule(ruling)?;
            }
        }
        Ok(())
    }

    fn judge_caller(&self, call: &mut Call, demands: &Demands) -> Result<(), Stop> {
        let principal = call.principal.clone();
        for rule in demands.access.iter().filter_map(|rule| self.access.get(*rule)) {
            if let Some(found) = unmet(rule, principal.as_deref()) {
                call.rule(self.refusal(rule, &found))?;
            } else if let Some(principal) = principal.as_deref().filter(|_| !call.is_rehearsal()) {
                self.state.authorization.used.note(rule, principal, call.started_at);
            }
        }
        if demands.unlisted {
            let ruling = Ruling::new(
                "deny-default",
                "gateway-operation-unlisted",
                self.unlisted,
                403,
                "no rule allows this operation",
            );
            call.rule(ruling.found(Some(Place::RequestPath), "", "unlisted"))?;
        }
        for bound in &demands.head {
            self.judge_object(call, bound, principal.as_deref(), |call| bound.in_head(call))?;
        }
        Ok(())
    }

    /// How much of the body is needed to know the object, or to judge properties.
    pub fn wants_body(&self, call: &Call) -> Option<u64> {
        let demands = self.demands(call)?;
        let properties = demands
            .properties
            .iter()
            .any(|rule| rule.writable.is_some() && rule.concerns(call.principal.as_deref()));
        (properties || !demands.body.is_empty()).then_some(self.hold_bytes)
    }

    /// Objects and properties named by the body.
    pub fn judge_body(&self, call: &mut Call) -> Result<(), Stop> {
        let Some(demands) = self.demands(call) else { return Ok(()) };
        let principal = call.principal.clone();
        for bound in &demands.body {
            self.judge_object(call, bound, principal.as_deref(), |call| bound.in_body(call))?;
        }
        let coding = call.head.as_ref().and_then(|head| head.header(b"content-encoding"));
        let encoded = coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        for rule in demands.properties.iter().filter(|rule| rule.concerns(principal.as_deref())) {
            let Some(writable) = &rule.writable else { continue };
            match rule.judge(writable, &call.body, encoded, Place::RequestBody) {
                None => {}
                Some(Finding::Refuse(ruling)) => call.rule(ruling)?,
                Some(Finding::Cut(ruling, _)) if ruling.mode != EnforcementMode::Block => {
                    call.rule(ruling)?
                }
                Some(Finding::Cut(ruling, without)) => {
                    call.body.replace(without);
                    call.changed(&ruling);
                }
            }
        }
        Ok(())
    }

    pub fn wants_answer(&self, call: &Call, answer: &Answer) -> Option<u64> {
        let demands = self.demands(call)?;
        let properties = demands
            .properties
            .iter()
            .any(|rule| rule.readable.is_some() && rule.concerns(call.principal.as_deref()));
        let learns = !demands.learn.is_empty() && call.principal.is_some();
        (shows_objects(answer) && (properties || learns || !demands.answer.is_empty()))
            .then_some(self.hold_bytes)
    }

    /// Objects that the answer shows, and properties that the caller may not read. Also called for an answer that is
    /// longer than what is held: nobody can say what is in it.
    pub fn judge_answer(&self, call: &mut Call, answer: &mut Answer) -> Result<(), Stop> {
        let Some(demands) = self.demands(call).filter(|_| shows_objects(answer)) else { return Ok(()) };
        let principal = call.principal.clone();
        for bound in &demands.answer {
            self.judge_object(call, bound, principal.as_deref(), |_| bound.in_answer(answer))?;
        }
        let coding = answer.head.header(b"content-encoding");
        let encoded =
            !answer.decoded && coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        for rule in demands.properties.iter().filter(|rule| rule.concerns(principal.as_deref())) {
            let Some(readable) = &rule.readable else { continue };
            match rule.judge(readable, &answer.body, encoded, Place::ResponseBody) {
                None => {}
                Some(Finding::Refuse(ruling)) => call.rule(ruling)?,
                Some(Finding::Cut(ruling, _)) if ruling.mode != EnforcementMode::Block => {
                    call.rule(ruling)?
                }
                Some(Finding::Cut(ruling, without)) => {
                    answer.body.replace(without);
                    call.changed(&ruling);
                }
            }
        }
        if let (Some(principal), Some(data)) = (principal.as_deref(), answer.body.whole())
            && !call.is_rehearsal()
        {
            for (family, ids) in &demands.learn {
                // Without ids in it an answer gives none; that is nothing to refuse it for.
                for hit in ids.find(data).unwrap_or_default() {
                    if let Some(id) = json::scalar(data, &hit.value) {
                        self.state.authorization.given.remember(family, principal, &id);
                    }
                }
            }
        }
        Ok(())
    }

    fn demands(&self, call: &Call) -> Option<&Demands> {
        self.operations.get(call.route?.operation?)?.as_deref()
    }

    /// Whether the newest specification knows the operation. A preflight belongs to the operation that it asks for.
    fn judge_known(&self, call: &mut Call) -> Result<(), Stop> {
        let Some(unknown) = &self.unknown else { return Ok(()) };
        if call.route.is_some_and(|route| route.operation.is_some())
            && !self.demands(call).is_some_and(|demands| demands.superseded)
        {
            return Ok(());
        }
        let (method, path) = (text(call.method()), call.head.as_ref().map_or("", |head| text(head.path())));
        let known = |method: &str| {
            call.plan.operation_at(call.route, method, path).filter(|operation| {
                self.operations
                    .get(*operation)
                    .is_some_and(|demands| !demands.as_ref().is_some_and(|demands| demands.superseded))
            })
        };
        if method == "OPTIONS" && asked_for(call).is_some_and(|method| known(method).is_some()) {
            return Ok(());
        }
        let methods: Vec<Arc<str>> = call
            .plan
            .methods(call.route, path)
            .into_iter()
            .filter(|method| known(method).is_some())
            .collect();
        let ruling = if methods.is_empty() {
            let title = "no such operation";
            Ruling::new("deny-default", "gateway-operation-unknown", unknown.mode, unknown.status, title)
                .found(Some(Place::RequestPath), "", "unknown")
        } else {
            let title = "this method is not known here";
            Ruling::new("deny-default", "gateway-method-unknown", unknown.mode, 405, title)
                .found(Some(Place::RequestPath), "", "unknown-method")
                .field("allow", methods.join(", "))
        };
        call.rule(ruling)
    }

    fn refusal(&self, rule: &AccessRule, found: &Unmet) -> Ruling {
        if matches!(found, Unmet::Principal) {
            return self.nobody("function-authz", rule.mode).found(
                Some(Place::RequestHeader),
                &*rule.name,
                "missing",
            );
        }
        let title = match found {
            Unmet::Scope(_) => "a scope is missing",
            Unmet::Role => "a role is missing",
            _ => "not for this caller",
        };
        let check = if matches!(found, Unmet::Tenant) { "tenant-isolation" } else { "function-authz" };
        let ruling = Ruling::new(check, found.rule(), rule.mode, 403, title);
        match found {
            Unmet::Scope(scopes) => {
                let challenge = format!(
                    "Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{}\"",
                    self.realm,
                    scopes.join(" ")
                );
                ruling.field("www-authenticate", challenge)
            }
            _ => ruling,
        }
        .found(None, &*rule.name, found.rule().trim_start_matches("gateway-"))
    }

    /// The caller is not known, and should be.
    fn nobody(&self, check: &'static str, mode: EnforcementMode) -> Ruling {
        Ruling::new(check, "gateway-principal-missing", mode, 401, "credentials are needed")
            .field("www-authenticate", format!("Bearer realm=\"{}\"", self.realm))
    }

    fn judge_object(
        &self,
        call: &mut Call,
        bound: &Bound,
        principal: Option<&Principal>,
        find: impl FnOnce(&Call) -> object::Found,
    ) -> Result<(), Stop> {
        let Some(principal) = principal else {
            return call.rule(self.nobody(bound.check, bound.mode).found(
                Some(bound.place()),
                bound.field(),
                "missing",
            ));
        };
        if bound.is_free(principal) {
            return Ok(());
        }
        let Some(learned) = &bound.learned else {
            return match bound.judge(principal, find(call)) {
                Ok(()) => Ok(()),
                Err(found) => call.rule(bound.refusal(found)),
            };
        };
        let given = &self.state.authorization.given;
        let found = match find(call) {
            Ok((ids, _)) if ids.iter().all(|id| given.has(&learned.family, principal, id)) => return Ok(()),
            Ok(_) => "never-given",
            Err(found) => found,
        };
        let mut ruling = bound.refusal(found);
        if given.age_ms() < learned.warm_up_ms && ruling.mode == EnforcementMode::Block {
            ruling.mode = EnforcementMode::Observe;
        }
        call.rule(ruling)
    }
}

/// Only answers of success show objects; what an error shows is another control's.
fn shows_objects(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// The method that a preflight asks for.
fn asked_for(call: &Call) -> Option<&str> {
    let head = call.head.as_ref()?;
    head.header(b"origin")?;
    head.header(b"access-control-request-method").map(text)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
