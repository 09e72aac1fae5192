//! HAR 1.2 (HTTP Archive): calls that a browser or a proxy recorded, with headers and bodies.
//!
//! Entries are read one by one out of the borrowed file: a faulty one is told and left out, and of a file that is
//! cut off everything before the cut is read.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use probity_model::{Diagnostic, Severity, Timestamp};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::diagnostics::{Diagnostics, Position};
use crate::import::{ImportedCall, essence, host, is_method, micros, protocol, target};

/// Bytes of a file.
pub const MAX_BYTES: usize = 1 << 30;
/// Entries of a file.
pub const MAX_ENTRIES: usize = 2_000_000;
/// Bytes of one body in base64 that are decoded; the rest is cut off.
pub const MAX_ENCODED_BODY: usize = 4 << 20;
/// Headers of one message.
pub const MAX_HEADERS: usize = 512;

/// Reads every entry that has a request and an answer.
pub fn read<'a>(file: &str, bytes: &'a [u8]) -> (Vec<ImportedCall<'a>>, Vec<Diagnostic>) {
    let file: Arc<str> = file.into();
    let mut diagnostics = Diagnostics::new(&file);
    let mut calls = Vec::new();
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", bytes.len());
        diagnostics.push(Severity::High, Position::START, message);
        return (calls, diagnostics.finish());
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut entries: Vec<&'a RawValue> = Vec::new();
    let mut found = false;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let archive = Archive { entries: &mut entries, found: &mut found };
    if let Err(error) = archive.deserialize(&mut reader).and_then(|()| reader.end()) {
        let at = Position::of(error.line(), error.column());
        let hint = format!("{} entries before it are read", entries.len());
        diagnostics.push_hint(Severity::High, at, format!("not a whole HAR file: {}", bare(&error)), hint);
    } else if !found {
        let hint = "expected a JSON object with `log.entries`, as browsers and proxies save it";
        diagnostics.push_hint(Severity::High, Position::START, "the file holds no entries", hint);
    }
    let mut lines = LineCount { bytes, counted: 0, line: 1, line_start: 0 };
    let mut left_out = 0u64;
    for raw in &entries {
        let at = lines.place(raw.get());
        match call(raw, u64::from(at.line)) {
            Ok(call) => calls.push(call),
            Err(reason) => {
                left_out += 1;
                diagnostics.push(Severity::Medium, at, format!("entry not read: {reason}"));
            }
        }
    }
    let mut list = diagnostics.finish();
    if left_out > 0 {
        let message = format!("{left_out} of {} entries are not read", entries.len());
        list.push(Diagnostic {
            span: Position::START.in_file(&file),
            severity: Severity::Medium,
            message,
            hint: None,
        });
    }
    (calls, list)
}

/// The message without the place that `serde_json` adds, and without any value: a recorded call holds secrets.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text);
    if error.is_data() && !text.starts_with("missing field") && !text.starts_with("more than") {
        return "a value is of another type than HAR gives it".to_owned();
    }
    text.to_owned()
}

/// Lines and columns of pieces of one file, asked for in order.
struct LineCount<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: usize,
    line_start: usize,
}

impl LineCount<'_> {
    fn place(&mut self, piece: &str) -> Position {
        let offset = (piece.as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize);
        let passed = self.bytes.get(self.counted..offset).unwrap_or_default();
        for newline in memchr::memchr_iter(b'\n', passed) {
            self.line += 1;
            self.line_start = self.counted + newline + 1;
        }
        self.counted = self.counted.max(offset);
        Position::of(self.line, offset.saturating_sub(self.line_start) + 1)
    }
}

/// Walks to `log.entries` and keeps the borrowed text of each entry.
struct Archive<'x, 'a> {
    entries: &'x mut Vec<&'a RawValue>,
    found: &'x mut bool,
}

impl<'a> DeserializeSeed<'a> for Archive<'_, 'a> {
    type Value = ();
    fn deserialize<D: de::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Level { key: "log", archive: self })
    }
}

struct Level<'x, 'a> {
    key: &'static str,
    archive: Archive<'x, 'a>,
}

impl<'a> DeserializeSeed<'a> for Level<'_, 'a> {
    type Value = ();
    fn deserialize<D: de::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Level<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an object with `{}`", self.key)
    }
    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'a, str>>()? {
            if key != self.key {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let archive = Archive { entries: &mut *self.archive.entries, found: &mut *self.archive.found };
            if self.key == "log" {
                map.next_value_seed(Level { key: "entries", archive })?;
            } else {
                map.next_value_seed(List(archive))?;
            }
        }
        Ok(())
    }
}

struct List<'x, 'a>(Archive<'x, 'a>);

impl<'a> DeserializeSeed<'a> for List<'_, 'a> {
    type Value = ();
    fn deserialize<D: de::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for List<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of entries")
    }
    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        *self.0.found = true;
        while let Some(entry) = list.next_element::<&'a RawValue>()? {
            if self.0.entries.len() >= MAX_ENTRIES {
                return Err(de::Error::custom(format_args!("more than {MAX_ENTRIES} entries")));
            }
            self.0.entries.push(entry);
        }
        Ok(())
    }
}

/// Text that some recorders write as `null`.
fn text<'de: 'a, 'a, D: de::Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, str>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map_or(Cow::Borrowed(""), |Text(text)| text))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    started_date_time: Cow<'a, str>,
    #[serde(default)]
    time: Option<f64>,
    #[serde(borrow)]
    request: Request<'a>,
    #[serde(borrow)]
    response: Response<'a>,
    #[serde(default)]
    timings: Option<Timings>,
}

#[derive(Deserialize)]
struct Timings {
    #[serde(default)]
    wait: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    http_version: Cow<'a, str>,
    #[serde(borrow, default)]
    headers: Vec<Header<'a>>,
    #[serde(borrow, default)]
    post_data: Option<PostData<'a>>,
    #[serde(default)]
    body_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    mime_type: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    status: f64,
    #[serde(borrow, default, deserialize_with = "text")]
    http_version: Cow<'a, str>,
    #[serde(borrow, default)]
    headers: Vec<Header<'a>>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(default)]
    body_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    #[serde(default)]
    size: Option<f64>,
    #[serde(borrow, default, deserialize_with = "text")]
    mime_type: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    text: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    encoding: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

fn call<'a>(raw: &'a RawValue, line: u64) -> Result<ImportedCall<'a>, String> {
    let entry: Entry<'a> = serde_json::from_str(raw.get()).map_err(|error| bare(&error))?;
    let Entry { started_date_time, time, request, response, timings } = entry;
    let started_at =
        Timestamp::parse(&started_date_time).ok_or("`startedDateTime` is no RFC 3339 date and time")?;
    if !is_method(&request.method) {
        return Err("`method` is no HTTP method".to_owned());
    }
    let target = target(request.url).ok_or("`url` is no HTTP URL")?;
    let status = status(response.status).ok_or("it has no answer (its status is none of HTTP)")?;
    let mut call =
        ImportedCall::new(line, started_at, request.method, Cow::Borrowed("/"), status).with_target(target);
    call.protocol = match protocol(&response.http_version) {
        probity_model::exchange::Protocol::Unknown => protocol(&request.http_version),
        known => known,
    };
    call.total_us = time.and_then(|time| micros(time, 1e3));
    call.upstream_us = timings.and_then(|timings| micros(timings.wait?, 1e3));
    call.request_headers = headers(request.headers);
    call.response_headers = headers(response.headers);
    call.host = call
        .host
        .or_else(|| header(&call.request_headers, "host").and_then(|name| host(&name)).map(Cow::Owned));
    call.user_agent = header(&call.request_headers, "user-agent");
    call.request_type = header(&call.request_headers, "content-type").as_ref().and_then(essence);
    call.response_type = header(&call.response_headers, "content-type").as_ref().and_then(essence);
    call.request_bytes = size(request.body_size);
    if let Some(body) = request.post_data {
        call.request_type = call.request_type.or_else(|| essence(&body.mime_type));
        call.request_bytes = call.request_bytes.or_else(|| u64::try_from(body.text.len()).ok());
        call.request_body = Some(into_bytes(body.text));
    }
    if let Some(content) = response.content {
        call.response_bytes = size(content.size);
        call.response_type = call.response_type.or_else(|| essence(&content.mime_type));
        call.response_body = body(content)?;
    }
    call.response_bytes = call.response_bytes.or_else(|| size(response.body_size));
    Ok(call)
}

fn headers<'a>(list: Vec<Header<'a>>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    list.into_iter().take(MAX_HEADERS).map(|header| (header.name, header.value)).collect()
}

fn header<'a>(headers: &[(Cow<'a, str>, Cow<'a, str>)], name: &str) -> Option<Cow<'a, str>> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

/// Recorders write -1 for what they do not know.
fn size(bytes: Option<f64>) -> Option<u64> {
    bytes.and_then(|bytes| micros(bytes, 1.0))
}

fn status(status: f64) -> Option<u16> {
    let status = u16::try_from(size(Some(status))?).ok()?;
    (100..=999).contains(&status).then_some(status)
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn body(content: Content<'_>) -> Result<Option<Cow<'_, [u8]>>, String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    if content.text.is_empty() {
        return Ok(None);
    }
    if !content.encoding.eq_ignore_ascii_case("base64") {
        return Ok(Some(into_bytes(content.text)));
    }
    let encoded = content.text.as_bytes();
    let encoded = encoded.get(..MAX_ENCODED_BODY).unwrap_or(encoded);
    match LENIENT.decode(encoded) {
        Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
        Err(_) => Err("the answer's content is no base64".to_owned()),
    }
}
