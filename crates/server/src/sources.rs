//! Reads what a configuration names besides traffic: specifications and CODEOWNERS, with every fault listed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use probity_graph::{ServiceSources, Sources};
use probity_model::inventory::Attributed;
use probity_model::specification::Specification;
use probity_model::{Diagnostic, Severity, Span, Template, Timestamp};

use probity_reader::config::Located;

use crate::config::{Config, ServiceConfig};

/// A specification larger than this is refused.
pub const MAX_SPECIFICATION_BYTES: u64 = 32 * 1024 * 1024;

/// A configuration with the folder that its relative paths start from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub text: String,
    pub file: PathBuf,
    pub base: PathBuf,
}

impl Loaded {
    /// Reads `probity.yaml`; every fault with its place.
    pub fn read(file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let name = file.display().to_string();
        let fault = |message: String, hint: &str| {
            let span = Span { file: name.as_str().into(), line: 1, column: 1 };
            let hint = Some(hint.to_owned());
            vec![Diagnostic { span, severity: Severity::High, message, hint }]
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            fault(format!("cannot read the configuration: {error}"), "expected a readable UTF-8 YAML file")
        })?;
        Self::parse(file, text)
    }

    pub fn parse(file: &Path, text: String) -> Result<Self, Vec<Diagnostic>> {
        let located =
            probity_reader::config::from_yaml_with_spans::<Config>(&file.display().to_string(), &text)?;
        let base = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let config = located.value.clone();
        let loaded = Self { config, text: text.clone(), file: file.to_path_buf(), base };
        let faults = loaded.faults(&located);
        if faults.is_empty() { Ok(loaded) } else { Err(faults) }
    }

    /// Where each given value stands; what is not listed is a default.
    pub fn origins(&self) -> Vec<(String, Span)> {
        probity_reader::config::from_yaml_with_spans::<Config>(&self.file.display().to_string(), &self.text)
            .map(|located| located.origins())
            .unwrap_or_default()
    }

    pub fn path(&self, relative: &Path) -> PathBuf {
        if relative.is_absolute() { relative.to_path_buf() } else { self.base.join(relative) }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path(&self.config.data)
    }

    /// A specification that is not there, at the line that names it.
    fn missing_specification(
        &self,
        service: &str,
        index: usize,
        path: &Path,
        problem: &std::io::Error,
    ) -> Diagnostic {
        let file = self.file.display().to_string();
        let at = self.config.services.iter().position(|known| known.name.as_str() == service).unwrap_or(0);
        let pointer = format!("/services/{at}/specifications/{index}");
        let span = probity_reader::config::from_yaml_with_spans::<Config>(&file, &self.text)
            .ok()
            .and_then(|located| located.span_of(&pointer))
            .unwrap_or(Span { file: file.as_str().into(), line: 1, column: 1 });
        let message = format!("specification `{}` cannot be read: {problem}", path.display());
        let hint = Some("expected a readable OpenAPI document, relative to this file".to_owned());
        Diagnostic { span, severity: Severity::High, message, hint }
    }

    /// Every file whose change is a change of the configuration.
    pub fn named_files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.file.clone()];
        for service in &self.config.services {
            files.extend(service.specifications.iter().map(|file| self.path(file)));
            files.extend(service.codeowners.iter().map(|file| self.path(file)));
            files.extend(
                service.upstreams.iter().filter_map(|upstream| upstream.ca.as_ref()).map(|ca| self.path(ca)),
            );
            let own = service.upstreams.iter().filter_map(|upstream| upstream.client());
            files.extend(own.flat_map(|(certificate, key)| [self.path(certificate), self.path(key)]));
        }
        let credentials = self.config.identity.consumers.iter().flat_map(|consumer| &consumer.credentials);
        files.extend(credentials.filter_map(|each| each.file.as_ref()).map(|file| self.path(file)));
        files.extend(crate::bundle::issuer::files(&self.config.identity).map(|file| self.path(file)));
        let contracts =
            self.config.services.iter().filter_map(|service| service.protect.as_ref()?.contract.as_ref());
        let graphql = contracts.filter_map(|contract| contract.graphql.as_ref()?.schema.as_ref());
        files.extend(graphql.map(|file| self.path(file)));
        for tls in self.config.gateway.listen.iter().filter_map(|listen| listen.tls.as_ref()) {
            files.extend(tls.files().flat_map(|(certificate, key)| [self.path(certificate), self.path(key)]));
            files.extend(tls.client_files().map(|file| self.path(file)));
        }
        files.into_iter().map(|file| file.canonicalize().unwrap_or(file)).collect()
    }

    /// What the shape alone cannot say.
    fn faults(&self, located: &Located<Config>) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, message: String, hint: &str| {
            let file = self.file.display().to_string();
            let span =
                located.span_of(pointer).unwrap_or(Span { file: file.as_str().into(), line: 1, column: 1 });
            let hint = Some(hint.to_owned());
            faults.push(Diagnostic { span, severity: Severity::High, message, hint });
        };
        if self.config.version != 1 {
            fault("/version", format!("version `{}` is not known", self.config.version), "expected 1");
        }
        if self.config.services.is_empty() {
            fault(
                "/services",
                "no service is named".to_owned(),
                "expected at least one service with an upstream",
            );
        }
        let mut names = std::collections::BTreeSet::new();
        for (index, service) in self.config.services.iter().enumerate() {
            let name = service.name.as_str();
            let at = |key: &str| format!("/services/{index}/{key}");
            if name.is_empty() || name.contains(char::is_whitespace) {
                fault(
                    &at("name"),
                    format!("service name `{name}` is not usable"),
                    "expected a word without spaces",
                );
            }
            if !names.insert(name) {
                fault(&at("name"), format!("service `{name}` is named twice"), "expected each name once");
            }
            if service.upstreams.is_empty() {
                fault(
                    &at("upstreams"),
                    format!("service `{name}` has no upstream"),
                    "expected at least one url",
                );
            }
            if !service.path.starts_with('/') {
                fault(
                    &at("path"),
                    format!("path `{}` does not begin with `/`", service.path),
                    "expected `/` or `/prefix`",
                );
            }
            for (number, upstream) in service.upstreams.iter().enumerate() {
                if let Err(problem) = crate::bundle::upstream(upstream, &self.base) {
                    fault(
                        &at(&format!("upstreams/{number}/url")),
                        problem,
                        "expected `http://host:port` or `https://host:port`",
                    );
                }
            }
            for (number, operation) in service.durable.iter().enumerate() {
                if operation.split_once(' ').is_none_or(|(_, path)| !path.starts_with('/')) {
                    fault(
                        &at(&format!("durable/{number}")),
                        format!("`{operation}` is not an operation"),
                        "expected `METHOD /template`",
                    );
                }
            }
        }
        crate::config::transport::faults(&self.config, &mut fault);
        for (index, scope) in self.config.scopes.iter().enumerate() {
            for (number, service) in scope.services.iter().enumerate() {
                if !names.contains(service.as_str()) {
                    let pointer = format!("/scopes/{index}/services/{number}");
                    fault(
                        &pointer,
                        format!("service `{service}` is not configured"),
                        "expected the name of a service above",
                    );
                }
            }
        }
        faults
    }
}

/// Everything that the configuration names, and what could not be read of it.
pub fn load(loaded: &Loaded, at: Timestamp) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    for service in &loaded.config.services {
        let entry = service_sources(loaded, service, at, &mut diagnostics);
        sources.services.insert(service.name.clone(), entry);
    }
    (sources, diagnostics)
}

fn service_sources(
    loaded: &Loaded,
    service: &ServiceConfig,
    at: Timestamp,
    diagnostics: &mut Vec<Diagnostic>,
) -> ServiceSources {
    let by_configuration =
        |value: &str| Attributed { value: value.to_owned(), source: "configuration".to_owned() };
    let mut specifications = Vec::new();
    for (index, file) in service.specifications.iter().enumerate() {
        let path = loaded.path(file);
        if let Err(problem) = std::fs::metadata(&path) {
            let name = service.name.as_str();
            diagnostics.push(loaded.missing_specification(name, index, &path, &problem));
            continue;
        }
        let Some(mut specification) = read_specification(&path, diagnostics) else { continue };
        if service.strip_path && service.path != "/" {
            prefix(&mut specification, &service.path);
        }
        specifications.push(Arc::new(specification));
    }
    specifications.sort_by_key(|specification| std::cmp::Reverse(version_key(&specification.version)));
    let code_owners = match &service.codeowners {
        Some(file) => code_owners(loaded, file, &specifications, diagnostics),
        None => BTreeMap::new(),
    };
    ServiceSources {
        owner: service.owner.as_deref().map(by_configuration),
        audience: service.audience.map(|audience| by_configuration(audience.as_str())),
        criticality: service.criticality.as_deref().map(by_configuration),
        documented_since: (!specifications.is_empty()).then_some(at),
        specifications,
        code_owners,
    }
}

/// Reads one OpenAPI document; its faults go to `diagnostics`. References to other files are followed inside the
/// document's own folder and below it, never further and never over the network.
pub fn read_specification(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Specification> {
    let name = path.display().to_string();
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(message) => {
            let span = Span { file: name.as_str().into(), line: 1, column: 1 };
            let hint = Some("expected a readable OpenAPI document".to_owned());
            diagnostics.push(Diagnostic { span, severity: Severity::High, message, hint });
            return None;
        }
    };
    let jail =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let jail = jail.and_then(|parent| parent.canonicalize().ok());
    let mut load = |reference: &str| {
        let file = Path::new(reference).canonicalize().ok()?;
        file.starts_with(jail.as_ref()?).then(|| read_bounded(&file).ok())?
    };
    let (specification, mut found) = probity_reader::openapi::read_with(&name, &bytes, &mut load);
    diagnostics.append(&mut found);
    specification
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_SPECIFICATION_BYTES {
        return Err(format!("is {size} bytes long, at most {MAX_SPECIFICATION_BYTES} are read"));
    }
    std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

/// The gateway matches the path as the client sent it, so a service behind a stripped prefix is documented with it.
fn prefix(specification: &mut Specification, path: &str) {
    let path = path.trim_end_matches('/');
    for operation in &mut specification.operations {
        operation.template = Template::new(format!("{path}{}", operation.template));
    }
}

fn code_owners(
    loaded: &Loaded,
    file: &Path,
    specifications: &[Arc<Specification>],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Attributed> {
    let path = loaded.path(file);
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let span = Span { file: name.as_str().into(), line: 1, column: 1 };
            let message = format!("cannot read CODEOWNERS: {error}");
            diagnostics.push(Diagnostic { span, severity: Severity::Medium, message, hint: None });
            return BTreeMap::new();
        }
    };
    let owners = probity_reader::codeowners::read(&name, &text);
    let root = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut out = BTreeMap::new();
    for specification in specifications {
        let file = Path::new(specification.file.as_ref());
        let relative = file.strip_prefix(&root).unwrap_or(file);
        if let Some((names, span)) = owners.owner_of(&relative.display().to_string()) {
            let value = Attributed { value: names.join(" "), source: format!("CODEOWNERS {span}") };
            out.insert(specification.file.to_string(), value);
        }
    }
    out
}

/// `1.10.0` after `1.9`: numbers by value, the rest by letters.
fn version_key(version: &str) -> Vec<(u64, String)> {
    version
        .split(['.', '-', '_', ' '])
        .map(|part| {
            let digits: String =
                part.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
            (digits.parse().unwrap_or(0), part.to_owned())
        })
        .collect()
}
