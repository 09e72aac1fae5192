//! Rows of every kind, filled with text that databases, JSON and SQL take amiss.

use std::collections::{BTreeMap, BTreeSet};

use probity_model::bundle::SignedBundle;
use probity_model::class::DataClass;
use probity_model::finding::FindingState;
use probity_model::inventory::{
    Attributed, AuthenticationSeen, DocumentedAt, Observed, ObservedClass, Operation, OperationSettings,
    OperationState, ResponsePattern, Risk, RiskTier, SeenInterval, SizeSummary,
};
use probity_model::outcome::Drift;
use probity_model::verdict::{CheckTally, MissingBecause, MissingEvidence, OutcomeRef, PartialBecause, Slot};
use probity_model::{
    Digest, Finding, Outcome, Place, Reason, Severity, Signal, Source, SourceKind, Span, Status, Subject,
    SubjectKind, Template, Timestamp, Verdict, VerdictStatus,
};
use serde_json::{Value, json};

pub const ODD: [&str; 24] = [
    "",
    " ",
    "\0",
    "a\0b",
    "a\\0b",
    "\\",
    "%",
    "_",
    "100%_\\%",
    "'; DROP TABLE finding; --",
    "\"quoted\" `and` 'so'",
    "$1 ?1 :name @p {0}",
    "line\r\nline\ttab\u{b}\u{1b}[31m",
    "über",
    "ÜBER",
    "e\u{301}",
    "é",
    "\u{feff}bom",
    "\u{202e}right to left",
    "𝄞 astral",
    "\u{d7ff}\u{e000}\u{ffff}",
    "\u{10ffff}",
    "NULL",
    "{\"json\": [1, 2]}",
];

pub fn digest(number: u64) -> Digest {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Digest(bytes)
}

pub fn subject(id: &str) -> Subject {
    Subject::new(SubjectKind::Operation, id)
}

pub fn source(text: &str) -> Source {
    Source { kind: SourceKind::Traffic, locator: text.to_owned() }
}

pub fn operation(id: &str, text: &str) -> Operation {
    let seen = SeenInterval { first: Timestamp(-1), last: Timestamp(1_700_000_000_000_001) };
    let attributed = || Some(Attributed { value: text.to_owned(), source: text.to_owned() });
    let observed = Observed {
        calls: u64::MAX,
        seen,
        statuses: BTreeMap::from([(200, 3), (u16::MAX, u64::MAX)]),
        authentication: AuthenticationSeen { none_answered: u64::MAX, ..AuthenticationSeen::default() },
        schemes: BTreeMap::from([(text.to_owned(), 1)]),
        request_types: [text.into()].into(),
        callers: u32::MAX,
        callers_capped: true,
        classes: vec![ObservedClass {
            class: DataClass::Custom(format!("odd-{text}").into()),
            place: Place::ResponseBody,
            field: text.to_owned(),
            masked: true,
            calls: 1,
            calls_unauthenticated: 2,
            calls_ok: 3,
            calls_error: 4,
            seen,
        }],
        patterns: vec![ResponsePattern {
            shape: u64::MAX,
            status_class: 2,
            content_type: text.into(),
            fields: vec![text.into()],
            calls: 5,
        }],
        signals: Signal::ALL.iter().map(|signal| (*signal, 7)).collect(),
        signals_on_error: BTreeMap::new(),
        protocols: BTreeMap::from([(text.to_owned(), 1)]),
        tls: BTreeMap::from([(text.to_owned(), 1)]),
        query: BTreeSet::from([text.into()]),
        sizes: SizeSummary { request_bytes: u64::MAX, ..SizeSummary::default() },
        burst_per_minute: 8,
        limited: 9,
        first_sequence: 0,
        last_sequence: u64::MAX,
    };
    Operation {
        id: id.into(),
        service: text.into(),
        method: text.into(),
        template: Template::new(text),
        states: OperationState::ALL.iter().map(|state| (*state, seen)).collect(),
        owner: attributed(),
        version: attributed(),
        audience: None,
        criticality: attributed(),
        tags: ODD.iter().map(|tag| (*tag).to_owned()).collect(),
        risk: Risk { tier: RiskTier::High, formula: text.to_owned() },
        documented: Some(DocumentedAt {
            span: span(text),
            version: text.to_owned(),
            newest: true,
            deprecated: false,
            sunset: Some(Timestamp(0)),
        }),
        observed: Some(observed),
    }
}

fn span(text: &str) -> Span {
    Span { file: text.into(), line: u32::MAX, column: 0 }
}

pub fn settings(text: &str) -> OperationSettings {
    OperationSettings {
        owner: Some(text.to_owned()),
        audience: None,
        criticality: Some(text.to_owned()),
        tags: BTreeSet::from([text.to_owned()]),
    }
}

pub fn outcome(subject: Subject, check: &str, status: Status, text: &str) -> Outcome {
    Outcome {
        version: 1,
        subject,
        check: check.into(),
        status,
        reasons: vec![Reason {
            rule: text.into(),
            source: Some(source(text)),
            place: text.to_owned(),
            message: text.to_owned(),
        }],
        drift: vec![Drift { fact: text.to_owned(), sources: vec![source(text)] }],
        evidence: digest(1),
        catalogue: digest(2),
        from: Timestamp(-62_135_596_800_000_000),
        to: Timestamp(253_402_200_000_000_000),
    }
}

pub fn finding(id: &str, severity: Severity, last_seen: i64, state: FindingState) -> Finding {
    Finding {
        version: 1,
        id: id.into(),
        fingerprint: digest(3),
        check: "authn-required".into(),
        rule: id.into(),
        subject: subject(id),
        place: id.to_owned(),
        severity,
        title: id.to_owned(),
        message: id.to_owned(),
        remediation: id.to_owned(),
        source: Some(source(id)),
        evidence: digest(4),
        first_seen: Timestamp(0),
        last_seen: Timestamp(last_seen),
        state,
    }
}

pub fn finding_states(text: &str) -> [FindingState; 4] {
    [
        FindingState::Open,
        FindingState::Mitigated { by: text.to_owned() },
        FindingState::Fixed { at: Timestamp(5) },
        FindingState::Muted { reason: text.to_owned(), until: Timestamp(6), by: text.to_owned() },
    ]
}

pub fn slot(from: i64, to: i64) -> Slot {
    Slot { from: Timestamp(from), to: Timestamp(to), short: false }
}

pub fn verdict(slot: Slot, framework: &str, control: &str, scope: &str) -> Verdict {
    Verdict {
        version: 1,
        framework: framework.into(),
        control: control.into(),
        scope: scope.to_owned(),
        slot,
        status: VerdictStatus::Partial,
        partial: Some(PartialBecause::Exception),
        missing: vec![MissingEvidence {
            check: control.into(),
            because: MissingBecause::NoData,
            subjects: vec![subject(control)],
        }],
        checks: vec![CheckTally {
            check: control.into(),
            pass: u64::MAX,
            fail: 0,
            not_applicable: 1,
            no_evidence: 2,
            failed_in_slot: 3,
        }],
        outcomes: vec![OutcomeRef {
            subject: subject(control),
            check: control.into(),
            status: Status::Fail,
            evidence: digest(5),
        }],
        catalogue: digest(2),
    }
}

pub fn signed_bundle(text: &str) -> SignedBundle {
    SignedBundle { bundle: text.to_owned(), signature: text.to_owned(), key: text.to_owned() }
}

/// Numbers at the edge of what JSON text keeps, and odd keys.
pub fn document(text: &str) -> Value {
    json!({
        text: [text, null, true, u64::MAX, i64::MIN, 0.1, -0.0, 1e300, 5e-324, 0.300_000_000_000_000_04],
        "nested": {text: {text: []}},
    })
}
