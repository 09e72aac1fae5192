//! Consumers: who may call. Those of the configuration are read there; those of `probity consumer add` are kept in the
//! store. Their keys are in [`super::key`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;
use probity_model::Timestamp;
use probity_model::bundle::identity::Consumer;
use probity_model::principal::PrincipalKind;
use probity_store::ConsumerRow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::key::KeyStatus;
use crate::clock::now;

/// Longest name, and most entries of a list.
const MAX_NAME: usize = 128;
const MAX_ENTRIES: usize = 256;

/// One consumer as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerStatus {
    pub name: Arc<str>,
    pub kind: PrincipalKind,
    pub tenant: Option<Arc<str>>,
    pub roles: Vec<Arc<str>>,
    pub scopes: Vec<Arc<str>>,
    pub attributes: BTreeMap<Arc<str>, Value>,
    pub environment: Option<Arc<str>>,
    pub owner: Option<String>,
    /// It stands in the configuration and is changed there.
    pub configured: bool,
    pub created_at: Option<Timestamp>,
    pub created_by: Option<String>,
    pub keys: Vec<KeyStatus>,
}

impl App {
    /// Adds a consumer, or changes one that was added so.
    pub(super) fn consumer_add(
        &mut self,
        consumer: Consumer,
        owner: Option<String>,
    ) -> anyhow::Result<ConsumerStatus> {
        check(&consumer)?;
        if self.configured_consumers().iter().any(|name| **name == *consumer.name) {
            bail!("consumer `{}` stands in the configuration, change it there", consumer.name);
        }
        let at = now();
        let known = self.handle.block_on(self.store.consumers())?;
        let before = known.into_iter().find(|row| row.consumer.name == consumer.name);
        let (created_at, created_by) = match &before {
            Some(row) => (row.created_at, row.created_by.clone()),
            None => (at, self.actor().to_owned()),
        };
        let kind = if before.is_some() { "consumer-change" } else { "consumer-add" };
        self.act(kind, json!({"consumer": consumer, "owner": owner}), at)?;
        let name = consumer.name.clone();
        let row = ConsumerRow { consumer, owner, created_at, created_by };
        self.handle.block_on(self.store.put_consumer(&row))?;
        self.publish_directory(at)?;
        self.consumer_named(&name)
    }

    /// Every consumer with its keys, by name.
    pub(super) fn consumer_list(&self) -> anyhow::Result<Vec<ConsumerStatus>> {
        let mut keys: BTreeMap<Arc<str>, Vec<KeyStatus>> = BTreeMap::new();
        for key in self.key_list(None)? {
            keys.entry(key.consumer.clone()).or_default().push(key);
        }
        let stored = self.handle.block_on(self.store.consumers())?;
        let configured: Vec<Consumer> = match &self.loaded {
            Some(loaded) => {
                loaded.config.identity.consumers.iter().map(crate::bundle::identity::consumer).collect()
            }
            None => Vec::new(),
        };
        let names: BTreeSet<Arc<str>> = configured.iter().map(|consumer| consumer.name.clone()).collect();
        let configured = configured.into_iter().map(|consumer| status(consumer, None));
        let stored = stored
            .into_iter()
            .filter(|row| !names.contains(&row.consumer.name))
            .map(|row| status(row.consumer.clone(), Some(row)));
        let mut all: Vec<ConsumerStatus> = configured.chain(stored).collect();
        for consumer in &mut all {
            consumer.keys = keys.remove(&consumer.name).unwrap_or_default();
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    pub(super) fn consumer_named(&self, name: &str) -> anyhow::Result<ConsumerStatus> {
        let found = self.consumer_list()?.into_iter().find(|consumer| &*consumer.name == name);
        found.ok_or_else(|| anyhow::anyhow!("no consumer `{name}`; `probity consumer list` names them"))
    }

    /// That there is such a consumer; gives its environment.
    pub(super) fn consumer_environment(&self, name: &str) -> anyhow::Result<Option<Arc<str>>> {
        if let Some(loaded) = &self.loaded
            && let Some(config) = loaded.config.identity.consumers.iter().find(|each| each.name == name)
        {
            return Ok(config.environment.as_deref().map(Into::into));
        }
        let known = self.handle.block_on(self.store.consumers())?;
        match known.into_iter().find(|row| &*row.consumer.name == name) {
            Some(row) => Ok(row.consumer.environment),
            None => bail!("no consumer `{name}`; add it with `probity consumer add {name}`"),
        }
    }

    fn configured_consumers(&self) -> Vec<&String> {
        self.loaded
            .iter()
            .flat_map(|loaded| &loaded.config.identity.consumers)
            .map(|each| &each.name)
            .collect()
    }
}

fn status(consumer: Consumer, row: Option<ConsumerRow>) -> ConsumerStatus {
    ConsumerStatus {
        name: consumer.name,
        kind: consumer.kind,
        tenant: consumer.tenant,
        roles: consumer.roles,
        scopes: consumer.scopes,
        attributes: consumer.attributes,
        environment: consumer.environment,
        owner: row.as_ref().and_then(|row| row.owner.clone()),
        configured: row.is_none(),
        created_at: row.as_ref().map(|row| row.created_at),
        created_by: row.map(|row| row.created_by),
        keys: Vec::new(),
    }
}

fn check(consumer: &Consumer) -> anyhow::Result<()> {
    let plain = |text: &str| {
        !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(|sign| sign.is_ascii_graphic())
    };
    if !plain(&consumer.name) {
        bail!("name `{}` is not usable, expected up to {MAX_NAME} letters, digits and signs", consumer.name);
    }
    let texts = consumer.roles.iter().chain(&consumer.scopes).chain(&consumer.tenant);
    if let Some(odd) = texts.chain(&consumer.environment).find(|text| !plain(text)) {
        bail!("`{odd}` is not usable, expected up to {MAX_NAME} letters, digits and signs");
    }
    if consumer.roles.len().max(consumer.scopes.len()).max(consumer.attributes.len()) > MAX_ENTRIES {
        bail!("more than {MAX_ENTRIES} roles, scopes or attributes");
    }
    Ok(())
}
