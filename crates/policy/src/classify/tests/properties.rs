use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::card::luhn;
use super::*;

const PLACES: [Place; 2] = [Place::RequestBody, Place::ResponseBody];
const CONTENTS: [Content; 6] =
    [Content::Json, Content::Form, Content::Text, Content::Xml, Content::Graphql, Content::Binary];

fn with_check_digit(body: &str) -> String {
    let right = (0..10).map(|digit| format!("{body}{digit}"));
    right
        .into_iter()
        .find(|text| luhn(&text.bytes().map(|b| b - b'0').collect::<Vec<_>>()))
        .expect("one digit fits")
}

fn card() -> impl Strategy<Value = String> {
    let visa = "4[0-9]{14}";
    let mastercard = "5[1-5][0-9]{13}";
    let two_series = "22[3-9][0-9]{12}";
    let amex = "3[47][0-9]{12}";
    let discover = "6011[0-9]{11}";
    let body = prop_oneof![visa, mastercard, two_series, amex, discover];
    body.prop_map(|body| with_check_digit(&body))
        .prop_filter("digits differ", |text| text.bytes().any(|byte| Some(byte) != text.bytes().next()))
}

fn iban() -> impl Strategy<Value = String> {
    prop_oneof![
        ("DE", "[0-9]{18}"),
        ("GB", "[A-Z]{4}[0-9]{14}"),
        ("NL", "[A-Z]{4}[0-9]{10}"),
        ("NO", "[0-9]{11}")
    ]
    .prop_map(|(country, account)| {
        let digits = |text: &str| {
            text.chars().map(|c| c.to_digit(36).expect("letters and digits").to_string()).collect::<String>()
        };
        let number = digits(&format!("{account}{country}00"));
        let rest = number.bytes().fold(0u32, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97);
        format!("{country}{:02}{account}", 98 - rest)
    })
}

/// Documents with all kinds of values under keys that promise nothing.
fn document(special: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[ -~]{0,30}".prop_map(Json::from),
        "\\PC{0,20}".prop_map(Json::from),
        special.prop_map(Json::from),
        "[a-z]{2,8}@[a-z]{2,8}\\.(com|org|de)".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec(
                ("(alpha|beta|gamma|email|phone|note|password|ssn|error|[a-z]{1,6})", inner),
                0..6
            )
            .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn scan(content: Content, place: Place, bytes: &[u8], truncated: bool) -> Findings {
    let mut out = Findings::new();
    scanner().scan(content, place, bytes, truncated, &mut out);
    out
}

fn plant(document: Json, value: &str) -> Json {
    serde_json::json!({"alpha": [document], "beta": {"gamma": [value]}})
}

fn assert_subset(part: &Findings, whole: &Findings) -> Result<(), TestCaseError> {
    for hit in &part.hits {
        let known = whole.hits.iter().find(|known| {
            known.class == hit.class
                && known.field == hit.field
                && known.place == hit.place
                && known.masked == hit.masked
        });
        prop_assert!(
            known.is_some_and(|known| known.count >= hit.count),
            "{hit:?} is not in {:?}",
            listed(whole)
        );
    }
    let names = whole.field_names();
    prop_assert!(part.field_names().iter().all(|name| names.contains(name)));
    let mut signals = part.signals;
    signals.0 &= !(1 << Signal::InspectionTruncated as u64);
    prop_assert_eq!(signals.0 & !whole.signals.0, 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), truncated: bool) {
        for content in CONTENTS {
            for place in PLACES {
                scan(content, place, &bytes, truncated);
            }
        }
    }

    #[test]
    fn no_digits_and_marks_panic(text in "[0-9 *+\\-.:=/@(){}\\[\\]\"\\\\,%&<>A-FxXB^é•]{0,300}", truncated: bool) {
        for content in CONTENTS {
            scan(content, Place::ResponseBody, text.as_bytes(), truncated);
        }
        let mut out = Findings::new();
        scanner().scan_query(&text, &mut out);
        scanner().scan_field(Place::RequestHeader, &text, &text, &mut out);
    }

    #[test]
    fn a_planted_card_is_found(document in document("[a-z]{1,9}"), card in card(), pretty: bool) {
        let planted = plant(document, &card);
        let body = if pretty { serde_json::to_string_pretty(&planted) } else { serde_json::to_string(&planted) };
        let found = json(&body.expect("json"));
        let hit = found.hits.iter().find(|hit| hit.class == DataClass::CardNumber && hit.field == "/beta/gamma/*");
        prop_assert!(hit.is_some_and(|hit| !hit.masked), "{card}");
    }

    #[test]
    fn a_planted_account_number_is_found(document in document("[a-z]{1,9}"), iban in iban(), grouped: bool) {
        let text = match grouped {
            true => iban.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>().join(" "),
            false => iban,
        };
        let found = json(&plant(document, &text).to_string());
        prop_assert!(found.hits.iter().any(|hit| hit.class == DataClass::Iban && hit.field == "/beta/gamma/*"), "{text}");
    }

    #[test]
    fn a_cut_document_yields_a_subset(
        document in document(prop_oneof![card(), iban()]),
        (value, other) in (card(), iban()),
        prose in "[a-z ]{0,90}",
        cut in 0.0..1.0f64,
        truncated: bool,
    ) {
        let text = format!("{prose} {value} then {other}, ada@example.com and +4930901820 {prose}");
        let body = plant(document, &text).to_string();
        let at = (body.len() as f64 * cut) as usize;
        for content in [Content::Json, Content::Text] {
            let whole = scan(content, Place::ResponseBody, body.as_bytes(), false);
            let part = scan(content, Place::ResponseBody, &body.as_bytes()[..at], truncated);
            assert_subset(&part, &whole)?;
        }
        let whole = scan(Content::Text, Place::ResponseBody, text.as_bytes(), false);
        let part = scan(Content::Text, Place::ResponseBody, &text.as_bytes()[..at.min(text.len())], true);
        assert_subset(&part, &whole)?;
    }

    #[test]
    fn no_value_is_ever_in_the_findings(document in document(prop_oneof![card(), iban()]), value in card()) {
        let body = plant(document, &value).to_string();
        let found = format!("{:?}", json(&body));
        prop_assert!(!found.contains(&value));
    }

    #[test]
    fn what_was_scanned_before_changes_nothing(
        documents in prop::collection::vec(document(prop_oneof![card(), iban()]), 1..6),
        cut in 0.0..1.0f64,
    ) {
        let mut reused = Findings::new();
        for document in &documents {
            let body = serde_json::to_string_pretty(document).expect("json");
            let body = &body.as_bytes()[..(body.len() as f64 * cut) as usize];
            let fresh = scan(Content::Json, Place::ResponseBody, body, true);
            reused.clear();
            scanner().scan(Content::Json, Place::ResponseBody, body, true, &mut reused);
            prop_assert_eq!(&reused.hits, &fresh.hits);
            prop_assert_eq!(reused.field_names(), fresh.field_names());
            prop_assert_eq!(reused.shape(200, "x"), fresh.shape(200, "x"));
            prop_assert_eq!(reused.signals, fresh.signals);
        }
    }

    #[test]
    fn order_and_repetition_keep_the_shape(members in prop::collection::btree_map("[a-z]{1,6}", 0..3u8, 1..8)) {
        let one = |values: &mut dyn Iterator<Item = (&String, &u8)>| {
            let parts: Vec<String> = values.map(|(key, value)| format!("\"{key}\":[{{\"x\":{value}}}]")).collect();
            json(&format!("{{{}}}", parts.join(","))).shape(200, "application/json")
        };
        prop_assert_eq!(one(&mut members.iter()), one(&mut members.iter().rev()));
    }
}
