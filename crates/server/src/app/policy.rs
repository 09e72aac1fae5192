//! Drafts of a configuration and the way back: `probity policy stage|show|promote|rollback`.
//!
//! A staged draft is tried beside what is in force: its controls flag and refuse nothing. Promoting it replaces the
//! configuration file. A roll back publishes the content of an older bundle as a new revision and holds it there: a
//! change of files does not undo it, only a promotion does. What a draft would do is decided from records in
//! [`super::simulate`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use probity_events::Record;
use probity_ledger::LeafKind;
use probity_model::bundle::{IdentityPolicy, SignedBundle};
use probity_model::{Bundle, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::App;
use crate::clock::now;
use crate::sources::{self, Loaded};

const STAGED: &str = "policy-staged";
const HELD: &str = "policy-held";
/// Stands before the names of a draft's rules in records.
pub const DRAFT: &str = "draft:";
/// Consumers that a trial tells apart for one rule.
const MAX_CALLERS: usize = 10_000;

/// A draft that is being tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Staged {
    pub file: PathBuf,
    pub text: String,
    pub by: String,
    pub at: Timestamp,
    /// First revision that tries it.
    pub revision: u64,
}

/// How enforcement stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Revision in force.
    pub revision: u64,
    /// The revision whose content is held in force by a roll back.
    pub held: Option<u64>,
    pub staged: Option<StagedStatus>,
    pub services: Vec<ServiceModes>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StagedStatus {
    pub by: String,
    pub at: Timestamp,
    /// Services of the draft that are not in force and so cannot be tried.
    pub untried: Vec<String>,
    /// Calls since it was staged, and what the draft flagged of them.
    pub calls: u64,
    pub flagged: u64,
    pub rules: Vec<RuleCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCount {
    pub rule: String,
    pub calls: u64,
    /// Callers told apart by identity, else credential, else address.
    pub consumers: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceModes {
    pub service: String,
    /// Section and mode; what is absent is off.
    pub modes: Vec<(String, String)>,
}

impl App {
    pub(super) fn policy_stage(&mut self, file: &Path) -> anyhow::Result<PolicyStatus> {
        let draft = Loaded::read(file).map_err(|faults| anyhow::anyhow!("{}", super::lines(&faults)))?;
        let Some(loaded) = &self.loaded else { bail!("no configuration is in force") };
        let folder =
            |file: &Path| file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_path_buf));
        if folder(file) != folder(&loaded.file) {
            bail!(
                "the draft `{}` is not in the folder of `{}`; its relative paths would mean other files",
                file.display(),
                loaded.file.display()
            );
        }
        let at = now();
        // It must compile whole before anything is kept.
        let (draft_sources, _) = sources::load(&draft, at);
        crate::bundle::compile(&draft, &draft_sources, 0, at, self.catalogue)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let revision = self.latest_revision()? + 1;
        let by = self.actor().to_owned();
        let staged = Staged { file: file.to_path_buf(), text: draft.text.clone(), by, at, revision };
        self.put_policy_state(STAGED, Some(&staged))?;
        let digest = Digest(probity_ledger::sha256(draft.text.as_bytes()));
        self.act("policy-stage", serde_json::json!({ "draft": digest, "revision": revision }), at)?;
        self.publish_bundle(at)?;
        self.policy_status()
    }

    /// Puts the staged draft in the place of the configuration file; also ends a roll back.
    pub(super) fn policy_promote(&mut self) -> anyhow::Result<PolicyStatus> {
        let at = now();
        let staged: Option<Staged> = self.policy_state(STAGED)?;
        let held: Option<u64> = self.policy_state(HELD)?;
        let Some(loaded) = &self.loaded else { bail!("no configuration is in force") };
        let file = loaded.file.clone();
        let Some(staged) = staged else {
            let Some(held) = held else { bail!("nothing is staged and nothing is rolled back") };
            self.put_policy_state::<u64>(HELD, None)?;
            self.act("policy-promote", serde_json::json!({ "resumes_after": held }), at)?;
            let again = Loaded::read(&file).map_err(|faults| anyhow::anyhow!("{}", super::lines(&faults)))?;
            self.configure(again, at)?;
            self.publish_bundle(at)?;
            return self.policy_status();
        };
        let draft = Loaded::parse(&file, staged.text.clone())
            .map_err(|faults| anyhow::anyhow!("{}", super::lines(&faults)))?;
        let former = file.with_extension(format!("before-{}.yaml", self.latest_revision()? + 1));
        std::fs::write(&former, &loaded.text)
            .with_context(|| format!("cannot keep the former configuration as `{}`", former.display()))?;
        replace_file(&file, &staged.text)?;
        self.put_policy_state::<Staged>(STAGED, None)?;
        self.put_policy_state::<u64>(HELD, None)?;
        let digest = Digest(probity_ledger::sha256(staged.text.as_bytes()));
        let kept = former.display().to_string();
        self.act("policy-promote", serde_json::json!({ "draft": digest, "former": kept }), at)?;
        self.configure(draft, at)?;
        self.publish_bundle(at)?;
        self.policy_status()
    }

    /// Publishes the content of an older revision as a new one, and holds it; ends what is staged.
    pub(super) fn policy_rollback(&mut self, to: Option<u64>) -> anyhow::Result<PolicyStatus> {
        let at = now();
        let latest = self.latest_revision()?;
        let current = self.bundle_of(latest)?;
        let target = match to {
            Some(revision) if revision >= latest => {
                bail!("revision {revision} is not older than revision {latest} in force")
            }
            Some(revision) => self.bundle_of(revision)?,
            None => self.last_different(&current)?,
        };
        let from = target.revision;
        let bundle = Bundle { revision: latest + 1, created_at: at, ..target };
        self.put_policy_state::<Staged>(STAGED, None)?;
        self.put_policy_state(HELD, Some(&from))?;
        self.act("policy-rollback", serde_json::json!({ "from": latest, "to": from }), at)?;
        self.sign_and_publish(bundle, at)?;
        self.policy_status()
    }

    /// The newest older revision whose content is not that of `current`.
    fn last_different(&self, current: &Bundle) -> anyhow::Result<Bundle> {
        // Keys that were issued meanwhile are no other policy: a roll back keeps the callers of today.
        let content = |bundle: &Bundle| Bundle {
            revision: 0,
            created_at: Timestamp(0),
            identity: bundle.identity.clone().map(|identity| IdentityPolicy {
                consumers: Vec::new(),
                credentials: Vec::new(),
                passwords: Vec::new(),
                revocations: Vec::new(),
                ..identity
            }),
            services: bundle
                .services
                .iter()
                .cloned()
                .map(|s| probity_model::bundle::BundleService { staged: None, ..s })
                .collect(),
            ..bundle.clone()
        };
        let now = content(current);
        for revision in (1..current.revision).rev() {
            let Ok(bundle) = self.bundle_of(revision) else { continue };
            if content(&bundle) != now {
                return Ok(bundle);
            }
        }
        bail!("every older revision enforces the same as revision {} in force", current.revision)
    }

    fn bundle_of(&self, revision: u64) -> anyhow::Result<Bundle> {
        let signed = self.handle.block_on(self.store.bundle(revision))?;
        let signed = signed.with_context(|| format!("there is no bundle of revision {revision}"))?;
        Ok(serde_json::from_str(&signed.bundle)?)
    }

    /// The bundle in force.
    pub(super) fn policy_bundle(&self) -> anyhow::Result<Bundle> {
        self.bundle_of(self.latest_revision()?)
    }

    pub(super) fn latest_revision(&self) -> anyhow::Result<u64> {
        Ok(self.handle.block_on(self.store.latest_bundle())?.map_or(0, |(revision, _)| revision))
    }

    /// The revision that a roll back holds in force.
    pub(super) fn held_revision(&self) -> anyhow::Result<Option<u64>> {
        self.policy_state(HELD)
    }

    /// Adds the staged draft to a bundle; gives the services that cannot be tried.
    pub(super) fn add_staged(&self, bundle: &mut Bundle) -> anyhow::Result<Vec<String>> {
        let Some(staged) = self.policy_state::<Staged>(STAGED)? else { return Ok(Vec::new()) };
        let draft = Loaded::parse(&staged.file, staged.text)
            .map_err(|faults| anyhow::anyhow!("the staged draft: {}", super::lines(&faults)))?;
        let (sources, _) = sources::load(&draft, staged.at);
        let untried = crate::bundle::stage(bundle, &draft, &sources)
            .map_err(|problem| anyhow::anyhow!("the staged draft: {problem}"))?;
        Ok(untried.iter().map(ToString::to_string).collect())
    }

    pub(super) fn policy_status(&self) -> anyhow::Result<PolicyStatus> {
        let revision = self.latest_revision()?;
        let bundle = self.bundle_of(revision)?;
        let staged = match self.policy_state::<Staged>(STAGED)? {
            None => None,
            Some(staged) => Some(self.staged_status(staged, bundle.clone())?),
        };
        let services = bundle
            .services
            .iter()
            .map(|service| ServiceModes { service: service.id.to_string(), modes: modes(service) })
            .collect();
        Ok(PolicyStatus { revision, held: self.held_revision()?, staged, services })
    }

    fn staged_status(&self, staged: Staged, mut bundle: Bundle) -> anyhow::Result<StagedStatus> {
        let untried = self.add_staged(&mut bundle)?;
        let (mut calls, mut flagged) = (0, 0);
        let mut rules: BTreeMap<String, (u64, BTreeSet<Vec<u8>>)> = BTreeMap::new();
        for record in self.events.reader(1) {
            let Ok(Record::Exchange(call)) = record else { continue };
            if call.started_at < staged.at || call.revision < staged.revision {
                continue;
            }
            calls += 1;
            let found: BTreeSet<&str> =
                call.decisions.iter().filter_map(|made| made.rule.as_str().strip_prefix(DRAFT)).collect();
            flagged += u64::from(!found.is_empty());
            for rule in found {
                let (count, callers) = rules.entry(rule.to_owned()).or_default();
                *count += 1;
                if callers.len() < MAX_CALLERS {
                    callers.insert(super::simulate::caller(&call));
                }
            }
        }
        let rules = rules
            .into_iter()
            .map(|(rule, (calls, callers))| RuleCount { rule, calls, consumers: callers.len() })
            .collect();
        Ok(StagedStatus { by: staged.by, at: staged.at, untried, calls, flagged, rules })
    }

    pub(super) fn sign_and_publish(
        &mut self,
        mut bundle: Bundle,
        at: Timestamp,
    ) -> anyhow::Result<SignedBundle> {
        let revision = bundle.revision;
        self.add_directory(&mut bundle)?;
        let seed = self.vault.signing_seed("bundle")?;
        let signed = probity_gateway::sign_bundle(seed.expose(), &bundle);
        let digest = Digest(probity_ledger::sha256(signed.bundle.as_bytes()));
        self.append(&[super::leaf(LeafKind::Bundle, &format!("revision {revision}"), digest, at)])?;
        self.handle.block_on(self.store.put_bundle(revision, &signed, at))?;
        self.take_into_force(bundle);
        self.bundles.send_replace(Some(signed.clone()));
        Ok(signed)
    }

    fn policy_state<T: for<'a> Deserialize<'a>>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let bytes = self.handle.block_on(self.store.state(key))?;
        Ok(bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    fn put_policy_state<T: Serialize>(&self, key: &str, value: Option<&T>) -> anyhow::Result<()> {
        let bytes = value.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        Ok(self.handle.block_on(self.store.put_state(key, &bytes))?)
    }
}

/// Section and mode of what a service enforces.
pub(super) fn modes(service: &probity_model::bundle::BundleService) -> Vec<(String, String)> {
    let Some(protection) = &service.protection else { return Vec::new() };
    let Ok(serde_json::Value::Object(sections)) = serde_json::to_value(protection) else { return Vec::new() };
    sections
        .into_iter()
        .map(|(section, policy)| {
            let mode = policy.get("mode").and_then(serde_json::Value::as_str).unwrap_or("block");
            (section, mode.to_owned())
        })
        .collect()
}

/// A reader finds the former file or the new one, never a mixture.
fn replace_file(file: &Path, text: &str) -> anyhow::Result<()> {
    let new = file.with_extension("yaml.new");
    let written = std::fs::write(&new, text)
        .and_then(|()| std::fs::File::open(&new)?.sync_all())
        .and_then(|()| std::fs::rename(&new, file));
    written.with_context(|| format!("cannot write `{}`", file.display()))
}
