//! Golden files of the shapes that leave the process. A changed golden file is a changed contract: it needs a new format
//! version and a decision record. `PROBITY_BLESS=1` rewrites them.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;

use probity_model::bundle::*;
use probity_model::decision::DecisionInput;
use probity_model::exchange::*;
use probity_model::finding::FindingState;
use probity_model::inventory::*;
use probity_model::outcome::Drift;
use probity_model::verdict::*;
use probity_model::*;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

const AT: Timestamp = Timestamp::from_millis(1_767_225_600_123);

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The committed file is what is written today, and reads back as the same value.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug + JsonSchema>(name: &str, value: &T) {
    let written = serde_json::to_string_pretty(value).unwrap() + "\n";
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap() + "\n";
    for (file, text) in [(format!("{name}.json"), &written), (format!("{name}.schema.json"), &schema)] {
        let path = golden(&file);
        if std::env::var_os("PROBITY_BLESS").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == *text, "{file} differs from what is written today:\n{text}");
    }
    let kept: T =
        serde_json::from_str(&std::fs::read_to_string(golden(&format!("{name}.json"))).unwrap()).unwrap();
    assert_eq!(kept, *value);
}

fn subject() -> Subject {
    Subject::new(SubjectKind::Operation, "clinic GET /v2/patients/{patientId}")
}

fn source() -> Source {
    Source { kind: SourceKind::Traffic, locator: "gateway gw-1".to_owned() }
}

fn decision() -> Decision {
    Decision {
        check: "config-baseline".into(),
        rule: "gateway-te-with-cl".into(),
        mode: EnforcementMode::Block,
        action: Action::Refuse,
        input: DecisionInput {
            place: Some(Place::RequestHeader),
            field: "transfer-encoding".to_owned(),
            class: None,
            found: "te-with-cl".to_owned(),
        },
        revision: 7,
    }
}

fn exchange() -> Exchange {
    Exchange {
        sequence: 41,
        request_id: RequestId::parse("01900000-0000-7000-8000-000000000001").unwrap(),
        gateway: "gw-1".into(),
        started_at: AT,
        revision: 7,
        service: "clinic".into(),
        method: "GET".into(),
        path: PathRef::Segments(path::segments("/v2/patients/42", |raw| raw.len() as u64)),
        query: vec!["access_token".into()],
        status: 200,
        end: End::Complete,
        shape: 0x0123_4567_89ab_cdef,
        shape_fields: Some(vec!["/id".into(), "/card/number".into()]),
        request_type: "".into(),
        response_type: "application/json".into(),
        client: Some("203.0.113.7".parse().unwrap()),
        user_agent: UserAgentClass::Mobile,
        protocol: Protocol::Http2,
        tls: Some(Tls { version: "TLSv1.3".into(), suite: "TLS13_AES_128_GCM_SHA256".into() }),
        request_bytes: 0,
        response_bytes: 512,
        durations: Durations { total_us: 1_500, upstream_us: 900 },
        authentication: Authentication {
            state: AuthenticationState::Presented,
            scheme: CredentialScheme::Bearer,
            identity: None,
            credential: Some([7; 16]),
            key_version: 1,
        },
        classes: vec![ClassHit {
            class: DataClass::CardNumber,
            place: Place::ResponseBody,
            field: "/card/number".to_owned(),
            count: 1,
            masked: false,
        }],
        signals: Signals::default().with(Signal::NosniffMissing).with(Signal::CredentialInUrl),
        decisions: vec![decision()],
    }
}

#[test]
fn exchange_shape() {
    check("exchange", &exchange());
    check(
        "exchange-template",
        &Exchange { path: PathRef::Template(Template::new("/v2/patients/{id}")), ..exchange() },
    );
}

#[test]
fn rule_input_shape_and_its_canonical_bytes() {
    let mut facts = SubjectFacts::new(subject());
    facts.state("traffic.authentication", vec!["none:refused"], &source(), AT.hour());
    let input = RuleInput {
        version: fact::RULE_INPUT_VERSION,
        subject: subject(),
        at: AT,
        params: BTreeMap::from([("limit".to_owned(), json!(1.50))]),
        facts: facts.facts,
    };
    check("rule-input", &input);
    let canonical = Evidence::of(&input).unwrap();
    let again = Evidence::of(&serde_json::from_slice::<RuleInput>(canonical.as_bytes()).unwrap()).unwrap();
    assert_eq!(canonical, again);
    assert_eq!(
        std::str::from_utf8(canonical.as_bytes()).unwrap(),
        concat!(
            r#"{"at":"2026-01-01T00:00:00.123000Z","facts":{"traffic.authentication":[{"seen_at":"2026-01-01T00:00:00.000000Z","#,
            r#""source":{"kind":"traffic","locator":"gateway gw-1"},"value":["none:refused"]}]},"params":{"limit":1.5},"#,
            r#""subject":{"id":"clinic GET /v2/patients/{patientId}","kind":"operation"},"version":1}"#
        )
    );
}

#[test]
fn outcome_shape() {
    let outcome = Outcome {
        version: outcome::OUTCOME_VERSION,
        subject: subject(),
        check: "pan-mask".into(),
        status: Status::Fail,
        reasons: vec![Reason {
            rule: "PRB-pan-clear".into(),
            source: Some(source()),
            place: "response-body:/card/number".to_owned(),
            message: "a full card number stands there".to_owned(),
        }],
        drift: vec![Drift { fact: "operation.owner".to_owned(), sources: vec![source()] }],
        evidence: Digest([1; 32]),
        catalogue: Digest([2; 32]),
        from: AT,
        to: AT.plus_micros(1),
    };
    check("outcome", &outcome);
}

#[test]
fn finding_shape() {
    let finding = Finding {
        version: finding::FINDING_VERSION,
        id: "f-0101010101010101".into(),
        fingerprint: Digest([1; 32]),
        check: "pan-mask".into(),
        rule: "PRB-pan-clear".into(),
        subject: subject(),
        place: "response-body:/card/number".to_owned(),
        severity: Severity::High,
        title: "t".to_owned(),
        message: "m".to_owned(),
        remediation: "r".to_owned(),
        source: Some(source()),
        evidence: Digest([3; 32]),
        first_seen: AT,
        last_seen: AT,
        state: FindingState::Muted { reason: "why".to_owned(), until: AT, by: "who".to_owned() },
    };
    check("finding", &finding);
    let input = finding::fingerprint_input(&finding.rule, &finding.subject, &finding.place);
    let expected = "probity-finding-v1\0PRB-pan-clear\0operation:clinic GET /v2/patients/{patientId}\0response-body:/card/number";
    assert_eq!(input, expected);
}

#[test]
fn verdict_shape() {
    let verdict = Verdict {
        version: VERDICT_VERSION,
        framework: "pci-dss-4.0.1".into(),
        control: "3.4.1".into(),
        scope: "everything".to_owned(),
        slot: Slot { from: AT, to: AT.plus_micros(60_000_000), short: true },
        status: VerdictStatus::NotMet,
        partial: Some(PartialBecause::Remainder),
        missing: vec![MissingEvidence {
            check: "property-authz".into(),
            because: MissingBecause::NotInThisVersion,
            subjects: vec![subject()],
        }],
        checks: vec![CheckTally {
            check: "pan-mask".into(),
            pass: 1,
            fail: 2,
            not_applicable: 3,
            no_evidence: 4,
            failed_in_slot: 2,
        }],
        outcomes: vec![OutcomeRef {
            subject: subject(),
            check: "pan-mask".into(),
            status: Status::Fail,
            evidence: Digest([4; 32]),
        }],
        catalogue: Digest([5; 32]),
    };
    check("verdict", &verdict);
}

#[test]
fn bundle_shape() {
    let bundle = Bundle {
        version: BUNDLE_VERSION,
        revision: 7,
        created_at: AT,
        catalogue: Digest([6; 32]),
        listeners: vec![Listener {
            name: "public".to_owned(),
            address: "127.0.0.1:8443".to_owned(),
            tls: Some(ListenerTls {
                certificate_file: "cert.pem".to_owned(),
                key_file: "key.pem".to_owned(),
                minimum: TlsVersion::V1_3,
                certificates: Vec::new(),
                strict_sni: false,
                self_signed: false,
                client_auth: None,
            }),
            clear_text_allowed: false,
            proxy_protocol: None,
        }],
        services: vec![BundleService {
            id: "clinic".into(),
            hosts: vec!["*.example.com".to_owned()],
            path_prefix: "/".to_owned(),
            strip_prefix: false,
            upstreams: vec![Upstream {
                host: "10.0.0.1".to_owned(),
                port: 443,
                tls: Some(UpstreamTls {
                    server_name: "clinic.internal".to_owned(),
                    ca_file: None,
                    client: None,
                    pins: Vec::new(),
                }),
                protocol: UpstreamProtocol::Auto,
            }],
            operations: vec![BundleOperation {
                id: OperationId::of(&"clinic".into(), "GET", "/v2/patients/{id}"),
                method: "GET".into(),
                template: Template::new("/v2/patients/{id}"),
                documented: true,
                durable: true,
            }],
            credential_names: vec!["x-clinic-key".to_owned()],
            durable: false,
            protection: None,
            staged: None,
        }],
        classes: vec![CustomClass {
            class: DataClass::parse("project-name"),
            label: "business secret".to_owned(),
            pattern: Some("BB-[0-9]+".to_owned()),
            words: vec!["Bluebird".to_owned()],
        }],
        inspection: Inspection::default(),
        timeouts: Timeouts::default(),
        limits: ConnectionLimits::default(),
        forwarding: Forwarding { trusted_proxies: vec!["10.0.0.0/8".to_owned()] },
        record: RecordPolicy::default(),
        identity: None,
    };
    check("bundle", &bundle);
}

#[test]
fn operation_shape() {
    let operation = Operation {
        id: OperationId::of(&"clinic".into(), "GET", "/v2/patients/{id}"),
        service: "clinic".into(),
        method: "GET".into(),
        template: Template::new("/v2/patients/{id}"),
        states: BTreeMap::from([(OperationState::Zombie, SeenInterval::at(AT))]),
        owner: Some(Attributed { value: "team".to_owned(), source: "configuration".to_owned() }),
        version: None,
        audience: None,
        criticality: None,
        tags: BTreeSet::from(["pii".to_owned()]),
        risk: Risk { tier: RiskTier::High, formula: "partner-facing = high".to_owned() },
        documented: Some(DocumentedAt {
            span: Span { file: "openapi.yaml".into(), line: 12, column: 5 },
            version: "2.0.0".to_owned(),
            newest: true,
            deprecated: false,
            sunset: None,
        }),
        observed: None,
    };
    check("operation", &operation);
}

/// Names are contracts: a class or a signal is never renamed, a bit never reused.
#[test]
fn names_of_classes_and_signals() {
    let classes: Vec<&str> = DataClass::named().map(DataClass::as_str).collect();
    let signals: Vec<String> =
        Signal::ALL.iter().map(|signal| format!("{} {}", *signal as u8, signal.as_str())).collect();
    let text = format!("{}\n\n{}\n", classes.join("\n"), signals.join("\n"));
    let path = golden("names.txt");
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
    for signal in Signal::ALL {
        let json = serde_json::to_value(signal).unwrap();
        assert_eq!(json, signal.as_str());
    }
    for class in DataClass::named() {
        assert_eq!(DataClass::parse(class.as_str()), *class);
    }
}

#[test]
fn segments_by_their_letters() {
    use path::SegmentKind::*;
    let rows = [
        ("patients", Word),
        ("v2", Word),
        ("oauth2", Word),
        ("tier-1", Word),
        ("$count", Word),
        ("ABC1", Code),
        ("anna-17", Slug),
        ("42", Int),
        ("3.14", Decimal),
        ("2026-01-31", Date),
        ("6f1c3a52-0b6e-4d55-9a57-5d0a2f3b7c11", Uuid),
        ("deadbeef01", Hex),
        ("a@b.example", Email),
        ("AB-1234", Code),
        ("%2e%2e", Token),
        ("", Word),
    ];
    for (text, kind) in rows {
        assert_eq!(path::segment_kind(text), kind, "{text}");
    }
    let shape = |text: &str| Template::new(text).shape();
    assert_eq!(shape("/a/{id}/b"), shape("/a/{other}/b"));
    assert_ne!(shape("/a/{id}/b"), shape("/a/{id}/c"));
}
