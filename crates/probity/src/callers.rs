//! `probity consumer`, `probity key` and `probity credential`: who may call, and how they prove it.
//!
//! A secret from a file is hashed here: only its hash crosses the control socket.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use probity_model::Timestamp;
use probity_model::bundle::identity::{Consumer, Revocation, SecretScheme};
use probity_model::principal::PrincipalKind;
use probity_server::app::{
    Command, ConsumerStatus, ImportedSecret, IssuedKey, KeyRequest, KeyState, KeyStatus,
};
use probity_server::secret;

use crate::cli::{ConsumerCommand, ConsumerKind, CredentialCommand, Format, KeyCommand, KeyFor, Presented};
use crate::commands::print;
use crate::exit::{Exit, Failure};
use crate::session::{self, Place};

pub fn consumer(place: &Place, command: ConsumerCommand, format: Format) -> Result<Exit, Failure> {
    let command = match command {
        ConsumerCommand::List => Command::ConsumerList,
        ConsumerCommand::Show { name } => Command::ConsumerShow { name },
        ConsumerCommand::Add { name, kind, tenant, roles, scopes, attributes, environment, owner } => {
            Command::ConsumerAdd {
                consumer: Consumer {
                    name: name.into(),
                    kind: match kind {
                        ConsumerKind::User => PrincipalKind::User,
                        ConsumerKind::Service => PrincipalKind::Service,
                        ConsumerKind::Partner => PrincipalKind::Partner,
                    },
                    tenant: tenant.map(Into::into),
                    roles: texts(roles),
                    scopes: texts(scopes),
                    attributes: attributes_of(&attributes)?,
                    environment: environment.map(Into::into),
                },
                owner,
            }
        }
    };
    print(format, session::ask(place, None, command)?)
}

pub fn key(place: &Place, command: KeyCommand, format: Format) -> Result<Exit, Failure> {
    let command = match command {
        KeyCommand::Issue { of } => Command::KeyIssue { request: request(of)? },
        KeyCommand::Import { of, value_file, presented, user } => {
            let value = secret::read(&value_file).map_err(Failure::usage)?;
            let secret = match user {
                Some(user) => ImportedSecret::Password {
                    user: user.into(),
                    argon2id: secret::hash_password(&value)?.into(),
                },
                None => ImportedSecret::Secret {
                    sha256: secret::digest(&value),
                    hint: secret::hint(&value),
                    scheme: match presented {
                        Presented::Bearer => SecretScheme::Bearer,
                        Presented::ApiKey => SecretScheme::ApiKey,
                        Presented::Any => SecretScheme::Any,
                    },
                },
            };
            Command::KeyImport { request: request(of)?, secret }
        }
        KeyCommand::List { consumer } => Command::KeyList { consumer },
        KeyCommand::Rotate { key, overlap } => {
            let length: probity_server::Duration = overlap.parse().map_err(|_| {
                Failure::usage(format!("`{overlap}` is no length of time, expected `90m`, `24h` or `30d`"))
            })?;
            Command::KeyRotate { key, overlap_ms: length.as_millis() }
        }
        KeyCommand::Revoke { key, reason } => Command::KeyRevoke { key, reason },
    };
    print(format, session::ask(place, None, command)?)
}

pub fn credential(place: &Place, command: CredentialCommand, format: Format) -> Result<Exit, Failure> {
    let CredentialCommand::Revoke { issuer, subject, consumer, credential, reason } = command;
    let text = |text: Option<String>| text.map(Arc::from);
    let revocation = Revocation {
        issuer: text(issuer),
        subject: text(subject),
        consumer: text(consumer),
        credential: text(credential),
        issued_before: None,
    };
    print(format, session::ask(place, None, Command::CredentialRevoke { revocation, reason })?)
}

fn request(of: KeyFor) -> Result<KeyRequest, Failure> {
    let expires_at =
        match &of.expires {
            None => None,
            Some(text) => Some(Timestamp::parse(text).ok_or_else(|| {
                Failure::usage(format!("`{text}` is no moment, expected a date or RFC 3339"))
            })?),
        };
    let own = |list: Vec<String>| (!list.is_empty()).then(|| texts(list));
    Ok(KeyRequest {
        consumer: of.consumer,
        environment: of.environment,
        roles: own(of.roles),
        scopes: own(of.scopes),
        expires_at,
    })
}

fn texts(list: Vec<String>) -> Vec<Arc<str>> {
    list.into_iter().map(Into::into).collect()
}

fn attributes_of(list: &[String]) -> Result<BTreeMap<Arc<str>, serde_json::Value>, Failure> {
    list.iter()
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::usage(format!("`{pair}` is no attribute, expected `name=value`")))?;
            Ok((name.into(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
        })
        .collect()
}

pub fn consumers(list: &[ConsumerStatus]) -> String {
    let mut out = String::new();
    for consumer in list {
        let active = consumer.keys.iter().filter(|key| key.state == KeyState::Active).count();
        let source = if consumer.configured { "configuration" } else { "store" };
        let _ = writeln!(
            out,
            "{:<24} {:<8} {active:>3} active keys  {source:<13} {}",
            consumer.name,
            kind(consumer.kind),
            consumer.owner.as_deref().unwrap_or("-")
        );
    }
    if list.is_empty() {
        out.push_str("no consumer\n");
    }
    out
}

pub fn consumer_text(consumer: &ConsumerStatus) -> String {
    let mut out = format!("{}  {}\n", consumer.name, kind(consumer.kind));
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:<12} {value}");
        }
    };
    line("tenant", consumer.tenant.as_deref().unwrap_or_default());
    line("roles", &consumer.roles.join(" "));
    line("scopes", &consumer.scopes.join(" "));
    line("environment", consumer.environment.as_deref().unwrap_or_default());
    line("owner", consumer.owner.as_deref().unwrap_or_default());
    for (name, value) in &consumer.attributes {
        line("attribute", &format!("{name} = {value}"));
    }
    if consumer.configured {
        line("kept in", "the configuration");
    }
    out + &keys(&consumer.keys)
}

pub fn keys(list: &[KeyStatus]) -> String {
    let mut out = String::new();
    for key in list {
        let _ = writeln!(out, "{}", key_line(key));
    }
    if list.is_empty() {
        out.push_str("no key\n");
    }
    out
}

fn key_line(key: &KeyStatus) -> String {
    let state = match (key.state, key.expires_at, key.revoked_at) {
        (KeyState::Revoked, _, Some(at)) => format!("revoked {at}"),
        (KeyState::Expired, Some(at), _) => format!("expired {at}"),
        (_, Some(at), _) => format!("until {at}"),
        _ => "active".to_owned(),
    };
    let used = key.last_used.map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
    format!("{}  {:<22} {:<20} {state}, {used}", key.id, key.hint, key.consumer)
}

pub fn issued(issued: &IssuedKey) -> String {
    let mut out = String::new();
    if let Some(secret) = &issued.secret {
        let _ = writeln!(out, "{secret}\n\nKeep it now: it is not shown again.");
    }
    let _ = writeln!(out, "{}", key_line(&issued.key));
    if let Some(revision) = issued.revision {
        let _ = writeln!(out, "counts from revision {revision} on");
    }
    out
}

fn kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "user",
        PrincipalKind::Service => "service",
        PrincipalKind::Partner => "partner",
    }
}
