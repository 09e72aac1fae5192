//! Deliveries of alerts: signed (Standard Webhooks), retried with growing pauses, sent only to addresses that were
//! looked at. Bodies hold what findings hold: never a value.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use probity_store::{Delivery, Store};
use tokio::sync::Notify;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::clock::now;
use crate::sources::Loaded;

/// Pauses before the next try, in seconds; after the last one the delivery has failed.
const PAUSES_S: [i64; 8] = [5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200];
const TIMEOUT: Duration = Duration::from_secs(15);
const BATCH: u64 = 16;
const MAX_SECRET_BYTES: usize = 4_096;

/// One configured receiver.
pub struct Receiver {
    secret: Zeroizing<Vec<u8>>,
    allow_private: bool,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// The receivers of a configuration by URL; a secret that cannot be read is an error.
pub fn receivers(loaded: &Loaded) -> anyhow::Result<BTreeMap<String, Receiver>> {
    let mut out = BTreeMap::new();
    for webhook in &loaded.config.alerts.webhooks {
        let path = loaded.path(&webhook.secret_file);
        let text = Zeroizing::new(
            std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the webhook secret `{}`", path.display()))?,
        );
        let encoded = text.trim().strip_prefix("whsec_").with_context(|| {
            format!("`{}` is not a webhook secret, expected `whsec_` and base64", path.display())
        })?;
        let secret = STANDARD
            .decode(encoded)
            .ok()
            .filter(|secret| (24..=MAX_SECRET_BYTES).contains(&secret.len()))
            .with_context(|| {
                format!("the secret in `{}` is not base64 of at least 24 bytes", path.display())
            })?;
        let receiver = Receiver { secret: Zeroizing::new(secret), allow_private: webhook.allow_private };
        out.insert(webhook.url.clone(), receiver);
    }
    Ok(out)
}

/// Sends what is due, forever.
pub async fn run(store: Store, receivers: BTreeMap<String, Receiver>, wake: Arc<Notify>) {
    loop {
        let due = match store.due_deliveries(now(), BATCH).await {
            Ok(due) => due,
            Err(problem) => {
                warn!("deliveries could not be read: {problem}");
                Vec::new()
            }
        };
        let none_due = due.is_empty();
        for delivery in due {
            let updated = attempt(delivery, &receivers).await;
            if let Err(problem) = store.update_delivery(&updated).await {
                warn!("a delivery's state could not be kept: {problem}");
            }
        }
        if none_due {
            let _ = tokio::time::timeout(Duration::from_secs(2), wake.notified()).await;
        }
    }
}

async fn attempt(mut delivery: Delivery, receivers: &BTreeMap<String, Receiver>) -> Delivery {
    delivery.attempts += 1;
    let Some(receiver) = receivers.get(&delivery.url) else {
        delivery.state = "failed".to_owned();
        delivery.last_error = Some("the receiver is no longer configured".to_owned());
        return delivery;
    };
    match send(&delivery, receiver).await {
        Ok(()) => {
            info!(event = %delivery.event, "an alert was delivered");
            delivery.state = "delivered".to_owned();
            delivery.last_error = None;
        }
        Err(problem) => {
            let tried = usize::try_from(delivery.attempts).unwrap_or(usize::MAX).saturating_sub(1);
            delivery.last_error = Some(format!("{problem:#}"));
            match PAUSES_S.get(tried) {
                Some(pause) => delivery.next_at = now().plus_micros(pause * 1_000_000),
                None => delivery.state = "failed".to_owned(),
            }
            warn!(event = %delivery.event, attempts = delivery.attempts, "an alert was not delivered: {problem:#}");
        }
    }
    delivery
}

async fn send(delivery: &Delivery, receiver: &Receiver) -> anyhow::Result<()> {
    let url: url::Url = delivery.url.parse().context("the receiver's URL is not one")?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("the receiver's URL has scheme `{}`, expected http or https", url.scheme());
    }
    let host = url.host_str().context("the receiver's URL has no host")?.to_owned();
    let port = url.port_or_known_default().context("the receiver's URL has no port")?;
    let address = checked_address(&host, port, receiver.allow_private).await?;
    let timestamp = now().as_millis() / 1_000;
    let signature = sign(&receiver.secret, &delivery.id, timestamp, &delivery.body);
    let client = reqwest::Client::builder()
        .resolve(&host, address)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()?;
    let response = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &delivery.id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
        .body(delivery.body.clone())
        .send()
        .await?;
    match response.status().is_success() {
        true => Ok(()),
        false => bail!("the receiver answered {}", response.status()),
    }
}

/// `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`.
pub fn sign(secret: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

/// Resolves once and connects to exactly that address, so that a name cannot change its mind in between.
async fn checked_address(host: &str, port: u16, allow_private: bool) -> anyhow::Result<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let resolved: Vec<SocketAddr> =
        tokio::net::lookup_host((bare, port)).await.context("the receiver's name has no address")?.collect();
    let usable = resolved.iter().find(|address| allow_private || is_public(address.ip()));
    match usable {
        Some(address) => Ok(*address),
        None => bail!("`{host}` has no public address; set `allow_private: true` if that is meant"),
    }
}

/// Not loopback, private, link-local, shared, documentation, multicast or otherwise special.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_unspecified()
                || a == 0
                || a >= 240
                || a == 100 && (64..128).contains(&b)
                || a == 198 && (18..20).contains(&b)
                || a == 192 && b == 0)
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            let [first, second, ..] = v6.segments();
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first == 0x2001 && second == 0x0db8
                || first == 0x64 && second == 0xff9b)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let rows = [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("198.18.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::a00:1", false),
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
        ];
        for (text, expected) in rows {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }

    /// The example that the Standard Webhooks document gives for its reference libraries.
    #[test]
    fn signs_as_standard_webhooks_says() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
