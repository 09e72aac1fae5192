//! Taking a configuration into force: sources read, templates fixed, scopes drawn, a leaf written, a bundle compiled.

use probity_compliance::{Scope, Standing};
use probity_graph::Sources;
use probity_ledger::LeafKind;
use probity_model::bundle::SignedBundle;
use probity_model::{Bundle, Digest, FrameworkId, Timestamp};
use tracing::warn;

use super::{App, ScopeStanding};
use crate::clock::now;
use crate::protection::InForce;
use crate::sources::{self, Loaded};

impl App {
    /// Takes `loaded` into force.
    pub(super) fn configure(&mut self, loaded: Loaded, at: Timestamp) -> anyhow::Result<()> {
        let known =
            self.catalog.frameworks().iter().map(|framework| framework.id.clone()).collect::<Vec<_>>();
        for wanted in
            loaded.config.frameworks.iter().chain(loaded.config.scopes.iter().flat_map(|s| &s.frameworks))
        {
            self.framework(wanted)?;
        }
        let (mut sources, diagnostics) = sources::load(&loaded, at);
        for diagnostic in &diagnostics {
            warn!("{diagnostic}");
        }
        self.keep_documented_since(&mut sources, at)?;
        self.fix_templates(&sources);
        let wanted = match loaded.config.frameworks.is_empty() {
            true => known,
            false => loaded.config.frameworks.clone(),
        };
        self.scopes = scopes(&loaded, &wanted);
        for outcome in self.outcomes.values() {
            for scope in &mut self.scopes {
                scope.standing.observe(outcome);
            }
        }
        let digest = Digest(probity_ledger::sha256(loaded.text.as_bytes()));
        self.record_once("configuration", LeafKind::Configuration, "configuration", digest, at)?;
        let file = loaded.file.canonicalize().unwrap_or_else(|_| loaded.file.clone());
        std::fs::write(self.data.join(super::TENANT), &loaded.config.tenant)?;
        std::fs::write(self.data.join(super::CONFIGURATION), file.display().to_string())?;
        self.sources = sources;
        self.source_diagnostics = diagnostics;
        self.loaded = Some(loaded);
        self.touched = true;
        Ok(())
    }

    /// Without any configuration everything is in one scope.
    pub(super) fn configure_nothing(&mut self) {
        let mut scope = everything(&self.catalog_framework_ids());
        for outcome in self.outcomes.values() {
            scope.standing.observe(outcome);
        }
        self.scopes = vec![scope];
    }

    fn catalog_framework_ids(&self) -> Vec<FrameworkId> {
        self.catalog.frameworks().iter().map(|framework| framework.id.clone()).collect()
    }

    /// The moment a service's documents were first known starts its observation window, across restarts.
    fn keep_documented_since(&self, sources: &mut Sources, at: Timestamp) -> anyhow::Result<()> {
        for (service, source) in &mut sources.services {
            if source.documented_since.is_none() {
                continue;
            }
            let key = format!("documented-since:{service}");
            let known = self.handle.block_on(self.store.state(&key))?;
            let known =
                known.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| text.parse().ok());
            match known {
                Some(micros) => source.documented_since = Some(Timestamp(micros)),
                None => {
                    let text = at.as_micros().to_string();
                    self.handle.block_on(self.store.put_state(&key, text.as_bytes()))?;
                }
            }
        }
        Ok(())
    }

    fn fix_templates(&mut self, sources: &Sources) {
        for (service, source) in &sources.services {
            let routes = source
                .specifications
                .iter()
                .flat_map(|specification| &specification.operations)
                .map(|operation| (operation.method.to_string(), operation.template.clone()));
            self.inventory.fix(service, routes);
        }
    }

    /// A changed configuration comes into force as a new revision; an unchanged one changes nothing.
    pub(super) fn reload(&mut self, loaded: Loaded) -> anyhow::Result<(bool, u64)> {
        let at = now();
        let before = self.bundle_content(at)?;
        self.configure(loaded, at)?;
        let after = self.bundle_content(at)?;
        let revision = self.latest_revision()?;
        if before == after {
            return Ok((false, revision));
        }
        if let Some(held) = self.held_revision()? {
            warn!(
                "the configuration changed, but revision {held} is held by a roll back; `probity policy promote` ends that"
            );
            return Ok((false, revision));
        }
        let bundle = self.publish_bundle(at)?;
        let parsed: probity_model::Bundle = serde_json::from_str(&bundle.bundle)?;
        Ok((true, parsed.revision))
    }

    /// What a bundle would hold now, whatever its revision and time.
    fn bundle_content(&self, at: Timestamp) -> anyhow::Result<Option<probity_model::Bundle>> {
        let Some(loaded) = &self.loaded else { return Ok(None) };
        let mut bundle = crate::bundle::compile(loaded, &self.sources, 0, Timestamp(0), self.catalogue)
            .map_err(|problem| anyhow::anyhow!("{problem} (at {at})"))?;
        self.add_directory(&mut bundle)?;
        Ok(Some(bundle))
    }

    /// Compiles and signs the bundle of the configuration in force; its revision is one more than any before.
    pub fn publish_bundle(&mut self, at: Timestamp) -> anyhow::Result<SignedBundle> {
        let Some(loaded) = &self.loaded else { anyhow::bail!("no configuration is in force") };
        let revision = self.latest_revision()? + 1;
        let mut bundle = crate::bundle::compile(loaded, &self.sources, revision, at, self.catalogue)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        self.add_staged(&mut bundle)?;
        self.sign_and_publish(bundle, at)
    }

    /// What is enforced becomes facts, and what is seen from now on is told apart from what was seen before.
    pub(super) fn take_into_force(&mut self, bundle: Bundle) {
        let in_force = InForce::new(bundle, &self.gateway);
        for service in &in_force.bundle().services {
            self.inventory.enforce(&service.id, in_force.bundle().revision, in_force.blocking(service));
        }
        self.in_force = Some(in_force);
        self.touched = true;
    }

    /// The bundle that was published before this start.
    pub(super) fn recall_bundle(&mut self) -> anyhow::Result<()> {
        if let Some(signed) = self.latest_bundle()?
            && let Ok(bundle) = serde_json::from_str(&signed.bundle)
        {
            self.take_into_force(bundle);
        }
        Ok(())
    }

    /// The bundle that was published last.
    pub fn latest_bundle(&self) -> anyhow::Result<Option<SignedBundle>> {
        Ok(self.handle.block_on(self.store.latest_bundle())?.map(|(_, bundle)| bundle))
    }
}

fn everything(frameworks: &[FrameworkId]) -> ScopeStanding {
    ScopeStanding {
        name: "everything".to_owned(),
        frameworks: frameworks.to_vec(),
        standing: Standing::new(Scope::Everything),
    }
}

fn scopes(loaded: &Loaded, wanted: &[FrameworkId]) -> Vec<ScopeStanding> {
    if loaded.config.scopes.is_empty() {
        return vec![everything(wanted)];
    }
    loaded
        .config
        .scopes
        .iter()
        .map(|scope| ScopeStanding {
            name: scope.name.clone(),
            frameworks: match scope.frameworks.is_empty() {
                true => wanted.to_vec(),
                false => scope.frameworks.clone(),
            },
            standing: Standing::new(Scope::Services(
                scope.services.iter().map(ToString::to_string).collect(),
            )),
        })
        .collect()
}
