//! Fields that would have the gateway or an upstream believe something: hosts, addresses, methods, callers, upgrades.

use super::{Row, credentials, get, passed, refused, row};

fn asked(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\n{fields}Connection: close\r\n\r\n").into_bytes()
}

/// `turn` is told apart from the runs before, where a limit counts.
pub fn rows(turn: u32) -> Vec<Row> {
    let host = |host: &str| asked("GET /search HTTP/1.1", &format!("Host: {host}\r\n"));
    let line = |line: &str| asked(line, "Host: a.example\r\n");
    let free = |fields: &str| get("/search", fields);
    let bad_host = || refused(400, "gateway-host-invalid");
    let hosts = [
        ("user information", host("user@a.example"), bad_host()),
        ("a path", host("a.example/admin"), bad_host()),
        ("a query", host("a.example?x"), bad_host()),
        ("two hosts", host("a.example, b.example"), bad_host()),
        ("a port past all", host("a.example:65536"), bad_host()),
        ("a port of letters", host("a.example:http"), bad_host()),
        ("two ports", host("a.example:80:80"), bad_host()),
        ("a bracket", host("[::1"), bad_host()),
        ("a space", host("a b"), bad_host()),
        ("a script", host("<script>alert(1)</script>"), bad_host()),
        ("a quote", host("a\"b"), bad_host()),
        ("a backslash", host("a\\b"), bad_host()),
        ("an encoded line end", host("a%0d%0ab"), bad_host()),
        ("past ASCII", host("\u{fc}.example"), bad_host()),
        (
            "two fields",
            asked("GET /search HTTP/1.1", "Host: a\r\nHost: a\r\n"),
            refused(400, "gateway-host-repeated"),
        ),
        ("none", asked("GET /search HTTP/1.1", ""), refused(400, "gateway-host-missing")),
        ("the cloud's own address", host("169.254.169.254"), passed(&["169.254.169.254"], &[])),
        ("localhost", host("localhost"), passed(&["host: localhost"], &[])),
        (
            "a dot behind does not lead around the strict service",
            asked("GET /nowhere HTTP/1.1", "Host: strict.example.\r\n"),
            refused(404, "gateway-operation-unknown"),
        ),
        (
            "capitals do not lead around the strict service",
            asked("GET /nowhere HTTP/1.1", "Host: STRICT.example\r\n"),
            refused(404, "gateway-operation-unknown"),
        ),
        (
            "a port does not lead around the strict service",
            asked("GET /nowhere HTTP/1.1", "Host: strict.example:8080\r\n"),
            refused(404, "gateway-operation-unknown"),
        ),
        (
            "another one in X-Forwarded-Host",
            free("X-Forwarded-Host: evil.example\r\n"),
            passed(&["x-forwarded-host: a.example"], &["evil"]),
        ),
        (
            "another one in X-Host",
            free("X-Original-Host: evil.example\r\n"),
            passed(&["host: a.example"], &[]),
        ),
    ];
    let targets = [
        (
            "another authority in the line",
            asked("GET http://evil.example/search HTTP/1.1", "Host: a.example\r\n"),
            refused(400, "gateway-host-mismatch"),
        ),
        (
            "the cloud's data",
            asked("GET http://169.254.169.254/latest/meta-data HTTP/1.1", "Host: a.example\r\n"),
            refused(400, "gateway-host-mismatch"),
        ),
        ("a file", line("GET file:///etc/passwd HTTP/1.1"), refused(400, "gateway-target-form")),
        ("gopher", line("GET gopher://a.example/_x HTTP/1.1"), refused(400, "gateway-target-form")),
        ("ftp", line("GET ftp://a.example/x HTTP/1.1"), refused(400, "gateway-target-form")),
        ("javascript", line("GET javascript:alert(1) HTTP/1.1"), refused(400, "gateway-target-form")),
        ("no slash", line("GET search HTTP/1.1"), refused(400, "gateway-target-form")),
        ("an at sign", line("GET @evil.example/ HTTP/1.1"), refused(400, "gateway-target-form")),
        (
            "user information",
            asked("GET http://user@a.example/search HTTP/1.1", "Host: a.example\r\n"),
            refused(400, "gateway-host-invalid"),
        ),
        ("a star", line("GET * HTTP/1.1"), refused(400, "gateway-target-form")),
        (
            "the own authority",
            asked("GET http://a.example/search HTTP/1.1", "Host: a.example\r\n"),
            passed(&["GET /search\n", "host: a.example"], &[]),
        ),
        (
            "CONNECT",
            asked("CONNECT 169.254.169.254:80 HTTP/1.1", "Host: 169.254.169.254:80\r\n"),
            refused(501, "gateway-connect"),
        ),
        ("CONNECT to a path", line("CONNECT / HTTP/1.1"), refused(501, "gateway-connect")),
        (
            "two authorities by slashes",
            line("GET //evil.example/search HTTP/1.1"),
            passed(&["GET //evil.example/search\n", "host: a.example"], &[]),
        ),
    ];
    let methods = [
        ("in lower case", line("get /search HTTP/1.1"), refused(400, "gateway-method")),
        ("a brace", line("G{T /search HTTP/1.1"), refused(400, "gateway-method")),
        (
            "the preface of HTTP/2 with another version",
            line("PRI * HTTP/1.1"),
            refused(400, "gateway-target-form"),
        ),
        ("a tab between", line("GET\t/search HTTP/1.1"), refused(400, "gateway-request-line")),
        (
            "override by X-HTTP-Method-Override",
            get("/patients/1", &format!("{}X-HTTP-Method-Override: DELETE\r\n", credentials::good_key())),
            passed(&["GET /patients/1\n"], &[]),
        ),
        ("TRACE", line("TRACE /search HTTP/1.1"), passed(&["TRACE /search"], &[])),
        (
            "an unknown one at the strict service",
            asked("FROB /search HTTP/1.1", "Host: strict.example\r\n"),
            refused(405, "gateway-method-unknown"),
        ),
        (
            "HEAD of what only GET is",
            asked("HEAD /admin HTTP/1.1", "Host: strict.example\r\n"),
            refused(405, "gateway-method-unknown"),
        ),
        (
            "override at the strict service",
            asked(
                "POST /admin HTTP/1.1",
                "Host: strict.example\r\nX-HTTP-Method: GET\r\nContent-Length: 0\r\n",
            ),
            refused(405, "gateway-method-unknown"),
        ),
    ];
    let spoofed = [
        (
            "X-Forwarded-For",
            free("X-Forwarded-For: 10.0.0.1\r\n"),
            passed(&["x-forwarded-for: 127.0.0.1"], &["10.0.0.1"]),
        ),
        (
            "X-Forwarded-For of many",
            free(&format!("X-Forwarded-For: {}\r\n", "10.0.0.1, ".repeat(500))),
            passed(&["x-forwarded-for: 127.0.0.1"], &["10.0.0.1"]),
        ),
        (
            "X-Forwarded-For of garbage",
            free("X-Forwarded-For: ';DROP TABLE\r\n"),
            passed(&["x-forwarded-for: 127.0.0.1"], &["DROP"]),
        ),
        (
            "X-Forwarded-For twice",
            free("X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n"),
            passed(&[], &["10.0.0."]),
        ),
        ("Forwarded", free("Forwarded: for=10.0.0.1;host=evil\r\n"), passed(&[], &["10.0.0.1", "evil"])),
        ("Forwarded of quotes", free("Forwarded: for=\"[::1\";host=\"a\\\"\r\n"), passed(&[], &["[::1\""])),
        ("X-Real-IP", free("X-Real-IP: 10.0.0.1\r\n"), passed(&[], &["10.0.0.1"])),
        (
            "X-Forwarded-Proto",
            free("X-Forwarded-Proto: https\r\n"),
            passed(&["x-forwarded-proto: http\n"], &["https"]),
        ),
        ("X-Forwarded-Prefix", free("X-Forwarded-Prefix: /evil\r\n"), passed(&[], &["evil"])),
        ("Probity-Principal", free("Probity-Principal: e30.e30.x\r\n"), passed(&[], &["e30.e30.x"])),
        ("X-User-Id", free("X-User-Id: root\r\n"), passed(&[], &["root"])),
        ("X-Remote-User", free("X-Remote-User: root\r\n"), passed(&[], &["root"])),
        ("Remote-User", free("Remote-User: root\r\n"), passed(&[], &["root"])),
        ("X-Forwarded-User", free("X-Forwarded-User: root\r\n"), passed(&[], &["root"])),
        ("X-Consumer-Username", free("X-Consumer-Username: root\r\n"), passed(&[], &["root"])),
        ("X-Client-Cert", free("X-Client-Cert: MIIC\r\n"), passed(&[], &["MIIC"])),
        ("X-SSL-Client-S-DN", free("X-SSL-Client-S-DN: CN=root\r\n"), passed(&[], &["root"])),
        ("X-Forwarded-Client-Cert", free("X-Forwarded-Client-Cert: By=root\r\n"), passed(&[], &["root"])),
        ("in other letters", free("x-UsEr-iD: root\r\n"), passed(&[], &["root"])),
        ("by an underscore", free("X_User_Id: root\r\n"), passed(&[], &["root"])),
    ];
    let cookies = "Cookie: a=b\r\n".repeat(60);
    let many_cookies = (0..2_000).map(|n| format!("c{n}=1; ")).collect::<String>();
    let ranges = (0..1_000).map(|n| format!("{n}-,")).collect::<String>();
    let flood = format!("X-Flood: turn-{turn}\r\n");
    let other = [
        ("60 cookie fields", free(&cookies), passed(&["cookie: a=b"], &[])),
        ("2,000 cookies", free(&format!("Cookie: {many_cookies}\r\n")), passed(&["c1999=1"], &[])),
        (
            "cookies of 100 KiB",
            free(&format!("Cookie: a={}\r\n", "x".repeat(100 << 10))),
            refused(431, "gateway-head-too-large"),
        ),
        (
            "1,000 ranges",
            free(&format!("Range: bytes={ranges}0-\r\n")),
            passed(&["GET /search"], &["bytes=0-,"]),
        ),
        ("ranges of garbage", free("Range: bytes=-9999999999999999999\r\n"), passed(&["GET /search"], &[])),
        (
            "codings of garbage",
            free(&format!("Accept-Encoding: {}\r\n", "gzip;q=9,".repeat(500))),
            passed(&["GET /search"], &[]),
        ),
        (
            "fields named by Connection",
            free("Connection: close, x-secret\r\nX-Secret: 1\r\n"),
            passed(&["GET /search"], &["x-secret"]),
        ),
        (
            "the gateway's own fields named by Connection",
            get(
                "/patients/1",
                &format!(
                    "{}Connection: probity-principal, x-forwarded-for, x-request-id\r\n",
                    credentials::good_key()
                ),
            ),
            refused(400, "gateway-connection-option"),
        ),
        (
            "the key named by Connection",
            get("/patients/1", &format!("{}Connection: x-api-key\r\n", credentials::good_key())),
            passed(&["GET /patients/1"], &["x-api-key"]),
        ),
        ("Host named by Connection", free("Connection: host\r\n"), refused(400, "gateway-connection-option")),
        (
            "a proxy's credential",
            free("Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n"),
            passed(&["GET /search"], &["proxy-connection"]),
        ),
        ("Proxy of CGI", free("Proxy: http://evil.example\r\n"), passed(&["GET /search"], &[])),
        ("an unknown expectation", free("Expect: 200-ok\r\n"), refused(417, "gateway-expect-unknown")),
        (
            "a look-alike of a length",
            free("Content_Length: 5\r\nContent-Length: 0\r\n"),
            refused(400, "gateway-framing-lookalike"),
        ),
        ("a call id of lines", free("X-Request-Id: a\u{7f}b\r\n"), refused(400, "gateway-control-byte")),
        ("the first of a flood", get("/counted", &flood), passed(&["GET /counted"], &[])),
        ("the second of a flood", get("/counted", &flood), passed(&["GET /counted"], &[])),
        ("the third of a flood", get("/counted", &flood), refused(429, "gateway-limit-flood")),
        (
            "an origin that is not listed",
            free("Origin: https://evil.example\r\n"),
            passed(&["GET /search"], &[]),
        ),
        ("an origin of null", free("Origin: null\r\n"), passed(&["GET /search"], &[])),
        (
            "a token in the query",
            get(
                "/nowhere?access_token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
                "",
            ),
            refused(400, "gateway-credential-in-url"),
        ),
    ];
    let up = |fields: &str| format!("GET /search HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n").into_bytes();
    let upgrades = [
        (
            "h2c",
            up("Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            passed(&["GET /search"], &["h2c", "http2-settings"]),
        ),
        (
            "a list with h2c",
            up("Connection: Upgrade, close\r\nUpgrade: websocket, h2c\r\n"),
            passed(&["GET /search"], &["h2c"]),
        ),
        (
            "without the option",
            up("Connection: close\r\nUpgrade: websocket\r\n"),
            passed(&["GET /search"], &["upgrade: websocket"]),
        ),
        (
            "over HTTP/1.0",
            b"GET /search HTTP/1.0\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                .to_vec(),
            passed(&["GET /search"], &["upgrade: websocket"]),
        ),
        (
            "declined by the upstream",
            up("Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
            passed(&["GET /search"], &[]),
        ),
        (
            "an empty protocol",
            up("Connection: Upgrade, close\r\nUpgrade: \r\n"),
            passed(&["GET /search"], &["upgrade"]),
        ),
        ("to TLS", up("Connection: Upgrade, close\r\nUpgrade: TLS/1.0\r\n"), passed(&["GET /search"], &[])),
    ];
    let of = |kind: &'static str, rows: Vec<(&str, Vec<u8>, super::Expect)>| {
        rows.into_iter().map(move |(name, bytes, expect)| row(kind, name, bytes, expect)).collect::<Vec<_>>()
    };
    [
        of("host", hosts.into()),
        of("target", targets.into()),
        of("method", methods.into()),
        of("spoofed field", spoofed.into()),
        of("other field", other.into()),
        of("upgrade", upgrades.into()),
    ]
    .into_iter()
    .flatten()
    .collect()
}
