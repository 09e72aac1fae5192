//! The corpus of hostile requests: every row goes over a socket to one gateway that protects its services with every
//! section in block mode, and says what must come of it.
//!
//! Rows stand in the files beside, by kind. What is *not* here: races, load, and slowness; see `limits` and `lifecycle`.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use probity_model::bundle::answers::{AnswerPolicy, CookiePolicy, CorsPolicy, ErrorPolicy, HeaderPolicy};
use probity_model::bundle::authorization::{
    AccessRule, AuthorizationPolicy, ObjectBinding, ObjectPlace, Owner, UnknownOperations,
};
use probity_model::bundle::contract::*;
use probity_model::bundle::identity::{Need, PrincipalField, ServiceIdentity};
use probity_model::bundle::leaks::{BodyBounds, LeakAction, LeakPolicy, LeakRule, Operations};
use probity_model::bundle::limits::*;
use probity_model::bundle::{Bundle, BundleService, Protection};
use probity_model::{Action, DataClass, EnforcementMode, Exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::*;

mod answers;
mod bodies;
mod credentials;
mod fields;
mod frames;
mod framing;
mod paths;

const BLOCK: EnforcementMode = EnforcementMode::Block;
/// Fewer rows would be no corpus.
const LEAST_ROWS: usize = 300;
/// What a second run of the whole corpus may add to the resident memory of gateway, upstreams and clients together.
const MOST_GROWTH: usize = 16 << 20;
/// Longest wait for a record, so that one that is missing fails its row and not the run.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);
/// Set for the process that runs the corpus alone, so that its memory can be told from that of other tests.
const ALONE: &str = "PROBITY_HOSTILE_ALONE";

/// What must come of a request.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Answered by the gateway with this status and rule; nothing of it reached an upstream.
    Refused(u16, String),
    /// Reached the upstream, which saw each of the first texts and none of the others.
    Passed(u16, Vec<String>, Vec<String>),
    /// Reached the upstream; the gateway refused or changed its answer by this rule.
    Replaced(u16, String),
}

/// One request as it is written to the socket.
pub struct Row {
    pub kind: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
    /// Calls on the same connection that come before the judged one.
    pub before: usize,
    pub expect: Expect,
}

pub fn row(kind: &'static str, name: &str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Row {
    Row { kind, name: name.into(), bytes: bytes.into(), before: 0, expect }
}

pub fn refused(status: u16, rule: &str) -> Expect {
    Expect::Refused(status, rule.into())
}

pub fn replaced(status: u16, rule: &str) -> Expect {
    Expect::Replaced(status, rule.into())
}

pub fn passed(seen: &[&str], unseen: &[&str]) -> Expect {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Expect::Passed(200, owned(seen), owned(unseen))
}

/// A request without a body.
pub fn get(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}Connection: close\r\n\r\n").into_bytes()
}

pub fn post(target: &str, content_type: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: a.example\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         {fields}Connection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What upstreams were asked, as text.
pub type Seen = Arc<Mutex<Vec<String>>>;

/// Notes what it is asked; says that a patient is called x.
async fn noting(seen: Seen) -> std::net::SocketAddr {
    origin(move |request| {
        let seen = seen.clone();
        async move {
            let (parts, body) = request.into_parts();
            let mut text = format!("{} {}\n", parts.method, parts.uri);
            for (name, value) in &parts.headers {
                text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
            }
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            text += &format!("\n{}", String::from_utf8_lossy(&body));
            seen.lock().unwrap().push(text);
            answer(200, "application/json", r#"{"name":"x"}"#)
        }
    })
    .await
}

const OPERATIONS: [(&str, &str); 9] = [
    ("POST", "/patients"),
    ("GET", "/patients/{id}"),
    ("POST", "/free"),
    ("POST", "/form"),
    ("GET", "/search"),
    ("GET", "/admin"),
    ("GET", "/records/{owner}"),
    ("POST", "/upload"),
    ("GET", "/counted"),
];
/// Those that anybody may call.
const PUBLIC: [&str; 5] = ["/free", "/form", "/search", "/upload", "/counted"];

const PATIENT: &str = r#"{"type":"object","required":["name"],"properties":{"id":{"type":"integer","readOnly":true},"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":200}}}"#;
const IDENTIFIER: &str = r#"{"type":"integer","minimum":1}"#;
const WORD: &str = r#"{"type":"string","maxLength":50}"#;

fn position(template: &str) -> u32 {
    OPERATIONS.iter().position(|(_, known)| *known == template).unwrap() as u32
}

fn contract() -> ContractPolicy {
    let parameter = |name: &str, place, style, schema| ParameterContract {
        name: name.into(),
        place,
        required: place == ParameterPlace::Path,
        style,
        explode: false,
        allow_reserved: false,
        allow_empty: false,
        content: None,
        schema: Some(schema),
    };
    let path = |name| parameter(name, ParameterPlace::Path, ParameterStyle::Simple, u32::from(name == "id"));
    let query = |name, schema| parameter(name, ParameterPlace::Query, ParameterStyle::Form, schema);
    let media = |media_type: &str| {
        vec![MediaContract { media_type: media_type.into(), schema: Some(0), encoding: Vec::new() }]
    };
    let answers = || vec![ResponseContract { status: "200".into(), content: media("application/json") }];
    let body = |media_type: &str| OperationContract {
        request: Some(RequestContract { required: true, content: media(media_type) }),
        ..OperationContract::default()
    };
    let operation = |(_, template): &(&str, &str)| {
        let contract = match *template {
            "/patients" => OperationContract { responses: answers(), ..body("application/json") },
            "/patients/{id}" => OperationContract {
                parameters: vec![path("id")],
                responses: answers(),
                ..OperationContract::default()
            },
            "/form" => body("application/x-www-form-urlencoded"),
            "/upload" => body("multipart/form-data"),
            "/search" => OperationContract {
                parameters: vec![query("q", 2), query("page", 1)],
                ..OperationContract::default()
            },
            _ => return None,
        };
        Some(TabledContract { table: 0, contract: Arc::new(contract) })
    };
    ContractPolicy {
        mode: BLOCK,
        responses: BLOCK,
        unknown_fields: Unknown::Refuse,
        unknown_response_fields: Unknown::Refuse,
        unknown_parameters: Unknown::Refuse,
        limits: BodyLimits { body_bytes: 512 * 1024, ..BodyLimits::default() },
        tables: vec![SchemaTable(vec![Arc::from(PATIENT), Arc::from(IDENTIFIER), Arc::from(WORD)].into())],
        operations: OPERATIONS.iter().map(operation).collect(),
        graphql: Some(GraphqlPolicy { paths: vec!["/graphql".into()], ..GraphqlPolicy::default() }),
        ..ContractPolicy::default()
    }
}

fn protection() -> Protection {
    let public = |(_, template): &(&str, &str)| u16::from(PUBLIC.contains(template));
    let identity = ServiceIdentity {
        mode: BLOCK,
        needs: vec![Need::default(), Need { public: true, ..Need::default() }],
        operations: OPERATIONS.iter().map(public).collect(),
        unknown: 1,
        key_fields: vec!["x-api-key".into()],
        invalid_on_public: BLOCK,
        principal_field: Some(PrincipalField::default()),
        ..ServiceIdentity::default()
    };
    let own = ObjectBinding {
        name: "own".into(),
        mode: BLOCK,
        operations: vec![position("/records/{owner}")],
        object: ObjectPlace::Path("owner".into()),
        owner: Owner::Attribute("patient_id".into()),
        unless_roles: vec!["staff".into()],
        unless_scopes: Vec::new(),
        status: 403,
        required: true,
    };
    let staff = AccessRule {
        name: "admin".into(),
        mode: BLOCK,
        operations: vec![position("/admin")],
        roles: vec!["staff".into()],
        ..AccessRule::default()
    };
    let limit = |name: &str, header: &str, burst| Limit {
        name: name.into(),
        mode: BLOCK,
        by: vec![LimitKey::Header(header.into())],
        applies: LimitMatch { operations: Some(vec![position("/counted")]), ..LimitMatch::default() },
        algorithm: LimitAlgorithm::TokenBucket { burst, rate: 1, per_ms: 3_600_000 },
        cost: LimitCost::default(),
    };
    let rule = |class, action| LeakRule {
        classes: vec![class],
        roles: Vec::new(),
        operations: Operations::All,
        action,
    };
    Protection {
        identity: Some(identity),
        authorization: Some(AuthorizationPolicy {
            mode: BLOCK,
            access: vec![staff],
            objects: vec![own],
            ..AuthorizationPolicy::default()
        }),
        contract: Some(contract()),
        limits: Some(LimitPolicy {
            mode: BLOCK,
            limits: vec![limit("flood", "x-flood", 2)],
            announce: true,
            sign_in: Vec::new(),
            escalations: Vec::new(),
            challenge: None,
        }),
        leaks: Some(LeakPolicy {
            mode: BLOCK,
            responses: vec![
                rule(DataClass::CardNumber, LeakAction::Mask),
                rule(DataClass::CardVerificationCode, LeakAction::Block),
            ],
            requests: vec![rule(DataClass::Jwt, LeakAction::Block)],
            detokenise: None,
            bodies: BodyBounds::default(),
            card_bin: 6,
        }),
        answers: Some(AnswerPolicy {
            mode: BLOCK,
            errors: ErrorPolicy::default(),
            banners: true,
            headers: HeaderPolicy::default(),
            cookies: CookiePolicy::default(),
            cors: Some(CorsPolicy {
                origins: vec!["https://app.example".into()],
                methods: vec!["GET".into()],
                headers: Vec::new(),
                exposed: Vec::new(),
                credentials: false,
                max_age: 600,
            }),
        }),
        ..Protection::default()
    }
}

/// Three services: one that takes unknown operations, `strict.example` that refuses them, `/raw` whose upstream is
/// hostile itself.
async fn guarded(seen: &Seen) -> Bundle {
    let upstream = noting(seen.clone()).await;
    let mut bundle = bundle(&[upstream]);
    bundle.identity = Some(credentials::policy());
    let operations = |service: &mut BundleService| {
        let name = service.id.to_string();
        service.operations = OPERATIONS.map(|(method, path)| operation(&name, method, path)).to_vec();
        service.protection = Some(protection());
    };
    operations(&mut bundle.services[0]);
    let mut strict = service("strict", &[upstream]);
    strict.hosts = vec!["strict.example".into()];
    operations(&mut strict);
    let authorization = strict.protection.as_mut().and_then(|own| own.authorization.as_mut()).unwrap();
    authorization.unknown = Some(UnknownOperations { mode: BLOCK, status: 404, superseded: Vec::new() });
    bundle.services.push(strict);
    let mut raw = service("raw", &[answers::upstream(seen.clone()).await]);
    raw.path_prefix = "/raw".into();
    let mut own = protection();
    (own.authorization, own.limits) = (None, None);
    let identity = own.identity.as_mut().unwrap();
    identity.operations = vec![1];
    let policy = own.contract.as_mut().unwrap();
    let response = policy.operations[1].as_ref().unwrap().contract.responses.clone();
    let contract = OperationContract { responses: response, ..OperationContract::default() };
    policy.operations = vec![Some(TabledContract { table: 0, contract: Arc::new(contract) })];
    raw.operations = vec![operation("raw", "GET", "/raw/judged/{n}")];
    raw.protection = Some(own);
    bundle.services.push(raw);
    bundle
}

struct Range {
    bench: Bench,
    seen: Seen,
}

impl Range {
    async fn new() -> Self {
        let seen = Seen::default();
        let bench = Bench::start(&guarded(&seen).await).await;
        Self { bench, seen }
    }

    /// Runs one row; says what went otherwise.
    async fn run(&self, row: &Row) -> Result<(), String> {
        self.seen.lock().unwrap().clear();
        let answer = exchange(self.bench.address(), &row.bytes).await;
        let mut record = self.bench.record_within(RECORD_PATIENCE);
        for _ in 0..row.before {
            record = self.bench.record_within(RECORD_PATIENCE);
        }
        let Some(record) = record else {
            return Err(format!("{} | {}: no record: {answer}", row.kind, row.name));
        };
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let given = answer.split("HTTP/1.1 ").skip(1).filter_map(|part| part.get(..3));
        // Interim answers come before the one that counts.
        let given: Vec<_> = given.filter(|status| !status.starts_with('1')).collect();
        let told = Told { record: &record, answer: &answer, seen: &seen, given: &given };
        told.judge(row).map_err(|why| {
            let answer: String = answer.chars().take(700).collect();
            format!(
                "{} | {}: expected {:?}, {why}; status {} given {given:?} rules {:?} upstream saw {seen:?}\n{answer}",
                row.kind,
                row.name,
                row.expect,
                record.status,
                rules(&record),
            )
        })
    }
}

fn rules(record: &Exchange) -> Vec<(String, Action)> {
    record.decisions.iter().map(|decision| (decision.rule.to_string(), decision.action)).collect()
}

struct Told<'a> {
    record: &'a Exchange,
    answer: &'a str,
    seen: &'a [String],
    given: &'a [&'a str],
}

impl Told<'_> {
    fn judge(&self, row: &Row) -> Result<(), String> {
        let (wanted, reached) = match &row.expect {
            Expect::Refused(status, _) => (*status, row.before),
            Expect::Passed(status, ..) | Expect::Replaced(status, _) => (*status, row.before + 1),
        };
        check(self.record.status == wanted, "another status")?;
        check(self.given.last().is_some_and(|given| *given == wanted.to_string()), "told otherwise")?;
        check(self.given.len() == row.before + 1, "another number of answers")?;
        check(self.seen.len() == reached, "another number of calls upstream")?;
        match &row.expect {
            Expect::Refused(_, rule) => {
                let by = |(known, action): &(String, Action)| known == rule && *action == Action::Refuse;
                check(rules(self.record).iter().any(by), "another rule")?;
                let reason = rule.trim_start_matches("gateway-");
                let is_told = self.answer.contains(reason) || row.bytes.starts_with(b"HEAD ");
                check(is_told, "the reason is not told")
            }
            Expect::Replaced(_, rule) => {
                let by = |(known, action): &(String, Action)| known == rule && *action != Action::Flag;
                check(rules(self.record).iter().any(by), "another rule")
            }
            Expect::Passed(_, seen, unseen) => {
                let text = self.seen.last().map(String::as_str).unwrap_or_default();
                let missing = seen.iter().find(|wanted| !text.contains(wanted.as_str()));
                check(missing.is_none(), "the upstream did not see all of it")?;
                let odd = unseen.iter().find(|unwanted| text.contains(unwanted.as_str()));
                check(odd.is_none(), "the upstream saw too much")
            }
        }
    }
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// Writes as much as the gateway takes while reading until it closes.
async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let mut told = Vec::new();
    let both = async {
        let reading = async { while let Ok(1..) = read.read_buf(&mut told).await {} };
        // A gateway that has seen enough closes: what is left cannot be written.
        let writing = async { write.write_all(bytes).await.unwrap_or_default() };
        tokio::join!(reading, writing)
    };
    let ended = tokio::time::timeout(RECORD_PATIENCE, both).await.is_ok();
    let told = String::from_utf8_lossy(&told).into_owned();
    if ended { told } else { format!("never closed: {told}") }
}

fn rows(turn: u32) -> Vec<Row> {
    [framing::rows(), paths::rows(), fields::rows(turn), bodies::rows(), credentials::rows(), answers::rows()]
        .into_iter()
        .flatten()
        .collect()
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    // Pages of 4 KiB: a machine with larger ones only makes the bound stricter by being off downwards.
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

static TURN: AtomicU32 = AtomicU32::new(0);

/// Runs every row once; gives how many there are of each kind.
async fn run_all(range: &Range) -> std::collections::BTreeMap<&'static str, usize> {
    let turn = TURN.fetch_add(1, SeqCst);
    let mut kinds = std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows(turn) {
        *kinds.entry(row.kind).or_default() += 1;
        if let Err(why) = range.run(&row).await {
            wrong.push(why);
        }
    }
    for frames in frames::rows() {
        *kinds.entry("HTTP/2").or_default() += 1;
        if let Err(why) = frames.run(&range.bench).await {
            wrong.push(why);
        }
    }
    assert!(wrong.is_empty(), "{} rows went otherwise:\n{}", wrong.len(), wrong.join("\n"));
    kinds
}

async fn is_well(range: &Range) {
    let good = row(
        "good",
        "a good call",
        post("/patients", "application/json", &credentials::good_key(), br#"{"name":"ada","age":7}"#),
        passed(&["POST /patients", r#"{"name":"ada","age":7}"#], &[]),
    );
    range.run(&good).await.unwrap();
    let counted = async {
        loop {
            let counts = range.bench.events.counts();
            assert_eq!(counts.lost, 0);
            if counts.accepted == counts.recorded {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("every call recorded");
    let metrics = range.bench.gateway.metrics();
    let panics: Vec<_> = metrics.lines().filter(|line| line.contains("stage_panics")).collect();
    assert!(
        !panics.is_empty() && panics.iter().all(|line| line.starts_with('#') || line.ends_with(" 0")),
        "{panics:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_answered_as_it_says() {
    if std::env::var_os(ALONE).is_none() {
        let alone = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hostile::every_row_is_answered_as_it_says", "--nocapture"])
            .env(ALONE, "1")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&alone.stdout) + String::from_utf8_lossy(&alone.stderr);
        assert!(alone.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let range = Range::new().await;
    let kinds = run_all(&range).await;
    is_well(&range).await;
    let count: usize = kinds.values().sum();
    assert!(count >= LEAST_ROWS, "{count} rows: {kinds:?}");
    let before = resident_bytes();
    assert_eq!(run_all(&range).await, kinds);
    is_well(&range).await;
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < MOST_GROWTH, "{growth} bytes more after the second run");
}
