//! Recorded calls into the road: observed, recorded, folded and judged like live ones.

use std::path::Path;

use probity_gateway::ImportObserver;
use probity_model::ServiceId;
use probity_model::bundle::BundleService;
use probity_policy::route::Router;
use serde_json::json;

use super::App;
use crate::clock::now;
use crate::import::{self, Format, Imported, Services};

/// Configured services by host and path, else the named one, else the host itself.
struct Known {
    router: Option<Router>,
    named: Option<ServiceId>,
}

impl Services for Known {
    fn service(&self, host: Option<&str>, path: &str) -> ServiceId {
        let routed = self.router.as_ref().and_then(|router| router.service(host, path));
        if let Some(routed) = routed {
            return routed.id().clone();
        }
        match (&self.named, host) {
            (Some(named), _) => named.clone(),
            (None, Some(host)) => ServiceId::new(host.split(':').next().unwrap_or(host)),
            (None, None) => ServiceId::new("imported"),
        }
    }
}

impl App {
    pub(super) fn import(
        &mut self,
        file: &Path,
        format: Option<Format>,
        service: Option<&str>,
    ) -> anyhow::Result<Imported> {
        let bundle = match &self.loaded {
            Some(loaded) => Some(
                crate::bundle::compile(loaded, &self.sources, 0, now(), self.catalogue)
                    .map_err(|problem| anyhow::anyhow!("{problem}"))?,
            ),
            None => None,
        };
        let services: &[BundleService] = bundle.as_ref().map_or(&[], |bundle| &bundle.services);
        let known = Known {
            router: (!services.is_empty()).then(|| Router::new(services)).transpose()?,
            named: service.map(ServiceId::new),
        };
        let classes = bundle.as_ref().map_or(&[][..], |bundle| &bundle.classes);
        let body_bytes = bundle.as_ref().map_or(64 * 1024, |bundle| bundle.inspection.body_bytes);
        let key = self.vault.signing_seed("identity")?;
        let observer = ImportObserver::new(
            self.gateway.clone(),
            key.expose(),
            1,
            classes,
            usize::try_from(body_bytes).unwrap_or(usize::MAX),
        )?
        .ok_or_else(|| anyhow::anyhow!("no random numbers can be had"))?;
        let recorder = self.events.recorder();
        let mut last = None;
        let imported = import::read(file, format, &observer, &known, &mut |exchange| {
            recorder.accepted();
            last = Some(append_waiting(&recorder, exchange)?);
            Ok(())
        })?;
        if let Some(ticket) = last {
            ticket.wait().map_err(|problem| anyhow::anyhow!("the calls could not be recorded: {problem}"))?;
        }
        let document = json!({
            "file": imported.file,
            "format": imported.format,
            "recorded": imported.recorded,
            "unreadable": imported.unreadable,
        });
        self.act("import", document, now())?;
        self.fold_from_events()?;
        self.judge(now())?;
        Ok(imported)
    }
}

/// An import waits where traffic would not: the queue empties within a sync.
fn append_waiting(
    recorder: &probity_events::Recorder,
    exchange: probity_model::Exchange,
) -> anyhow::Result<probity_events::Ticket> {
    const TRIES: u32 = 2_000;
    for _ in 0..TRIES {
        match recorder.append(exchange.clone()) {
            Ok(ticket) => return Ok(ticket),
            Err(probity_events::RecordError::Full) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(problem) => anyhow::bail!("the calls cannot be recorded: {problem}"),
        }
    }
    anyhow::bail!("the record stays full; is the disk full?")
}
