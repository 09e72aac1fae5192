//! From where, what was retired, and what stands before the upstream.

use probity_model::bundle::network::{
    Breaker, HealthCheck, Maintenance, NetworkPolicy, OriginRule, Retired, Retries,
};
use probity_model::bundle::{Bundle, Protection};
use probity_model::{Action, EnforcementMode, Timestamp};

use crate::harness::*;

fn policy() -> NetworkPolicy {
    NetworkPolicy {
        mode: EnforcementMode::Block,
        origins: Vec::new(),
        country_file: None,
        maintenance: None,
        retired: Vec::new(),
        retries: None,
        breaker: None,
        health: None,
    }
}

fn protected(upstreams: &[std::net::SocketAddr], network: NetworkPolicy) -> Bundle {
    let mut bundle = bundle(upstreams);
    for service in &mut bundle.services {
        service.operations = vec![operation("clinic", "GET", "/a"), operation("clinic", "GET", "/b")];
        service.protection = Some(Protection { network: Some(network.clone()), ..Protection::default() });
    }
    bundle
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: clinic\r\nConnection: close\r\n\r\n")
}

fn from(allow: &[&str], deny: &[&str], operations: Option<Vec<u32>>) -> OriginRule {
    let list = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    OriginRule {
        name: "office".into(),
        operations,
        allow: list(allow),
        deny: list(deny),
        allow_countries: Vec::new(),
        deny_countries: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_let_through_by_operation() {
    let upstream = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    for (rule, path, expected) in [
        (from(&["127.0.0.0/8"], &[], None), "/a", 200),
        (from(&["10.0.0.0/8"], &[], None), "/a", 403),
        (from(&["10.0.0.0/8"], &[], Some(vec![0])), "/a", 403),
        (from(&["10.0.0.0/8"], &[], Some(vec![0])), "/b", 200),
        (from(&["127.0.0.0/8"], &["127.0.0.1/32"], None), "/b", 403),
        (from(&["10.0.0.0/8"], &[], Some(vec![0])), "/unknown", 200),
    ] {
        let bench =
            Bench::start(&protected(&[upstream], NetworkPolicy { origins: vec![rule.clone()], ..policy() }))
                .await;
        let told = bench.raw(&ask(path)).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {expected}")), "{rule:?} {path}: {told}");
        let record = bench.record();
        assert_eq!(record.decisions.len(), usize::from(expected == 403));
        if let Some(decision) = record.decisions.first() {
            assert_eq!((decision.rule.as_str(), decision.action), ("gateway-origin-office", Action::Refuse));
            assert_eq!(decision.revision, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observed_rule_flags_and_lets_through() {
    let upstream = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    let network = NetworkPolicy {
        mode: EnforcementMode::Observe,
        origins: vec![from(&["10.0.0.0/8"], &[], None)],
        ..policy()
    };
    let bench = Bench::start(&protected(&[upstream], network)).await;
    assert!(bench.raw(&ask("/a")).await.starts_with("HTTP/1.1 200"));
    assert_eq!(bench.record().decisions[0].action, Action::Flag);
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_operations_are_gone_or_announced() {
    let upstream = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    let retired = |operation, removed, sunset| Retired {
        operation,
        removed,
        deprecated: true,
        sunset,
        successor: Some("https://clinic.example/v2".into()),
    };
    let past = Timestamp::parse("2026-01-01T00:00:00Z");
    let ahead = Timestamp::parse("2099-01-01T00:00:00Z");
    for (retired, status, field) in [
        (retired(0, true, None), 410, "rel=\"successor-version\""),
        (retired(0, false, past), 410, "sunset: Thu, 01 Jan 2026 00:00:00 GMT"),
        (retired(0, false, ahead), 200, "sunset: Thu, 01 Jan 2099 00:00:00 GMT"),
    ] {
        let network = NetworkPolicy { retired: vec![retired.clone()], ..policy() };
        let bench = Bench::start(&protected(&[upstream], network)).await;
        let told = bench.raw(&ask("/a")).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{retired:?}: {told}");
        assert!(told.contains(field), "{retired:?}: {told}");
        assert!(bench.raw(&ask("/b")).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_answered_with_its_end() {
    let upstream = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    let maintenance = Maintenance {
        operations: Some(vec![1]),
        until: Timestamp::parse("2099-01-01T00:00:00Z"),
        text: "back soon".into(),
    };
    let network = NetworkPolicy { maintenance: Some(maintenance), ..policy() };
    let bench = Bench::start(&protected(&[upstream], network)).await;
    let told = bench.raw(&ask("/b")).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: "), "{told}");
    assert!(told.contains("back soon"), "{told}");
    assert!(bench.raw(&ask("/a")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_is_left_alone_and_another_asked() {
    let bad = origin(|_| async { answer(503, "text/plain", "no") }).await;
    let good = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    let network = NetworkPolicy {
        retries: Some(Retries { attempts: 1, budget_percent: 100, on_status: true }),
        breaker: Some(Breaker { failures: 1, open_ms: 60_000 }),
        ..policy()
    };
    let bench = Bench::start(&protected(&[bad, good], network.clone())).await;
    for _ in 0..6 {
        assert!(bench.raw(&ask("/a")).await.starts_with("HTTP/1.1 200"));
    }
    let alone = Bench::start(&protected(&[bad], NetworkPolicy { retries: None, ..network })).await;
    assert!(alone.raw(&ask("/a")).await.contains("\r\n\r\nno"));
    let left = alone.raw(&ask("/a")).await;
    assert!(left.starts_with("HTTP/1.1 503") && left.contains("upstream-circuit-open"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_takes_an_upstream_out() {
    let sick = origin(|request| async move {
        if request.uri().path() == "/healthz" {
            answer(500, "text/plain", "sick")
        } else {
            answer(200, "text/plain", "sick")
        }
    })
    .await;
    let well = origin(|_| async { answer(200, "text/plain", "well") }).await;
    let network = NetworkPolicy {
        health: Some(HealthCheck {
            path: "/healthz".into(),
            every_ms: 10,
            timeout_ms: 1_000,
            unhealthy: 1,
            healthy: 1,
        }),
        ..policy()
    };
    let bench = Bench::start(&protected(&[sick, well], network)).await;
    let settled = async {
        let mut in_a_row = 0;
        while in_a_row < 8 {
            in_a_row = if bench.raw(&ask("/a")).await.contains("\r\n\r\nwell") { in_a_row + 1 } else { 0 };
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("the sick one is taken out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staged_draft_flags_and_changes_nothing() {
    let upstream = origin(|_| async { answer(200, "text/plain", "fine") }).await;
    let mut bundle = protected(&[upstream], policy());
    let draft = NetworkPolicy {
        origins: vec![from(&["10.0.0.0/8"], &[], None)],
        retired: vec![Retired {
            operation: 0,
            removed: true,
            deprecated: false,
            sunset: None,
            successor: None,
        }],
        ..policy()
    };
    for service in &mut bundle.services {
        service.staged = Some(Protection { network: Some(draft.clone()), ..Protection::default() });
    }
    let bench = Bench::start(&bundle).await;
    assert!(bench.raw(&ask("/a")).await.starts_with("HTTP/1.1 200"));
    let record = bench.record();
    let rules: Vec<_> = record.decisions.iter().map(|made| (made.rule.as_str(), made.action)).collect();
    let flagged = |rule| (rule, Action::Flag);
    assert_eq!(rules, [flagged("draft:gateway-origin-office"), flagged("draft:gateway-operation-removed")]);
}
