//! Attribute rules: Rego over principal and request, in the language and under the restrictions of the checks.
//!
//! Modules of the package `probity.authorization` may define the set `deny`, whose members refuse a call, and the rule
//! `allow`, which must hold where it is defined. A member of `deny` may be an object with `rule`, a word that decisions
//! name. Rules see no clock, randomness or network; the moment is `input.at`.
//!
//! This is the tree-walking interpreter with strict built-ins, as for the checks: an error stops the judgement and is
//! told, instead of making a rule not hold in silence (docs/decisions/0010).

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use probity_model::{Diagnostic, Principal, Severity, Span, Timestamp};
use regorus::Value;
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value as Json;

use crate::rego::builtins::refused_calls;
use crate::rego::lexer::{TokenKind, tokens};

const PACKAGE: &str = "probity.authorization";
const RESULT: &str = "data.probity.authorization_entry.result";
/// Longest judgement: a rule that takes longer is an error.
pub const LIMIT: Duration = Duration::from_millis(50);
const LIMIT_INTERVAL: NonZeroU32 = NonZeroU32::new(1_024).unwrap();
/// Interpreters that wait for the next call.
const MAX_IDLE: usize = 64;
/// Longest name of a rule that a decision tells.
const MAX_NAME: usize = 64;

/// Compiled rules.
pub struct AttributeRules {
    /// Never run itself; the interpreters that run are its clones.
    compiled: regorus::Engine,
    idle: Mutex<Vec<regorus::Engine>>,
}

impl fmt::Debug for AttributeRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttributeRules")
    }
}

/// What rules see of a request.
#[derive(Debug, Default)]
pub struct RequestView<'a> {
    pub method: &'a str,
    pub template: &'a str,
    pub path: Vec<(&'a str, String)>,
    pub query: Vec<(String, String)>,
    /// Those that the configuration lists, in lower case.
    pub headers: Vec<(&'a str, &'a str)>,
    pub client: String,
    pub tags: Vec<&'a str>,
    pub classes: Vec<&'a str>,
}

/// What the rules say of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Allow,
    /// The name of the first rule that refuses, empty where it has none.
    Deny(String),
    /// `allow` does not hold.
    NotAllowed,
}

/// A rule stopped. The text may repeat what the rule saw: it is for a log of the operator, never for a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an attribute rule stopped")]
pub struct Stopped;

impl AttributeRules {
    /// Compiles modules, each with its name.
    ///
    /// # Errors
    /// Every fault with its place.
    pub fn compile<'a>(
        modules: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut engine = regorus::Engine::new();
        let (mut faults, mut names) = (Vec::new(), Vec::new());
        for (name, rego) in modules {
            let before = faults.len();
            inspect(name, rego, &mut faults);
            if faults.len() == before {
                if let Err(error) = engine.add_policy(name.to_owned(), rego.to_owned()) {
                    faults.push(compile_fault(name, &error.to_string()));
                }
                names.push(name);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let first = names.first().copied().unwrap_or_default();
        let defines = |engine: &regorus::Engine, rule: &str| {
            names.iter().any(|name| engine.has_declared_rule_rooted_at(name, rule).unwrap_or(false))
        };
        let (deny, allow) = (defines(&engine, "deny"), defines(&engine, "allow"));
        if !deny && !allow {
            let message = format!("no module of `{PACKAGE}` defines `deny` or `allow`");
            return Err(vec![fault(first, (1, 1), message, "expected `deny contains {...} if ...`")]);
        }
        let entry = entry(deny, allow);
        let compiled = engine.add_policy("entry.rego".to_owned(), entry).and_then(|_| {
            engine.set_strict_builtin_errors(true);
            engine.compile_with_entrypoint(&RESULT.into())
        });
        match compiled {
            Ok(_) => Ok(Self { compiled: engine, idle: Mutex::default() }),
            Err(error) => Err(vec![compile_fault(first, &error.to_string())]),
        }
    }

    /// Judges one call.
    ///
    /// # Errors
    /// [`Stopped`] for an error in a rule, one that takes too long, and an answer of another shape.
    pub fn judge(
        &self,
        principal: Option<&Principal>,
        request: &RequestView<'_>,
        at: Timestamp,
    ) -> Result<Said, Stopped> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut interpreter = idle.unwrap_or_else(|| self.compiled.clone());
        let timer = ExecutionTimerConfig { limit: LIMIT, check_interval: LIMIT_INTERVAL };
        interpreter.set_execution_timer_config(timer);
        interpreter.set_input(input(principal, request, at));
        // An interpreter that stopped midway is not used again.
        let answer = interpreter.eval_rule(RESULT.to_owned()).map_err(|_| Stopped)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(interpreter);
        }
        drop(idle);
        read(&answer).ok_or(Stopped)
    }
}

fn entry(deny: bool, allow: bool) -> String {
    let deny = if deny { "data.probity.authorization.deny" } else { "set()" };
    let (rule, allow) = if allow {
        ("default allowed := false\n\nallowed if data.probity.authorization.allow == true\n", "allowed")
    } else {
        ("", "true")
    };
    format!(
        "package probity.authorization_entry\n\nimport rego.v1\n\n{rule}\nresult := {{\"deny\": {deny}, \"allow\": {allow}}}\n"
    )
}

fn read(answer: &Value) -> Option<Said> {
    let answer = answer.as_object().ok()?;
    let deny = answer.get(&Value::from("deny"))?.as_set().ok()?;
    if let Some(first) = deny.iter().next() {
        let name = first.as_object().ok().and_then(|member| member.get(&Value::from("rule")));
        let name = name.and_then(|name| name.as_string().ok());
        let plain = |name: &&std::sync::Arc<str>| {
            name.len() <= MAX_NAME
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        return Some(Said::Deny(name.filter(plain).map(|name| name.to_string()).unwrap_or_default()));
    }
    match answer.get(&Value::from("allow"))? {
        Value::Bool(true) => Some(Said::Allow),
        Value::Bool(false) => Some(Said::NotAllowed),
        _ => None,
    }
}

/// The package, and calls that are not pure.
fn inspect(name: &str, rego: &str, faults: &mut Vec<Diagnostic>) {
    let tokens = tokens(rego);
    let mut after = tokens.iter().skip_while(|token| token.kind != TokenKind::Path("package".into()));
    match (after.next(), after.next()) {
        (Some(_), Some(package)) if package.kind == TokenKind::Path(PACKAGE.to_owned()) => {}
        (Some(at), _) => {
            let message = "the package is not that of attribute rules".to_owned();
            faults.push(fault(name, (at.line, at.column), message, &format!("expected `package {PACKAGE}`")));
        }
        (None, _) => {
            let message = "the module names no package".to_owned();
            faults.push(fault(name, (1, 1), message, &format!("expected `package {PACKAGE}`")));
        }
    }
    for call in refused_calls(&tokens) {
        let hint = if call.impure {
            "rules see no clock, randomness, network, environment or log; the moment is `input.at`"
        } else {
            "expected a pure built-in or a function of the module"
        };
        faults.push(fault(
            name,
            (call.line, call.column),
            format!("`{}` may not be called", call.name),
            hint,
        ));
    }
}

/// The compiler's text is `--> file:line:column`, an excerpt, then `error: message`.
fn compile_fault(name: &str, text: &str) -> Diagnostic {
    let place = text.find("--> ").and_then(|at| {
        let mut parts = text.get(at + 4..)?.lines().next()?.rsplitn(3, ':');
        let column = parts.next()?.trim().parse().ok()?;
        Some((parts.next()?.parse().ok()?, column))
    });
    let message = text.rsplit_once("error: ").map_or(text, |(_, message)| message).trim();
    fault(name, place.unwrap_or((1, 1)), format!("the rules do not compile: {message}"), "")
}

fn fault(name: &str, (line, column): (u32, u32), message: String, hint: &str) -> Diagnostic {
    let span = Span { file: name.into(), line, column };
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Diagnostic { span, severity: Severity::High, message, hint }
}

fn input(principal: Option<&Principal>, request: &RequestView<'_>, at: Timestamp) -> Value {
    let mut query: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (name, value) in &request.query {
        query.entry(name).or_default().push(Value::from(value.as_str()));
    }
    let request = object([
        ("method", Value::from(request.method)),
        ("template", Value::from(request.template)),
        ("path", object(request.path.iter().map(|(name, value)| (*name, Value::from(value.as_str()))))),
        ("query", object(query.into_iter().map(|(name, values)| (name, Value::from(values))))),
        ("headers", object(request.headers.iter().map(|(name, value)| (*name, Value::from(*value))))),
        ("client", Value::from(request.client.as_str())),
        ("tags", texts(request.tags.iter().copied())),
        ("classes", texts(request.classes.iter().copied())),
    ]);
    object([
        ("principal", principal.map_or(Value::Null, caller)),
        ("request", request),
        ("at", Value::from(at.to_string())),
    ])
}

fn caller(principal: &Principal) -> Value {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map_or(Value::Null, Value::from);
    let moment = |at: Option<Timestamp>| at.map_or(Value::Null, |at| Value::from(at.to_string()));
    let kind = match principal.kind {
        probity_model::PrincipalKind::User => "user",
        probity_model::PrincipalKind::Service => "service",
        probity_model::PrincipalKind::Partner => "partner",
    };
    object([
        ("kind", Value::from(kind)),
        ("issuer", Value::from(&*principal.issuer)),
        ("subject", Value::from(&*principal.subject)),
        ("tenant", text(&principal.tenant)),
        ("consumer", text(&principal.consumer)),
        ("roles", texts(principal.roles.iter().map(|role| &**role))),
        ("scopes", texts(principal.scopes.iter().map(|scope| &**scope))),
        ("attributes", object(principal.attributes.iter().map(|(name, value)| (&**name, json(value))))),
        ("acr", text(&principal.proof.acr)),
        ("amr", texts(principal.proof.amr.iter().map(|method| &**method))),
        ("sender_constrained", Value::from(principal.proof.sender_constrained)),
        ("authenticated_at", moment(principal.proof.authenticated_at)),
    ])
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::from(texts.map(Value::from).collect::<Vec<_>>())
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(
        members.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<BTreeMap<_, _>>(),
    )
}

fn json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::from(*bool),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::Array(list) => Value::from(list.iter().map(json).collect::<Vec<_>>()),
        Json::Object(members) => object(members.iter().map(|(name, value)| (name.as_str(), json(value)))),
    }
}
