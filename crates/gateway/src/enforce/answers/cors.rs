//! Which other origins may read answers (Fetch standard, CORS protocol).

use std::sync::Arc;

use probity_model::bundle::answers::CorsPolicy;

/// What an upstream may have said; the gateway's word stands in its place.
pub(super) const FIELDS: [&str; 7] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-allow-private-network",
];
/// Longest origin, and most headers that one preflight asks for.
const MAX_ORIGIN: usize = 300;
const MAX_ASKED: usize = 64;

type Fields = Vec<(&'static str, String)>;

#[derive(Debug)]
pub(super) struct Cors {
    any: bool,
    exact: Vec<Arc<str>>,
    /// Scheme and what the host ends with: `https://`, `.example`.
    under: Vec<(String, String)>,
    methods: Vec<Arc<str>>,
    headers: Vec<Arc<str>>,
    exposed: String,
    credentials: bool,
    max_age: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// With the value of the field that says so.
    Granted(String),
    Refused,
}

impl Cors {
    pub fn new(policy: &CorsPolicy) -> Self {
        let under = policy.origins.iter().filter_map(|origin| {
            let (scheme, host) = origin.split_once("://")?;
            let host = host.strip_prefix('*')?;
            Some((format!("{scheme}://"), host.to_owned()))
        });
        Self {
            any: policy.origins.iter().any(|origin| &**origin == "*"),
            exact: policy.origins.iter().filter(|origin| !origin.contains('*')).cloned().collect(),
            under: under.collect(),
            methods: policy.methods.clone(),
            headers: policy.headers.clone(),
            exposed: policy.exposed.join(", "),
            credentials: policy.credentials,
            max_age: policy.max_age,
        }
    }

    /// Answers differ by the origin that asks.
    pub fn varies(&self) -> bool {
        !self.any
    }

    pub fn judge(&self, origin: &[u8]) -> Origin {
        let Some(text) = std::str::from_utf8(origin).ok().filter(|text| text.len() <= MAX_ORIGIN) else {
            return Origin::Refused;
        };
        if self.any && !self.credentials {
            return Origin::Granted("*".to_owned());
        }
        let lower = text.to_ascii_lowercase();
        let under = |(scheme, end): &(String, String)| {
            let host = lower.strip_prefix(scheme.as_str());
            host.is_some_and(|host| {
                host.strip_suffix(end.as_str()).is_some_and(|name| {
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
                    !name.is_empty() && name.bytes().all(plain)
                })
            })
        };
        match self.exact.iter().any(|exact| **exact == *lower) || self.under.iter().any(under) {
            true => Origin::Granted(text.to_owned()),
            false => Origin::Refused,
        }
    }

    /// Fields of an answer that the origin may read.
    pub fn granted(&self, origin: String) -> Fields {
        let mut fields = vec![("access-control-allow-origin", origin)];
        if self.credentials {
            fields.push(("access-control-allow-credentials", "true".to_owned()));
        }
        if !self.exposed.is_empty() {
            fields.push(("access-control-expose-headers", self.exposed.clone()));
        }
        fields
    }

    /// Fields of the answer to a preflight, or why it is refused.
    pub fn preflight(&self, origin: &[u8], method: &[u8], asked: &[u8]) -> Result<Fields, &'static str> {
        let Origin::Granted(origin) = self.judge(origin) else { return Err("origin-not-allowed") };
        if !self.methods.iter().any(|known| known.as_bytes() == method) {
            return Err("method-not-allowed");
        }
        let names =
            || asked.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        let known =
            |name: &[u8]| self.headers.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if names().count() > MAX_ASKED || !names().all(known) {
            return Err("header-not-allowed");
        }
        let mut fields = vec![
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", self.methods.join(", ")),
            ("access-control-max-age", self.max_age.to_string()),
        ];
        if !self.headers.is_empty() {
            fields.push(("access-control-allow-headers", self.headers.join(", ")));
        }
        if self.credentials {
            fields.push(("access-control-allow-credentials", "true".to_owned()));
        }
        if self.varies() {
            fields.push((
                "vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".to_owned(),
            ));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], credentials: bool) -> Cors {
        let list = |list: &[&str]| list.iter().map(|text| (*text).into()).collect();
        Cors::new(&CorsPolicy {
            origins: list(origins),
            methods: list(&["GET", "PUT"]),
            headers: list(&["authorization", "content-type"]),
            exposed: list(&["X-Total"]),
            credentials,
            max_age: 600,
        })
    }

    #[test]
    fn origins() {
        let own = cors(&["https://app.example", "https://*.clinic.example", "http://localhost:3000"], true);
        for origin in [
            "https://app.example",
            "https://a.clinic.example",
            "https://a.b.clinic.example",
            "http://localhost:3000",
        ] {
            assert_eq!(own.judge(origin.as_bytes()), Origin::Granted(origin.to_owned()));
        }
        for origin in [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.test",
            "https://evil-clinic.example",
            "https://evil.test/.clinic.example",
            "https://evil.test#.clinic.example",
            "https://evil.test:80@x.clinic.example",
            "https://.clinic.example",
            "https://clinic.example",
            "http://localhost:30001",
        ] {
            assert_eq!(own.judge(origin.as_bytes()), Origin::Refused, "{origin}");
        }
        assert_eq!(own.judge(b"\xff"), Origin::Refused);
        assert_eq!(cors(&["*"], false).judge(b"https://x.test"), Origin::Granted("*".to_owned()));
    }

    #[test]
    fn preflights() {
        let own = cors(&["https://app.example"], true);
        let ask = |method: &str, headers: &str| {
            own.preflight(b"https://app.example", method.as_bytes(), headers.as_bytes())
        };
        let fields = ask("PUT", "Content-Type, authorization").unwrap();
        let field =
            |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(field("access-control-allow-origin"), Some("https://app.example"));
        assert_eq!(field("access-control-allow-credentials"), Some("true"));
        assert_eq!(field("access-control-max-age"), Some("600"));
        assert_eq!(ask("DELETE", ""), Err("method-not-allowed"));
        assert_eq!(ask("GET", "x-other"), Err("header-not-allowed"));
        assert_eq!(own.preflight(b"https://x.test", b"GET", b""), Err("origin-not-allowed"));
    }
}
