//! Signals: small observations of one call that are neither sizes nor classes of data. A closed, registered list;
//! a bit set in binary records, a list of names in JSON. Bits are never reused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal, $name:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Signal { $($(#[$doc])* $variant = $bit,)* }

        impl Signal {
            pub const ALL: &'static [Signal] = &[$(Signal::$variant,)*];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

signals! {
    /// `Access-Control-Allow-Origin: *`.
    CorsAnyOrigin = 0, "cors-any-origin";
    /// The answer repeats the caller's Origin and allows credentials.
    CorsReflectedCredentials = 1, "cors-reflected-credentials";
    /// `Server` or `X-Powered-By` names a product with a version.
    VersionBanner = 2, "version-banner";
    /// A TLS answer without `Strict-Transport-Security`.
    HstsMissing = 3, "hsts-missing";
    /// `X-Content-Type-Options: nosniff` is missing.
    NosniffMissing = 4, "nosniff-missing";
    /// An answer with sensitive data that shared caches may keep.
    CacheableSensitive = 5, "cacheable-sensitive";
    /// The body shows a stack trace.
    StackTrace = 6, "stack-trace";
    /// The body shows an SQL error, a file path or an internal host.
    InternalDetail = 7, "internal-detail";
    /// The error body is `application/problem+json` (RFC 9457).
    ProblemJson = 8, "problem-json";
    /// `RateLimit` or `X-RateLimit-*` fields are there.
    RateLimitFields = 9, "rate-limit-fields";
    RetryAfter = 10, "retry-after";
    /// `Deprecation` (RFC 9745).
    DeprecationField = 11, "deprecation-field";
    /// `Sunset` (RFC 8594).
    SunsetField = 12, "sunset-field";
    /// `WWW-Authenticate` is there.
    Challenge = 13, "challenge";
    /// The request is a GraphQL introspection query.
    GraphqlIntrospectionAsked = 14, "graphql-introspection-asked";
    /// The response answers a GraphQL introspection query.
    GraphqlIntrospectionAnswered = 15, "graphql-introspection-answered";
    /// A credential stands in the request target.
    CredentialInUrl = 16, "credential-in-url";
    /// The body was longer than the inspection bound, or in an encoding that is not inspected.
    InspectionTruncated = 17, "inspection-truncated";
    /// Debug page or debug header of a framework.
    DebugPage = 18, "debug-page";
    /// `TRACE` or `TRACK` was answered with success.
    TraceAnswered = 19, "trace-answered";
    /// Directory listing.
    DirectoryListing = 20, "directory-listing";
    /// A cookie without `Secure`, `HttpOnly` or `SameSite`.
    WeakCookie = 21, "weak-cookie";
    /// The client reached the gateway in clear text.
    ClearText = 22, "clear-text";
    /// The upstream was reached in clear text beyond loopback.
    UpstreamClearText = 23, "upstream-clear-text";
    /// The call came from an imported file, not through a gateway.
    Imported = 24, "imported";
}

/// A set of [`Signal`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Signals(pub u64);

impl Signals {
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << signal as u8)
    }
    pub fn insert(&mut self, signal: Signal) {
        *self = self.with(signal);
    }
    pub fn set(&mut self, signal: Signal, on: bool) {
        if on {
            self.insert(signal);
        }
    }
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << signal as u8 != 0
    }
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.iter().copied().filter(move |signal| self.contains(*signal))
    }
}

impl Serialize for Signals {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(self.iter().map(Signal::as_str))
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}
impl<'de> Deserialize<'de> for Signals {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let list = Vec::<Signal>::deserialize(deserializer)?;
            Ok(list.into_iter().fold(Self::default(), Self::with))
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}
impl JsonSchema for Signals {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Signals".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let signal = generator.subschema_for::<Signal>();
        schemars::json_schema!({"type": "array", "items": signal, "uniqueItems": true})
    }
}
