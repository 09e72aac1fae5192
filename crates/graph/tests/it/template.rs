//! The learner of path templates, call by call.

mod limits;
mod properties;
mod quality;
#[path = "../../examples/support/score.rs"]
mod score;
mod services;
#[path = "../../examples/support/traffic.rs"]
mod traffic;

use probity_graph::Learner;
use probity_graph::template::Rename;
use probity_model::path::segments;
use probity_model::{Segment, Template};

use traffic::{hash_text, mix};

fn path(text: &str) -> Vec<Segment> {
    segments(text, |raw| hash_text(raw, 1))
}

/// A learner, and everything that it answered, kept under its newest name.
#[derive(Default)]
struct Session {
    learner: Learner,
    answered: Vec<(String, Template)>,
}

impl Session {
    fn call(&mut self, line: &str, status: u16, shape: u64) -> Option<Template> {
        let (method, text) = line.split_once(' ').unwrap();
        let found = self.learner.observe(method, &path(text), status, shape);
        let renames = self.learner.renames();
        self.rename(renames);
        if let Some(found) = &found {
            self.answered.push((method.to_owned(), found.clone()));
        }
        found
    }

    fn settle(&mut self) {
        self.learner.settle();
        let renames = self.learner.renames();
        self.rename(renames);
    }

    fn rename(&mut self, renames: Vec<Rename>) {
        for rename in renames {
            for (method, template) in &mut self.answered {
                if *method == rename.method && *template == rename.from {
                    *template = rename.into.clone();
                }
            }
        }
    }

    fn assigned(&self, line: &str) -> Option<String> {
        let (method, text) = line.split_once(' ').unwrap();
        self.learner.assign(method, &path(text)).map(|template| template.to_string())
    }

    fn learned(&self) -> Vec<String> {
        let mut learned: Vec<String> = self
            .learner
            .learned()
            .into_iter()
            .map(|(method, template)| format!("{method} {template}"))
            .collect();
        learned.sort();
        learned
    }
}

const NAMES: [&str; 8] = ["anna", "bela", "cleo", "dina", "enzo", "fritz", "gita", "henry"];

/// Several operations that answer each in its own way, so that chance is known to be small.
fn surroundings(session: &mut Session) {
    for (index, name) in
        ["health", "metrics", "rates", "shops", "carts", "orders", "banners", "menus"].iter().enumerate()
    {
        for _ in 0..3 {
            session.call(&format!("GET /{name}"), 200, mix(1000 + index as u64));
        }
    }
}

#[test]
fn typed_values_vary_and_words_do_not() {
    let mut session = Session::default();
    for (line, expected) in [
        ("GET /v1/patients/17", "/v1/patients/{patientId}"),
        ("GET /v1/patients/18/visits/2024-01-02", "/v1/patients/{patientId}/visits/{visitId}"),
        ("GET /v1/patients/18/visits", "/v1/patients/{patientId}/visits"),
        ("DELETE /v1/patients/6c1d3f0e-88aa-4b1c-9d0e-5c2f6f1e2a3b", "/v1/patients/{patientId}"),
        ("POST /v1/oauth2/token", "/v1/oauth2/token"),
        ("GET /", "/"),
        ("GET /v1/patients/", "/v1/patients/"),
    ] {
        assert_eq!(session.call(line, 200, hash_text(line, 3)).unwrap().as_str(), expected, "{line}");
    }
}

#[test]
fn words_that_answer_alike_are_values() {
    let mut session = Session::default();
    surroundings(&mut session);
    for name in NAMES {
        session.call(&format!("GET /users/{name}"), 200, 1);
        session.call(&format!("GET /users/{name}/posts"), 200, 2);
    }
    session.call("GET /users/search", 200, 3);
    session.settle();
    assert_eq!(session.assigned("GET /users/anna").unwrap(), "/users/{userId}");
    assert_eq!(session.assigned("GET /users/someone-new/posts").unwrap(), "/users/{userId}/posts");
    assert_eq!(session.assigned("GET /users/search").unwrap(), "/users/search");
    let users =
        session.answered.iter().filter(|(_, template)| template.as_str() == "/users/{userId}").count();
    assert_eq!(users, NAMES.len(), "earlier answers were renamed");
}

#[test]
fn two_variants_of_an_answer_are_one() {
    let mut session = Session::default();
    surroundings(&mut session);
    for (index, name) in NAMES.iter().enumerate() {
        session.call(&format!("GET /users/{name}"), 200, if index % 2 == 0 { 1 } else { 2 });
    }
    session.call("GET /users/anna", 200, 2);
    session.settle();
    for name in NAMES {
        assert_eq!(session.assigned(&format!("GET /users/{name}")).unwrap(), "/users/{userId}");
    }
}

#[test]
fn a_shape_that_everything_shares_joins_nothing() {
    let mut session = Session::default();
    for (index, place) in ["jobs", "pumps", "mixers", "ovens", "fans"].iter().enumerate() {
        for _ in 0..4 {
            session.call(&format!("GET /{place}"), 200, 100 + index as u64);
            for name in ["start", "stop", "pause"] {
                session.call(&format!("POST /{place}/all/{name}"), 204, 7);
            }
        }
    }
    session.settle();
    for name in ["start", "stop", "pause"] {
        assert_eq!(session.assigned(&format!("POST /ovens/all/{name}")), Some(format!("/ovens/all/{name}")));
    }
}

#[test]
fn errors_join_a_variable_that_is_there() {
    let mut session = Session::default();
    surroundings(&mut session);
    session.call("GET /users/ghost", 500, 9);
    assert_eq!(session.assigned("GET /users/ghost").unwrap(), "/users/ghost", "nothing better is known");
    for name in NAMES {
        session.call(&format!("GET /users/{name}"), 200, 1);
    }
    session.settle();
    assert_eq!(session.assigned("GET /users/ghost").unwrap(), "/users/{userId}");
    for status in [400, 403, 404, 500] {
        let found =
            session.call(&format!("GET /users/nobody-{}", "x".repeat(status as usize / 100)), status, 9);
        assert_eq!(found.unwrap().as_str(), "/users/{userId}", "{status}");
    }
}

#[test]
fn paths_that_do_not_exist_are_left_out() {
    let mut session = Session::default();
    for status in [404, 405, 410] {
        assert_eq!(session.call("GET /wp-login.php", status, 9), None);
        assert_eq!(session.call("PUT /users/17", status, 9), None);
    }
    session.settle();
    assert_eq!(session.learned(), Vec::<String>::new());
    session.call("GET /users/17", 200, 1);
    assert_eq!(session.call("GET /users/18", 404, 9).unwrap().as_str(), "/users/{userId}");
    assert_eq!(session.call("PUT /users/18", 405, 9), None, "another method");
    assert_eq!(session.learned(), ["GET /users/{userId}"]);
}

#[test]
fn a_value_that_proves_to_be_a_literal_leaves() {
    let mut session = Session::default();
    surroundings(&mut session);
    for name in NAMES.iter().chain(&["me"]) {
        for _ in 0..4 {
            session.call(&format!("GET /users/{name}"), 200, 1);
            session.call(&format!("GET /users/{name}/posts"), 200, 2);
        }
    }
    session.settle();
    assert_eq!(session.assigned("GET /users/me").unwrap(), "/users/{userId}");
    for _ in 0..30 {
        session.call("GET /users/me/settings", 200, 3);
    }
    session.settle();
    assert_eq!(session.assigned("GET /users/me/settings").unwrap(), "/users/me/settings");
    assert_eq!(session.assigned("GET /users/me").unwrap(), "/users/me");
    assert_eq!(session.assigned("GET /users/anna").unwrap(), "/users/{userId}");
    assert!(session.answered.iter().all(|(_, template)| template.as_str() != "/users/{userId}/settings"));
}

#[test]
fn a_variable_that_was_none_falls_apart() {
    let mut session = Session::default();
    surroundings(&mut session);
    for name in ["audit", "billing", "catalog", "delivery"] {
        session.call(&format!("GET /{name}/status"), 200, 1);
    }
    session.settle();
    assert_eq!(session.assigned("GET /billing/status").unwrap(), "/{id}/status");
    for (index, name) in ["audit", "billing", "catalog", "delivery"].iter().enumerate() {
        for _ in 0..20 {
            session.call(&format!("GET /{name}/items"), 200, 10 + index as u64);
            session.call(&format!("POST /{name}/items"), 201, 20 + index as u64);
        }
    }
    session.settle();
    assert_eq!(session.assigned("GET /billing/status").unwrap(), "/billing/status");
    let learned = session.learned();
    assert!(
        session.answered.iter().all(|(method, template)| learned.contains(&format!("{method} {template}")))
    );
}

#[test]
fn documented_templates_win() {
    let mut session = Session::default();
    let fixed = |lines: &[&str]| -> Vec<(String, Template)> {
        lines
            .iter()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(method, template)| (method.to_owned(), Template::new(template)))
            .collect()
    };
    session.learner.fix(fixed(&[
        "GET /users/{login}",
        "GET /users/me",
        "GET /users/{login}/keys/{key}",
        "GET /users/me/keys/active",
        "GET /2010-04-01/calls",
    ]));
    for (line, expected) in [
        ("GET /users/anna", "/users/{login}"),
        ("GET /users/me", "/users/me"),
        ("GET /users/me/keys/active", "/users/me/keys/active"),
        ("GET /users/me/keys/other", "/users/{login}/keys/{key}"),
        ("GET /2010-04-01/calls", "/2010-04-01/calls"),
        // Undocumented, below what is documented.
        ("GET /users/bela/secrets", "/users/{login}/secrets"),
        ("PUT /users/17", "/users/{login}"),
    ] {
        assert_eq!(session.call(line, 200, hash_text(line, 4)).unwrap().as_str(), expected, "{line}");
    }
    assert_eq!(session.learned(), ["GET /users/{login}/secrets", "PUT /users/{login}"]);
}

#[test]
fn documenting_what_was_learned_renames_it() {
    let mut session = Session::default();
    session.call("GET /users/17", 200, 1);
    session.call("PUT /users/17", 200, 1);
    session.call("GET /users/anna", 200, 2);
    session.learner.fix([("GET".to_owned(), Template::new("/users/{login}"))]);
    let renames = session.learner.renames();
    session.rename(renames);
    let answered: Vec<&str> = session.answered.iter().map(|(_, template)| template.as_str()).collect();
    assert_eq!(answered, ["/users/{login}", "/users/{login}", "/users/{login}"]);
    assert_eq!(session.learned(), ["PUT /users/{login}"]);
}
