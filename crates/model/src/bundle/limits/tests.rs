use super::*;

fn limit(name: &str, mode: EnforcementMode, applies: LimitMatch, algorithm: LimitAlgorithm) -> Limit {
    Limit {
        name: name.into(),
        mode,
        by: vec![LimitKey::Consumer],
        applies,
        algorithm,
        cost: LimitCost::default(),
    }
}

fn policy() -> LimitPolicy {
    let bucket = || LimitAlgorithm::TokenBucket { burst: 10, rate: 5, per_ms: 1_000 };
    let only = |operation| LimitMatch { operations: Some(vec![operation]), ..LimitMatch::default() };
    LimitPolicy {
        mode: EnforcementMode::Block,
        limits: vec![
            limit("all", EnforcementMode::Block, LimitMatch::default(), bucket()),
            limit("soft", EnforcementMode::Observe, LimitMatch::default(), bucket()),
            limit("one", EnforcementMode::Block, only(1), LimitAlgorithm::Concurrency { limit: 3 }),
            limit(
                "staff",
                EnforcementMode::Block,
                LimitMatch { roles: vec!["staff".into()], ..LimitMatch::default() },
                bucket(),
            ),
            limit(
                "writes",
                EnforcementMode::Block,
                LimitMatch { methods: vec!["POST".into()], ..LimitMatch::default() },
                bucket(),
            ),
        ],
        announce: false,
        sign_in: vec![SignIn { operation: 1, name: Some(NameSource::Body("/user".into())) }],
        escalations: vec![Escalation {
            name: "lockout".into(),
            mode: EnforcementMode::Block,
            watch: Watch::SignIn,
            by: EscalationKey::Name,
            window_ms: 60_000,
            steps: vec![
                EscalationStep { after: 3, action: EscalationAction::Slow { ms: 500 } },
                EscalationStep { after: 10, action: EscalationAction::Block { ms: 1_800_000 } },
            ],
        }],
        challenge: None,
    }
}

fn names(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(|name| &**name).collect()
}

#[test]
fn what_stands_for_an_operation() {
    let policy = policy();
    let get = describes(&policy, 0, "GET");
    assert_eq!((names(&get.rate), names(&get.soft)), (vec!["all"], vec!["soft"]));
    assert_eq!((get.concurrency.len(), get.sign_in, get.lockout), (0, false, None));
    let post = describes(&policy, 1, "POST");
    assert_eq!((names(&post.rate), names(&post.concurrency)), (vec!["all", "writes"], vec!["one"]));
    assert_eq!((post.sign_in, post.lockout), (true, Some((10, 1_800_000))));
    let observing = LimitPolicy { mode: EnforcementMode::Observe, ..policy.clone() };
    let observed = describes(&observing, 1, "POST");
    assert_eq!((observed.rate.len(), names(&observed.soft).len(), observed.lockout), (0, 4, None));
    assert_eq!(
        describes(&LimitPolicy { mode: EnforcementMode::Off, ..policy }, 1, "POST"),
        Default::default()
    );
}

#[test]
fn a_policy_survives_its_writing() {
    let policy = policy();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<LimitPolicy>(&text).unwrap(), policy);
    let least: LimitPolicy = serde_json::from_str(r#"{"mode":"block"}"#).unwrap();
    assert!(least.limits.is_empty() && !least.announce);
}

#[test]
fn zones_change_their_clocks() {
    // As RFC 9636 has it: a version 2 file without transitions, its rule in the footer.
    let mut tzif = Vec::new();
    for _ in 0..2 {
        tzif.extend_from_slice(b"TZif2");
        tzif.extend_from_slice(&[0; 15]);
        for count in [0u32, 0, 0, 0, 1, 4] {
            tzif.extend_from_slice(&count.to_be_bytes());
        }
        tzif.extend_from_slice(&3600i32.to_be_bytes());
        tzif.extend_from_slice(&[0, 0]);
        tzif.extend_from_slice(b"CET\0");
    }
    tzif.extend_from_slice(b"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    // 2026-01-01 to 2027-01-01.
    let offsets = zone_offsets("Europe/Vienna", &tzif, 1_767_225_600, 1_798_761_600).unwrap();
    let expected = [(i64::MIN, 3600), (1_774_746_000, 7200), (1_792_890_000, 3600)];
    assert_eq!(offsets.iter().map(|each| (each.from, each.offset_seconds)).collect::<Vec<_>>(), expected);
    assert_eq!(zone_offsets("x", b"no such file", 0, 1), None);
}
