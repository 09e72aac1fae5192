//! Verdicts as a resource.

use probity_model::verdict::Slot;
use probity_model::{FrameworkId, Verdict};
use serde::{Deserialize, Serialize};

use super::App;
use crate::clock::now;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlStatus {
    pub title: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The open slot: provisional until it closes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComplianceStatus {
    pub slot: Slot,
    pub provisional: bool,
    pub controls: Vec<ControlStatus>,
}

impl App {
    pub(super) fn compliance_status(
        &self,
        framework: Option<&FrameworkId>,
        scope: Option<&str>,
    ) -> anyhow::Result<ComplianceStatus> {
        if let Some(id) = framework {
            self.framework(id)?;
        }
        let slot = self.open_slot(now());
        let controls = self
            .verdicts(slot)
            .into_iter()
            .filter(|verdict| framework.is_none_or(|id| verdict.framework == *id))
            .filter(|verdict| scope.is_none_or(|name| verdict.scope == name))
            .map(|verdict| ControlStatus { title: self.control_title(&verdict), verdict })
            .collect();
        Ok(ComplianceStatus { slot, provisional: true, controls })
    }

    /// The framework of that id, or an error that names the known ones.
    pub(super) fn framework(&self, id: &FrameworkId) -> anyhow::Result<&probity_model::Framework> {
        self.catalog.frameworks().iter().find(|framework| framework.id == *id).ok_or_else(|| {
            let known: Vec<&str> = self.catalog.frameworks().iter().map(|f| f.id.as_str()).collect();
            anyhow::anyhow!("no framework `{id}`, expected one of {}", known.join(", "))
        })
    }

    fn control_title(&self, verdict: &Verdict) -> String {
        let framework = self.catalog.frameworks().iter().find(|framework| framework.id == verdict.framework);
        framework
            .and_then(|framework| framework.controls.iter().find(|control| control.id == verdict.control))
            .map(|control| control.title.clone())
            .unwrap_or_default()
    }
}
