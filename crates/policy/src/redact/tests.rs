//! Tables of forms and bodies, and properties: what was not found stays, what was found is gone, however it is cut.

use std::sync::LazyLock;

use probity_model::bundle::leaks::{LeakRule, Operations};
use probity_model::{ClassHit, Place};
use proptest::prelude::*;

use super::*;
use crate::classify::{Content, Findings, Scanner};

fn scanner() -> &'static Scanner {
    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
        let own = probity_model::bundle::CustomClass {
            class: DataClass::Custom("project".into()),
            label: "business secret".into(),
            pattern: None,
            words: vec!["Bluebird".into()],
        };
        Scanner::new(&[own]).expect("classes")
    });
    &SCANNER
}

/// Numbers its tokens, so that tests can name them.
#[derive(Default)]
struct Counted(Vec<Vec<u8>>);

impl Tokens for Counted {
    fn token(&mut self, _: &DataClass, value: &[u8]) -> Option<String> {
        let known = self.0.iter().position(|known| known == value);
        let index = known.unwrap_or_else(|| {
            self.0.push(value.to_vec());
            self.0.len() - 1
        });
        Some(format!("ptk_{index}"))
    }
}

fn located(content: Content, body: &[u8]) -> Findings {
    let mut findings = Findings::new();
    findings.locate(true);
    scanner().scan(content, Place::ResponseBody, body, false, &mut findings);
    findings
}

fn changed(content: Content, body: &[u8], decide: impl Fn(&DataClass) -> LeakAction) -> (Vec<u8>, Plan) {
    let findings = located(content, body);
    let plan = plan(body, &findings, decide, &mut Counted::default(), Style::default());
    let mut out = Vec::new();
    apply(body, &plan.edits, &mut out);
    (out, plan)
}

fn check(content: Content, action: LeakAction, body: &str, expected: &str) {
    let (out, _) = changed(content, body.as_bytes(), |class| match class {
        DataClass::PersonName => LeakAction::Pass,
        _ => action,
    });
    assert_eq!(String::from_utf8_lossy(&out), expected, "{action:?} of {body}");
}

#[test]
fn masks() {
    use DataClass as C;
    let rows: &[(C, &str, &str)] = &[
        (C::CardNumber, "4111111111111111", "411111******1111"),
        (C::CardNumber, "4111 1111 1111 1111", "4111 11** **** 1111"),
        (C::CardNumber, "378282246310005", "378282*****0005"),
        (C::CardNumber, "36148900647913", "361489****7913"),
        (C::CardNumber, "501800000009", "********0009"),
        (C::CardVerificationCode, "123", "***"),
        (C::CardTrack, "4111111111111111=25121010000012345678", "***"),
        (C::Ssn, "123-45-6789", "***-**-6789"),
        (C::Ssn, "123456789", "***-**-6789"),
        (C::Iban, "DE89370400440532013000", "DE****************3000"),
        (C::Iban, "DE89 3704 0044 0532 0130 00", "DE** **** **** **** **30 00"),
        (C::Email, "ada@example.com", "a***@example.com"),
        (C::Email, "a@example.com", "***@example.com"),
        (C::Phone, "+1 415 555 2671", "+* *** *** **71"),
        (C::DateOfBirth, "1980-12-10", "1980-**-**"),
        (C::DateOfBirth, "10.12.1980", "***"),
        (C::IpAddress, "192.0.2.7", "192.0.*.*"),
        (C::IpAddress, "2001:db8::1", "***"),
        (C::PersonName, "Ada Lovelace", "A*** L***"),
        (C::PersonName, "Åsa", "Å***"),
        (C::MedicalRecord, "MRN-0012345", "***45"),
        (C::Password, "hunter2", "***"),
        (C::Jwt, "eyJ0.eyJ1.sig", "***"),
        (C::Custom("project".into()), "Bluebird", "***"),
    ];
    for (class, value, expected) in rows {
        assert_eq!(mask(class, value.as_bytes(), Style::default()), *expected, "{class}");
    }
    let eight = Style { card_bin: 8 };
    assert_eq!(mask(&C::CardNumber, b"4111111111111111", eight), "41111111****1111");
    assert_eq!(mask(&C::CardNumber, b"378282246310005", eight), "378282*****0005");
    assert_eq!(mask(&C::CardNumber, b"\xff\xfe", eight), "***");
}

#[test]
fn bodies_keep_all_else() {
    use Content::{Form, Json, Text, Xml};
    use LeakAction::{Drop, Mask, Pass, Replace, Tokenise};
    let card = r#"{ "id":7,  "card":"4111111111111111" , "ok":true }"#;
    check(Json, Mask, card, r#"{ "id":7,  "card":"411111******1111" , "ok":true }"#);
    check(Json, Tokenise, card, r#"{ "id":7,  "card":"ptk_0" , "ok":true }"#);
    check(Json, Replace, card, r#"{ "id":7,  "card":"[redacted]" , "ok":true }"#);
    check(Json, Drop, card, r#"{ "id":7,  "ok":true }"#);
    check(Json, Pass, card, card);
    // Numbers become texts.
    check(Json, Mask, r#"{"pan":4111111111111111}"#, r#"{"pan":"411111******1111"}"#);
    check(Json, Drop, r#"{"pan":4111111111111111}"#, "{}");
    // Commas of what goes.
    check(Json, Drop, r#"{"a":1,"email":"ada@example.com"}"#, r#"{"a":1}"#);
    check(Json, Drop, r#"{"a":1,"email":"ada@example.com","ssn":"123-45-6789"}"#, r#"{"a":1}"#);
    check(Json, Drop, r#"{"email":"ada@example.com", "ssn":"123-45-6789", "a":1}"#, r#"{"a":1}"#);
    check(Json, Drop, r#"{"email":"ada@example.com","ssn":"123-45-6789"}"#, "{}");
    check(Json, Drop, r#"["ada@example.com", "x"]"#, r#"[null, "x"]"#);
    // Inside a longer text, with escapes around and within.
    check(
        Json,
        Mask,
        r#"{"note":"\u00e9\"\/ call ada\u0040example.com \n4111 1111\u00201111 1111\t."}"#,
        r#"{"note":"\u00e9\"\/ call a***@example.com \n4111 11** **** 1111\t."}"#,
    );
    check(Json, Drop, r#"{"a":1,"note":"say \"hi\" to ada@example.com now"}"#, r#"{"a":1}"#);
    check(Json, Replace, r#"{"note":"say \"hi\" to ada@example.com now"}"#, r#"{"note":"[redacted]"}"#);
    // Without their ends.
    check(Json, Mask, r#"{"pan":"4111111111111111"#, r#"{"pan":"411111******1111"#);
    check(Json, Mask, r#"{"pan":4111111111111111"#, r#"{"pan":"411111******1111""#);
    // Keys.
    check(Json, Mask, r#"{"ada@example.com":1}"#, r#"{"a***@example.com":1}"#);
    check(Json, Drop, r#"{"ada@example.com":1}"#, r#"{"a***@example.com":1}"#);
    check(Form, Mask, "a=1&email=ada%40example.com&b=%20", "a=1&email=a***%40example.com&b=%20");
    check(Form, Drop, "a=1&email=ada%40example.com&b=2", "a=1&b=2");
    check(Form, Drop, "a=1&email=ada%40example.com", "a=1");
    check(Form, Tokenise, "card=4111+1111+1111+1111&b=2", "card=ptk_0&b=2");
    let part = "--x\r\nContent-Disposition: form-data; name=\"pan\"\r\n\r\n4111111111111111\r\n--x--\r\n";
    check(Form, Mask, part, &part.replace("4111111111111111", "411111******1111"));
    check(Form, Drop, part, &part.replace("4111111111111111", ""));
    check(
        Xml,
        Mask,
        "<a ssn=\"123-45-6789\"><b>x &amp; ada@example.com</b></a>",
        "<a ssn=\"***-**-6789\"><b>x &amp; a***@example.com</b></a>",
    );
    check(Xml, Drop, "<a><email>ada@example.com</email></a>", "<a><email></email></a>");
    check(
        Text,
        Mask,
        "to ada@example.com, pay 4111-1111-1111-1111.",
        "to a***@example.com, pay 4111-11**-****-1111.",
    );
    check(Text, Drop, "to ada@example.com.", "to .");
    check(Text, Mask, "Bluebird starts", "*** starts");
    check(
        Text,
        Mask,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\nrest",
        "***\nrest",
    );
}

#[test]
fn authentication_data_gets_no_token() {
    let (out, plan) =
        changed(Content::Json, br#"{"cvv":"123","password":"hunter22"}"#, |_| LeakAction::Tokenise);
    assert_eq!(String::from_utf8_lossy(&out), r#"{"cvv":"***","password":"***"}"#);
    assert!(plan.changes.iter().all(|change| change.untokened));
}

#[test]
fn a_refused_class_changes_nothing() {
    let (_, plan) =
        changed(Content::Json, br#"{"pan":"4111111111111111","email":"ada@example.com"}"#, |class| {
            if *class == DataClass::CardNumber { LeakAction::Block } else { LeakAction::Mask }
        });
    assert!(plan.blocked);
    assert_eq!(
        plan.changes.iter().map(|c| (c.field.as_str(), c.action)).collect::<Vec<_>>(),
        [("/pan", LeakAction::Block), ("/email", LeakAction::Mask)]
    );
}

#[test]
fn rules_by_role_and_operation() {
    let rule = |action, roles: &[&str], operations| LeakRule {
        classes: vec![DataClass::CardNumber],
        roles: roles.iter().map(|role| (*role).into()).collect(),
        operations,
        action,
    };
    let rules = Rules::new(&[
        rule(LeakAction::Pass, &["settlement"], Operations::At(vec![2])),
        rule(LeakAction::Block, &[], Operations::At(vec![3])),
        rule(LeakAction::Mask, &[], Operations::All),
    ]);
    let roles: Vec<std::sync::Arc<str>> = vec!["clerk".into(), "settlement".into()];
    let action = |roles, operation| rules.action(&DataClass::CardNumber, Caller { roles, operation });
    assert_eq!(action(&roles, Some(2)), LeakAction::Pass);
    assert_eq!(action(&[], Some(2)), LeakAction::Mask);
    assert_eq!(action(&roles, Some(3)), LeakAction::Block);
    assert_eq!(action(&roles, None), LeakAction::Mask);
    assert_eq!(rules.action(&DataClass::Email, Caller::default()), LeakAction::Pass);
    assert!(rules.touches(Some(9)) && !Rules::default().touches(None));
}

/// The body as it comes out of a stream that is fed pieces of these lengths in turn.
fn streamed(
    content: Content,
    body: &[u8],
    pieces: &[usize],
    action: LeakAction,
) -> Result<Vec<u8>, StreamError> {
    let mut stream =
        Stream::new(content, Place::ResponseBody, "x/y", Style::default()).expect("content is read");
    let (mut out, mut rest, mut tokens) = (Vec::new(), body, Counted::default());
    let decide = |class: &DataClass| match class {
        DataClass::PersonName => LeakAction::Pass,
        _ => action,
    };
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).clamp(1, rest.len().max(1)).min(rest.len()));
        stream.feed(scanner(), now, &decide, &mut tokens, &mut out)?;
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(scanner(), &decide, &mut tokens, &mut out)?;
    Ok(out)
}

fn whole(content: Content, body: &[u8], action: LeakAction) -> Vec<u8> {
    let decide = |class: &DataClass| match class {
        DataClass::PersonName => LeakAction::Pass,
        _ => action,
    };
    changed(content, body, decide).0
}

fn leaves() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        Just(serde_json::json!(4_111_111_111_111_111_u64)),
        Just("4111111111111111".into()),
        Just("378282246310005".into()),
        Just("4111 1111 1111 1111".into()),
        Just("DE89 3704 0044 0532 0130 00".into()),
        Just("123-45-6789".into()),
        Just("Call \"Ada\" at ada@example.com\u{e9}\n or +1 415 555 2671".into()),
        Just("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".into()),
        "[ -~]{0,30}".prop_map(serde_json::Value::from),
        "\\PC{0,20}".prop_map(serde_json::Value::from),
    ]
}

fn documents() -> impl Strategy<Value = serde_json::Value> {
    leaves().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec(
                ("(alpha|id|pan|card_number|email|phone|note|password|ssn|cvv|iban|[a-z]{1,6}|ada@example\\.com)", inner),
                0..6
            )
            .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn written(document: &serde_json::Value, pretty: bool) -> String {
    if pretty { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) }
        .expect("json")
}

const ACTIONS: [LeakAction; 4] =
    [LeakAction::Mask, LeakAction::Tokenise, LeakAction::Replace, LeakAction::Drop];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_but_hits_is_changed(document in documents(), pretty: bool, action in prop::sample::select(&ACTIONS)) {
        let body = written(&document, pretty);
        let findings = located(Content::Json, body.as_bytes());
        let plan = plan(body.as_bytes(), &findings, |_| action, &mut Counted::default(), Style::default());
        let mut out = Vec::new();
        apply(body.as_bytes(), &plan.edits, &mut out);
        // What stands between the edits is the same in both.
        let (mut from, mut rest) = (0, &out[..]);
        for edit in &plan.edits {
            let kept = &body.as_bytes()[from..edit.range.start];
            prop_assert!(rest.starts_with(kept));
            rest = &rest[kept.len()..];
            prop_assert!(rest.starts_with(&edit.with));
            rest = &rest[edit.with.len()..];
            from = edit.range.end;
        }
        prop_assert_eq!(rest, &body.as_bytes()[from..]);
        prop_assert!(!plan.lost);
        // Still JSON.
        let after: Result<serde_json::Value, _> = serde_json::from_slice(&out);
        prop_assert!(after.is_ok(), "{} of {}", String::from_utf8_lossy(&out), body);
        if plan.edits.is_empty() {
            prop_assert_eq!(out, body.as_bytes());
        }
    }

    #[test]
    fn no_number_is_left(document in documents(), pretty: bool, action in prop::sample::select(&ACTIONS)) {
        let out = whole(Content::Json, written(&document, pretty).as_bytes(), action);
        let after = located(Content::Json, &out);
        let strict = [DataClass::CardNumber, DataClass::Ssn, DataClass::Iban, DataClass::CardVerificationCode, DataClass::PrivateKey, DataClass::CardTrack];
        let left: Vec<&ClassHit> = after.hits.iter().filter(|hit| !hit.masked && strict.contains(&hit.class)).collect();
        prop_assert!(left.is_empty(), "{left:?} in {}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn a_stream_is_the_whole(
        document in documents(),
        pretty: bool,
        pieces in prop::collection::vec(1usize..40, 1..6),
        action in prop::sample::select(&[LeakAction::Mask, LeakAction::Tokenise, LeakAction::Replace]),
    ) {
        let body = written(&document, pretty);
        let expected = whole(Content::Json, body.as_bytes(), action);
        let out = streamed(Content::Json, body.as_bytes(), &pieces, action).expect("not refused");
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
    }

    #[test]
    fn other_streams_are_the_whole(
        words in prop::collection::vec(prop_oneof![Just("4111 1111 1111 1111"), Just("ada@example.com"), Just("<b>"), Just("</b>"), Just("x&y=1"), Just("ssn=123-45-6789"), Just("\n"), Just("é")], 0..30),
        pieces in prop::collection::vec(1usize..40, 1..6),
    ) {
        let body = words.join(" ");
        for content in [Content::Text, Content::Xml, Content::Form] {
            if body.trim_start().starts_with('-') {
                continue;
            }
            let expected = whole(content, body.as_bytes(), LeakAction::Mask);
            let out = streamed(content, body.as_bytes(), &pieces, LeakAction::Mask).expect("not refused");
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "{:?}", content);
        }
    }

    #[test]
    fn any_bytes_come_through(bytes in prop::collection::vec(any::<u8>(), 0..400), pieces in prop::collection::vec(1usize..60, 1..4)) {
        for content in [Content::Json, Content::Xml, Content::Form, Content::Text, Content::Graphql] {
            let (_, plan) = changed(content, &bytes, |_| LeakAction::Drop);
            prop_assert!(plan.edits.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
            prop_assert!(plan.edits.iter().all(|edit| edit.range.end <= bytes.len() && edit.range.start <= edit.range.end));
            let passed = streamed(content, &bytes, &pieces, LeakAction::Pass).expect("not refused");
            prop_assert_eq!(passed, bytes.clone());
        }
    }

    #[test]
    fn marks_and_digits_come_through(text in "[0-9 *+\\-.:=/@(){}\\[\\]\"\\\\,%&;<>!A-FxXuB^é•\n]{0,300}", piece in 1usize..60) {
        for content in [Content::Json, Content::Xml, Content::Form, Content::Text] {
            for action in ACTIONS {
                whole(content, text.as_bytes(), action);
                if !text.starts_with('-') {
                    let _ = streamed(content, text.as_bytes(), &[piece], action);
                }
            }
            if !text.starts_with('-') {
                let passed = streamed(content, text.as_bytes(), &[piece], LeakAction::Pass).expect("not refused");
                prop_assert_eq!(passed, text.as_bytes());
            }
        }
    }
}

/// Texts far longer than the window, a number at each of many places: none comes through, and pieces make no difference.
#[test]
fn long_values_are_read_part_by_part() {
    const CARD: &str = "4111 1111 1111 1111";
    let filler = |length: usize| "lorem ipsum dolor ".repeat(length / 18 + 1)[..length].to_owned();
    let mut text = String::new();
    for step in 0..12 {
        text.push_str(&filler(WINDOW / 4 + step * 311));
        text.push_str(" pay ");
        text.push_str(CARD);
        text.push_str(" to ada@example.com ");
    }
    let json = serde_json::json!({"before": "ada@example.com", "note": text, "after": CARD}).to_string();
    let xml = format!("<?xml version=\"1.0\"?><a><note>{text}</note><pan>{CARD}</pan></a>");
    let form = format!("a=1&note={}&pan=4111111111111111", text.replace(' ', "+").replace('@', "%40"));
    for (content, body) in
        [(Content::Text, &text), (Content::Json, &json), (Content::Xml, &xml), (Content::Form, &form)]
    {
        let first = streamed(content, body.as_bytes(), &[WINDOW], LeakAction::Mask).expect("not refused");
        for pieces in [&[1usize][..], &[977, 13, 65_536], &[1 << 20]] {
            let again = streamed(content, body.as_bytes(), pieces, LeakAction::Mask).expect("not refused");
            assert!(again == first, "{content:?} {pieces:?}");
        }
        same(&first, &whole(content, body.as_bytes(), LeakAction::Mask));
        let first = String::from_utf8(first).expect("text");
        assert!(
            !first.contains(CARD) && !first.contains("4111+1111+1111+1111") && !first.contains("ada@"),
            "{content:?}"
        );
    }
}

/// Shows where two long bodies part.
fn same(left: &[u8], right: &[u8]) {
    let at = left.iter().zip(right).position(|(l, r)| l != r).unwrap_or(left.len().min(right.len()));
    let near = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())]).into_owned()
    };
    assert!(left == right, "at {at} of {}: `{}` is not `{}`", right.len(), near(left), near(right));
}

/// One word without an end: the window moves on all the same.
#[test]
fn endless_words_pass() {
    for (content, body) in [
        (Content::Text, "a".repeat(3 * WINDOW)),
        (Content::Json, format!("{{\"a\":\"{}\",\"pan\":\"4111111111111111\"}}", "Qk0".repeat(WINDOW))),
        (Content::Json, format!("{{\"a\":\"{}\",\"pan\":\"4111111111111111\"}}", "\\u0041".repeat(WINDOW))),
        (Content::Json, format!("{}{{\"pan\":\"4111111111111111\"}}", " ".repeat(3 * WINDOW))),
        (Content::Json, "9".repeat(3 * WINDOW)),
        (Content::Xml, format!("<a{}", "b".repeat(3 * WINDOW))),
    ] {
        let out = streamed(content, body.as_bytes(), &[5000], LeakAction::Mask).expect("not refused");
        same(&out, body.replace("4111111111111111", "411111******1111").as_bytes());
    }
}

#[test]
fn events_go_out_one_by_one() {
    let mut stream =
        Stream::new(Content::Text, Place::ResponseBody, "text/event-stream", Style::default()).expect("read");
    let decide = |_: &DataClass| LeakAction::Mask;
    let mut out = Vec::new();
    let body = b"event: paid\ndata: {\"pan\":\"4111111111111111\",\"padding\":\"to make it long enough\"}\n\ndata: next";
    stream.feed(scanner(), body, &decide, &mut NoTokens, &mut out).expect("fed");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(
        text,
        "event: paid\ndata: {\"pan\":\"411111******1111\",\"padding\":\"to make it long enough\"}\n\n"
    );
}

#[test]
fn a_refused_class_ends_a_stream() {
    let decide = |_: &DataClass| LeakAction::Block;
    let mut stream = Stream::new(Content::Json, Place::ResponseBody, "", Style::default()).expect("read");
    let mut out = Vec::new();
    let body = br#"{"a":"some text that is long enough for a head","b":1,"pan":"4111111111111111","c":1}"#;
    let fed = stream.feed(scanner(), body, &decide, &mut NoTokens, &mut out);
    assert_eq!(fed, Err(StreamError::Blocked));
    assert!(out.is_empty());
}
