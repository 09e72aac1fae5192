use probity_model::outcome::OUTCOME_VERSION;
use probity_model::verdict::{CheckTally, MissingEvidence, Slot, VERDICT_VERSION};
use probity_model::{
    Control, Outcome, Reason, Severity, Source, SourceKind, Subject, SubjectKind, Timestamp, Verdict,
};

use super::*;
use crate::document::{InventorySummary, LedgerSummary, REPORT_VERSION};

const HOSTILE: &str = "GET /<script>alert(1)</script>";

fn log() -> LogSummary {
    LogSummary { size: 7, root: "ab".repeat(32), checkpoint: "probity.local/t\n7\nroot\n".to_owned() }
}

fn document() -> ReportDocument {
    let slot = Slot { from: Timestamp(0), to: Timestamp::from_seconds(60), short: true };
    let tally = CheckTally {
        check: "pan-mask".into(),
        pass: 0,
        fail: 1,
        not_applicable: 0,
        no_evidence: 0,
        failed_in_slot: 1,
    };
    let outcome = Outcome {
        version: OUTCOME_VERSION,
        subject: Subject::new(SubjectKind::Operation, HOSTILE),
        check: "pan-mask".into(),
        status: Status::Fail,
        reasons: vec![Reason {
            rule: "PRB-x".into(),
            source: Some(Source { kind: SourceKind::Traffic, locator: "gateway g".to_owned() }),
            place: "response-body:/card".to_owned(),
            message: "a card number is there".to_owned(),
        }],
        drift: Vec::new(),
        evidence: Digest([9; 32]),
        catalogue: Digest::default(),
        from: Timestamp(0),
        to: Timestamp(1),
    };
    let verdict = Verdict {
        version: VERDICT_VERSION,
        framework: "f".into(),
        control: "3.4.1".into(),
        scope: "everything".to_owned(),
        slot,
        status: VerdictStatus::NotMet,
        partial: None,
        missing: vec![MissingEvidence {
            check: "z".into(),
            because: MissingBecause::NotInThisVersion,
            subjects: Vec::new(),
        }],
        checks: vec![tally.clone()],
        outcomes: Vec::new(),
        catalogue: Digest::default(),
    };
    let control = Control {
        id: "3.4.1".into(),
        title: "Card numbers are masked".to_owned(),
        mode: Mode::Auto,
        checks: vec!["pan-mask".into()],
        parameters: BTreeMap::new(),
        verified: true,
        source: None,
    };
    let check = ReportCheck {
        id: "pan-mask".to_owned(),
        title: Some("Masked".to_owned()),
        remediation: Some("mask it".to_owned()),
        passes_on: Vec::new(),
        tally,
        outcomes: vec![ReportOutcome {
            outcome,
            evidence: Some(serde_json::json!({"subject": HOSTILE})),
            ledger_index: Some(41),
        }],
        outcomes_total: 3,
    };
    ReportDocument {
        version: REPORT_VERSION,
        generated_at: Timestamp(0),
        probity: "0.1.0".to_owned(),
        tenant: "t".to_owned(),
        framework_id: "f".to_owned(),
        framework_title: "Framework".to_owned(),
        framework_version: "1".to_owned(),
        publisher: "P".to_owned(),
        reference: None,
        scope: "everything".to_owned(),
        slot,
        provisional: true,
        catalogue: Digest::default(),
        ledger: LedgerSummary {
            verified: false,
            note: "leaf 3 was changed".to_owned(),
            evidence: log(),
            verdicts: log(),
            key: "key+0+x".to_owned(),
        },
        inventory: InventorySummary::default(),
        controls: vec![ReportControl { control, verdict, checks: vec![check] }],
        findings: Vec::new(),
        parameters: BTreeMap::new(),
    }
}

#[test]
fn a_verdict_leads_to_its_evidence_and_leaf() {
    let page = html(&document());
    let digest = "09".repeat(32);
    assert!(page.contains(&format!("href=\"#evidence-{digest}\"")));
    assert!(page.contains(&format!("id=\"evidence-{digest}\"")));
    for expected in
        ["leaf 41 of the evidence log", "Failed inside the slot: pan-mask.", "and 2 more", "DOES NOT VERIFY"]
    {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn nothing_from_traffic_becomes_markup_and_nothing_is_fetched() {
    let page = html(&document());
    assert!(!page.contains("<script>"));
    assert!(page.contains("&lt;script&gt;"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_json_form_reads_back() {
    let document = document();
    let text = serde_json::to_string(&document).unwrap();
    let again: ReportDocument = serde_json::from_str(&text).unwrap();
    assert_eq!(html(&again), html(&document));
    assert_eq!(Severity::parse("high"), Some(Severity::High));
}
