//! What holds for any calls in any order.

use std::collections::BTreeSet;

use probity_graph::Learner;
use probity_model::Template;
use proptest::prelude::*;

use super::{Session, path};

#[derive(Clone, Debug)]
enum Step {
    Call { method: &'static str, path: String, status: u16, shape: u64 },
    Settle,
    Fix(Vec<(&'static str, &'static str)>),
}

fn call() -> impl Strategy<Value = Step> {
    let segment = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "me",
        "list",
        "anna",
        "bela",
        "cleo",
        "v1",
        "17",
        "18",
        "x-1-22",
        "",
        "%20",
        "{id}",
        "0f3c9d5e1b2a",
    ]);
    (
        prop::sample::select(vec!["GET", "POST", "DELETE"]),
        prop::collection::vec(segment, 1..5),
        prop::sample::select(vec![200, 200, 200, 201, 302, 400, 404, 500]),
        0..6u64,
    )
        .prop_map(|(method, parts, status, shape)| Step::Call {
            method,
            path: format!("/{}", parts.join("/")),
            status,
            shape,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let fixed = prop::sample::subsequence(
        vec![
            ("GET", "/a"),
            ("GET", "/a/{aId}"),
            ("GET", "/a/{x}/b"),
            ("POST", "/{any}"),
            ("GET", "/{any}/17"),
            ("DELETE", "/me/{b}/{c}"),
        ],
        0..4,
    );
    prop_oneof![60 => call(), 1 => Just(Step::Settle), 1 => fixed.prop_map(Step::Fix)]
}

fn fixed(routes: &[(&str, &str)]) -> Vec<(String, Template)> {
    routes.iter().map(|(method, template)| ((*method).to_owned(), Template::new(template))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Nothing that was ever answered is lost: its renames, in order, end at an operation that is known.
    #[test]
    fn renames_lead_to_what_is_known(steps in prop::collection::vec(step(), 1..400)) {
        let mut session = Session::default();
        let mut documented = BTreeSet::new();
        for step in steps {
            match step {
                Step::Call { method, path, status, shape } => {
                    session.call(&format!("{method} {path}"), status, shape);
                }
                Step::Settle => session.settle(),
                Step::Fix(routes) => {
                    documented.extend(fixed(&routes));
                    session.learner.fix(fixed(&routes));
                    let renames = session.learner.renames();
                    session.rename(renames);
                }
            }
        }
        session.settle();
        let known: BTreeSet<(String, Template)> = session.learner.learned().into_iter().chain(documented).collect();
        for answer in &session.answered {
            prop_assert!(known.contains(answer), "{answer:?} is not among {known:?}");
        }
    }

    /// A learner that was kept and read back goes on exactly as it would have.
    #[test]
    fn a_snapshot_changes_nothing(before in prop::collection::vec(step(), 1..200), after in prop::collection::vec(step(), 1..200)) {
        let mut learner = Learner::new();
        let run = |learner: &mut Learner, steps: &[Step]| -> Vec<Option<Template>> {
            steps.iter().map(|step| match step {
                Step::Call { method, path: text, status, shape } => learner.observe(method, &path(text), *status, *shape),
                Step::Settle => { learner.settle(); None }
                Step::Fix(routes) => { learner.fix(fixed(routes)); None }
            }).collect()
        };
        run(&mut learner, &before);
        let mut read: Learner = serde_json::from_slice(&serde_json::to_vec(&learner).unwrap()).unwrap();
        prop_assert_eq!(run(&mut learner, &after), run(&mut read, &after));
        prop_assert_eq!(learner.renames(), read.renames());
        prop_assert_eq!(learner.learned(), read.learned());
        prop_assert_eq!(serde_json::to_vec(&learner).unwrap(), serde_json::to_vec(&read).unwrap());
    }

    /// Where a good answer was an operation's, asking again finds one. (An error may have joined a variable that is no
    /// more.)
    #[test]
    fn what_was_observed_is_found(steps in prop::collection::vec(call(), 1..300)) {
        let mut session = Session::default();
        let mut seen = Vec::new();
        for step in &steps {
            let Step::Call { method, path, status, shape } = step else { continue };
            let line = format!("{method} {path}");
            if session.call(&line, *status, *shape).is_some() && *status < 400 {
                seen.push(line);
            }
        }
        session.settle();
        for line in seen {
            prop_assert!(session.assigned(&line).is_some(), "{line}");
        }
    }
}
