//! Compiles `protect.authorization`: selections into positions, security requirements into rules, names into places.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use probity_model::EnforcementMode;
use probity_model::bundle::authorization::{
    AccessRule, AttributeModule, AttributePolicy, AuthorizationPolicy, Fields, LearnedBinding, LearnedFrom,
    MAX_POINTERS, ObjectBinding, ObjectPlace, OperationWords, Owner, PropertyRule, UnknownOperations,
    UnlistedOperations,
};
use probity_model::specification::{SecurityNeed, SpecifiedOperation};
use probity_policy::authorize::{AttributeRules, PathVariable};

use super::{Context, selection};
use crate::config::authorization::{
    AccessRuleConfig, AuthorizationConfig, LearnedObjectConfig, ObjectConfig, PlaceConfig, PropertyConfig,
};

/// Largest Rego file that is read.
const MAX_REGO_BYTES: u64 = 256 * 1024;
/// Longest JSON pointer.
const MAX_POINTER: usize = 512;

pub(super) fn compile(
    context: &Context<'_>,
    config: &AuthorizationConfig,
) -> Result<Option<AuthorizationPolicy>, String> {
    let Some(mode) = context.mode(config.mode) else { return Ok(None) };
    let section = Section { context, mode, specified: specified(context) };
    let mut access = section.all("rules", &config.rules, |rule| section.access(rule))?;
    if config.scopes_from_specification {
        access.extend(section.specified_rules());
    }
    let unlisted = section.unlisted(config.unlisted_operations, &access);
    Ok(Some(AuthorizationPolicy {
        mode,
        unknown: section.unknown(config)?,
        unlisted,
        access,
        objects: section.all("objects", &config.objects, |object| section.object(object))?,
        learned: section.all("learned_objects", &config.learned_objects, |object| section.learned(object))?,
        properties: section.all("properties", &config.properties, |rule| section.property(rule))?,
        attributes: section.attributes(config)?,
        hold_bytes: Some(config.hold.0),
    }))
}

struct Section<'a> {
    context: &'a Context<'a>,
    mode: EnforcementMode,
    /// What the newest specification says of each operation.
    specified: Vec<Option<&'a SpecifiedOperation>>,
}

/// What the newest document says of each operation of the bundle; `None` for one that only an older document has.
fn specified<'a>(context: &Context<'a>) -> Vec<Option<&'a SpecifiedOperation>> {
    let newest = context
        .sources
        .services
        .get(&context.service.name)
        .and_then(|source| source.specifications.first())
        .map_or(&[][..], |specification| specification.operations.as_slice());
    let by_shape: HashMap<(&str, String), &SpecifiedOperation> = newest
        .iter()
        .rev()
        .map(|operation| ((&*operation.method, operation.template.shape()), operation))
        .collect();
    context
        .operations
        .iter()
        .map(|operation| by_shape.get(&(&*operation.method, operation.template.shape())).copied())
        .collect()
}

impl<'a> Section<'a> {
    /// Every entry of a list; a fault names the entry.
    fn all<C, T>(
        &self,
        list: &str,
        configured: &[C],
        one: impl Fn(&C) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let entry =
            |(number, config): (usize, &C)| one(config).map_err(|error| format!("{list}[{number}]: {error}"));
        configured.iter().enumerate().map(entry).collect()
    }

    fn unknown(&self, config: &AuthorizationConfig) -> Result<Option<UnknownOperations>, String> {
        let mode = config.unknown_operations.unwrap_or(self.mode);
        if mode == EnforcementMode::Off {
            return Ok(None);
        }
        if !matches!(config.unknown_status, 403 | 404) {
            return Err(format!("unknown_status: {}, expected 403 or 404", config.unknown_status));
        }
        if mode == EnforcementMode::Block && self.specified.iter().all(Option::is_none) {
            return Err(
                "unknown_operations: no operation is known, so that every call would be refused; name a \
                 specification, or say `off` or `observe`"
                    .to_owned(),
            );
        }
        let superseded = self.positions(|specified| specified.is_none());
        Ok(Some(UnknownOperations { mode, status: config.unknown_status, superseded }))
    }

    fn positions(&self, wanted: impl Fn(&Option<&SpecifiedOperation>) -> bool) -> Vec<u32> {
        (0u32..).zip(&self.specified).filter(|(_, specified)| wanted(specified)).map(|(at, _)| at).collect()
    }

    /// Operations by selection and by tag, without exceptions.
    fn selected(
        &self,
        operations: &[String],
        tags: &[String],
        except: &[String],
    ) -> Result<Vec<u32>, String> {
        let mut chosen = BTreeSet::new();
        if operations.is_empty() && tags.is_empty() {
            return Err("no operation is selected, expected `operations` or `tags`".to_owned());
        }
        if !operations.is_empty() {
            chosen.extend(selection::positions(operations, self.context.operations)?);
        }
        for tag in tags {
            let tagged =
                self.positions(|specified| specified.is_some_and(|specified| specified.tags.contains(tag)));
            if tagged.is_empty() {
                return Err(format!("no operation of the newest specification has the tag `{tag}`"));
            }
            chosen.extend(tagged);
        }
        if !except.is_empty() {
            for left_out in selection::positions(except, self.context.operations)? {
                chosen.remove(&left_out);
            }
        }
        if chosen.is_empty() {
            Err("every operation is left out".to_owned())
        } else {
            Ok(chosen.into_iter().collect())
        }
    }

    fn mode(&self, own: Option<EnforcementMode>) -> EnforcementMode {
        own.unwrap_or(self.mode)
    }

    fn access(&self, config: &AccessRuleConfig) -> Result<AccessRule, String> {
        let scopes = if config.scopes.is_empty() { Vec::new() } else { vec![shared(&config.scopes)] };
        let attributes =
            config.attributes.iter().map(|(name, values)| (name.as_str().into(), shared(values)));
        if let Some((name, _)) = config.attributes.iter().find(|(_, values)| values.is_empty()) {
            return Err(format!("attribute `{name}` has no value, expected those that are allowed"));
        }
        Ok(AccessRule {
            name: name(&config.name, &config.operations, &config.tags),
            mode: self.mode(config.mode),
            operations: self.selected(&config.operations, &config.tags, &config.except)?,
            roles: shared(&config.roles),
            scopes,
            kinds: config.kinds.clone(),
            tenants: shared(&config.tenants),
            consumers: shared(&config.consumers),
            attributes: attributes.collect(),
        })
    }

    /// One rule for each set of alternatives that security requirements name. An alternative without scopes asks for
    /// none, so that a requirement with such a one becomes no rule.
    fn specified_rules(&self) -> Vec<AccessRule> {
        let mut by_need: BTreeMap<Vec<Vec<Arc<str>>>, Vec<u32>> = BTreeMap::new();
        for (at, specified) in (0u32..).zip(&self.specified) {
            let Some(SecurityNeed::Required(alternatives)) = specified.map(|specified| &specified.security)
            else {
                continue;
            };
            let scopes = |alternative: &Vec<(String, Vec<String>)>| {
                let all: BTreeSet<&String> = alternative.iter().flat_map(|(_, scopes)| scopes).collect();
                all.into_iter().map(|scope| Arc::from(scope.as_str())).collect::<Vec<Arc<str>>>()
            };
            let needs: BTreeSet<Vec<Arc<str>>> = alternatives.iter().map(scopes).collect();
            if !needs.is_empty() && !needs.iter().any(Vec::is_empty) {
                by_need.entry(needs.into_iter().collect()).or_default().push(at);
            }
        }
        let rule = |(scopes, operations)| AccessRule {
            name: "specification".into(),
            mode: self.mode,
            operations,
            scopes,
            ..AccessRule::default()
        };
        by_need.into_iter().map(rule).collect()
    }

    fn unlisted(&self, mode: EnforcementMode, access: &[AccessRule]) -> Option<UnlistedOperations> {
        if mode == EnforcementMode::Off {
            return None;
        }
        let listed: BTreeSet<u32> = access.iter().flat_map(|rule| &rule.operations).copied().collect();
        let mut operations = self.positions(|specified| {
            !specified.is_some_and(|specified| specified.security == SecurityNeed::Public)
        });
        operations.retain(|operation| !listed.contains(operation));
        Some(UnlistedOperations { mode, operations })
    }

    fn object(&self, config: &ObjectConfig) -> Result<ObjectBinding, String> {
        let operations = self.selected(&config.operations, &config.tags, &config.except)?;
        let object = self.place(&config.object, &operations)?;
        let owner = match config.equals.as_str() {
            "" => {
                return Err(
                    "`equals` is empty, expected `subject`, `tenant`, `consumer` or an attribute".to_owned()
                );
            }
            "subject" => Owner::Subject,
            "tenant" => Owner::Tenant,
            "consumer" => Owner::Consumer,
            attribute => Owner::Attribute(attribute.into()),
        };
        let required = config.required.unwrap_or(matches!(object, ObjectPlace::Answer(_)));
        Ok(ObjectBinding {
            name: name(&config.name, &config.operations, &config.tags),
            mode: self.mode(config.mode),
            operations,
            object,
            owner,
            unless_roles: shared(&config.unless_roles),
            unless_scopes: shared(&config.unless_scopes),
            status: status(config.status)?,
            required,
        })
    }

    fn learned(&self, config: &LearnedObjectConfig) -> Result<LearnedBinding, String> {
        let operations = self.selected(&config.operations, &config.tags, &config.except)?;
        let object = self.place(&config.object, &operations)?;
        if matches!(object, ObjectPlace::Answer(_)) {
            return Err("`object.answer` comes too late, expected a place of the request".to_owned());
        }
        if config.learn.is_empty() {
            return Err("`learn` is empty, expected answers that give ids".to_owned());
        }
        let learn = config.learn.iter().map(|learn| {
            Ok(LearnedFrom {
                operations: self.selected(&learn.operations, &[], &[])?,
                ids: pointer(&learn.ids)?,
            })
        });
        Ok(LearnedBinding {
            name: name(&config.name, &config.operations, &config.tags),
            mode: self.mode(config.mode),
            learn: learn.collect::<Result<_, String>>()?,
            operations,
            object,
            unless_roles: shared(&config.unless_roles),
            status: status(config.status)?,
            warm_up_ms: config.warm_up.as_millis(),
        })
    }

    /// Modules are compiled here as well, so that a fault is told with its place and no gateway gets a bad one.
    fn attributes(&self, config: &AuthorizationConfig) -> Result<Option<AttributePolicy>, String> {
        let mode = self.mode(config.policies_mode);
        if config.policies.is_empty() || mode == EnforcementMode::Off {
            return Ok(None);
        }
        let mut modules = Vec::new();
        for file in &config.policies {
            let path = self.context.loaded.path(file);
            let fault = |what: &dyn std::fmt::Display| format!("policies: `{}` {what}", path.display());
            let size =
                std::fs::metadata(&path).map_err(|error| fault(&format!("cannot be read: {error}")))?.len();
            if size > MAX_REGO_BYTES {
                return Err(fault(&format!("is {size} bytes long, expected at most {MAX_REGO_BYTES}")));
            }
            let rego = std::fs::read_to_string(&path);
            let rego = rego.map_err(|error| fault(&format!("cannot be read: {error}")))?;
            modules.push(AttributeModule { name: file.display().to_string().into(), rego: rego.into() });
        }
        let named = modules.iter().map(|module| (&*module.name, &*module.rego));
        AttributeRules::compile(named).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("policies:\n{}", faults.join("\n"))
        })?;
        let judged = match config.policies_operations.is_empty() {
            true => None,
            false => Some(selection::positions(&config.policies_operations, self.context.operations)?),
        };
        let described = (0u32..).zip(&self.specified).filter_map(|(at, specified)| {
            let specified = (*specified)?;
            let fields =
                specified.request.iter().chain(specified.responses.iter().flat_map(|answer| &answer.bodies));
            let classes = fields.flat_map(|body| &body.fields).filter_map(|field| field.class.as_ref());
            let classes: BTreeSet<String> = classes.map(|class| class.as_str().to_owned()).collect();
            let words = OperationWords {
                tags: shared(&specified.tags),
                classes: classes.into_iter().map(Into::into).collect(),
            };
            (words != OperationWords::default()).then_some((at, words))
        });
        Ok(Some(AttributePolicy {
            mode,
            operations: judged,
            modules,
            headers: config.policies_headers.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
            described: described.collect(),
        }))
    }

    fn place(&self, config: &PlaceConfig, operations: &[u32]) -> Result<ObjectPlace, String> {
        let text = |text: &String| Arc::<str>::from(text.as_str());
        let given = [&config.path, &config.query, &config.header, &config.body, &config.answer];
        if given.iter().filter(|place| place.is_some()).count() != 1 {
            return Err(
                "`object` names not one place, expected one of path, query, header, body, answer".to_owned()
            );
        }
        if let Some(variable) = &config.path {
            for operation in operations.iter().filter_map(|at| self.context.operations.get(*at as usize)) {
                if PathVariable::of(&operation.template, variable).is_none() {
                    return Err(format!(
                        "`{} {}` has no variable `{variable}` in its path",
                        operation.method, operation.template
                    ));
                }
            }
        }
        let place = config.path.as_ref().map(|name| Ok(ObjectPlace::Path(text(name))));
        let place = place.or(config.query.as_ref().map(|name| Ok(ObjectPlace::Query(text(name)))));
        let header = |name: &String| ObjectPlace::Header(name.to_ascii_lowercase().into());
        let place = place.or(config.header.as_ref().map(|name| Ok(header(name))));
        let place = place.or(config.body.as_ref().map(|at| pointer(at).map(ObjectPlace::Body)));
        let place = place.or(config.answer.as_ref().map(|at| pointer(at).map(ObjectPlace::Answer)));
        place.unwrap_or_else(|| Err("`object` names no place".to_owned()))
    }

    fn property(&self, config: &PropertyConfig) -> Result<PropertyRule, String> {
        let fields = |only: &Option<Vec<String>>, except: &Option<Vec<String>>, what: &str| {
            let pointers = |all: &Vec<String>| {
                if all.len() > MAX_POINTERS {
                    return Err(format!("{} pointers, expected at most {MAX_POINTERS}", all.len()));
                }
                all.iter().map(|text| pointer(text)).collect::<Result<Vec<_>, _>>()
            };
            match (only, except) {
                (Some(_), Some(_)) => Err(format!("both `{what}` and `not_{what}`, expected one of them")),
                (Some(only), None) => Ok(Some(Fields::Only(pointers(only)?))),
                (None, Some(except)) => Ok(Some(Fields::Except(pointers(except)?))),
                (None, None) => Ok(None),
            }
        };
        let readable = fields(&config.readable, &config.not_readable, "readable")?;
        let writable = fields(&config.writable, &config.not_writable, "writable")?;
        if readable.is_none() && writable.is_none() {
            return Err("no field is named, expected `readable`, `writable` or their opposites".to_owned());
        }
        Ok(PropertyRule {
            name: name(&config.name, &config.operations, &config.tags),
            mode: self.mode(config.mode),
            operations: self.selected(&config.operations, &config.tags, &config.except)?,
            roles: shared(&config.roles),
            unless_roles: shared(&config.unless_roles),
            readable,
            writable,
            forbidden: config.undeclared,
        })
    }
}

/// What decisions call a rule: its name, else what it selects first.
fn name(own: &str, operations: &[String], tags: &[String]) -> Arc<str> {
    let named = Some(own).filter(|own| !own.is_empty());
    let first = operations.first().or(tags.first()).map_or("", String::as_str);
    named.unwrap_or(first).into()
}

fn shared(texts: &[String]) -> Vec<Arc<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn status(configured: Option<u16>) -> Result<u16, String> {
    match configured.unwrap_or(403) {
        status @ (403 | 404) => Ok(status),
        other => Err(format!("status: {other}, expected 403 or 404")),
    }
}

/// A pointer to something below the root.
fn pointer(text: &str) -> Result<Arc<str>, String> {
    if !text.starts_with('/') || text.len() > MAX_POINTER {
        return Err(format!("`{text}` is no JSON pointer, expected `/field` or `/items/*/field`"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests;
