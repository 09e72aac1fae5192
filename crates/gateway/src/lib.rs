//! The data plane: stands in front of upstreams, passes calls on, and records each.
//!
//! It enforces one signed bundle at a time ([`Gateway::apply`]) and parses nothing that an operator wrote. It knows no
//! server, no store and no specification; what it records goes to `probity-events`, what it finds in bodies is found by
//! `probity-policy`, HTTP/1.1 is `probity-http1`'s.
//!
//! Start with `ingress/pipeline.rs`, which holds the stages of a call from top to bottom. Around it: `gateway` (the
//! value that a server holds), `bundle` (what is believed), `plan` (a bundle compiled), `listener` and `worker` (where
//! connections come from and live), `enforce` (the controls), `peer` (either end of a call, in either protocol), `upstream` (connections kept and
//! opened), `observe` (what is recorded), `metrics` and `admin` (what is shown).

mod admin;
mod bundle;
mod certificate;
mod enforce;
mod gateway;
mod ingress;
mod io;
mod journal;
mod listener;
mod metrics;
mod observe;
mod pace;
mod peer;
mod plan;
mod proxy_protocol;
mod siphash;
mod tls;
mod trace;
mod upstream;
mod watch;
mod worker;

pub use bundle::{BundleRefusal, bundle_public_key, refusing_bundle, sign_bundle};
pub use certificate::CertificateFacts;
pub use enforce::authorization::Privileges;
#[doc(hidden)]
pub use enforce::identity::token::judge_hostile;
pub use enforce::identity::token::{Revocation as TokenRevocation, SealError, check_tokens, seal_secret};
pub use enforce::identity::{
    KEY_PREFIX, KeyFault, PasswordHashError, check_key, check_password_hash, credential_hash, hash_password,
    key_hint, mint_key, secret_digest,
};
pub use enforce::leaks::tokens::{MAX_TOKEN_VALUE, MAX_TOKENS, TOKEN_PREFIX, TokenError, TokenMap};
pub use gateway::{Gateway, GatewayError, GatewayOptions, Health, Tuning};
pub use listener::ListenerTransport;
pub use observe::{ImportObserver, ImportRefusal, RecordedCall, identity_name};
pub use proxy_protocol::{ProxyFault, ProxyHeader, read_proxy_header};
pub use tls::{TlsError, certificate_facts};
pub use trace::{CallTrace, Span, SpanKind, Traces, Value};

/// The service in records of calls that are for no service: unknown host and path, or no HTTP at all.
pub const UNROUTED: &str = "-";
