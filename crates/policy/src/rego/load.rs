//! Compiles checks, and refuses those that cannot be judged purely or whose METADATA and rules disagree.

use std::collections::BTreeSet;
use std::sync::Mutex;

use probity_model::fact::{FactDefinition, FactType};
use probity_model::{Check, Diagnostic, Severity, Span, SubjectKind};

use super::builtins::refused_calls;
use super::entry::{ENTRY_POINT, SETS, entry_module};
use super::lexer::{Token, TokenKind, tokens};

/// What every check may import as `data.probity.moment`.
const MOMENT: &str = include_str!("moment.rego");

/// What every rule id begins with; a text of this form in a module is a rule's name.
const RULE_PREFIX: &str = "PRB-";

/// One check: its METADATA, and the file that holds it with its rules.
#[derive(Clone, Debug)]
pub struct CheckSource {
    pub check: Check,
    pub file: String,
    pub rego: String,
}

/// A compiled check.
pub(super) struct Prepared {
    pub check: Check,
    pub needs: Vec<Need>,
    pub reads: Reads,
    /// Never run itself; the interpreters that run are its clones.
    pub compiled: regorus::Engine,
    /// One for each caller that judges at the same time.
    pub idle: Mutex<Vec<regorus::Engine>>,
}

/// Parts of the input beside facts and parameters that the rules read; inputs that differ only in the others come to
/// the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub at: bool,
    pub subject: bool,
    pub seen_at: bool,
}

impl Reads {
    fn of(tokens: &[Token]) -> Self {
        let mut reads = Self::default();
        for token in tokens {
            let text = match &token.kind {
                TokenKind::Path(text) | TokenKind::Text(text) => text.as_str(),
                TokenKind::Sign(_) => continue,
            };
            reads.seen_at |= text.split('.').any(|part| part == "seen_at");
            let mut parts = text.split('.');
            if !matches!(token.kind, TokenKind::Path(_)) || parts.next() != Some("input") {
                continue;
            }
            match parts.next() {
                Some("facts" | "params" | "version") => {}
                Some("at") => reads.at = true,
                Some("subject") => reads.subject = true,
                // The input as a whole, or a part named in another way.
                _ => reads = Self { at: true, subject: true, seen_at: true },
            }
        }
        reads
    }
}

#[derive(Debug)]
pub(super) struct Need {
    pub key: String,
    pub value_type: FactType,
    /// The kinds of subject of which sources state it.
    pub subjects: Vec<SubjectKind>,
}

/// `probity.checks.authn_required` for `authn-required`.
pub(super) fn package_of(check: &Check) -> String {
    format!("probity.checks.{}", check.id.as_str().replace('-', "_"))
}

pub(super) fn prepare(source: CheckSource, facts: &[FactDefinition]) -> Result<Prepared, Vec<Diagnostic>> {
    let module = Module { source: &source, tokens: tokens(&source.rego) };
    let mut diagnostics = module.diagnostics(facts);
    let compiled = match compile(&source) {
        Ok(engine) => Some(engine),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    };
    let reads = Reads::of(&module.tokens);
    let Some(compiled) = compiled.filter(|_| diagnostics.is_empty()) else { return Err(diagnostics) };
    let mut needs: Vec<Need> = source
        .check
        .needs
        .iter()
        .filter_map(|key| facts.iter().find(|fact| fact.key == *key))
        .map(|fact| Need {
            key: fact.key.clone(),
            value_type: fact.value_type,
            subjects: fact.subjects.clone(),
        })
        .collect();
    needs.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Prepared { check: source.check, needs, reads, compiled, idle: Mutex::default() })
}

/// An engine with the check's module, what it may import and the module that gathers its sets.
///
/// This is the tree-walking interpreter, not regorus' virtual machine: that one is four times as fast (4 against 19 us),
/// but drops an error inside a rule as if the rule had merely not held, so that a fault could pass in silence.
fn compile(source: &CheckSource) -> Result<regorus::Engine, Diagnostic> {
    let said = |error: &dyn std::fmt::Display| compile_error(source, &error.to_string());
    let mut engine = regorus::Engine::new();
    for (file, rego) in [("moment.rego", MOMENT), (&source.file, &source.rego)] {
        engine.add_policy(file.to_owned(), rego.to_owned()).map_err(|error| said(&error))?;
    }
    let defines = |set: &&str| engine.has_declared_rule_rooted_at(&source.file, set).unwrap_or(false);
    let defined: Vec<&str> = SETS.iter().map(|(set, _)| *set).filter(defines).collect();
    let entry = entry_module(&package_of(&source.check), &defined);
    engine.add_policy("entry.rego".to_owned(), entry).map_err(|error| said(&error))?;
    engine.set_strict_builtin_errors(true);
    engine.compile_with_entrypoint(&ENTRY_POINT.into()).map_err(|error| said(&error))?;
    Ok(engine)
}

/// The compiler's text is `--> file:line:column`, an excerpt, then `error: message`.
fn compile_error(source: &CheckSource, text: &str) -> Diagnostic {
    let position = text.find("--> ").and_then(|at| {
        let mut parts = text.get(at + 4..)?.lines().next()?.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some((line, column))
    });
    let message = text.rsplit_once("error: ").map_or(text, |(_, message)| message).trim();
    diagnostic(source, position.unwrap_or((1, 1)), format!("the rules do not compile: {message}"), None)
}

fn diagnostic(source: &CheckSource, place: (u32, u32), message: String, hint: Option<String>) -> Diagnostic {
    let span = Span { file: source.file.as_str().into(), line: place.0, column: place.1 };
    Diagnostic { span, severity: Severity::High, message, hint }
}

struct Module<'a> {
    source: &'a CheckSource,
    tokens: Vec<Token>,
}

impl Module<'_> {
    fn diagnostics(&self, facts: &[FactDefinition]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        self.shape(&mut found);
        self.package(&mut found);
        self.calls(&mut found);
        self.rules(&mut found);
        self.needs(facts, &mut found);
        self.params(&mut found);
        found
    }

    fn say(&self, found: &mut Vec<Diagnostic>, place: (u32, u32), message: String, hint: &str) {
        found.push(diagnostic(self.source, place, message, (!hint.is_empty()).then(|| hint.to_owned())));
    }

    /// Where METADATA says `text`; METADATA stands in comments, so this searches the file, not the tokens.
    fn metadata_place(&self, text: &str) -> (u32, u32) {
        for (number, line) in (1u32..).zip(self.source.rego.lines()) {
            let comment = line.trim_start().starts_with('#');
            let column = line.find(text).filter(|_| comment);
            if let Some(column) = column.and_then(|column| u32::try_from(column).ok()) {
                return (number, column + 1);
            }
        }
        (1, 1)
    }

    fn shape(&self, found: &mut Vec<Diagnostic>) {
        let check = &self.source.check;
        for (empty, what) in [
            (check.subjects.is_empty(), "subjects"),
            (check.needs.is_empty(), "needs"),
            (check.passes_on.is_empty(), "passes_on"),
            (check.rules.is_empty(), "rules"),
        ] {
            if empty {
                let place = self.metadata_place("METADATA");
                self.say(found, place, format!("`{what}` is empty"), "a check names at least one of each");
            }
        }
        for set in ["fail", "pass"] {
            let defined =
                self.tokens.iter().any(|t| t.column == 1 && t.kind == TokenKind::Path(set.to_owned()));
            if !defined {
                let hint = "every check says what fails it and on which positive observation it passes";
                self.say(found, (1, 1), format!("the module does not define the set `{set}`"), hint);
            }
        }
    }

    fn package(&self, found: &mut Vec<Diagnostic>) {
        let expected = package_of(&self.source.check);
        let mut after =
            self.tokens.iter().skip_while(|token| token.kind != TokenKind::Path("package".into()));
        let (Some(at), Some(name)) = (after.next(), after.next()) else {
            return self.say(
                found,
                (1, 1),
                "the module names no package".into(),
                &format!("expected `{expected}`"),
            );
        };
        if name.kind != TokenKind::Path(expected.clone()) {
            let hint = format!("expected `package {expected}`");
            self.say(found, (at.line, at.column), "the package is not the check's own".into(), &hint);
        }
    }

    fn calls(&self, found: &mut Vec<Diagnostic>) {
        for call in refused_calls(&self.tokens) {
            let hint = match call.impure {
                true => {
                    "rules see no clock, randomness, network, environment or log; moments and parameters are in `input`"
                }
                false => "expected a pure built-in, a function of the module or of `data.probity.moment`",
            };
            self.say(found, (call.line, call.column), format!("`{}` may not be called", call.name), hint);
        }
    }

    fn texts(&self) -> impl Iterator<Item = (&str, &Token)> {
        self.tokens.iter().filter_map(|token| match &token.kind {
            TokenKind::Text(text) => Some((text.as_str(), token)),
            _ => None,
        })
    }

    fn rules(&self, found: &mut Vec<Diagnostic>) {
        let rules = &self.source.check.rules;
        let mut seen = BTreeSet::new();
        for rule in rules {
            let id = rule.id.as_str();
            let place = self.metadata_place(id);
            if !seen.insert(id) {
                self.say(found, place, format!("the rule `{id}` is named twice"), "");
            }
            if !id.starts_with(RULE_PREFIX) {
                self.say(found, place, format!("`{id}` is no rule id"), "expected `PRB-` and a name");
            }
            if !self.texts().any(|(text, _)| text == id) {
                self.say(found, place, format!("no rule of the module fails with `{id}`"), "");
            }
        }
        for (text, token) in self.texts().filter(|(text, _)| text.starts_with(RULE_PREFIX)) {
            if !rules.iter().any(|rule| rule.id.as_str() == text) {
                let hint = "add it to `rules`, with its meaning and sources";
                self.say(
                    found,
                    (token.line, token.column),
                    format!("METADATA does not name the rule `{text}`"),
                    hint,
                );
            }
        }
    }

    fn needs(&self, facts: &[FactDefinition], found: &mut Vec<Diagnostic>) {
        let check = &self.source.check;
        let mut seen = BTreeSet::new();
        for key in &check.needs {
            let place = self.metadata_place(key);
            if !seen.insert(key) {
                self.say(found, place, format!("the fact `{key}` is needed twice"), "");
            }
            match facts.iter().find(|fact| fact.key == *key) {
                None => self.say(
                    found,
                    place,
                    format!("the fact `{key}` is not registered"),
                    "see `catalog/facts.yaml`",
                ),
                Some(fact) if !fact.subjects.iter().any(|kind| check.subjects.contains(kind)) => {
                    let kinds: Vec<&str> = check.subjects.iter().map(|kind| kind.as_str()).collect();
                    self.say(
                        found,
                        place,
                        format!("the fact `{key}` is never stated of {}", kinds.join(", ")),
                        "",
                    );
                }
                Some(_) => {}
            }
            if !self.texts().any(|(text, _)| text == key) {
                self.say(
                    found,
                    place,
                    format!("no rule reads the fact `{key}`"),
                    "leave out of `needs` what is not read",
                );
            }
        }
        for fact in facts.iter().filter(|fact| !check.needs.contains(&fact.key)) {
            if let Some((_, token)) = self.texts().find(|(text, _)| *text == fact.key) {
                let hint = "rules are given only what `needs` names";
                self.say(
                    found,
                    (token.line, token.column),
                    format!("`needs` does not name `{}`", fact.key),
                    hint,
                );
            }
        }
    }

    fn params(&self, found: &mut Vec<Diagnostic>) {
        let params = &self.source.check.params;
        let mut read = BTreeSet::new();
        for token in &self.tokens {
            let TokenKind::Path(path) = &token.kind else { continue };
            let Some(name) = path.strip_prefix("input.params.").and_then(|rest| rest.split('.').next())
            else {
                continue;
            };
            read.insert(name);
            if !params.contains_key(name) {
                let message = format!("METADATA does not name the parameter `{name}`");
                self.say(found, (token.line, token.column), message, "add it to `params` with its default");
            }
        }
        for name in params.keys().filter(|name| !read.contains(name.as_str())) {
            let place = self.metadata_place(&format!("{name}:"));
            self.say(found, place, format!("no rule reads the parameter `{name}`"), "");
        }
    }
}
