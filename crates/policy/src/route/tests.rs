use probity_model::bundle::{BundleOperation, BundleService};
use probity_model::{OperationId, ServiceId, Template};
use proptest::prelude::*;

use super::segment::{Pattern, Segments, comparable};
use super::*;

fn service(id: &str, hosts: &[&str], prefix: &str, operations: &[(&str, &str)]) -> BundleService {
    let service = ServiceId::new(id);
    let operations = operations.iter().map(|(method, template)| BundleOperation {
        id: OperationId::of(&service, method, template),
        method: (*method).into(),
        template: Template::new(template),
        documented: true,
        durable: false,
    });
    BundleService {
        id: service.clone(),
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
        path_prefix: prefix.into(),
        strip_prefix: false,
        upstreams: Vec::new(),
        operations: operations.collect(),
        credential_names: Vec::new(),
        durable: false,
        protection: None,
        staged: None,
    }
}

fn router(services: &[BundleService]) -> Router {
    Router::new(services).expect("services")
}

#[test]
fn services_by_host_and_prefix() {
    let router = router(&[
        service("any", &[], "/", &[]),
        service("any-api", &[], "/api", &[]),
        service("exact", &["api.example.com"], "/", &[]),
        service("exact-v2", &["api.example.com"], "/v2/", &[]),
        service("deep", &["api.example.com"], "/v2/admin", &[]),
        service("suffix", &["*.example.com"], "/", &[]),
        service("inner", &["*.eu.example.com"], "/", &[]),
        service("narrow", &["narrow.example.org"], "/only", &[]),
        service("six", &["[::1]"], "/", &[]),
        service("encoded", &["e.example"], "/~a", &[]),
    ]);
    let check = |host: Option<&str>, path: &str, expected: &str| {
        let found = router.service(host, path).map(|service| service.id().as_str());
        assert_eq!(found, Some(expected), "{host:?} {path}");
    };
    check(None, "/", "any");
    check(None, "/api", "any-api");
    check(None, "/api/", "any-api");
    check(None, "/api/x", "any-api");
    check(None, "/apis", "any");
    check(None, "*", "any");
    check(Some("api.example.com"), "/", "exact");
    check(Some("API.Example.COM:8443"), "/", "exact");
    check(Some("api.example.com."), "/", "exact");
    check(Some("api.example.com"), "/v2", "exact-v2");
    check(Some("api.example.com"), "/v2/x", "exact-v2");
    check(Some("api.example.com"), "/v2/admin/x", "deep");
    check(Some("api.example.com"), "/%76%32/admin", "deep");
    check(Some("api.example.com"), "/v2%2Fadmin", "exact");
    check(Some("www.example.com"), "/", "suffix");
    check(Some("a.b.example.com"), "/", "suffix");
    check(Some("a.eu.example.com"), "/", "inner");
    check(Some("example.com"), "/", "any");
    check(Some("narrow.example.org"), "/only/x", "narrow");
    check(Some("narrow.example.org"), "/api", "any-api");
    check(Some("[::1]:8080"), "/", "six");
    check(Some("unknown"), "/x", "any");
    check(Some(&"x".repeat(5000)), "/x", "any");
    check(Some("e.example"), "/%7Ea/b", "encoded");
    let narrow = Router::new(&[service("a", &["a.example"], "/x", &[])]).expect("router");
    assert!(narrow.service(Some("a.example"), "/y").is_none());
    assert!(narrow.service(Some("b.example"), "/x").is_none());
    assert!(narrow.service(None, "/x").is_none());
}

#[test]
fn refusals_name_the_service() {
    let check = |services: &[BundleService], part: &str| {
        let error = Router::new(services).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    check(&[service("a", &[], "x", &[])], "service `a`: path prefix `x`");
    check(&[service("a", &["A.example"], "/", &[])], "service `a`: host `A.example`");
    check(&[service("a", &["a.example:80"], "/", &[])], "host `a.example:80`");
    check(&[service("a", &["a.*.example"], "/", &[])], "host `a.*.example`");
    check(
        &[service("a", &[], "/x", &[]), service("b", &[], "/x/", &[])],
        "services `a` and `b` both claim host `any`",
    );
    check(
        &[service("a", &["h"], "/", &[]), service("b", &["h"], "/", &[])],
        "both claim host `h` with prefix `/`",
    );
    check(&[service("a", &[], "/", &[("GET", "x")])], "operation `a GET x`");
    check(&[service("a", &[], "/", &[("GET", "/{x")])], "operation `a GET /{x`");
    check(&[service("a", &[], "/", &[("GET", "/x}")])], "operation `a GET /x}`");
    check(&[service("a", &[], "/", &[("GET", &"/x".repeat(65))])], "operation `a GET /x");
    check(&[service("a", &[], &"/x".repeat(80), &[])], "path prefix");
}

#[test]
fn operations_by_template() {
    let router = router(&[service(
        "shop",
        &[],
        "/",
        &[
            ("GET", "/"),
            ("GET", "/users"),
            ("GET", "/users/"),
            ("GET", "/users/{id}"),
            ("GET", "/users/me"),
            ("DELETE", "/users/{id}"),
            ("GET", "/users/{id}/posts/{post}"),
            ("GET", "/users/me/keys"),
            ("GET", "/files/{name}.json"),
            ("GET", "/files/{name}"),
            ("GET", "/files/report-{year}.json"),
            ("GET", "/map/{lat},{lon}"),
            ("GET", "/a~b/{x}"),
            ("GET", "/enc/a%2Fb"),
            ("GET", "/v{version}/status"),
            ("GET", "/x/{a}/y"),
            ("GET", "/{any}/b/z"),
            ("POST", "/users/{other}"),
        ],
    )]);
    let shop = router.service(None, "/").expect("service");
    let check = |method: &str, path: &str, expected: Option<&str>| {
        let found = shop.operation(method, path).map(|operation| operation.template.as_str());
        assert_eq!(found, expected, "{method} {path}");
    };
    check("GET", "/", Some("/"));
    check("GET", "/users", Some("/users"));
    check("GET", "/users/", Some("/users/"));
    check("GET", "/users/42", Some("/users/{id}"));
    check("GET", "/users/me", Some("/users/me"));
    check("GET", "/users/%6De", Some("/users/me"));
    check("GET", "/users/ME", Some("/users/{id}"));
    check("DELETE", "/users/me", Some("/users/{id}"));
    check("PUT", "/users/me", None);
    check("get", "/users/me", None);
    check("GET", "/users/42/", None);
    check("GET", "/users//posts/1", None);
    check("GET", "/users/me/posts/1", Some("/users/{id}/posts/{post}"));
    check("GET", "/users/me/keys", Some("/users/me/keys"));
    check("GET", "/users/42/keys", None);
    check("GET", "/files/a.json", Some("/files/{name}.json"));
    check("GET", "/files/a%2Ejson", Some("/files/{name}.json"));
    check("GET", "/files/.json", Some("/files/{name}"));
    check("GET", "/files/report-2026.json", Some("/files/report-{year}.json"));
    check("GET", "/files/report-.json", Some("/files/{name}.json"));
    check("GET", "/map/1.5,2.5", Some("/map/{lat},{lon}"));
    check("GET", "/map/,2.5", None);
    check("GET", "/a%7Eb/1", Some("/a~b/{x}"));
    check("GET", "/enc/a%2fb", Some("/enc/a%2Fb"));
    check("GET", "/enc/a/b", None);
    check("GET", "/v2/status", Some("/v{version}/status"));
    check("GET", "/v/status", None);
    check("GET", "/x/b/z", Some("/{any}/b/z"));
    check("GET", "/x/b/y", Some("/x/{a}/y"));
    check("GET", "users", None);
    check("GET", "*", None);
    check("GET", "", None);
    check("GET", &format!("/users/{}", "%41".repeat(1000)), Some("/users/{id}"));
    check("GET", &"/x".repeat(5000), None);
    assert_eq!(shop.methods("/users/me").join(" "), "GET DELETE POST");
    assert_eq!(shop.methods("/users").join(" "), "GET");
    assert_eq!(shop.methods("/nothing/here/at/all").len(), 0);
    assert_eq!((shop.index(), shop.service().operations.len()), (0, 18));
}

#[test]
fn backtracking_is_bounded() {
    // Each level doubles the ways; without a bound this look-up would take 2^20 steps.
    let mut operations = Vec::new();
    for mask in 0..1u32 << 12 {
        let path: String = (0..12).map(|at| if mask & 1 << at == 0 { "/a" } else { "/{x}" }).collect();
        operations.push(("GET", path + "/end"));
    }
    let operations: Vec<(&str, &str)> =
        operations.iter().map(|(method, path)| (*method, path.as_str())).collect();
    let router = router(&[service("a", &[], "/", &operations)]);
    let found = router.service(None, "/").expect("service");
    assert!(found.operation("GET", &("/a".repeat(12) + "/end")).is_some());
    assert!(found.operation("GET", &("/a".repeat(12) + "/other")).is_none());
}

/// One template against one path, segment by segment; the rank of a match, lower is better.
fn naive(template: &str, path: &str) -> Option<Vec<(u8, std::cmp::Reverse<usize>, usize)>> {
    let split = |text: &str| -> Vec<String> { text[1..].split('/').map(Into::into).collect() };
    let (template, path) = (split(template), split(path));
    if template.len() != path.len() {
        return None;
    }
    let mut rank = Vec::new();
    for (pattern, segment) in template.iter().zip(&path) {
        let mut buffer = [0; MAX_LITERAL];
        let segment = comparable(segment.as_bytes(), &mut buffer)?;
        match Pattern::of(pattern)? {
            Pattern::Literal(literal) if *literal == *segment => rank.push((0, std::cmp::Reverse(0), 0)),
            Pattern::Partial(partial) if partial.matches(segment) => {
                let (bytes, parts) = partial.specificity();
                rank.push((1, std::cmp::Reverse(bytes), parts.0));
            }
            Pattern::Variable if !segment.is_empty() => rank.push((2, std::cmp::Reverse(0), 0)),
            _ => return None,
        }
    }
    Some(rank)
}

fn template() -> impl Strategy<Value = String> {
    let segment = "(a|b|ab|\\{x\\}|\\{y\\}|\\{x\\}\\.a|a\\{x\\}|\\{x\\}b\\{y\\}|%7E|)";
    prop::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}
fn path() -> impl Strategy<Value = String> {
    let segment = "(a|b|ab|aab|x\\.a|\\.a|%61|~|%7e|%2F|)";
    prop::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_a_naive_matcher_says(
        operations in prop::collection::vec(("(GET|PUT)", template()), 0..30),
        paths in prop::collection::vec(path(), 1..20),
    ) {
        let listed: Vec<(&str, &str)> = operations.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
        let router = router(&[service("a", &[], "/", &listed)]);
        let routed = router.service(None, "/").expect("service");
        for path in &paths {
            for method in ["GET", "PUT"] {
                let own = listed.iter().filter(|(known, _)| *known == method);
                let ranked: Vec<_> = own.filter_map(|(_, template)| Some((naive(template, path)?, *template))).collect();
                let best = ranked.iter().map(|(rank, _)| rank).min();
                let found = routed.operation(method, path).map(|operation| operation.template.to_string());
                let rank = found.as_deref().and_then(|template| naive(template, path));
                prop_assert_eq!(rank.as_ref(), best, "{} {}: {:?}", method, path, found);
                prop_assert_eq!(routed.methods(path).iter().any(|known| &**known == method), best.is_some());
            }
        }
    }

    #[test]
    fn any_path_and_host_are_harmless(path in "\\PC{0,60}", tail in "[/%a-f0-9{}.]{0,60}", host in "\\PC{0,40}") {
        let router = router(&[service("a", &["*.example", "a.example"], "/a", &[("GET", "/{x}/{y}.z"), ("GET", "/a/%41")])]);
        for text in [path.clone(), format!("/{path}"), format!("/{tail}"), tail] {
            router.service(Some(&host), &text);
            router.service(Some(&format!("{host}.example")), &text);
            let first = router.services().first().expect("one service");
            first.operation("GET", &text);
            first.methods(&text);
            if let Some(segments) = Segments::of(&text) {
                prop_assert!(segments.split().is_some());
            }
        }
    }
}
