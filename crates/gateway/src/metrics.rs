//! Counters of the data path, and their Prometheus text.
//!
//! Labels are service, method, route template, status class and names fixed in the code: never a raw path. Series are
//! bounded by [`MAX_SERIES`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use probity_model::Timestamp;

use crate::certificate::Expiry;
use crate::watch::lock;

/// Most series of one gateway, over all bundles of its life. Operations beyond count under their service alone.
pub(crate) const MAX_SERIES: usize = 20_000;

/// Upper bounds of the histogram's buckets, in microseconds; a last one without bound follows.
const BUCKETS_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];
/// Most reasons of refusals that are counted by name; a bundle's rules have names of their own.
const MAX_REASONS: usize = 512;
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The parts of a call's way through the gateway, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Route,
    Observe,
    Network,
    Identity,
    Limits,
    Authorization,
    Contract,
    Leaks,
    Answers,
    /// Waiting for bodies that are decided as a whole.
    Body,
    /// Waiting for the upstream, and relaying.
    Upstream,
    Record,
    /// All of the above but the two that wait.
    Sum,
}

impl Stage {
    const NAMES: [&str; 13] = [
        "route",
        "observe",
        "network",
        "identity",
        "limits",
        "authorization",
        "contract",
        "leaks",
        "answers",
        "body",
        "upstream",
        "record",
        "sum",
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or("other")
    }
}

/// Upper bounds of a stage's buckets, in nanoseconds; a last one without bound follows.
const STAGE_BUCKETS_NS: [u64; 14] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    150_000,
    250_000,
    500_000,
    1_000_000,
    10_000_000,
    1_000_000_000,
];

/// Time spent in one stage.
#[derive(Debug, Default)]
struct StageSeries {
    buckets: [AtomicU64; STAGE_BUCKETS_NS.len() + 1],
    sum_ns: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub connections: AtomicU64,
    pub connections_accepted: AtomicU64,
    pub handshakes_failed: AtomicU64,
    pub upstream_connects: AtomicU64,
    pub upstream_reused: AtomicU64,
    pub records_taken: AtomicU64,
    pub records_refused: AtomicU64,
    pub stage_panics: AtomicU64,
    pub bundle_keep_failures: AtomicU64,
    refusals: Mutex<BTreeMap<String, u64>>,
    stages: [StageSeries; Stage::NAMES.len()],
    series: Mutex<HashMap<SeriesKey, Arc<Series>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct SeriesKey {
    service: Arc<str>,
    method: Arc<str>,
    template: Arc<str>,
}

/// Calls of one operation.
#[derive(Debug, Default)]
pub(crate) struct Series {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Series {
    pub fn count(&self, status: u16, us: u64) {
        let class = self.classes.get(usize::from(status / 100)).or(self.classes.first());
        let bucket = self.buckets.get(BUCKETS_US.partition_point(|bound| us > *bound));
        for counter in class.into_iter().chain(bucket) {
            counter.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(us, Relaxed);
    }
}

impl Metrics {
    pub fn refused(&self, name: &str) {
        let mut refusals = lock(&self.refusals);
        if let Some(count) = refusals.get_mut(name) {
            *count += 1;
            return;
        }
        let name = if refusals.len() < MAX_REASONS { name } else { "other" };
        *refusals.entry(name.to_owned()).or_default() += 1;
    }

    /// Takes the time that a call spent in a stage.
    pub fn spent(&self, stage: Stage, ns: u64) {
        let Some(series) = self.stages.get(stage as usize) else { return };
        let bucket = series.buckets.get(STAGE_BUCKETS_NS.partition_point(|bound| ns > *bound));
        bucket.into_iter().for_each(|bucket| {
            bucket.fetch_add(1, Relaxed);
        });
        series.sum_ns.fetch_add(ns, Relaxed);
    }

    /// The series of an operation: the same one under every bundle.
    pub fn series(&self, service: &str, method: &str, template: &str) -> Arc<Series> {
        let mut all = lock(&self.series);
        let room = all.len() < MAX_SERIES;
        let (method, template) = if room { (method, template) } else { ("-", "-") };
        let key = SeriesKey { service: service.into(), method: method.into(), template: template.into() };
        Arc::clone(all.entry(key).or_default())
    }

    /// Prometheus text format 0.0.4.
    pub fn text(&self, bundle: BundleFacts) -> String {
        let mut out = String::with_capacity(16 * 1024);
        self.write_series(&mut out);
        self.write_stages(&mut out);
        let refusals = lock(&self.refusals).clone();
        header(&mut out, "refusals_total", "counter", "calls that the gateway answered itself, by reason");
        for (reason, count) in &refusals {
            line(&mut out, "refusals_total", &[("reason", reason)], &count.to_string());
        }
        let plain = [
            ("connections", "gauge", "open client connections", self.connections.load(Relaxed)),
            (
                "connections_total",
                "counter",
                "client connections taken",
                self.connections_accepted.load(Relaxed),
            ),
            (
                "handshake_failures_total",
                "counter",
                "failed TLS handshakes",
                self.handshakes_failed.load(Relaxed),
            ),
            (
                "upstream_connects_total",
                "counter",
                "upstream connections opened",
                self.upstream_connects.load(Relaxed),
            ),
            (
                "upstream_reused_total",
                "counter",
                "calls over a kept upstream connection",
                self.upstream_reused.load(Relaxed),
            ),
            (
                "records_total",
                "counter",
                "exchanges handed to the recorder",
                self.records_taken.load(Relaxed),
            ),
            (
                "records_refused_total",
                "counter",
                "exchanges that the recorder did not take",
                self.records_refused.load(Relaxed),
            ),
            (
                "record_refusing",
                "gauge",
                "1 while traffic is refused because records cannot be kept",
                u64::from(bundle.record_refusing),
            ),
            ("stage_panics_total", "counter", "stages that panicked", self.stage_panics.load(Relaxed)),
            (
                "bundle_keep_failures_total",
                "counter",
                "bundles that could not be kept on disk",
                self.bundle_keep_failures.load(Relaxed),
            ),
            ("bundle_revision", "gauge", "revision of the bundle in force", bundle.revision),
            ("bundle_age_seconds", "gauge", "age of the bundle in force", bundle.age_seconds),
            ("draining", "gauge", "1 while the gateway drains", u64::from(bundle.draining)),
        ];
        for (name, kind, help, value) in plain {
            header(&mut out, name, kind, help);
            line(&mut out, name, &[], &value.to_string());
        }
        if let Some(dropped) = bundle.spans_dropped {
            header(&mut out, "spans_dropped_total", "counter", "spans that nobody took");
            line(&mut out, "spans_dropped_total", &[], &dropped.to_string());
        }
        out
    }

    fn write_stages(&self, out: &mut String) {
        header(out, "stage_seconds", "histogram", "time of a call in one stage of the pipeline");
        for (name, series) in Stage::NAMES.iter().zip(&self.stages) {
            let total: u64 = series.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
            if total == 0 {
                continue;
            }
            let mut sum = 0;
            for (index, bucket) in series.buckets.iter().enumerate() {
                sum += bucket.load(Relaxed);
                let bound = STAGE_BUCKETS_NS
                    .get(index)
                    .map_or_else(|| "+Inf".to_owned(), |ns| format!("{}", *ns as f64 / 1e9));
                line(
                    out,
                    "stage_seconds_bucket",
                    &[("stage", name), ("le", bound.as_str())],
                    &sum.to_string(),
                );
            }
            let seconds = format!("{}", series.sum_ns.load(Relaxed) as f64 / 1e9);
            line(out, "stage_seconds_sum", &[("stage", name)], &seconds);
            line(out, "stage_seconds_count", &[("stage", name)], &sum.to_string());
        }
    }

    fn write_series(&self, out: &mut String) {
        let mut all: Vec<_> =
            lock(&self.series).iter().map(|(key, series)| (key.clone(), Arc::clone(series))).collect();
        all.retain(|(_, series)| series.buckets.iter().any(|bucket| bucket.load(Relaxed) > 0));
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        header(out, "requests_total", "counter", "calls by service, method, route template and status class");
        for (key, series) in &all {
            for (class, count) in CLASSES.iter().zip(&series.classes) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = [key.labels().as_slice(), &[("status_class", *class)]].concat();
                    line(out, "requests_total", &labels, &count.to_string());
                }
            }
        }
        header(out, "request_seconds", "histogram", "from a call's head to the end of its answer");
        for (key, series) in &all {
            let mut sum = 0;
            for (index, bucket) in series.buckets.iter().enumerate() {
                sum += bucket.load(Relaxed);
                let bound = BUCKETS_US.get(index).map_or_else(|| "+Inf".to_owned(), |us| seconds(*us));
                let labels = [key.labels().as_slice(), &[("le", bound.as_str())]].concat();
                line(out, "request_seconds_bucket", &labels, &sum.to_string());
            }
            line(out, "request_seconds_sum", &key.labels(), &seconds(series.sum_us.load(Relaxed)));
            line(out, "request_seconds_count", &key.labels(), &sum.to_string());
        }
    }
}

/// Seconds until certificates end: what listeners serve, and what upstreams are verified by and shown.
pub(crate) fn write_expiries(
    out: &mut String,
    listeners: &[Expiry],
    upstreams: &BTreeSet<&Expiry>,
    now: Timestamp,
) {
    let left = |expiry: &Expiry| (expiry.at.since(now) / probity_model::time::MICROS_PER_SECOND).to_string();
    let help = "seconds until a certificate that a listener serves ends; below zero once it has";
    header(out, "certificate_expiry_seconds", "gauge", help);
    for expiry in listeners {
        let labels = [("listener", expiry.place.as_str()), ("name", &expiry.name)];
        line(out, "certificate_expiry_seconds", &labels, &left(expiry));
    }
    let help = "seconds until a certificate that an upstream is verified by or shown ends";
    header(out, "upstream_certificate_expiry_seconds", "gauge", help);
    for expiry in upstreams {
        let labels = [("upstream", expiry.place.as_str()), ("name", &expiry.name)];
        line(out, "upstream_certificate_expiry_seconds", &labels, &left(expiry));
    }
}

/// What the metrics say of the bundle in force and of the gateway's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BundleFacts {
    pub revision: u64,
    pub age_seconds: u64,
    pub draining: bool,
    pub record_refusing: bool,
    /// Absent where no traces are made.
    pub spans_dropped: Option<u64>,
}

impl SeriesKey {
    fn labels(&self) -> Vec<(&str, &str)> {
        vec![("service", &self.service), ("method", &self.method), ("template", &self.template)]
    }
}

fn seconds(us: u64) -> String {
    format!("{}", us as f64 / 1e6)
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP probity_gateway_{name} {help}\n# TYPE probity_gateway_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    let _ = write!(out, "probity_gateway_{name}");
    for (index, (label, text)) in labels.iter().enumerate() {
        let _ = write!(out, "{}{label}=\"", if index == 0 { '{' } else { ',' });
        for letter in text.chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                letter => out.push(letter),
            }
        }
        out.push('"');
    }
    let _ = writeln!(out, "{}{value}", if labels.is_empty() { " " } else { "} " });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_prometheus() {
        let metrics = Metrics::default();
        let series = metrics.series("clinic", "GET", "/p/{id}");
        series.count(200, 900);
        series.count(404, 3_000_000);
        metrics.series("clinic", "GET", "/p/{id}").count(200, 99_000_000);
        metrics.series("od\"d", "GET", "-").count(0, 1);
        metrics.refused("te-with-cl");
        let facts = BundleFacts {
            revision: 7,
            age_seconds: 3,
            draining: false,
            record_refusing: true,
            spans_dropped: Some(4),
        };
        let text = metrics.text(facts);
        for line in [
            "# TYPE probity_gateway_requests_total counter",
            r#"probity_gateway_requests_total{service="clinic",method="GET",template="/p/{id}",status_class="2xx"} 2"#,
            r#"probity_gateway_requests_total{service="clinic",method="GET",template="/p/{id}",status_class="4xx"} 1"#,
            r#"probity_gateway_requests_total{service="od\"d",method="GET",template="-",status_class="other"} 1"#,
            r#"probity_gateway_request_seconds_bucket{service="clinic",method="GET",template="/p/{id}",le="0.001"} 1"#,
            r#"probity_gateway_request_seconds_bucket{service="clinic",method="GET",template="/p/{id}",le="+Inf"} 3"#,
            r#"probity_gateway_request_seconds_sum{service="clinic",method="GET",template="/p/{id}"} 102.0009"#,
            r#"probity_gateway_refusals_total{reason="te-with-cl"} 1"#,
            "probity_gateway_bundle_revision 7",
            "probity_gateway_record_refusing 1",
            "probity_gateway_spans_dropped_total 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        for n in 0..MAX_SERIES + 10 {
            metrics.series("s", "GET", &format!("/{n}"));
        }
        assert_eq!(lock(&metrics.series).len(), MAX_SERIES + 1);
    }
}
