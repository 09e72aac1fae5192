//! Lines of JSON: Envoy's default keys, and those that nginx configurations with `escape=json` usually choose. The
//! unit of a duration is told by its key: Envoy's are milliseconds, nginx's are seconds.

use std::borrow::Cow;
use std::fmt;

use probity_model::Timestamp;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Format, LineError, text};
use crate::import::{ImportedCall, address, essence, host, is_method, micros, protocol, target};

pub(super) fn format(line: &str) -> Option<Format> {
    let record: Record<'_> = serde_json::from_str(line).ok()?;
    record.started_at()?;
    Some(if record.envoy { Format::EnvoyJson } else { Format::NginxJson })
}

pub(super) fn call(format: Format, number: u64, line: &str) -> Result<ImportedCall<'_>, LineError> {
    let record: Record<'_> = serde_json::from_str(line).map_err(|_| LineError::Form(format))?;
    let started_at = record.started_at().ok_or(LineError::Time)?;
    let status = text::status(record.status.as_deref().unwrap_or_default())?;
    let (method, parts, version) = match (record.method, record.target, record.request) {
        (Some(method), Some(path), _) => (method, target(path).ok_or(LineError::Request)?, None),
        (.., Some(Cow::Borrowed(request))) => text::request_line(request)?,
        (.., Some(Cow::Owned(request))) => {
            let (method, parts, version) = text::request_line(&request)?;
            let method = Cow::Owned(method.into_owned());
            let version = version.map(|version| Cow::Owned(version.into_owned()));
            let path = Cow::Owned(parts.path.into_owned());
            let query = parts.query.map(|query| Cow::Owned(query.into_owned()));
            (method, crate::import::Target { host: parts.host, path, query }, version)
        }
        _ => return Err(LineError::Request),
    };
    if !is_method(&method) {
        return Err(LineError::Request);
    }
    let query = record.query.filter(|query| parts.query.is_none() && !query.is_empty());
    let mut call =
        ImportedCall::new(number, started_at, method, Cow::Borrowed("/"), status).with_target(parts);
    if let Some(query) = query {
        call.query = crate::import::query_names(&query);
        call.query_text = Some(query);
    }
    let version = record.protocol.or(version);
    call.protocol = protocol(version.as_deref().unwrap_or_default());
    call.host = call.host.or_else(|| record.host.as_deref().and_then(host).map(Cow::Owned));
    call.client = record.client.as_deref().and_then(address);
    call.user_agent = record.user_agent;
    call.authenticated = record.user.is_some();
    call.request_type = record.request_type.as_ref().and_then(essence);
    call.response_type = record.response_type.as_ref().and_then(essence);
    call.request_bytes = record.request_bytes.and_then(|text| text.parse().ok());
    call.response_bytes = record.response_bytes.and_then(|text| text.parse().ok());
    let amount = |text: Cow<'_, str>, unit: f64| {
        // nginx lists one time per upstream tried: `0.010, 0.020 : 0.001`.
        let parts = text.split([',', ':', ' ']).filter_map(|part| part.parse::<f64>().ok());
        parts.reduce(|a, b| a + b).and_then(|amount| micros(amount, unit))
    };
    call.total_us = record.duration.and_then(|(text, unit)| amount(text, unit));
    call.upstream_us = record.upstream.and_then(|(text, unit)| amount(text, unit));
    Ok(call)
}

#[derive(Default)]
struct Record<'a> {
    envoy: bool,
    time: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    original_target: bool,
    query: Option<Cow<'a, str>>,
    request: Option<Cow<'a, str>>,
    protocol: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    client: Option<Cow<'a, str>>,
    user: Option<Cow<'a, str>>,
    user_agent: Option<Cow<'a, str>>,
    request_type: Option<Cow<'a, str>>,
    response_type: Option<Cow<'a, str>>,
    request_bytes: Option<Cow<'a, str>>,
    response_bytes: Option<Cow<'a, str>>,
    /// With how many microseconds its unit has.
    duration: Option<(Cow<'a, str>, f64)>,
    upstream: Option<(Cow<'a, str>, f64)>,
}

const MILLISECONDS: f64 = 1e3;
const SECONDS: f64 = 1e6;

impl<'a> Record<'a> {
    fn started_at(&self) -> Option<Timestamp> {
        let text = self.time.as_deref()?;
        if let Ok(seconds) = text.parse::<f64>() {
            return i64::try_from(micros(seconds, SECONDS)?).ok().map(Timestamp);
        }
        Timestamp::parse(text).or_else(|| text::moment(text))
    }
    fn set(&mut self, key: &str, value: Cow<'a, str>) {
        match key {
            "start_time" | "response_code" => self.envoy = true,
            _ => {}
        }
        match key {
            "start_time" | "time_iso8601" | "timestamp" | "@timestamp" | "time" | "time_local" | "msec" => {
                self.time.get_or_insert(value);
            }
            "method" | ":method" | "request_method" => self.method = Some(value),
            // What the client asked for, before a rewrite.
            "x-envoy-original-path" | "x_envoy_original_path" | "request_uri" => {
                self.target = Some(value);
                self.original_target = true;
            }
            "path" | ":path" | "uri" if !self.original_target => self.target = Some(value),
            "args" | "query_string" => self.query = Some(value),
            "request" => self.request = Some(value),
            "protocol" | "server_protocol" => self.protocol = Some(value),
            "response_code" | "status" => self.status = Some(value),
            "authority" | ":authority" | "http_host" | "host" => self.host = Some(value),
            "server_name" => {
                self.host.get_or_insert(value);
            }
            "downstream_remote_address" | "remote_addr" | "client_ip" => self.client = Some(value),
            "downstream_direct_remote_address" => {
                self.client.get_or_insert(value);
            }
            "remote_user" => self.user = Some(value),
            "user_agent" | "user-agent" | "http_user_agent" => self.user_agent = Some(value),
            "content_type" | "request_content_type" | "http_content_type" => self.request_type = Some(value),
            "response_content_type" | "sent_http_content_type" => self.response_type = Some(value),
            "bytes_received" | "request_length" => self.request_bytes = Some(value),
            "body_bytes_sent" => self.response_bytes = Some(value),
            "bytes_sent" => {
                self.response_bytes.get_or_insert(value);
            }
            "duration" => self.duration = Some((value, MILLISECONDS)),
            "request_time" => self.duration = Some((value, SECONDS)),
            "upstream_service_time" | "x-envoy-upstream-service-time" => {
                self.upstream = Some((value, MILLISECONDS));
            }
            "upstream_response_time" => self.upstream = Some((value, SECONDS)),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Record<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Record<'de>, M::Error> {
                let mut record = Record::default();
                while let Some(Key(key)) = map.next_key()? {
                    if let Loose(Some(value)) = map.next_value()? {
                        record.set(&key, value);
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// A key, borrowed where it has no escape.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Loose::deserialize(deserializer)? {
            Loose(Some(text)) => Ok(Self(text)),
            Loose(None) => Ok(Self(Cow::Borrowed(""))),
        }
    }
}

/// The text of a string or number; nothing for `null`, `""`, `"-"`, lists and objects.
struct Loose<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Loose<'de>, E> {
                Ok(Loose((!matches!(text, "" | "-")).then_some(Cow::Borrowed(text))))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Loose<'de>, E> {
                Ok(Loose((!matches!(text, "" | "-")).then(|| Cow::Owned(text.to_owned()))))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Loose<'de>, E> {
                Ok(Loose(Some(Cow::Owned(number.to_string()))))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Loose<'de>, E> {
                Ok(Loose(Some(Cow::Owned(number.to_string()))))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Loose<'de>, E> {
                Ok(Loose(Some(Cow::Owned(number.to_string()))))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Loose<'de>, E> {
                Ok(Loose(None))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Loose<'de>, E> {
                Ok(Loose(None))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Loose<'de>, S::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose(None))
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Loose<'de>, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
