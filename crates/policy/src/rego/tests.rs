use std::collections::BTreeMap;

use probity_model::check::CheckKind;
use probity_model::fact::{FactDefinition, FactType};
use probity_model::{
    Check, CheckId, Rule, RuleId, Severity, Source, SourceKind, Status, Subject, SubjectFacts, SubjectKind,
    Timestamp,
};
use serde_json::{Value, json};

use super::load::prepare;
use super::*;

const DOOR: &str = r#"# METADATA
# title: door
package probity.checks.door_shut

import rego.v1

import data.probity.moment

fail contains {"rule": "PRB-door-open", "place": member, "message": "a door is open", "source": entry.source} if {
	some entry in input.facts["door.open"]
	some member in entry.value
}

fail contains {"rule": "PRB-door-old", "place": "", "message": "not looked at for too long", "source": entry.source} if {
	some entry in input.facts["door.seen"]
	moment.seconds(entry.value) + input.params.days * 86400 < moment.seconds(input.at)
}

pass contains {"message": "the doors were tried", "source": entry.source} if {
	some entry in input.facts["door.tried"]
	entry.value == true
}

not_applicable contains {"message": "there are no doors", "source": entry.source} if {
	some entry in input.facts["door.count"]
	entry.value == 0
}
"#;

fn definition(key: &str, value_type: FactType) -> FactDefinition {
    FactDefinition {
        key: key.into(),
        value_type,
        subjects: vec![SubjectKind::Service],
        personal: false,
        meaning: key.into(),
        unit: None,
    }
}

fn facts() -> Vec<FactDefinition> {
    vec![
        definition("door.open", FactType::StringList),
        definition("door.seen", FactType::Timestamp),
        definition("door.tried", FactType::Boolean),
        definition("door.count", FactType::Integer),
        FactDefinition { subjects: vec![SubjectKind::Log], ..definition("log.lines", FactType::Integer) },
    ]
}

fn rule(id: &str) -> Rule {
    Rule { id: id.into(), meaning: "m".into(), sources: vec![SourceKind::Traffic], severity: None }
}

fn door() -> CheckSource {
    let check = Check {
        id: "door-shut".into(),
        title: "Doors are shut".into(),
        severity: Severity::High,
        kind: CheckKind::Automatic,
        subjects: vec![SubjectKind::Service],
        needs: ["door.open", "door.seen", "door.tried", "door.count"].map(String::from).into(),
        passes_on: vec!["a tried door".into()],
        remediation: "shut it".into(),
        references: vec![],
        params: BTreeMap::from([("days".to_owned(), json!(7))]),
        rules: vec![rule("PRB-door-open"), rule("PRB-door-old")],
        description: "d".into(),
    };
    CheckSource { check, file: "checks/door.rego".into(), rego: DOOR.into() }
}

fn at() -> Timestamp {
    Timestamp::parse("2026-11-10T12:00:00Z").unwrap()
}

fn source(locator: &str) -> Source {
    Source { kind: SourceKind::Traffic, locator: locator.into() }
}

fn house(stated: &[(&str, Value)]) -> SubjectFacts {
    let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Service, "house"));
    for (key, value) in stated {
        facts.state(key, value.clone(), &source("gw-1"), at());
    }
    facts
}

fn engine() -> Engine {
    Engine::load(vec![door()], &facts()).unwrap()
}

fn judge(stated: &[(&str, Value)]) -> Judgement {
    engine().judge(&"door-shut".into(), &house(stated), at(), &BTreeMap::new()).unwrap()
}

fn says(judgement: &Judgement) -> Vec<(&str, &str)> {
    judgement.reasons.iter().map(|reason| (reason.rule.as_str(), reason.place.as_str())).collect()
}

#[test]
fn statuses_follow_the_contract() {
    let check = |stated: &[(&str, Value)], status: Status, expected: &[(&str, &str)]| {
        let judgement = judge(stated);
        assert_eq!(
            (judgement.status, says(&judgement).as_slice()),
            (status, expected),
            "{stated:?} {judgement:?}"
        );
        assert_eq!(judgement.problem, None);
    };
    check(&[], Status::NoEvidence, &[("door-shut.no-evidence", "")]);
    // The absence of a violation alone is no evidence.
    check(&[("door.open", json!([]))], Status::NoEvidence, &[("door-shut.no-evidence", "")]);
    check(&[("door.tried", json!(false))], Status::NoEvidence, &[("door-shut.no-evidence", "")]);
    check(&[("door.tried", json!(true))], Status::Pass, &[("door-shut.pass", "")]);
    check(&[("door.count", json!(0))], Status::NotApplicable, &[("door-shut.not-applicable", "")]);
    check(&[("door.count", json!(0)), ("door.tried", json!(true))], Status::Pass, &[("door-shut.pass", "")]);
    // Any failure outweighs every observation; reasons are sorted and without repeats.
    check(
        &[("door.tried", json!(true)), ("door.open", json!(["b", "a"])), ("door.open", json!(["a"]))],
        Status::Fail,
        &[("PRB-door-open", "a"), ("PRB-door-open", "b")],
    );
    check(&[("door.seen", json!("2026-11-03"))], Status::Fail, &[("PRB-door-old", "")]);
    check(
        &[("door.seen", json!("2026-11-03T12:00:00.5Z"))],
        Status::NoEvidence,
        &[("door-shut.no-evidence", "")],
    );
}

#[test]
fn a_fact_of_a_wrong_type_never_passes() {
    let judgement = judge(&[("door.tried", json!(true)), ("door.open", json!("a"))]);
    assert_eq!(judgement.status, Status::NoEvidence);
    assert_eq!(judgement.reasons[0].source, Some(source("gw-1")));
    let judgement = judge(&[("door.tried", json!("yes")), ("door.open", json!(["a"]))]);
    assert_eq!(judgement.status, Status::Fail);
}

#[test]
fn an_error_of_a_rule_is_no_evidence() {
    let mut source = door();
    source.rego = DOOR.replace("member in entry.value\n", "member in entry.value\n\tto_number(member) > 3\n");
    let engine = Engine::load(vec![source], &facts()).unwrap();
    let stated = house(&[("door.tried", json!(true)), ("door.open", json!(["4711-4242"]))]);
    let judgement = engine.judge(&"door-shut".into(), &stated, at(), &BTreeMap::new()).unwrap();
    assert_eq!(judgement.status, Status::NoEvidence);
    assert!(judgement.problem.is_some());
    assert!(!judgement.reasons[0].message.contains("4711"), "{judgement:?}");
    // The engine judges on as if nothing had happened.
    let judgement = engine
        .judge(&"door-shut".into(), &house(&[("door.tried", json!(true))]), at(), &BTreeMap::new())
        .unwrap();
    assert_eq!(judgement.status, Status::Pass);
}

#[test]
fn an_endless_rule_is_stopped() {
    let mut source = door();
    source.rego = DOOR.replace(
        "member in entry.value\n",
        "member in entry.value\n\tcount([x | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000); x == y]) > 0\n",
    );
    let engine =
        Engine::load(vec![source], &facts()).unwrap().with_limit(std::time::Duration::from_millis(20));
    let stated = house(&[("door.tried", json!(true)), ("door.open", json!(["a"]))]);
    let judgement = engine.judge(&"door-shut".into(), &stated, at(), &BTreeMap::new()).unwrap();
    assert_eq!(judgement.status, Status::NoEvidence);
    assert!(judgement.problem.unwrap().contains("limit"));
}

#[test]
fn evidence_is_the_needed_input_alone() {
    let mut stated = house(&[("door.tried", json!(true)), ("log.lines", json!(5))]);
    let before = engine().judge(&"door-shut".into(), &stated, at(), &BTreeMap::new()).unwrap();
    let text = String::from_utf8(before.evidence.as_bytes().to_vec()).unwrap();
    assert_eq!(
        text,
        r#"{"at":"2026-11-10T12:00:00.000000Z","facts":{"door.tried":[{"seen_at":"2026-11-10T12:00:00.000000Z","source":{"kind":"traffic","locator":"gw-1"},"value":true}]},"params":{"days":7},"subject":{"id":"house","kind":"service"},"version":1}"#
    );
    stated.state("log.lines", 6, &source("gw-1"), at());
    let after = engine().judge(&"door-shut".into(), &stated, at(), &BTreeMap::new()).unwrap();
    assert_eq!(before, after);
}

#[test]
fn judging_the_evidence_again_says_the_same() {
    let engine = engine();
    let stated =
        house(&[("door.open", json!(["a"])), ("door.tried", json!(1)), ("door.seen", json!("2026-11-09"))]);
    let once = engine
        .judge(&"door-shut".into(), &stated, at(), &BTreeMap::from([("days".into(), json!(0))]))
        .unwrap();
    let input: probity_model::RuleInput = serde_json::from_slice(once.evidence.as_bytes()).unwrap();
    let again = SubjectFacts { subject: input.subject, facts: input.facts };
    let twice = engine.judge(&"door-shut".into(), &again, input.at, &input.params).unwrap();
    assert_eq!(once, twice);
    assert_eq!(
        Engine::load(vec![door()], &facts())
            .unwrap()
            .judge(&"door-shut".into(), &again, input.at, &input.params)
            .unwrap(),
        once
    );
}

/// Whatever the rules read keeps its own answer; whatever they do not read is no reason to run them again.
#[test]
fn remembered_answers_are_those_of_the_input() {
    let engine = engine();
    let none = BTreeMap::new();
    let judge = |facts: &SubjectFacts, at: &str| {
        let at = Timestamp::parse(at).unwrap();
        let fresh = Engine::load(vec![door()], &super::tests::facts()).unwrap();
        let judgement = engine.judge(&"door-shut".into(), facts, at, &none).unwrap();
        assert_eq!(judgement, fresh.judge(&"door-shut".into(), facts, at, &none).unwrap());
        judgement
    };
    // `at` is read: the same facts fail a week later.
    let stated = house(&[("door.seen", json!("2026-11-09")), ("door.tried", json!(true))]);
    assert_eq!(judge(&stated, "2026-11-10T12:00:00Z").status, Status::Pass);
    assert_eq!(judge(&stated, "2026-11-20T12:00:00Z").status, Status::Fail);
    assert_eq!(judge(&stated, "2026-11-10T12:00:00Z").status, Status::Pass);
    // Sources, parameters and values are read; the subject's id is not, but stands in the evidence.
    let mut other = house(&[("door.tried", json!(true))]);
    let first = judge(&other, "2026-11-10T12:00:00Z");
    other.subject.id = "barn".into();
    let second = judge(&other, "2026-11-10T12:00:00Z");
    assert_eq!(first.reasons, second.reasons);
    assert_ne!(first.evidence, second.evidence);
    other.facts.get_mut("door.tried").unwrap()[0].source = source("gw-2");
    assert_eq!(judge(&other, "2026-11-10T12:00:00Z").reasons[0].source, Some(source("gw-2")));
}

#[test]
fn what_rules_read_is_known() {
    let check = |from: &str, to: &str, expected: (bool, bool, bool)| {
        let mut source = door();
        source.rego = DOOR.replacen(from, to, 1);
        let reads = prepare(source, &facts()).map_err(|found| format!("{found:?}")).unwrap().reads;
        assert_eq!((reads.at, reads.subject, reads.seen_at), expected, "{to}");
    };
    check("input.at", "\"2026-11-10\"", (false, false, false));
    check("", "", (true, false, false));
    check("entry.value == true", "entry.value == true\n\tinput.subject.id != \"\"", (true, true, false));
    check("entry.value == true", "entry.value == true\n\tentry.seen_at != \"\"", (true, false, true));
    check("entry.value == true", "entry.value == true\n\tcount(input) > 0", (true, true, true));
    check("entry.value == true", "entry.value == true\n\tinput[\"at\"] != \"\"", (true, true, true));
}

#[test]
fn parameters_are_those_of_metadata() {
    let engine = engine();
    let stated = house(&[("door.seen", json!("2026-11-01"))]);
    let judge = |params: Value| {
        engine.judge(&"door-shut".into(), &stated, at(), &serde_json::from_value(params).unwrap())
    };
    assert_eq!(judge(json!({})).unwrap().status, Status::Fail);
    assert_eq!(judge(json!({"days": 30})).unwrap().status, Status::NoEvidence);
    assert!(matches!(judge(json!({"weeks": 1})), Err(JudgeError::UnknownParameter { .. })));
    assert!(matches!(judge(json!({"days": "30"})), Err(JudgeError::ParameterType { .. })));
    let log = SubjectFacts::new(Subject::new(SubjectKind::Log, "gw-1"));
    let none = BTreeMap::new();
    assert!(matches!(
        engine.judge(&"door-shut".into(), &log, at(), &none),
        Err(JudgeError::SubjectKind { .. })
    ));
    assert!(matches!(
        engine.judge(&CheckId::from("x"), &stated, at(), &none),
        Err(JudgeError::UnknownCheck(_))
    ));
}

#[test]
fn drift_names_the_sources_that_disagree() {
    let check = |entries: &[(SourceKind, &str, &str, Value)], expected: &[&str]| {
        let mut facts = SubjectFacts::new(Subject::new(SubjectKind::Service, "house"));
        for (kind, locator, key, value) in entries {
            let source = Source { kind: *kind, locator: (*locator).into() };
            facts.state(key, value.clone(), &source, at());
        }
        let judgement = engine().judge(&"door-shut".into(), &facts, at(), &BTreeMap::new()).unwrap();
        let drift: Vec<_> = judgement.drift.iter().map(|drift| drift.fact.as_str()).collect();
        assert_eq!(drift, expected, "{entries:?}");
    };
    use SourceKind::{Specification, Traffic};
    check(&[(Traffic, "a", "door.tried", json!(true)), (Specification, "b", "door.tried", json!(true))], &[]);
    check(
        &[(Traffic, "a", "door.tried", json!(true)), (Specification, "b", "door.tried", json!(false))],
        &["door.tried"],
    );
    check(&[(Traffic, "a", "door.open", json!(["x"])), (Traffic, "b", "door.open", json!(["y"]))], &[]);
    check(
        &[(Traffic, "a", "door.open", json!(["x"])), (Specification, "b", "door.open", json!(["y"]))],
        &["door.open"],
    );
    check(
        &[
            (Traffic, "a", "door.open", json!(["x", "y"])),
            (Specification, "b", "door.open", json!(["y", "x"])),
        ],
        &[],
    );
}

#[test]
fn the_loader_names_each_fault_and_its_place() {
    let check = |change: &dyn Fn(&mut CheckSource), expected: &str| {
        let mut source = door();
        change(&mut source);
        let diagnostics = Engine::load(vec![source], &facts()).expect_err(expected);
        let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.starts_with(expected)), "expected {expected}\nfound {texts:#?}");
    };
    let rego = |from: &'static str, to: &'static str| {
        move |source: &mut CheckSource| {
            assert!(source.rego.contains(from), "{from}");
            source.rego = source.rego.replacen(from, to, 1);
        }
    };
    for impure in [
        "time.now_ns()",
        "rand.intn(\"a\", 4)",
        "http.send({})",
        "opa.runtime()",
        "net.lookup_ip_addr(\"a\")",
    ] {
        let name = impure.split('(').next().unwrap();
        let text = format!("input.params.days * {impure} * 86400");
        let change = |source: &mut CheckSource| {
            source.rego = source.rego.replacen("input.params.days * 86400", &text, 1)
        };
        check(&change, &format!("checks/door.rego:16:52: `{name}` may not be called (rules see no clock"));
    }
    check(
        &rego("moment.seconds(entry", "whatever(entry"),
        "checks/door.rego:16:2: `whatever` may not be called (expected a pure",
    );
    check(&rego("entry.value == 0", "entry.value = = 0"), "checks/door.rego:26:19: the rules do not compile");
    check(&rego("door_shut", "door"), "checks/door.rego:3:1: the package is not the check's own");
    check(
        &rego("pass contains", "passes contains"),
        "checks/door.rego:1:1: the module does not define the set `pass`",
    );
    check(
        &rego("\"PRB-door-old\"", "\"PRB-door-gone\""),
        "checks/door.rego:14:24: METADATA does not name the rule `PRB-door-gone`",
    );
    check(
        &rego("\"PRB-door-old\"", "\"PRB-door-open\""),
        "checks/door.rego:1:1: no rule of the module fails with `PRB-door-old`",
    );
    check(
        &rego("\"door.count\"", "\"log.lines\""),
        "checks/door.rego:25:28: `needs` does not name `log.lines`",
    );
    check(
        &rego("params.days", "params.weeks"),
        "checks/door.rego:16:32: METADATA does not name the parameter `weeks`",
    );
    check(&rego("params.days", "at"), "checks/door.rego:1:1: no rule reads the parameter `days`");
    check(
        &|source| source.check.needs.push("door.colour".into()),
        "checks/door.rego:1:1: the fact `door.colour` is not registered",
    );
    check(
        &|source| source.check.needs.push("log.lines".into()),
        "checks/door.rego:1:1: the fact `log.lines` is never stated of service",
    );
    check(&|source| source.check.passes_on.clear(), "checks/door.rego:1:3: `passes_on` is empty");
    check(
        &|source| source.check.rules.push(rule("PRB-door-open")),
        "checks/door.rego:1:1: the rule `PRB-door-open` is named twice",
    );
    let twice = Engine::load(vec![door(), door()], &facts()).unwrap_err();
    assert!(twice[0].to_string().contains("there twice"));
}

#[test]
fn an_unnamed_rule_or_a_bad_reason_is_no_evidence() {
    for (from, to) in [
        (
            "\"rule\": \"PRB-door-open\"",
            "\"rule\": concat(\"\", [\"PRB\", \"-door-shut\", substring(\"PRB-door-open\", 0, 0)])",
        ),
        ("\"message\": \"a door is open\"", "\"message\": 5"),
        ("\"source\": entry.source", "\"source\": \"gw\""),
    ] {
        let mut source = door();
        source.rego = source.rego.replacen(from, to, 1);
        if !source.rego.contains("\"PRB-door-open\"") {
            source.check.rules.retain(|rule| rule.id != RuleId::from("PRB-door-open"));
        }
        let loaded = Engine::load(vec![source], &facts());
        let Ok(engine) = loaded else { continue };
        let stated = house(&[("door.open", json!(["a"]))]);
        let judgement = engine.judge(&"door-shut".into(), &stated, at(), &BTreeMap::new()).unwrap();
        assert_eq!(judgement.status, Status::NoEvidence, "{to}");
        assert!(judgement.problem.is_some(), "{to}");
    }
}

#[test]
fn metadata_keeps_its_place() {
    let (yaml, first) =
        metadata_block("# a licence\n\n# METADATA\n# title: x\n#\n# custom:\n#   id: y\npackage a\n")
            .unwrap();
    assert_eq!((yaml.as_str(), first), ("\n\n\n  title: x\n \n  custom:\n    id: y\n", 4));
    assert_eq!(metadata_block("package a\n# title: x\n"), None);
    assert_eq!(metadata_block("# METADATA\npackage a\n"), None);
}

#[test]
fn moments_are_read_without_a_clock() {
    let mut source = door();
    source.rego = format!("{DOOR}\nout := [moment.seconds(text) | some text in input.texts]\n");
    let mut engine = prepare(source, &facts()).map_err(|found| format!("{found:?}")).unwrap().compiled;
    let texts = [
        ("1970-01-01", Some(0)),
        ("2026-11-10T12:00:00Z", Some(1_794_312_000)),
        ("2026-11-10T12:00:00.123456Z", Some(1_794_312_000)),
        ("2026-11-10T14:00:00+02:00", Some(1_794_312_000)),
        ("2026-11-10T08:30:00-03:30", Some(1_794_312_000)),
        ("2000-02-29", Some(951_782_400)),
        ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
        ("1969-12-31T23:59:59Z", Some(-1)),
        ("2026-13-01", None),
        ("yesterday", None),
    ];
    let input = json!({ "texts": texts.map(|(text, _)| text) });
    engine.set_input_json(&input.to_string()).unwrap();
    let out = engine.eval_rule("data.probity.checks.door_shut.out".into()).unwrap();
    let expected: Vec<i64> = texts.iter().filter_map(|(_, seconds)| *seconds).collect();
    assert_eq!(serde_json::from_str::<Vec<i64>>(&out.to_json_str().unwrap()).unwrap(), expected);
}
