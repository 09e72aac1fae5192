//! A fault that a rule of the gateway keeps from doing harm.

use std::sync::Arc;

use probity_model::exchange::{Authentication, Durations, End, PathRef, Protocol, UserAgentClass};
use probity_model::finding::FindingState;
use probity_model::{RequestId, ServiceId, Signals, Status, Template};
use serde_json::json;

use super::*;

const SPECIFICATION: &str = r#"{
  "openapi": "3.1.0",
  "info": {"title": "Clinic", "version": "1.0.0"},
  "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
  "security": [{"token": []}],
  "paths": {"/cards": {"get": {"responses": {"200": {"description": "cards"}}}}}
}"#;
const CONFIGURATION: &str = "version: 1
services:
- name: clinic
  upstreams: [{ url: http://127.0.0.1:1 }]
  specifications: [openapi.json]
";

pub(super) struct Bench {
    app: App,
    sequence: u64,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("probity.yaml");
        std::fs::write(&file, CONFIGURATION).unwrap();
        std::fs::write(folder.path().join("openapi.json"), SPECIFICATION).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = OpenOptions {
            data: folder.path().join("data"),
            root: Root::Ephemeral,
            catalog: None,
            loaded: Some(Loaded::read(&file).unwrap()),
            actor: "test".to_owned(),
        };
        let (app, _) = App::open(options, runtime.handle().clone()).unwrap();
        Self { app, sequence: 0, _runtime: runtime, _folder: folder }
    }

    /// A call without credential that was answered under `revision`.
    fn answer(&mut self, revision: u64) {
        self.sequence += 1;
        let call = Exchange {
            sequence: self.sequence,
            request_id: RequestId::from_parts(0, [0; 10]),
            gateway: self.app.gateway.clone(),
            started_at: now(),
            revision,
            service: ServiceId::new("clinic"),
            method: Arc::from("GET"),
            path: PathRef::Template(Template::new("/cards")),
            query: Vec::new(),
            status: 200,
            end: End::Complete,
            shape: 1,
            shape_fields: None,
            request_type: Arc::from(""),
            response_type: Arc::from("application/json"),
            client: None,
            user_agent: UserAgentClass::Library,
            protocol: Protocol::Http11,
            tls: None,
            request_bytes: 0,
            response_bytes: 100,
            durations: Durations::default(),
            authentication: Authentication::none(),
            classes: Vec::new(),
            signals: Signals::default(),
            decisions: Vec::new(),
        };
        self.app.fold(&[call]);
    }

    /// A bundle in which identity has `mode`.
    fn enforce(&mut self, revision: u64, mode: &str) {
        let loaded = self.app.loaded.as_ref().unwrap();
        let sources = &self.app.sources;
        let mut bundle =
            crate::bundle::compile(loaded, sources, revision, now(), self.app.catalogue).unwrap();
        let identity = json!({"identity": {"mode": mode, "needs": [{}], "operations": [0], "unknown": 0}});
        bundle.services[0].protection = Some(serde_json::from_value(identity).unwrap());
        self.app.take_into_force(bundle);
    }

    /// Judged anew, whatever was judged before: the status of the check, and the state of its finding.
    fn judged(&mut self) -> (Status, Option<&FindingState>) {
        self.app.judged.clear();
        self.app.judge(now()).unwrap();
        let subject = Subject::new(probity_model::SubjectKind::Operation, "clinic GET /cards");
        let check = CheckId::new("authn-required");
        let status = self.app.outcomes[&(subject, check.clone())].status;
        let finding = self.app.findings.values().find(|finding| finding.check == check);
        (status, finding.map(|finding| &finding.state))
    }
}

#[test]
fn a_fault_that_is_refused_now_is_mitigated_and_still_fails() {
    let mut bench = Bench::new();
    bench.answer(1);
    assert_eq!(bench.judged(), (Status::Fail, Some(&FindingState::Open)));

    bench.enforce(2, "observe");
    assert_eq!(bench.judged(), (Status::Fail, Some(&FindingState::Open)), "to observe is not to refuse");

    bench.enforce(3, "block");
    let mitigated = FindingState::Mitigated { by: "gateway rule protect.identity".to_owned() };
    assert_eq!(bench.judged(), (Status::Fail, Some(&mitigated)));

    // A call that was under way when the bundle came.
    bench.answer(2);
    assert_eq!(bench.judged(), (Status::Fail, Some(&mitigated)));

    // The fault gets out although the rule is in force.
    bench.answer(3);
    assert_eq!(bench.judged(), (Status::Fail, Some(&FindingState::Open)));
}

#[test]
fn a_fault_is_open_again_when_its_rule_is_gone() {
    let mut bench = Bench::new();
    bench.answer(1);
    bench.judged();
    bench.enforce(2, "block");
    assert!(matches!(bench.judged().1, Some(FindingState::Mitigated { .. })));
    bench.enforce(3, "off");
    assert_eq!(bench.judged(), (Status::Fail, Some(&FindingState::Open)));
}

#[test]
fn what_nobody_saw_fail_passes_on_the_rule_in_force() {
    let mut bench = Bench::new();
    assert_eq!(bench.judged(), (Status::NoEvidence, None));
    bench.enforce(2, "observe");
    assert_eq!(bench.judged(), (Status::NoEvidence, None));
    bench.enforce(3, "block");
    assert_eq!(bench.judged(), (Status::Pass, None));
}
