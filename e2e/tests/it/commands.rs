//! Every command, asked of the process that works in the data folder and of the folder itself once that has stopped.

use serde_json::{Value, json};

use crate::binary::{Place, repository};
use crate::running::Running;
use crate::shop::{self, DEBUG, ORDER, PAYMENT};

#[test]
fn commands_answer_while_it_runs_and_after_it_stopped() {
    let place = Place::new();
    // Another id than the default one: commands without a configuration must know it from the folder.
    let _shop = shop::open(&place, "");
    let text = std::fs::read_to_string(place.path("probity.yaml")).unwrap();
    place.write("probity.yaml", text.replace("gateway:\n", "gateway:\n  id: gw-shop\n"));
    let running = Running::start(&place);
    let call = shop::visit(&place, &running);
    look(&place, &call, true);
    refuse(&place);
    // The process that runs answers for whoever asks, as the kernel knows them, not for who started it or what they say.
    change(&place, "team-first", &account());
    running.stop();
    look(&place, &call, false);
    refuse(&place);
    assert_eq!(owner(&place), "team-first", "what was set while it ran stays");
    change(&place, "team-second", "tester");
    assert_eq!(owner(&place), "team-second");
    place.run(["verify", &place.text("data")]).exits(0);
}

fn id_of_finding(place: &Place) -> String {
    let findings = place.json(["finding", "list", "--state", "all", "--check", "pan-mask"]);
    findings[0]["id"].as_str().unwrap().to_owned()
}

/// Everything that only looks; `open` says whether the finding of the shown card number is still open.
fn look(place: &Place, call: &str, open: bool) {
    let finding = id_of_finding(place);
    let short = &finding[..10];
    let rows: &[(&[&str], &[&str])] = &[
        (&["inventory", "list"], &[ORDER, PAYMENT, DEBUG, "owner team-shop"]),
        (&["inventory", "list", "--state", "shadow"], &[DEBUG]),
        (&["inventory", "list", "--service", "shop", "--state", "documented"], &[ORDER, PAYMENT]),
        (&["inventory", "list", "--state", "zombie"], &["no operation"]),
        (
            &["inventory", "show", PAYMENT],
            &["documented", "openapi.yaml:", "card-number at response-body /card/number"],
        ),
        (&["finding", "list", "--state", "all"], &["pan-mask", "response-dlp", DEBUG]),
        (&["finding", "list", "--severity", "critical"], &["response-dlp"]),
        (&["finding", "show", short], &[&finding, "an answer shows a card number in clear", "to fix"]),
        (&["compliance", "status", "--framework", "pci-dss-4.0.1"], &["not-met        pci-dss-4.0.1/3.4.1"]),
        (
            &["compliance", "status"],
            &["owasp-api-2023/API1:2023", "object-authz: no data", "abuse-flows: not in this version"],
        ),
        (&["explain", short], &["pci-dss-4.0.1/3.4.1", "leaf ", "judged input", "traffic.classes"]),
        (&["explain", call], &["answered 200", call, "card-number", "open findings of the operation"]),
        (&["explain", "pan-mask"], &["passes on", "PRB-pan-clear", "outcomes (3)", PAYMENT]),
        (&["explain", "pci-dss-4.0.1/3.4.1"], &["not-met", "pan-mask", PAYMENT]),
        (&["report", "pci-dss-4.0.1", "-o", "-"], &["<!DOCTYPE html>", "3.4.1", PAYMENT]),
        (&["ledger", "key"], &["probity.local/shop/evidence+"]),
        (&["ledger", "checkpoint"], &["probity.local/shop/evidence\n", "\n— probity.local/shop/evidence "]),
        (&["ledger", "checkpoint", "--log", "verdicts"], &["probity.local/shop/verdicts\n"]),
        (&["doctor", "--config", "probity.yaml"], &["keys/root.key", "self-consistent", "configuration"]),
    ];
    for (arguments, words) in rows {
        let answer = place.run(*arguments).exits(0);
        words.iter().fold(answer, |answer, word| answer.says(word));
    }
    let listed = place.run(["inventory", "list", "--state", "shadow"]).exits(0);
    assert!(!listed.out.contains(ORDER), "{listed}");
    let raw = place.run(["explain", call]).exits(0);
    assert!(!raw.out.contains("4111111111111111"), "a value is never recorded: {raw}");

    let report = place.path("pci.json");
    place.run(["report", "pci-dss-4.0.1", "--format", "json", "-o", &report.display().to_string()]).exits(0);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(report["framework_id"], "pci-dss-4.0.1");
    assert_eq!(report["controls"].as_array().unwrap().len(), 154);
    let reported = report["findings"].as_array().unwrap().iter().any(|found| found["id"] == finding.as_str());
    assert_eq!(reported, open, "a report lists what is open");

    let operation = place.json(["inventory", "show", ORDER]);
    assert_eq!(
        (&operation["id"], &operation["observed"]["calls"]),
        (&json!(format!("shop {ORDER}")), &json!(2))
    );
    let control = place.json(["explain", "pci-dss-4.0.1/3.4.1"]);
    assert_eq!(
        (&control["explains"], &control["verdicts"][0]["status"]),
        (&json!("control"), &json!("not-met"))
    );
}

fn owner(place: &Place) -> String {
    place.json(["inventory", "show", DEBUG])["owner"]["value"].as_str().unwrap().to_owned()
}

/// The account that runs the tests.
fn account() -> String {
    let out = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn change(place: &Place, owner: &str, by: &str) {
    let set = ["inventory", "set", DEBUG, "--owner", owner, "--audience", "internal", "--tag", "legacy"];
    place.run(set).exits(0).says(&format!("{owner} (inventory set)")).says("internal");
    place
        .run(["inventory", "review", "--note", "looked at all of it"])
        .exits(0)
        .says("review of 3 operations");
    let finding = id_of_finding(place);
    let until = ["--until", "2027-06-30"];
    place.run(["finding", "mute", &finding, "--reason", "rolled out on Monday", until[0], until[1]]).exits(0);
    place
        .run(["finding", "show", &finding])
        .exits(0)
        .says(&format!("muted by {by}"))
        .says("rolled out on Monday");
    let open = place.json(["finding", "list", "--check", "pan-mask"]);
    assert_eq!(open, json!([]), "a muted finding is not open");
}

fn refuse(place: &Place) {
    let finding = id_of_finding(place);
    let mute = ["finding", "mute", &finding];
    let rows: &[(&[&str], i32, &str)] = &[
        (&["inventory", "list", "--state", "shaddow"], 2, "expected one of documented, not-yet-seen"),
        (&["inventory", "show", "GET /nothing"], 4, "no operation matches `GET /nothing`"),
        (&["inventory", "set", DEBUG], 2, "nothing to set"),
        (&["finding", "list", "--severity", "grave"], 2, "no severity `grave`"),
        (&["finding", "show", "f-00000000"], 4, "no finding `f-00000000`"),
        (&[&mute[..], &["--until", "2027-06-30"]].concat(), 2, "--reason"),
        (&[&mute[..], &["--reason", " ", "--until", "2027-06-30"]].concat(), 2, "a mute needs a reason"),
        (&[&mute[..], &["--reason", "x", "--until", "2020-01-31"]].concat(), 2, "must end in the future"),
        (&[&mute[..], &["--reason", "x", "--until", "2920-01-31"]].concat(), 4, "within 366 days"),
        (&[&mute[..], &["--reason", "x", "--until", "tomorrow"]].concat(), 2, "`tomorrow` is not a date"),
        (&["explain", "nonsense"], 4, "`nonsense` names nothing here"),
        (&["report", "iso-27001"], 4, "no framework `iso-27001`, expected one of"),
        (&["compliance", "status", "--framework", "iso-27001"], 4, "no framework `iso-27001`"),
        (&["report", "pci-dss-4.0.1", "--format", "text"], 2, "html or json"),
        (&["inventory", "list", "--format", "html"], 2, "html is the format of reports"),
        (&["everything"], 2, "unrecognized subcommand"),
    ];
    for (arguments, code, words) in rows {
        place.run(*arguments).exits(*code).complains(words);
    }
}

#[test]
fn a_second_process_cannot_work_in_the_same_folder() {
    let place = Place::new();
    let _shop = shop::open(&place, "");
    let running = Running::start(&place);
    let config = place.text("probity.yaml");
    place.run(["up", "--config", &config]).exits(4).complains("another probity works in");
    running.stop();
}

#[test]
fn a_folder_without_data_is_said_to_be_none() {
    let place = Place::new();
    for arguments in [&["inventory", "list"][..], &["finding", "list"], &["ledger", "key"]] {
        place.run(arguments).exits(4).complains("is not a data folder of probity");
    }
    assert!(!place.data().exists(), "looking must not create it");
    let missing = place.text("nowhere");
    place.run(["verify", &missing]).exits(2).complains("is not a folder");
}

#[test]
fn what_needs_no_data_says_what_it_is() {
    let place = Place::new();
    place
        .run(["version"])
        .exits(0)
        .says(&format!("probity {}", env!("CARGO_PKG_VERSION")))
        .says("exchange 1");
    assert_eq!(place.json(["version"])["verdict"], 1);
    for (shell, words) in
        [("bash", "complete -F _probity"), ("zsh", "#compdef probity"), ("fish", "complete -c probity")]
    {
        place.run(["completions", shell]).exits(0).says(words).says("inventory");
    }
    place.run(["completions", "tcsh"]).exits(2).complains("possible values");
    place.run(["catalog", "test"]).exits(0).says(", 0 failed");
    let list = place.json(["catalog", "list"]);
    let count = |key: &str| list[key].as_array().unwrap().len();
    assert!(count("checks") >= 22 && count("frameworks") == 3, "{list}");
    let folder = repository("catalog");
    let own = place.json(["catalog", "list", "--catalog", &folder]);
    assert_eq!(own["checks"].as_array().unwrap().len(), count("checks"));
    let pages = place.json(["catalog", "pages"]);
    assert!(pages["pan-mask"].as_str().unwrap().contains("PRB-pan-clear"));
    assert!(!place.data().exists());
}

#[test]
fn every_command_helps_with_an_example() {
    let place = Place::new();
    let commands = [
        "up",
        "demo",
        "import",
        "check",
        "inventory",
        "inventory list",
        "inventory show",
        "inventory set",
        "inventory review",
        "finding",
        "finding list",
        "finding show",
        "finding mute",
        "compliance",
        "compliance status",
        "report",
        "verify",
        "ledger",
        "ledger checkpoint",
        "ledger key",
        "explain",
        "catalog",
        "catalog test",
        "catalog list",
        "config",
        "config validate",
        "config schema",
        "config show",
        "doctor",
        "version",
        "completions",
    ];
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        place.run(arguments).exits(0).says("Example:\n  probity ").says("Usage: probity");
    }
}
