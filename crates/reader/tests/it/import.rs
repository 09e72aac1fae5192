use std::fmt::Write as _;
use std::path::Path;

use probity_model::Diagnostic;
use probity_reader::accesslog::{self, Format, Lines};
use probity_reader::{ImportedCall, har};
use proptest::prelude::*;

use crate::golden;
use crate::mutation::mutated;
use crate::openapi::told;

fn shown(calls: &[ImportedCall<'_>]) -> String {
    let mut out = String::new();
    for c in calls {
        writeln!(
            out,
            "{}: {} {} {:?} {:?} {:?} -> {}",
            c.line, c.started_at, c.method, c.host, c.path, c.query, c.status
        )
        .unwrap();
        writeln!(
            out,
            "    {:?} client {:?} agent {:?} authenticated {} types {:?} {:?}",
            c.protocol, c.client, c.user_agent, c.authenticated, c.request_type, c.response_type
        )
        .unwrap();
        writeln!(
            out,
            "    bytes {:?} {:?} time {:?} {:?} query {:?}",
            c.request_bytes, c.response_bytes, c.total_us, c.upstream_us, c.query_text
        )
        .unwrap();
        for (of, headers, body) in [
            ("request", &c.request_headers, &c.request_body),
            ("response", &c.response_headers, &c.response_body),
        ] {
            if !headers.is_empty() || body.is_some() {
                let body = body.as_deref().map(String::from_utf8_lossy);
                writeln!(out, "    {of} {headers:?} {body:?}").unwrap();
            }
        }
    }
    out
}

fn read<'a>(path: &Path, bytes: &'a [u8]) -> (Vec<ImportedCall<'a>>, Vec<Diagnostic>) {
    let name = golden::name(path);
    if name.ends_with(".har") { har::read(&name, bytes) } else { accesslog::read(&name, bytes, None) }
}

#[test]
fn recorded_calls_are_read_as_committed() {
    for (path, bytes) in golden::inputs("import") {
        let (calls, diagnostics) = read(&path, &bytes);
        let format = Format::detect(&bytes).map_or("-", Format::as_str);
        golden::check(&path, &format!("{format}\n{}{}", shown(&calls), told(&diagnostics)));
    }
}

#[test]
fn a_har_file_that_is_cut_off_is_read_up_to_the_cut() {
    let (_, bytes) =
        golden::inputs("import").into_iter().find(|(path, _)| golden::name(path) == "browser.har").unwrap();
    let cut = bytes.len() - 40;
    let (calls, diagnostics) = har::read("f.har", &bytes[..cut]);
    assert_eq!(calls.len(), 1);
    assert!(told(&diagnostics).contains("not a whole HAR file: EOF while parsing"), "{diagnostics:?}");
    for (text, expected) in [
        (
            "{}",
            "high f.har:1:1: the file holds no entries (expected a JSON object with `log.entries`, as browsers and proxies save it)\n",
        ),
        (
            "[]",
            "high f.har:1:0: not a whole HAR file: a value is of another type than HAR gives it (0 entries before it are read)\n",
        ),
    ] {
        let expected = expected.replace("1:0", "1:1");
        assert_eq!(told(&har::read("f.har", text.as_bytes()).1), expected);
    }
}

#[test]
fn a_format_that_is_named_is_kept_to() {
    let line = b"127.0.0.1 - - [10/Oct/2000:13:55:37 -0700] \"GET / HTTP/1.1\" 204 -";
    assert!(Lines::new(Format::Common).parse(1, line).unwrap().is_some());
    for format in [Format::Combined, Format::VhostCommon, Format::EnvoyJson] {
        assert_eq!(Lines::new(format).parse(1, line).unwrap_err(), accesslog::LineError::Form(format));
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!("apache".parse::<Format>().is_err());
    let (calls, diagnostics) = accesslog::read("f", b"nothing\nof the kind\n", None);
    assert!(calls.is_empty());
    assert!(told(&diagnostics).starts_with("high f:1:1: no access log format is recognised"));
    assert!(accesslog::read("f", b" \n\n", None).1.is_empty());
}

#[test]
fn refused_lines_are_listed_up_to_a_bound_and_all_are_counted() {
    let good = "127.0.0.1 - - [10/Oct/2000:13:55:37 -0700] \"GET / HTTP/1.1\" 204 -\n";
    let text = good.repeat(200) + &"bad\n".repeat(2000) + "\n" + good;
    let (calls, diagnostics) = accesslog::read("f", text.as_bytes(), None);
    assert_eq!(calls.len(), 201);
    assert_eq!(diagnostics.len(), probity_reader::diagnostics::MAX_DIAGNOSTICS + 2);
    assert_eq!(diagnostics.last().unwrap().message, "2000 of 2202 lines are not read");
    let long = format!("{good}{}\n", "x".repeat(accesslog::MAX_LINE + 1));
    let (_, diagnostics) = accesslog::read("f", long.as_bytes(), None);
    assert!(told(&diagnostics).contains("f:2:1: line not read: longer than"));
}

#[test]
fn nothing_of_a_call_is_printed_but_what_a_record_holds() {
    let (path, bytes) =
        golden::inputs("import").into_iter().find(|(path, _)| golden::name(path) == "browser.har").unwrap();
    let (calls, _) = read(&path, &bytes);
    let printed = format!("{calls:?}");
    for secret in ["next", "login", "Mozilla", "caf"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_spoiled_file_is_read_or_refused(input in 0usize..6, spoils in mutated()) {
        let (path, bytes) = golden::inputs("import").remove(input);
        let bytes = spoils.apply(&bytes);
        read(&path, &bytes);
    }

    #[test]
    fn any_bytes_are_lines(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            let (calls, diagnostics) = accesslog::read("f", &bytes, Some(format));
            let lines: Vec<&[u8]> = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|b| *b == b'\n').collect();
            let parsed = lines.iter().zip(1..).map(|(line, number)| Lines::new(format).parse(number, line));
            let (mut read, mut refused) = (0, 0);
            for result in parsed {
                match result {
                    Ok(call) => read += usize::from(call.is_some()),
                    Err(_) => refused += 1,
                }
            }
            prop_assert_eq!(calls.len(), read);
            let total = format!("{refused} of {} lines are not read", lines.len());
            prop_assert_eq!(diagnostics.last().map(|d| d.message.clone()), (refused > 0).then_some(total));
        }
        har::read("f", &bytes);
    }

    #[test]
    fn any_line_like_text_is_read(line in "[a-z0-9.:-]{1,9} - [a-z-]{1,5} \\[[0-9A-Za-z/: +-]{0,30}\\] \"[ -~]{0,40}\" [0-9]{0,4} [0-9-]{0,3}( \"[ -~]{0,9}\"){0,3}") {
        for format in Format::ALL {
            let _ = Lines::new(format).parse(1, line.as_bytes());
        }
    }
}
