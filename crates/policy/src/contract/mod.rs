//! Contracts: whether a call and its answer are what the specification declares, and within bounds that hold without
//! one. Pure: a [`Contract`] is made from the bundle's section and judges heads and held bodies.
//!
//! [`json`] reads bodies strictly; `schema` compiles rows of JSON Schema at their first use, and `validate` judges by
//! them; `parameter` takes parameters apart, `form` forms; [`graphql`] measures queries. What is *not* here: reading
//! specifications (`probity-reader`), holding bodies, refusing and recording (`probity-gateway`).
//!
//! Nothing that is told holds a value: a place, a name, what was expected, the type of what was found.

use std::sync::{Arc, OnceLock};

use probity_model::Place;
use probity_model::bundle::contract::{
    BodyLimits, ContractPolicy, MediaContract, OperationContract, Oversize, ResponseContract, SchemaTable,
    Unknown,
};

mod coerce;
mod form;
pub mod format;
pub mod graphql;
pub mod json;
pub mod media;
pub mod number;
mod parameter;
pub mod pattern;
mod schema;
#[cfg(test)]
mod tests;
mod uri;
mod validate;

pub use parameter::Head;
pub use schema::{Table, table_of};
pub use validate::{Direction, Fault, MAX_VIOLATIONS, Outcome};

use json::JsonFault;
use media::MediaType;

/// Checks that rules of this module serve.
const SCHEMA: &str = "schema-enforce";
const LIMITS: &str = "dos-limits";
const ANSWERS: &str = "response-validate";

/// One finding, ready to become a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Check of the catalogue.
    pub check: &'static str,
    /// Such as `contract-body-type`.
    pub rule: String,
    pub place: Place,
    /// Name or JSON pointer.
    pub field: String,
    /// In words.
    pub expected: String,
    /// A type, `missing`, or a word for it.
    pub found: &'static str,
    /// Told in every mode, refused in none.
    pub flag: bool,
    /// Status of an answer that refuses the call for it.
    pub status: u16,
}

/// What came of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    pub violations: Vec<Violation>,
    /// The body without what was stripped.
    pub edited: Option<Vec<u8>>,
    /// Pointers of what was stripped, bounded.
    pub stripped: Vec<String>,
}

impl Judged {
    fn of(violation: Violation) -> Self {
        Self { violations: vec![violation], ..Self::default() }
    }
}

/// The contract of one service. Building it compiles nothing.
#[derive(Debug)]
pub struct Contract {
    tables: Vec<Table>,
    operations: Vec<Option<Operation>>,
    limits: BodyLimits,
    own: Vec<(u32, Option<u64>, Option<Oversize>)>,
    unknown_fields: Unknown,
    unknown_response_fields: Unknown,
    unknown_parameters: Unknown,
    graphql: Option<graphql::Guard>,
    none: Table,
}

#[derive(Debug)]
struct Operation {
    table: usize,
    contract: Arc<OperationContract>,
    shapes: OnceLock<Vec<parameter::Shape>>,
}

impl Contract {
    pub fn new(policy: &ContractPolicy) -> Self {
        let operation = |tabled: &probity_model::bundle::contract::TabledContract| Operation {
            table: tabled.table as usize,
            contract: Arc::clone(&tabled.contract),
            shapes: OnceLock::new(),
        };
        let mut own: Vec<_> =
            policy.rules.iter().map(|rule| (rule.operation, rule.body_bytes, rule.oversize)).collect();
        own.sort_unstable_by_key(|rule| rule.0);
        Self {
            tables: policy.tables.iter().cloned().map(Table::new).collect(),
            operations: policy.operations.iter().map(|known| known.as_ref().map(operation)).collect(),
            limits: policy.limits,
            own,
            unknown_fields: policy.unknown_fields,
            unknown_response_fields: policy.unknown_response_fields,
            unknown_parameters: policy.unknown_parameters,
            graphql: policy.graphql.as_ref().map(graphql::Guard::new),
            none: Table::new(SchemaTable::default()),
        }
    }

    fn operation(&self, operation: Option<usize>) -> Option<(&Operation, &Table)> {
        let known = self.operations.get(operation?)?.as_ref()?;
        Some((known, self.tables.get(known.table).unwrap_or(&self.none)))
    }

    /// Bytes that are held of a request body, and what becomes of a longer one.
    pub fn body_limit(&self, operation: Option<usize>) -> (u64, Oversize) {
        let own = operation
            .and_then(|operation| u32::try_from(operation).ok())
            .and_then(|operation| self.own.binary_search_by_key(&operation, |rule| rule.0).ok())
            .and_then(|at| self.own.get(at));
        match own {
            Some((_, bytes, oversize)) => {
                (bytes.unwrap_or(self.limits.body_bytes), oversize.unwrap_or(self.limits.oversize))
            }
            None => (self.limits.body_bytes, self.limits.oversize),
        }
    }
    /// The same of answers.
    pub fn answer_limit(&self) -> (u64, Oversize) {
        (self.limits.response_bytes, self.limits.response_oversize)
    }
    /// The violation that a body past [`Self::body_limit`] is.
    pub fn oversized(&self, operation: Option<usize>) -> Violation {
        let (limit, oversize) = self.body_limit(operation);
        Violation {
            flag: oversize == Oversize::Stream,
            ..violation(
                LIMITS,
                "contract-body-size",
                Place::RequestBody,
                413,
                format!("at most {limit} bytes"),
                "longer",
            )
        }
    }
    pub fn oversized_answer(&self) -> Violation {
        let (limit, oversize) = self.answer_limit();
        Violation {
            flag: oversize == Oversize::Stream,
            ..violation(
                ANSWERS,
                "contract-response-size",
                Place::ResponseBody,
                502,
                format!("at most {limit} bytes"),
                "longer",
            )
        }
    }

    /// Judges the parameters of a call. A call whose operation nobody declared has none.
    pub fn judge_head(&self, operation: Option<usize>, head: &Head<'_>) -> Vec<Violation> {
        let mut out = Vec::new();
        if let Some(guard) = self.graphql.as_ref().filter(|guard| guard.takes(head.path)) {
            // Queries also come in the URL.
            if let Some(faults) = guard.judge_query(head.query, &self.limits) {
                out.extend(faults.into_iter().map(|fault| graphql_violation(fault, Place::RequestQuery)));
                return out;
            }
        }
        let Some((known, table)) = self.operation(operation) else { return out };
        let shapes = known.shapes.get_or_init(|| parameter::shapes(table, &known.contract));
        let faults =
            parameter::judge(table, &known.contract, shapes, head, self.unknown_parameters, &self.limits);
        out.extend(faults.into_iter().map(|found| {
            let rule = match found.fault.rule {
                "unknown" => "contract-unknown-parameter".to_owned(),
                "repeated" => "contract-repeated-parameter".to_owned(),
                rule => format!("contract-parameter-{rule}"),
            };
            Violation {
                flag: found.fault.flag,
                field: found.fault.pointer,
                rule,
                ..violation(SCHEMA, "", found.place, 400, found.fault.expected, found.fault.found)
            }
        }));
        out
    }

    /// Judges a held request body. `body` is decoded from any content coding.
    pub fn judge_body(
        &self,
        operation: Option<usize>,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Judged {
        let place = Place::RequestBody;
        let declared =
            self.operation(operation).map(|(known, table)| (known.contract.request.as_ref(), table));
        if body.is_empty() {
            let required =
                declared.is_some_and(|(request, _)| request.is_some_and(|request| request.required));
            let missing =
                || violation(SCHEMA, "contract-body-missing", place, 400, "a body".to_owned(), "missing");
            return if required { Judged::of(missing()) } else { Judged::default() };
        }
        let media = content_type.map(MediaType::parse);
        let graphql = self.graphql.as_ref().filter(|guard| guard.takes(path));
        if graphql.is_some() && !media.iter().flatten().any(MediaType::is_json) {
            // Servers of GraphQL read JSON whatever its type says: what cannot be measured does not pass.
            let expected = "application/json".to_owned();
            let found = "another type";
            return Judged::of(violation(SCHEMA, "contract-content-type", place, 415, expected, found));
        }
        let Some(media) = media.clone().flatten() else {
            // Without a declared body nobody asked for a type, but the bounds still need one where it is malformed.
            let is_asked = media.is_some() || declared.is_some_and(|(request, _)| request.is_some());
            let found = if media.is_some() { "malformed" } else { "missing" };
            let fault =
                || violation(SCHEMA, "contract-content-type", place, 415, "a media type".to_owned(), found);
            return if is_asked { Judged::of(fault()) } else { self.bounded(None, body) };
        };
        if (media.is_json() || media.is_form()) && !media.is_utf8() {
            // Another charset is another text to whoever heeds it.
            let expected = "charset UTF-8".to_owned();
            let found = "another charset";
            return Judged::of(violation(SCHEMA, "contract-content-type", place, 415, expected, found));
        }
        if let Some(guard) = graphql {
            return match guard.judge_body(body, &self.limits) {
                Ok(faults) => Judged {
                    violations: faults.into_iter().map(|fault| graphql_violation(fault, place)).collect(),
                    ..Judged::default()
                },
                Err(fault) => Judged::of(json_violation(fault, "contract-body", SCHEMA, LIMITS, place, 400)),
            };
        }
        let Some((Some(request), table)) = declared else { return self.bounded(Some(&media), body) };
        let Some(matched) = media::declared(&request.content, &media.essence) else {
            let names: Vec<&str> =
                request.content.iter().take(8).map(|media| media.media_type.as_str()).collect();
            let expected = names.join(" or ");
            let found = "another type";
            return Judged::of(violation(SCHEMA, "contract-content-type", place, 415, expected, found));
        };
        self.judge_content(table, matched, &media, body, Direction::Request)
    }

    /// The bounds that hold without a specification.
    fn bounded(&self, media: Option<&MediaType>, body: &[u8]) -> Judged {
        let place = Place::RequestBody;
        let looks_like_json =
            || body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[".contains(byte));
        let read = match media {
            Some(media) if media.is_json() => json::parse(body, &self.limits).map(drop),
            Some(media) if media.is_form() || media.is_multipart() => {
                form::judge(&self.none, None, media, body, &self.limits, Unknown::Allow).map(drop)
            }
            // A body without a type that looks like JSON is read as JSON by many.
            None if looks_like_json() => json::parse(body, &self.limits).map(drop),
            _ => Ok(()),
        };
        match read {
            Ok(()) => Judged::default(),
            Err(fault) => Judged::of(json_violation(fault, "contract-body", SCHEMA, LIMITS, place, 400)),
        }
    }

    fn judge_content(
        &self,
        table: &Table,
        matched: &MediaContract,
        media: &MediaType,
        body: &[u8],
        direction: Direction,
    ) -> Judged {
        let (place, prefix, check, limit, status, unknown) = match direction {
            Direction::Request => {
                (Place::RequestBody, "contract-body", SCHEMA, LIMITS, 400, self.unknown_fields)
            }
            Direction::Answer => (
                Place::ResponseBody,
                "contract-response",
                ANSWERS,
                ANSWERS,
                502,
                self.unknown_response_fields,
            ),
        };
        let syntax = |fault| Judged::of(json_violation(fault, prefix, check, limit, place, status));
        let report = |faults: Vec<Fault>| -> Vec<Violation> {
            let status = if direction == Direction::Request { 422 } else { status };
            faults.into_iter().map(|fault| fault_violation(fault, prefix, check, place, status)).collect()
        };
        if media.is_json() {
            let nodes = match json::parse(body, &self.limits) {
                Ok(nodes) => nodes,
                Err(fault) => return syntax(fault),
            };
            let Some(row) = matched.schema else { return Judged::default() };
            let outcome = validate::judge(table, table.row(row), &nodes, direction, unknown);
            let edited = (!outcome.strip.is_empty()).then(|| json::without(body, &nodes, &outcome.strip));
            let stripped = outcome.strip.iter().take(MAX_VIOLATIONS);
            let stripped =
                stripped.filter_map(|key| nodes.get(*key)).map(|key| validate::shown(&key.string()));
            let stripped = stripped.collect();
            return Judged { violations: report(outcome.faults), edited, stripped };
        }
        if media.is_form() || media.is_multipart() {
            return match form::judge(table, Some(matched), media, body, &self.limits, unknown) {
                Ok(faults) => Judged { violations: report(faults), ..Judged::default() },
                Err(fault) => syntax(fault),
            };
        }
        let Some(row) = matched.schema else { return Judged::default() };
        if media.is_text() {
            let plain = media.charset.as_deref().is_none_or(|charset| {
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
            });
            let Ok(text) = std::str::from_utf8(body) else {
                return if plain { syntax(JsonFault::Utf8) } else { Judged::default() };
            };
            let schema = table.row(row);
            let node = coerce::scalar(table, schema, coerce::types_of(table, schema), text);
            let outcome = validate::judge(table, schema, std::slice::from_ref(&node), direction, unknown);
            return Judged { violations: report(outcome.faults), ..Judged::default() };
        }
        if media.is_xml() {
            // Its schema speaks of elements that are not read here: told, not passed over.
            let expected = "a body that can be judged".to_owned();
            let fault =
                Fault { rule: "undecidable", pointer: String::new(), expected, found: "xml", flag: true };
            return Judged { violations: report(vec![fault]), ..Judged::default() };
        }
        Judged::default()
    }

    fn response(&self, operation: Option<usize>, status: u16) -> Option<(&ResponseContract, &Table)> {
        let (known, table) = self.operation(operation)?;
        let of = |wanted: &str| {
            known.contract.responses.iter().find(|known| known.status.eq_ignore_ascii_case(wanted))
        };
        let exact = || known.contract.responses.iter().find(|known| known.status.parse() == Ok(status));
        let class = || {
            let digit = status / 100;
            known.contract.responses.iter().find(|known| {
                let [first, x, y] = known.status.as_bytes() else { return false };
                u16::from(first.wrapping_sub(b'0')) == digit
                    && x.eq_ignore_ascii_case(&b'x')
                    && y.eq_ignore_ascii_case(&b'x')
            })
        };
        let found = exact().or_else(class).or_else(|| of("default"))?;
        Some((found, table))
    }

    /// Judges an answer's head. What is found is judged by the mode of answers.
    pub fn judge_answer_head(
        &self,
        operation: Option<usize>,
        status: u16,
        content_type: Option<&str>,
    ) -> Vec<Violation> {
        let Some((known, _)) = self.operation(operation) else { return Vec::new() };
        if known.contract.responses.is_empty() || status == 304 || status < 200 {
            return Vec::new();
        }
        let place = Place::ResponseHeader;
        let Some((response, _)) = self.response(operation, status) else {
            // Errors are answered by more than the service itself, and seldom all declared.
            let flag = status >= 400;
            let expected = "a declared status".to_owned();
            let fault =
                violation(ANSWERS, "contract-response-status", place, 502, expected, "another status");
            return vec![Violation { flag, field: status.to_string(), ..fault }];
        };
        let Some(content_type) = content_type.filter(|_| !response.content.is_empty()) else {
            return Vec::new();
        };
        let essence = MediaType::parse(content_type).map(|media| media.essence).unwrap_or_default();
        if media::declared(&response.content, &essence).is_some() {
            return Vec::new();
        }
        let expected =
            response.content.iter().take(8).map(|media| media.media_type.as_str()).collect::<Vec<_>>();
        let fault = violation(
            ANSWERS,
            "contract-response-content-type",
            place,
            502,
            expected.join(" or "),
            "another type",
        );
        vec![Violation { flag: status >= 400, ..fault }]
    }

    /// How much of an answer's body is to be held, where its schema is judged at all.
    pub fn wants_answer(
        &self,
        operation: Option<usize>,
        status: u16,
        content_type: Option<&str>,
    ) -> Option<u64> {
        let (response, _) = self.response(operation, status)?;
        let media = MediaType::parse(content_type?)?;
        let matched = media::declared(&response.content, &media.essence)?;
        let judged = media.is_json() || media.is_text() && media.essence != "text/event-stream";
        (matched.schema.is_some() && judged).then_some(self.limits.response_bytes)
    }

    /// Judges a held answer. `body` is decoded from any content coding.
    pub fn judge_answer(
        &self,
        operation: Option<usize>,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Judged {
        let Some((response, table)) = self.response(operation, status) else { return Judged::default() };
        let Some(media) = content_type.and_then(MediaType::parse) else { return Judged::default() };
        let Some(matched) = media::declared(&response.content, &media.essence) else {
            return Judged::default();
        };
        if !media.is_json() && !media.is_text() || media.essence == "text/event-stream" {
            return Judged::default();
        }
        self.judge_content(table, matched, &media, body, Direction::Answer)
    }
}

fn violation(
    check: &'static str,
    rule: &str,
    place: Place,
    status: u16,
    expected: String,
    found: &'static str,
) -> Violation {
    Violation {
        check,
        rule: rule.to_owned(),
        place,
        field: String::new(),
        expected,
        found,
        flag: false,
        status,
    }
}

fn json_violation(
    fault: JsonFault,
    prefix: &str,
    check: &'static str,
    limit: &'static str,
    place: Place,
    status: u16,
) -> Violation {
    let (rule, check, found) = match fault.rule() {
        "syntax" => (format!("{prefix}-syntax"), check, "malformed"),
        "duplicate-key" => (format!("{prefix}-duplicate-key"), check, "repeated"),
        "depth" => (format!("{prefix}-depth"), limit, "deeper"),
        _ => (format!("{prefix}-json-size"), limit, "more"),
    };
    Violation { rule, ..violation(check, "", place, status, fault.expected().to_owned(), found) }
}

fn fault_violation(fault: Fault, prefix: &str, check: &'static str, place: Place, status: u16) -> Violation {
    let rule = match (fault.rule, place) {
        ("unknown-field" | "read-only" | "undecidable", Place::RequestBody) => {
            format!("contract-{}", fault.rule)
        }
        (rule, _) => format!("{prefix}-{rule}"),
    };
    Violation {
        rule,
        field: fault.pointer,
        flag: fault.flag,
        ..violation(check, "", place, status, fault.expected, fault.found)
    }
}

fn graphql_violation(fault: graphql::GraphqlFault, place: Place) -> Violation {
    let check = if fault.is_limit { LIMITS } else { SCHEMA };
    let rule = format!("contract-graphql-{}", fault.rule);
    Violation { rule, field: fault.field, ..violation(check, "", place, 400, fault.expected, fault.found) }
}
