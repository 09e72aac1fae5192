use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::cidr::Cidr;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
struct Config {
    listen: String,
    #[serde(default)]
    services: Vec<Service>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    statuses: BTreeMap<u16, bool>,
    #[serde(default)]
    any: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
struct Service {
    name: String,
    upstream: String,
    #[serde(default)]
    weight: Option<u8>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    from: Vec<Cidr>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Off,
    Observe,
    Block {
        after: Duration,
    },
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    body: ByteSize,
    idle: Duration,
    rate: f64,
    enabled: bool,
}

fn check(text: &str, expected: &str) {
    let told = match from_yaml::<Config>("p.yaml", text) {
        Ok(config) => format!("{config:?}"),
        Err(diagnostics) => diagnostics.iter().map(|d| format!("{d}\n")).collect(),
    };
    assert_eq!(told, expected, "{text}");
}

#[test]
fn reads_a_whole_configuration() {
    let config: Config = from_yaml(
        "p.yaml",
        "listen: 8080\nservices:\n  - name: 1.20\n    upstream: on\n    mode: observe\n    from: [10.0.0.0/8]\n  - {name: b, upstream: 'x', mode: {block: {after: 1h30m}}, weight: 3}\nlimits:\n  body: 64KiB\n  idle: 30d\n  rate: 3\n  enabled: true\nlabels: {a: 007, b: true}\nstatuses: {200: true}\nany: {x: [1, 1.5, on, ~]}\n",
    )
    .unwrap();
    assert_eq!(config.listen, "8080");
    assert_eq!((config.services[0].name.as_str(), config.services[0].upstream.as_str()), ("1.20", "on"));
    assert_eq!(config.services[0].mode, Mode::Observe);
    assert_eq!(config.services[1].mode, Mode::Block { after: Duration::from_secs(5400) });
    assert_eq!(config.limits.body, ByteSize::kib(64));
    assert_eq!(config.limits.idle, Duration::from_days(30));
    assert_eq!(config.labels["a"], "007");
    assert!(config.statuses[&200]);
    assert_eq!(config.any, Some(serde_json::json!({"x": [1, 1.5, "on", null]})));
}

#[test]
fn a_key_without_value_is_an_empty_section() {
    let config: Config = from_yaml("p.yaml", "listen: x\nservices:\nlimits:\nlabels:\nany:\n").unwrap();
    assert_eq!(config.limits, Limits::default());
    assert!(config.services.is_empty() && config.any.is_none());
}

#[test]
fn names_place_and_expectation() {
    for (text, expected) in [
        (
            "listen: a\nservces: []\n",
            "p.yaml:2:1: unknown key `servces` (did you mean `services`? expected one of `listen`, `services`, `limits`, `labels`, `statuses` or `any`)\n",
        ),
        ("services: []\n", "p.yaml:1:1: missing key `listen` (add it to this mapping)\n"),
        ("", "p.yaml:1:1: missing key `listen` (add it to this mapping)\n"),
        ("[]", "p.yaml:1:1: found a list (expected a mapping of keys to values)\n"),
        ("listen: [a]\n", "p.yaml:1:9: `listen`: found a list (expected text)\n"),
        ("listen: ~\n", "p.yaml:1:9: `listen`: found nothing (expected text)\n"),
        ("listen:\n", "p.yaml:1:1: `listen`: found nothing (expected text)\n"),
        (
            "listen: a\nlimits: {enabled: yes}\n",
            "p.yaml:2:19: `enabled`: found text `yes` (expected `true` or `false`)\n",
        ),
        (
            "listen: a\nlimits: {body: 10 sheep}\n",
            "p.yaml:2:16: `body`: `10 sheep` is no size, expected one such as `512`, `64KiB`, `10MB` or `1GiB`\n",
        ),
        (
            "listen: a\nlimits: {idle: 30}\n",
            "p.yaml:2:16: `idle`: `30` is no duration, expected one such as `500ms`, `10s`, `1h30m` or `30d`\n",
        ),
        (
            "listen: a\nlimits: {rate: '3'}\n",
            "p.yaml:2:16: `rate`: found text `3` in quotes (expected a number)\n",
        ),
        (
            "listen: a\nservices: [{name: a, upstream: b, weight: 300}]\n",
            "p.yaml:2:43: `weight`: found the number `300` (expected a whole number from 0 to 255)\n",
        ),
        (
            "listen: a\nservices: [{name: a, upstream: b, mode: blok}]\n",
            "p.yaml:2:41: `mode`: unknown value `blok` (did you mean `block`? expected one of `off`, `observe` or `block`)\n",
        ),
        (
            "listen: a\nservices: [{name: a, upstream: b, mode: {block: {aftr: 1s}}}]\n",
            "p.yaml:2:49: missing key `after` (add it to this mapping)\np.yaml:2:50: unknown key `aftr` (did you mean `after`? expected `after`)\n",
        ),
        (
            "listen: a\nservices: [{name: a, upstream: b, from: [10.0.0.1/8]}]\n",
            "p.yaml:2:42: `10.0.0.1/8` names a host inside a range, expected `10.0.0.0/8`\n",
        ),
        (
            "listen: a\nstatuses: {ok: true}\n",
            "p.yaml:2:12: found text `ok` (expected a whole number from 0 to 65535)\n",
        ),
        ("a: b: c\n", "p.yaml:1:5: not valid YAML: mapping values are not allowed in this context\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn tells_several_faults_at_once() {
    check(
        "listen: a\nlisen: b\nservices:\n  - name: x\n  - nam: x\n    upstream: [1]\n  - name: y\n    upstream: z\n    weight: -1\nlimits: 3\n",
        "p.yaml:2:1: unknown key `lisen` (did you mean `listen`? expected one of `listen`, `services`, `limits`, `labels`, `statuses` or `any`)\n\
         p.yaml:4:5: missing key `upstream` (add it to this mapping)\n\
         p.yaml:5:5: unknown key `nam` (did you mean `name`? expected one of `name`, `upstream`, `weight`, `mode` or `from`)\n\
         p.yaml:5:5: missing key `name` (add it to this mapping)\n\
         p.yaml:6:15: `upstream`: found a list (expected text)\n\
         p.yaml:9:13: `weight`: found the number `-1` (expected a whole number from 0 to 255)\n\
         p.yaml:10:9: `limits`: found the number `3` (expected a mapping of keys to values)\n",
    );
}

#[test]
fn a_repeated_key_is_refused_though_it_could_be_read() {
    check(
        "listen: a\nlisten: b\n",
        "p.yaml:2:1: key `listen` is given twice (it stands on line 1 already; keep one of them)\n",
    );
}

#[test]
fn says_where_each_value_came_from() {
    let config =
        from_yaml_with_spans::<Config>("p.yaml", "listen: a\nservices:\n  - name: x\n    upstream: y\n")
            .unwrap();
    assert_eq!(config.listen, "a");
    assert_eq!(config.span_of("/services/0/upstream").unwrap().to_string(), "p.yaml:4:15");
    assert_eq!(config.key_span_of("/services/0/upstream").unwrap().to_string(), "p.yaml:4:5");
    assert_eq!(config.span_of("/limits"), None);
    let origins: Vec<String> = config.origins().iter().map(|(p, span)| format!("{p} {span}")).collect();
    assert_eq!(
        origins,
        ["/listen p.yaml:1:9", "/services/0/name p.yaml:3:11", "/services/0/upstream p.yaml:4:15"]
    );
}

#[test]
fn quantities() {
    for (text, micros, shown) in [
        ("10s", 10_000_000, "10s"),
        ("500ms", 500_000, "500ms"),
        ("1h30m", 5_400_000_000, "1h30m"),
        ("90m", 5_400_000_000, "1h30m"),
        ("30d", 2_592_000_000_000, "30d"),
        ("2w", 1_209_600_000_000, "14d"),
        ("0", 0, "0s"),
        ("0s", 0, "0s"),
        ("7us", 7, "7us"),
    ] {
        let duration: Duration = text.parse().unwrap();
        assert_eq!((duration.as_micros(), duration.to_string().as_str()), (micros, shown), "{text}");
        assert_eq!(shown.parse::<Duration>().unwrap(), duration);
    }
    for text in
        ["", " ", "10", "s", "1m1h", "1s1s", "-1s", "1.5s", "1x", "99999999999999999999s", "9999999999w"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
    for (text, bytes, shown) in [
        ("64KiB", 65_536, "64KiB"),
        ("64 kib", 65_536, "64KiB"),
        ("10MB", 10_000_000, "10000000B"),
        ("512", 512, "512B"),
        ("0", 0, "0B"),
        ("1GiB", 1 << 30, "1GiB"),
    ] {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
    }
    for text in ["", "KiB", "-1", "1.5MB", "1XB", "99999999999TiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
    assert_eq!(serde_json::to_string(&ByteSize::mib(1)).unwrap(), "\"1MiB\"");
    assert_eq!(serde_json::from_str::<ByteSize>("1024").unwrap(), ByteSize::kib(1));
    assert_eq!(serde_json::from_str::<Duration>("\"2m\"").unwrap(), Duration::from_secs(120));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_spoiled_configuration_is_read_or_refused(at in 0usize..400, cut in 0usize..30, piece in "[ -~\n]{0,12}") {
        let whole = "listen: 8080\nservices:\n  - name: 1.20\n    upstream: on\n    mode: {block: {after: 1h30m}}\n    from: [10.0.0.0/8]\nlimits: &l\n  body: 64KiB\n  idle: 30d\n  rate: 3\nlabels: {a: 007, b: true}\nstatuses: {200: true}\nany: *l\n";
        let at = at.min(whole.len());
        let end = (at + cut).min(whole.len());
        let text = format!("{}{piece}{}", &whole[..at], &whole[end..]);
        match from_yaml_with_spans::<Config>("p.yaml", &text) {
            Ok(config) => { config.origins(); }
            Err(diagnostics) => proptest::prop_assert!(!diagnostics.is_empty()),
        }
    }
}
