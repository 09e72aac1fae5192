//! Bodies: JSON, forms, several parts, GraphQL, codings and types that are not what they say.

use std::io::Write as _;

use super::{Expect, Row, credentials, passed, post, refused, row};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn patient(body: &[u8]) -> Vec<u8> {
    post("/patients", JSON, &credentials::good_key(), body)
}

fn json() -> Vec<Row> {
    let syntax = || refused(400, "contract-body-syntax");
    let size = || refused(413, "contract-body-size");
    let members = (0..1_100).map(|n| format!("\"k{n}\":1,")).collect::<String>();
    let rows: Vec<(&str, Vec<u8>, Expect)> = vec![
        ("lists 33 deep", [b"[".repeat(33), b"]".repeat(33)].concat(), refused(400, "contract-body-depth")),
        ("lists 100,000 deep", b"[".repeat(100_000), refused(400, "contract-body-depth")),
        ("objects 1,000 deep", br#"{"a":"#.repeat(1_000), refused(400, "contract-body-depth")),
        (
            "1,100 members",
            format!("{{{members}\"name\":\"x\"}}").into(),
            refused(400, "contract-body-json-size"),
        ),
        (
            "25,000 elements",
            format!("[{}1]", "1,".repeat(25_000)).into(),
            refused(400, "contract-body-json-size"),
        ),
        (
            "a string of 300 KiB",
            format!("{{\"name\":\"{}\"}}", "x".repeat(300 << 10)).into(),
            refused(400, "contract-body-json-size"),
        ),
        (
            "a number of 100 digits",
            format!("{{\"name\":\"x\",\"age\":{}}}", "9".repeat(100)).into(),
            refused(400, "contract-body-json-size"),
        ),
        (
            "an exponent past all",
            br#"{"name":"x","age":1e99999}"#.to_vec(),
            refused(422, "contract-body-type"),
        ),
        ("a body past its bound", vec![b' '; 600 << 10], size()),
        ("a key twice", br#"{"name":"x","name":"y"}"#.to_vec(), refused(400, "contract-body-duplicate-key")),
        (
            "a key twice, once escaped",
            br#"{"name":"x","n\u0061me":"y"}"#.to_vec(),
            refused(400, "contract-body-duplicate-key"),
        ),
        ("a byte that is no UTF-8", b"{\"name\":\"\xff\"}".to_vec(), syntax()),
        ("overlong UTF-8", b"{\"name\":\"\xc0\xaf\"}".to_vec(), syntax()),
        ("a surrogate in UTF-8", b"{\"name\":\"\xed\xa0\x80\"}".to_vec(), syntax()),
        ("a high surrogate alone", br#"{"name":"\ud800"}"#.to_vec(), syntax()),
        ("a low surrogate alone", br#"{"name":"\udc00"}"#.to_vec(), syntax()),
        ("surrogates turned around", br#"{"name":"\udc00\ud800"}"#.to_vec(), syntax()),
        ("NaN", br#"{"name":"x","age":NaN}"#.to_vec(), syntax()),
        ("Infinity", br#"{"name":"x","age":Infinity}"#.to_vec(), syntax()),
        ("-Infinity", br#"{"name":"x","age":-Infinity}"#.to_vec(), syntax()),
        ("a second value behind", br#"{"name":"x"}{"name":"y"}"#.to_vec(), syntax()),
        ("a word behind", br#"{"name":"x"} x"#.to_vec(), syntax()),
        ("a mark of byte order", b"\xef\xbb\xbf{\"name\":\"x\"}".to_vec(), syntax()),
        ("UTF-16", b"{\0\"\0n\0a\0m\0e\0\"\0:\0\"\0x\0\"\0}\0".to_vec(), syntax()),
        ("a comma behind", br#"{"name":"x",}"#.to_vec(), syntax()),
        ("two commas", br#"{"name":"x",,"age":1}"#.to_vec(), syntax()),
        ("single quotes", b"{'name':'x'}".to_vec(), syntax()),
        ("a bare key", br#"{name:"x"}"#.to_vec(), syntax()),
        ("a comment", br#"{"name":"x"/**/}"#.to_vec(), syntax()),
        ("a line comment", b"{\"name\":\"x\"}//y".to_vec(), syntax()),
        ("a line end in a string", b"{\"name\":\"x\ny\"}".to_vec(), syntax()),
        ("NUL in a string", b"{\"name\":\"x\0\"}".to_vec(), syntax()),
        ("NUL behind", b"{\"name\":\"x\"}\0".to_vec(), syntax()),
        ("a leading zero", br#"{"name":"x","age":007}"#.to_vec(), syntax()),
        ("a plus sign", br#"{"name":"x","age":+7}"#.to_vec(), syntax()),
        ("hexadecimal", br#"{"name":"x","age":0x7}"#.to_vec(), syntax()),
        ("a fraction without a whole", br#"{"name":"x","age":.5}"#.to_vec(), syntax()),
        ("a fraction without digits", br#"{"name":"x","age":5.}"#.to_vec(), syntax()),
        ("a minus alone", br#"{"name":"x","age":-}"#.to_vec(), syntax()),
        ("an unknown escape", br#"{"name":"\x41"}"#.to_vec(), syntax()),
        ("an escape cut off", br#"{"name":"\u00"}"#.to_vec(), syntax()),
        ("a string without end", br#"{"name":"x"#.to_vec(), syntax()),
        ("an object without end", br#"{"name":"x""#.to_vec(), syntax()),
        ("white space alone", b" \r\n\t ".to_vec(), syntax()),
        ("nothing", Vec::new(), refused(400, "contract-body-missing")),
        ("TRUE", br#"{"name":TRUE}"#.to_vec(), syntax()),
        ("a list for an object", br#"[{"name":"x"}]"#.to_vec(), refused(422, "contract-body-type")),
        ("a number for an object", b"1".to_vec(), refused(422, "contract-body-type")),
        ("null for an object", b"null".to_vec(), refused(422, "contract-body-type")),
        ("an object for a string", br#"{"name":{"$gt":""}}"#.to_vec(), refused(422, "contract-body-type")),
        ("a string for a number", br#"{"name":"x","age":"7"}"#.to_vec(), refused(422, "contract-body-type")),
        (
            "a fraction for an integer",
            br#"{"name":"x","age":7.5}"#.to_vec(),
            refused(422, "contract-body-type"),
        ),
        (
            "an integer past 64 bits",
            br#"{"name":"x","age":18446744073709551617}"#.to_vec(),
            refused(422, "contract-body-bounds"),
        ),
        ("an age past its most", br#"{"name":"x","age":201}"#.to_vec(), refused(422, "contract-body-bounds")),
        (
            "a name past its length",
            br#"{"name":"xxxxxxxxxxxxxxxxxxxxx"}"#.to_vec(),
            refused(422, "contract-body-bounds"),
        ),
        (
            "a field that is not declared",
            br#"{"name":"x","role":"admin"}"#.to_vec(),
            refused(422, "contract-unknown-field"),
        ),
        (
            "a prototype",
            br#"{"name":"x","__proto__":{"admin":true}}"#.to_vec(),
            refused(422, "contract-unknown-field"),
        ),
        (
            "a field in other letters",
            br#"{"name":"x","NAME":"y"}"#.to_vec(),
            refused(422, "contract-unknown-field"),
        ),
        (
            "a field that only answers have",
            br#"{"name":"x","id":7}"#.to_vec(),
            refused(422, "contract-read-only"),
        ),
        ("a needed field missing", b"{}".to_vec(), refused(422, "contract-body-required")),
    ];
    rows.into_iter().map(|(name, body, expect)| row("JSON", name, patient(&body), expect)).collect()
}

fn types() -> Vec<Row> {
    let good = br#"{"name":"x"}"#;
    let kind = |kind: &str| post("/patients", kind, &credentials::good_key(), good);
    let coded = |coding: &str, body: &[u8]| {
        let fields = format!("{}Content-Encoding: {coding}\r\n", credentials::good_key());
        post("/patients", JSON, &fields, body)
    };
    let other = || refused(415, "contract-content-type");
    let encoded = || refused(415, "contract-body-encoding");
    let rows: Vec<(&str, Vec<u8>, Expect)> = vec![
        ("plain text", kind("text/plain"), other()),
        ("XML", kind("application/xml"), other()),
        ("a form", kind(FORM), other()),
        ("octets", kind("application/octet-stream"), other()),
        ("empty", kind(""), other()),
        ("no slash", kind("json"), other()),
        ("two types", kind("application/json, text/plain"), other()),
        ("another before", kind("text/plain;application/json"), other()),
        ("a wildcard", kind("*/*"), other()),
        ("a suffix", kind("application/evil+json"), other()),
        ("a parameter twice", kind("application/json;charset=utf-8;charset=utf-7"), other()),
        ("UTF-7", kind("application/json;charset=utf-7"), other()),
        (
            "twice",
            post(
                "/patients",
                JSON,
                &format!("{}Content-Type: text/plain\r\n", credentials::good_key()),
                good,
            ),
            other(),
        ),
        ("very long", kind(&format!("application/{}", "j".repeat(5_000))), other()),
        ("a zip bomb", coded("gzip", &gzip(&vec![b' '; 4 << 20])), encoded()),
        ("a bomb in a bomb", coded("gzip, gzip", &gzip(&gzip(&vec![b' '; 2 << 20]))), encoded()),
        ("gzip that is none", coded("gzip", b"xxxx"), encoded()),
        ("brotli", coded("br", good), encoded()),
        ("zstd", coded("zstd", good), encoded()),
        ("an unknown coding", coded("evil", good), encoded()),
        ("identity and gzip", coded("identity, gzip", good), encoded()),
        ("ten codings", coded(&"gzip,".repeat(10), good), encoded()),
        ("identity", coded("identity", good), passed(&[r#"{"name":"x"}"#], &[])),
    ];
    rows.into_iter().map(|(name, bytes, expect)| row("type and coding", name, bytes, expect)).collect()
}

fn forms() -> Vec<Row> {
    let form = |body: &str| post("/form", FORM, "", body.as_bytes());
    let boundary = "multipart/form-data; boundary=b";
    let parts = |kind: &str, body: &str| post("/upload", kind, "", body.as_bytes());
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let many = (0..5_000).map(|n| format!("k{n}=1&")).collect::<String>();
    let many_parts = (0..3_000).map(|n| part(&format!("k{n}"), "1")).collect::<String>();
    let long_head = format!("--b\r\nX: {}\r\n\r\nx\r\n--b--\r\n", "y".repeat(100 << 10));
    let nested = format!(
        "--b\r\nContent-Disposition: form-data; name=\"name\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{}\r\n--b--\r\n",
        "--c\r\n".repeat(1_000)
    );
    let syntax = || refused(400, "contract-body-syntax");
    let unknown = || refused(422, "contract-unknown-field");
    let rows: Vec<(&str, Vec<u8>, Expect)> = vec![
        ("a good form", form("name=x&age=7"), passed(&["name=x&age=7"], &[])),
        ("5,000 fields", form(&many), refused(400, "contract-body-json-size")),
        ("a field twice", form("name=x&name=y"), refused(422, "contract-body-type")),
        ("a field that is not declared", form("name=x&role=admin"), unknown()),
        ("a field as a list", form("name=x&age[]=1"), unknown()),
        ("a number of letters", form("name=x&age=a"), refused(422, "contract-body-type")),
        ("a percent alone", form("name=%"), syntax()),
        ("bytes that are no UTF-8", form("name=%ff"), syntax()),
        ("JSON", form(r#"{"name":"x"}"#), refused(422, "contract-body-required")),
        ("nothing", form(""), refused(400, "contract-body-missing")),
        (
            "good parts",
            parts(boundary, &format!("{}--b--\r\n", part("name", "x"))),
            passed(&["name=\"name\""], &[]),
        ),
        (
            "3,000 parts",
            parts(boundary, &format!("{many_parts}--b--\r\n")),
            refused(400, "contract-body-json-size"),
        ),
        ("a part's head of 100 KiB", parts(boundary, &long_head), syntax()),
        ("parts within parts", parts(boundary, &nested), refused(422, "contract-body-bounds")),
        (
            "a part twice",
            parts(boundary, &format!("{}{}--b--\r\n", part("name", "x"), part("name", "y"))),
            refused(422, "contract-body-type"),
        ),
        (
            "a part that is not declared",
            parts(boundary, &format!("{}{}--b--\r\n", part("name", "x"), part("role", "y"))),
            unknown(),
        ),
        ("no last boundary", parts(boundary, &part("name", "x")), syntax()),
        ("no boundary in the type", parts("multipart/form-data", &part("name", "x")), syntax()),
        ("another boundary", parts("multipart/form-data; boundary=c", &part("name", "x")), syntax()),
        ("an empty boundary", parts("multipart/form-data; boundary=\"\"", &part("name", "x")), syntax()),
        (
            "two boundaries",
            parts("multipart/form-data; boundary=b; boundary=c", &part("name", "x")),
            refused(415, "contract-content-type"),
        ),
        (
            "a boundary of 500 letters",
            parts(&format!("multipart/form-data; boundary={}", "b".repeat(500)), &part("name", "x")),
            syntax(),
        ),
        (
            "a part without a name",
            parts(boundary, "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n"),
            syntax(),
        ),
        (
            "line ends of Unix",
            parts(boundary, "--b\nContent-Disposition: form-data; name=\"name\"\n\nx\n--b--\n"),
            syntax(),
        ),
        ("only dashes", parts(boundary, &"--b\r\n".repeat(20_000)), syntax()),
    ];
    rows.into_iter().map(|(name, bytes, expect)| row("form", name, bytes, expect)).collect()
}

fn graphql() -> Vec<Row> {
    let raw = |body: &str| post("/graphql", JSON, "", body.as_bytes());
    let ask = |query: &str| raw(&serde_json::json!({"query": query}).to_string());
    let fault = |word: &str| refused(400, &format!("contract-graphql-{word}"));
    let deep = format!("{}a{}", "{a".repeat(20), "}".repeat(20));
    let very_deep = "{a".repeat(5_000);
    let aliases = (0..50).map(|n| format!("a{n}:a ")).collect::<String>();
    let fields = (0..800).map(|n| format!("f{n} ")).collect::<String>();
    let directives = "@x ".repeat(50);
    let batch = |count: usize| format!("[{}]", vec![r#"{"query":"{a}"}"#; count].join(","));
    let fragments =
        (0..30).map(|n| format!("fragment f{n} on A{{...f{} ...f{}}}", n + 1, n + 1)).collect::<String>();
    let rows: Vec<(&str, Vec<u8>, Expect)> = vec![
        ("a good one", ask("{patients{name}}"), passed(&["patients"], &[])),
        ("20 deep", ask(&deep), fault("depth")),
        ("5,000 deep", ask(&very_deep), fault("depth")),
        ("50 aliases", ask(&format!("{{{aliases}}}")), fault("aliases")),
        ("800 fields", ask(&format!("{{{fields}}}")), fault("fields")),
        ("50 directives", ask(&format!("{{a {directives}}}")), fault("directives")),
        ("a batch of 50", raw(&batch(50)), fault("batch")),
        ("an empty batch", raw("[]"), passed(&["[]"], &[])),
        ("batches in a batch", raw(r#"[[{"query":"{a}"}]]"#), fault("syntax")),
        ("a fragment of itself", ask("{...f} fragment f on A{...f}"), fault("fragment-circle")),
        (
            "fragments in a circle",
            ask("{...f} fragment f on A{...g} fragment g on A{...f}"),
            fault("fragment-circle"),
        ),
        (
            "fragments that double 30 times",
            ask(&format!("{{...f0}}{fragments}fragment f30 on A{{a}}")), fault("fields")),
        ("a fragment that is not there", ask("{...f}"), fault("fragment")),
        ("the schema", ask("{__schema{types{name}}}"), fault("introspection")),
        ("the schema by an alias", ask("{a:__schema{types{name}}}"), fault("introspection")),
        ("a type", ask("{__type(name:\"A\"){name}}"), fault("introspection")),
        ("pages of millions", ask("{a(first:1000000){b(first:1000000){c}}}"), fault("cost")),
        ("pages below nothing", ask("{a(first:-1){b}}"), passed(&["first:-1"], &[])),
        ("no brace at the end", ask("{a"), fault("syntax")),
        ("nothing", ask(""), fault("syntax")),
        ("a string without end", ask("{a(b:\"x)}"), fault("syntax")),
        ("a block string without end", ask("{a(b:\"\"\"x)}"), fault("syntax")),
        ("two operations without a name", ask("{a}{b}"), passed(&["{a}{b}"], &[])),
        (
            "an operation that is not there",
            raw(r#"{"query":"query a{a}","operationName":"b"}"#), passed(&["operationName"], &[])),
        ("a query that is a number", raw(r#"{"query":1}"#), fault("syntax")),
        (
            "a query twice",
            raw(r#"{"query":"{a}","query":"{b}"}"#),
            refused(400, "contract-body-duplicate-key"),
        ),
        ("no query", raw("{}"), fault("syntax")),
        ("20 KiB of commas", ask(&",".repeat(20 << 10)), fault("size")),
        ("the schema as text", post("/graphql", "text/plain", "", br#"{"query":"{__schema{a}}"}"#), refused(415, "contract-content-type")),
        ("the schema without a type", b"POST /graphql HTTP/1.1\r\nHost: a.example\r\nContent-Length: 25\r\nConnection: close\r\n\r\n{\"query\":\"{__schema{a}}\"}".to_vec(), refused(415, "contract-content-type")),
        ("the schema as a form", post("/graphql", FORM, "", b"query=%7B__schema%7Ba%7D%7D"), refused(415, "contract-content-type")),
        ("the schema under an encoded letter", post("/%67raphql", JSON, "", br#"{"query":"{__schema{a}}"}"#), fault("introspection")),
        ("as text", post("/graphql", "text/plain", "", b"{a}"), refused(415, "contract-content-type")),
        (
            "a mutation by GET",
            super::get("/graphql?query=mutation%7Ba%7D", ""), refused(400, "contract-graphql-method")),
        ("the schema by GET", super::get("/graphql?query=%7B__schema%7Ba%7D%7D", ""), fault("introspection")),
    ];
    rows.into_iter().map(|(name, bytes, expect)| row("GraphQL", name, bytes, expect)).collect()
}

pub fn rows() -> Vec<Row> {
    [json(), types(), forms(), graphql()].into_iter().flatten().collect()
}
