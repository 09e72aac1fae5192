//! Objects: where a call or its answer names one, and whose it is.

use std::borrow::Cow;
use std::sync::Arc;

use probity_model::bundle::authorization::{ObjectBinding, ObjectPlace, Owner};
use probity_model::{EnforcementMode, Place, Principal, Template};
use probity_policy::authorize::json::{self, Pointer};
use probity_policy::authorize::{PathVariable, has_one, owns, place};

use super::super::{Answer, BuildError, Held, Ruling};
use super::text;
use crate::ingress::Call;

/// A binding as it stands for one operation.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    binding: Arc<ObjectBinding>,
    /// For an object that is learned: the binding's name, by which ids are kept.
    pub learned: Option<Learned>,
    pub mode: EnforcementMode,
    pub check: &'static str,
    finder: Finder,
}

/// What a learned binding has in the place of an owner.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    pub family: Arc<str>,
    pub warm_up_ms: u64,
}

#[derive(Debug, Clone)]
enum Finder {
    Path(PathVariable),
    Query,
    Header,
    Body(Arc<Pointer>),
    Answer(Arc<Pointer>),
}

/// What stands at the place of an object: its values, and whether one that should be there is missing.
pub(super) type Found = Result<(Vec<String>, bool), &'static str>;

impl Bound {
    /// # Errors
    /// A template without the variable.
    pub fn of(binding: &Arc<ObjectBinding>, template: &Template) -> Result<Self, BuildError> {
        let finder = match &binding.object {
            ObjectPlace::Path(name) => Finder::Path(PathVariable::of(template, name).ok_or_else(|| {
                format!("binding `{}`: `{template}` has no variable `{name}`", binding.name)
            })?),
            ObjectPlace::Query(_) => Finder::Query,
            ObjectPlace::Header(_) => Finder::Header,
            ObjectPlace::Body(pointer) => Finder::Body(Arc::new(Pointer::new(pointer))),
            ObjectPlace::Answer(pointer) => Finder::Answer(Arc::new(Pointer::new(pointer))),
        };
        let check = match binding.owner {
            Owner::Tenant => "tenant-isolation",
            _ => "object-authz",
        };
        Ok(Self { mode: binding.mode, check, finder, binding: Arc::clone(binding), learned: None })
    }

    /// Whether the principal may reach any object here.
    pub fn is_free(&self, principal: &Principal) -> bool {
        has_one(&principal.roles, &self.binding.unless_roles)
            || has_one(&principal.scopes, &self.binding.unless_scopes)
    }

    pub fn place(&self) -> Place {
        match self.finder {
            Finder::Path(_) => Place::RequestPath,
            Finder::Query => Place::RequestQuery,
            Finder::Header => Place::RequestHeader,
            Finder::Body(_) => Place::RequestBody,
            Finder::Answer(_) => Place::ResponseBody,
        }
    }

    /// The name or pointer of the place.
    pub fn field(&self) -> &str {
        match &self.binding.object {
            ObjectPlace::Path(name) | ObjectPlace::Query(name) | ObjectPlace::Header(name) => name,
            ObjectPlace::Body(pointer) | ObjectPlace::Answer(pointer) => pointer,
        }
    }

    pub fn in_head(&self, call: &Call) -> Found {
        let Some(head) = &call.head else { return Err("unreadable") };
        let values: Vec<Cow<'_, str>> = match &self.finder {
            Finder::Path(variable) => vec![variable.value(text(head.path())).ok_or("unreadable")?],
            Finder::Query => {
                let query =
                    std::str::from_utf8(head.query().unwrap_or_default()).map_err(|_| "unreadable")?;
                place::values(query, self.field()).ok_or("unreadable")?
            }
            Finder::Header => head
                .fields()
                .values(self.field().as_bytes())
                .map(|value| std::str::from_utf8(value).map(Cow::Borrowed))
                .collect::<Result<_, _>>()
                .map_err(|_| "unreadable")?,
            Finder::Body(_) | Finder::Answer(_) => return Err("unreadable"),
        };
        let missing = values.is_empty();
        Ok((values.into_iter().map(Cow::into_owned).collect(), missing))
    }

    pub fn in_body(&self, call: &Call) -> Found {
        let Finder::Body(pointer) = &self.finder else { return Err("unreadable") };
        let body = match &call.body {
            Held::Whole { data, .. } => data,
            Held::Begun(_) => return Err("too-long"),
            // There is none.
            Held::Streaming => return Ok((Vec::new(), true)),
        };
        let coding = call.head.as_ref().and_then(|head| head.header(b"content-encoding"));
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err("encoded");
        }
        if is_form(call) {
            let body = std::str::from_utf8(body).map_err(|_| "unreadable")?;
            let name = self.field().strip_prefix('/').unwrap_or_default();
            let values = place::values(body, name).ok_or("unreadable")?;
            let missing = values.is_empty();
            return Ok((values.into_iter().map(Cow::into_owned).collect(), missing));
        }
        if body.is_empty() { Ok((Vec::new(), true)) } else { in_json(pointer, body) }
    }

    pub fn in_answer(&self, answer: &Answer) -> Found {
        let Finder::Answer(pointer) = &self.finder else { return Err("unreadable") };
        let data = match &answer.body {
            Held::Whole { data, .. } => data,
            Held::Begun(_) => return Err("too-long"),
            Held::Streaming => return Err("unreadable"),
        };
        let coding = answer.head.header(b"content-encoding");
        if !answer.decoded && coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err("encoded");
        }
        if data.is_empty() { Ok((Vec::new(), false)) } else { in_json(pointer, data) }
    }

    /// Every object must be the caller's. Gives a word for what was found otherwise.
    pub fn judge(&self, principal: &Principal, found: Found) -> Result<(), &'static str> {
        let (values, missing) = found?;
        if missing && self.binding.required {
            return Err("missing");
        }
        for value in values {
            match owns(principal, &self.binding.owner, &value) {
                Some(true) => {}
                Some(false) => return Err("foreign"),
                None => return Err("owner-unknown"),
            }
        }
        Ok(())
    }

    pub fn refusal(&self, found: &'static str) -> Ruling {
        let status = self.binding.status;
        // A hidden object looks as if it were not there.
        let title = if status == 404 { "no such object" } else { "the object is another caller's" };
        Ruling::new(self.check, "gateway-object-foreign", self.mode, status, title).found(
            Some(self.place()),
            self.field(),
            found,
        )
    }
}

fn in_json(pointer: &Pointer, text: &[u8]) -> Found {
    let (hits, missing) = pointer.find(text).map_err(|malformed| malformed.word())?;
    let values: Option<Vec<String>> =
        hits.iter().map(|hit| json::scalar(text, &hit.value).map(Cow::into_owned)).collect();
    values.map(|values| (values, missing)).ok_or("no-text")
}

fn is_form(call: &Call) -> bool {
    let media = call.head.as_ref().and_then(|head| head.header(b"content-type")).unwrap_or_default();
    let media = media.split(|byte| *byte == b';').next().unwrap_or_default();
    media.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
