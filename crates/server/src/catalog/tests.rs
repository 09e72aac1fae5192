use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))
}

fn catalog() -> Catalog {
    Catalog::embedded().unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The embedded files with one of them changed.
fn changed(path: &str, change: impl FnOnce(String) -> String) -> Result<Catalog, Vec<Diagnostic>> {
    let mut files = files::embedded();
    let bytes = files.get(path).unwrap_or_else(|| panic!("no file {path}")).clone();
    files.insert(path.to_owned(), change(String::from_utf8(bytes).unwrap()).into_bytes());
    Catalog::load(files)
}

fn first_fault(read: Result<Catalog, Vec<Diagnostic>>) -> String {
    let faults = read.and_then(|catalog| catalog.engine().map(drop));
    faults.expect_err("a fault").first().unwrap().to_string()
}

#[test]
fn the_binary_carries_the_folder() {
    let (embedded, below) = (files::embedded(), files::below(folder()).unwrap());
    assert_eq!(embedded.keys().collect::<Vec<_>>(), below.keys().collect::<Vec<_>>());
    assert_eq!(embedded, below);
    assert_eq!(Catalog::from_dir(folder()).unwrap().digest_input(), catalog().digest_input());
}

#[test]
fn every_example_of_every_check_holds() {
    let report = catalog().run_examples();
    assert!(report.passed(), "{report}");
    assert!(report.results.len() > 150);
    assert!(report.results.iter().all(|result| result.found == Some(result.expected)));
}

#[test]
fn the_catalogue_has_what_it_should() {
    let catalog = catalog();
    let checks: Vec<&str> = catalog.checks().iter().map(|check| check.id.as_str()).collect();
    assert_eq!(
        checks,
        [
            "audit-log",
            "authn-bruteforce",
            "authn-required",
            "authn-strength",
            "cert-expiry",
            "config-baseline",
            "control-health",
            "cred-lifecycle",
            "data-class",
            "data-min",
            "deny-default",
            "dos-limits",
            "env-separation",
            "error-hygiene",
            "evidence-continuity",
            "function-authz",
            "inventory-complete",
            "least-privilege",
            "log-content",
            "log-integrity",
            "log-redaction",
            "mfa-user",
            "net-restrict",
            "object-authz",
            "owner-assigned",
            "pan-mask",
            "pan-nonprod",
            "property-authz",
            "rate-limit",
            "response-dlp",
            "response-validate",
            "sad-block",
            "schema-defined",
            "schema-enforce",
            "secrets-exposure",
            "sender-constrained",
            "service-identity",
            "session-timeout",
            "shadow-zombie",
            "tenant-isolation",
            "tls-cipher",
            "tls-min-version",
            "unique-cred",
            "version-deprecation",
        ]
    );
    let controls: Vec<(&str, usize)> = catalog
        .frameworks()
        .iter()
        .map(|framework| (framework.id.as_str(), framework.controls.len()))
        .collect();
    assert_eq!(controls, [("nist-sp-800-228-upd1", 26), ("owasp-api-2023", 10), ("pci-dss-4.0.1", 154)]);
}

/// A check never names a framework: its METADATA and rules know nothing of who asks.
#[test]
fn no_check_names_a_framework() {
    let catalog = catalog();
    let mut names: Vec<String> =
        ["OWASP", "PCI", "NIST", "800-228", "DSS", "ISO 27001", "SOC 2", "GDPR"].map(str::to_owned).into();
    names.extend(catalog.frameworks().iter().map(|framework| framework.title.clone()));
    for source in &catalog.sources {
        for name in &names {
            assert!(!source.rego.contains(name.as_str()), "{} names {name}", source.file);
        }
    }
}

#[test]
fn rule_ids_belong_to_one_check() {
    let catalog = catalog();
    let mut seen = BTreeSet::new();
    for check in catalog.checks() {
        for rule in &check.rules {
            assert!(seen.insert(rule.id.clone()), "{} is in two checks", rule.id);
        }
    }
}

/// Rules that decide a status, each made never to hold: some example must notice.
#[test]
fn a_check_without_one_of_its_rules_fails_its_examples() {
    let catalog = catalog();
    let mut mutants = 0;
    for source in &catalog.sources {
        for block in source.rego.split("\n\n").filter(|block| decides(block)) {
            let mutant = source.rego.replace(block, &never(block));
            assert_ne!(mutant, source.rego, "{block}");
            let report = alone(source, mutant).run_examples();
            assert!(!report.passed(), "{}: nothing notices the loss of\n{block}", source.file);
            assert!(report.faults.is_empty(), "{report}");
            mutants += 1;
        }
    }
    assert!(mutants > 80, "{mutants}");
}

/// A catalogue of one check, its module replaced.
fn alone(source: &CheckSource, rego: String) -> Catalog {
    let mut files = files::embedded();
    let own = source.file.replace(RULES_SUFFIX, EXAMPLES_SUFFIX);
    files.retain(|path, _| !path.contains('/') || *path == own);
    files.insert(source.file.clone(), rego.into_bytes());
    Catalog::load(files).unwrap()
}

fn decides(block: &str) -> bool {
    let first = block.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    ["fail contains", "pass contains", "not_applicable contains"].iter().any(|head| first.starts_with(head))
}

fn never(block: &str) -> String {
    let block = block.trim_end();
    match block.strip_suffix("\n}") {
        Some(body) => format!("{body}\n\tinput.version == 0\n}}"),
        None => {
            let (head, _) = block.rsplit_once(" if ").unwrap();
            format!("{head} if input.version == 0")
        }
    }
}

#[test]
fn a_wrong_expectation_is_told_with_its_place() {
    let path = "checks/log/log-content.examples.yaml";
    let report =
        changed(path, |text| text.replacen("status: pass", "status: fail", 1)).unwrap().run_examples();
    assert!(!report.passed());
    let text = report.to_string();
    assert!(
        text.contains(
            "\nchecks/log/log-content.examples.yaml:2:3: log-content: all fields: expected fail, found pass"
        ),
        "{text}"
    );
    let report =
        changed(path, |text| text.replace("status: no-evidence", "status: fail")).unwrap().run_examples();
    assert!(
        report.faults.iter().any(|fault| fault == "log-content: no example shows no-evidence"),
        "{report}"
    );
    let report = changed(path, |text| text.replace("[PRB-log-field-missing]", "[]")).unwrap().run_examples();
    assert!(
        report.faults.iter().any(|fault| fault.ends_with("no example shows PRB-log-field-missing")),
        "{report}"
    );
}

#[test]
fn faults_are_told_with_their_places() {
    let check = |path: &str, from: &str, to: &str, expected: &str| {
        let change = |text: String| {
            assert!(text.contains(from), "{path} lacks {from}");
            text.replacen(from, to, 1)
        };
        let found = first_fault(changed(path, change));
        assert!(found.starts_with(expected), "expected {expected}\nfound {found}");
    };
    let rego = "checks/log/log-content.rego";
    check(rego, "severity: medium", "severity: grave", "checks/log/log-content.rego:10:15: ");
    check(
        rego,
        "kind: automatic",
        "kindness: automatic",
        "checks/log/log-content.rego:9:5: missing key `kind`",
    );
    check(
        rego,
        "id: log-content",
        "id: log-contents",
        "checks/log/log-content.rego:1:1: the check `log-contents` stands in a file of another name",
    );
    check(
        rego,
        "needs: [log.fields]",
        "needs: [log.colour]",
        "checks/log/log-content.rego:13:13: the fact `log.colour` is not registered",
    );
    check(rego, "# METADATA", "# DATA", "checks/log/log-content.rego:1:1: the module has no METADATA");
    check(
        rego,
        "\"place\": field",
        "\"place\": time.now_ns()",
        "checks/log/log-content.rego:31:11: `time.now_ns` may not be called",
    );
    check(
        rego,
        "not entry.value[field]",
        "not entry.value[field",
        "checks/log/log-content.rego:38:1: the rules do not compile",
    );
    check("facts.yaml", "type: boolean", "type: truth", "facts.yaml:");
    check(
        "facts.yaml",
        "key: operation.calls",
        "key: operation.seen",
        "facts.yaml:1:1: the fact `operation.seen` is registered twice",
    );
    check("risk.yaml", "tier: low", "tier: tiny", "risk.yaml:");
    let owasp = "frameworks/owasp-api-2023.yaml";
    check(owasp, "mode: auto", "mode: automatic", "frameworks/owasp-api-2023.yaml:11:9: ");
    check(
        owasp,
        "\"API2:2023\"",
        "\"API1:2023\"",
        "frameworks/owasp-api-2023.yaml:15:7: the control `API1:2023` is there twice",
    );
    check(
        owasp,
        "id: owasp-api-2023",
        "id: owasp",
        "frameworks/owasp-api-2023.yaml:1:1: the framework `owasp` stands in a file of another name",
    );
    check("frameworks/pci-dss-4.0.1.yaml", "{ minimum: ", "{ lowest: ", "frameworks/pci-dss-4.0.1.yaml:");
    check(
        "frameworks/pci-dss-4.0.1.yaml",
        "{ minimum: \"1.2\" }",
        "{ minimum: \"1.3\" }",
        "frameworks/pci-dss-4.0.1.yaml:111:7: the control `2.2.7` states `minimum: \"1.3\"` for `tls-min-version`, \
         expected `\"1.2\"`",
    );
}

#[test]
fn files_that_do_not_belong_are_faults() {
    let check = |change: &dyn Fn(&mut Files), expected: &str| {
        let mut files = files::embedded();
        change(&mut files);
        let found = first_fault(Catalog::load(files));
        assert!(found.starts_with(expected), "expected {expected}\nfound {found}");
    };
    check(
        &|files| drop(files.insert("notes.txt".into(), b"x".to_vec())),
        "notes.txt:1:1: the file does not belong",
    );
    check(
        &|files| drop(files.insert("facts.yaml".into(), vec![0xff])),
        "facts.yaml:1:1: the file is not UTF-8",
    );
    check(&|files| drop(files.remove("risk.yaml")), "risk.yaml:1:1: the file is missing");
    check(
        &|files| drop(files.remove("checks/log/log-content.examples.yaml")),
        "checks/log/log-content.examples.yaml:1:1: the check has no examples",
    );
    check(
        &|files| drop(files.remove("checks/log/log-content.rego")),
        "checks/log/log-content.examples.yaml:1:1: there is no check",
    );
    check(
        &|files| {
            let copy = files["checks/log/log-content.rego"].clone();
            files.insert("checks/other/log-content.rego".into(), copy);
        },
        "checks/other/log-content.rego:1:1: the check `log-content` is in `checks/log/log-content.rego` too",
    );
    assert!(Catalog::from_dir(&folder().join("nowhere")).is_err());
}

#[test]
fn the_digest_covers_paths_and_contents() {
    let input = catalog().digest_input();
    let mut moved = files::embedded();
    moved.insert("README.md".into(), Vec::new());
    assert_ne!(Catalog::load(moved).unwrap().digest_input(), input);
    let other = changed("risk.yaml", |text| text.replace("sandbox = low", "sandbox is low")).unwrap();
    assert_ne!(other.digest_input(), input);
    assert_eq!(catalog().digest_input(), input);
}

#[test]
fn a_page_says_what_metadata_says() {
    let catalog = catalog();
    for check in catalog.checks() {
        let page = catalog.page(check);
        assert!(page.starts_with(&format!("# {}\n", check.title)), "{page}");
        for rule in &check.rules {
            assert!(page.contains(&format!("| `{}` | {} |", rule.id, rule.meaning)), "{page}");
        }
        for key in &check.needs {
            assert!(page.contains(&format!("| `{key}` |")), "{page}");
        }
    }
    let page = catalog.page(catalog.check(&"tls-min-version".into()).unwrap());
    assert!(page.contains("- PCI DSS 4.0.1: 1.2.6, 2.2.5, 2.2.7, 4.2.1, 8.3.2\n"), "{page}");
    assert!(page.contains("| `minimum` | `1.2` |"), "{page}");
}
