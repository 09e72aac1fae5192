//! The catalogue: checks, the facts that they read, frameworks, the rules of risk tiers. Data, not code: it is embedded
//! into the binary and a folder of the same layout can stand in its place.
//!
//! ```text
//! facts.yaml                          every fact that exists
//! risk.yaml                           how the risk tier of an operation comes about
//! checks/<family>/<check>.rego        METADATA and rules of one check
//! checks/<family>/<check>.examples.yaml
//! frameworks/<framework>.yaml         controls, and the checks that judge them
//! ```
//!
//! Every file is read and every fault is told with its place; a file that does not belong is a fault. What is *not*
//! here: compiling and running rules (`probity_policy::rego`), what a control comes to (`probity-compliance`).

mod examples;
mod files;
mod framework;
mod metadata;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use probity_graph::RiskRules;
use probity_model::fact::FactDefinition;
use probity_model::{Check, CheckId, Diagnostic, Framework, Severity, Span};
use probity_policy::rego::{CheckSource, Engine};
use probity_reader::config::from_yaml;

pub use examples::{ExampleReport, ExampleResult};

use examples::Examples;

const FACTS: &str = "facts.yaml";
const RISK: &str = "risk.yaml";
const CHECKS: &str = "checks/";
const FRAMEWORKS: &str = "frameworks/";
const RULES_SUFFIX: &str = ".rego";
const EXAMPLES_SUFFIX: &str = ".examples.yaml";

/// Files of the catalogue by path, with `/` between segments.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A catalogue whose files were read. Its rules are compiled by [`Catalog::engine`].
#[derive(Debug)]
pub struct Catalog {
    files: Files,
    facts: Vec<FactDefinition>,
    risk: RiskRules,
    /// By id; `sources` and `examples` stand in the same order.
    checks: Vec<Check>,
    sources: Vec<CheckSource>,
    examples: Vec<Examples>,
    frameworks: Vec<Framework>,
}

impl Catalog {
    /// The catalogue that the binary carries.
    pub fn embedded() -> Result<Self, Vec<Diagnostic>> {
        Self::load(files::embedded())
    }

    /// A catalogue in a folder.
    pub fn from_dir(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::load(files::below(path)?)
    }

    pub fn load(files: Files) -> Result<Self, Vec<Diagnostic>> {
        let mut loading = Loading::default();
        for (path, bytes) in &files {
            match std::str::from_utf8(bytes) {
                Ok(text) => loading.file(path, text),
                Err(_) => loading.faults.push(fault(path, "the file is not UTF-8 text", "")),
            }
        }
        loading.finish(files)
    }

    /// Every check, by id.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub fn check(&self, id: &CheckId) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == *id)
    }

    /// Every framework, by id.
    pub fn frameworks(&self) -> &[Framework] {
        &self.frameworks
    }

    pub fn facts(&self) -> &[FactDefinition] {
        &self.facts
    }

    pub fn risk(&self) -> &RiskRules {
        &self.risk
    }

    /// Compiles every check.
    pub fn engine(&self) -> Result<Engine, Vec<Diagnostic>> {
        Engine::load(self.sources.clone(), &self.facts)
    }

    /// Runs every example of every check, and says which checks lack one that they should have.
    pub fn run_examples(&self) -> ExampleReport {
        examples::run(self)
    }

    /// The Markdown page of a check, from its METADATA.
    pub fn page(&self, check: &Check) -> String {
        page::of(self, check)
    }

    /// What the digest of the catalogue is taken over: each path with the length of its file, then the file.
    pub fn digest_input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        for (path, bytes) in &self.files {
            input.extend_from_slice(format!("{path}\n{}\n", bytes.len()).as_bytes());
            input.extend_from_slice(bytes);
        }
        input
    }
}

/// Everything read so far.
#[derive(Default)]
struct Loading {
    facts: Option<Vec<FactDefinition>>,
    risk: Option<RiskRules>,
    checks: BTreeMap<CheckId, CheckSource>,
    /// By the path without suffix.
    examples: BTreeMap<String, Examples>,
    frameworks: Vec<framework::Read>,
    faults: Vec<Diagnostic>,
}

impl Loading {
    fn file(&mut self, path: &str, text: &str) {
        if path == FACTS {
            self.facts = self.keep(from_yaml(path, text));
        } else if path == RISK {
            self.risk = self.keep(from_yaml(path, text));
        } else if let Some(stem) =
            path.strip_prefix(CHECKS).and_then(|rest| rest.strip_suffix(EXAMPLES_SUFFIX))
        {
            let examples = self.keep(examples::read(path, text));
            self.examples.extend(examples.map(|examples| (stem.to_owned(), examples)));
        } else if let Some(stem) = path.strip_prefix(CHECKS).and_then(|rest| rest.strip_suffix(RULES_SUFFIX))
        {
            let check = self.keep(metadata::read(path, text));
            if let Some(check) = check {
                self.check(path, stem, text, check);
            }
        } else if let Some(stem) = path.strip_prefix(FRAMEWORKS).and_then(|rest| rest.strip_suffix(".yaml")) {
            let framework = self.keep(framework::read(path, stem, text));
            self.frameworks.extend(framework);
        } else if !path.ends_with(".md") {
            self.faults.push(fault(path, "the file does not belong to a catalogue", ""));
        }
    }

    fn keep<T>(&mut self, read: Result<T, Vec<Diagnostic>>) -> Option<T> {
        read.map_err(|faults| self.faults.extend(faults)).ok()
    }

    fn check(&mut self, path: &str, stem: &str, text: &str, check: Check) {
        let name = stem.rsplit('/').next().unwrap_or(stem);
        if check.id.as_str() != name {
            let message = format!("the check `{}` stands in a file of another name", check.id);
            self.faults.push(fault(path, &message, &format!("expected the id `{name}`")));
        }
        let source = CheckSource { check, file: path.to_owned(), rego: text.to_owned() };
        let id = source.check.id.clone();
        if let Some(other) = self.checks.insert(id.clone(), source) {
            self.faults.push(fault(path, &format!("the check `{id}` is in `{}` too", other.file), ""));
        }
    }

    fn finish(mut self, files: Files) -> Result<Catalog, Vec<Diagnostic>> {
        let facts = self.facts.take().unwrap_or_default();
        for file in [FACTS, RISK] {
            if !files.contains_key(file) {
                self.faults.push(fault(file, "the file is missing", ""));
            }
        }
        for (index, fact) in facts.iter().enumerate() {
            if facts.iter().take(index).any(|other| other.key == fact.key) {
                self.faults.push(fault(FACTS, &format!("the fact `{}` is registered twice", fact.key), ""));
            }
        }
        let mut examples = Vec::new();
        for source in self.checks.values() {
            let stem = source.file.strip_prefix(CHECKS).and_then(|rest| rest.strip_suffix(RULES_SUFFIX));
            match stem.and_then(|stem| self.examples.remove(stem)) {
                Some(found) => examples.push(found),
                None => {
                    let file = source.file.replace(RULES_SUFFIX, EXAMPLES_SUFFIX);
                    self.faults.push(fault(
                        &file,
                        "the check has no examples",
                        "every check shows what it does",
                    ));
                }
            }
        }
        for stem in self.examples.keys() {
            let file = format!("{CHECKS}{stem}{EXAMPLES_SUFFIX}");
            self.faults.push(fault(&file, "there is no check to these examples", ""));
        }
        for read in &self.frameworks {
            read.against(&self.checks, &mut self.faults);
        }
        let Some(risk) = self.risk.take().filter(|_| self.faults.is_empty()) else { return Err(self.faults) };
        let mut frameworks: Vec<Framework> = self.frameworks.into_iter().map(|read| read.value).collect();
        frameworks.sort_by(|one, other| one.id.cmp(&other.id));
        let sources: Vec<CheckSource> = self.checks.into_values().collect();
        let checks = sources.iter().map(|source| source.check.clone()).collect();
        Ok(Catalog { files, facts, risk, checks, sources, examples, frameworks })
    }
}

/// A fault of a whole file.
fn fault(file: &str, message: &str, hint: &str) -> Diagnostic {
    Diagnostic {
        span: Span { file: file.into(), line: 1, column: 1 },
        severity: Severity::High,
        message: message.to_owned(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    }
}
