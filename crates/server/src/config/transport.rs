//! How bytes arrive and leave: certificates of listeners, load balancers in front, keys for upstreams, where traces go.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine as _;
use probity_model::bundle::{CertificateFiles, ClientAuth, ListenerTls};
use probity_model::{Diagnostic, Severity, Span};
use probity_reader::cidr::Cidr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, ListenConfig, TlsConfig, UpstreamConfig};
use crate::sources::Loaded;

/// One certificate of several.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// PEM file with the certificate chain, relative to this file.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// Certificates of clients. One that is shown and does not hold is refused, required or not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuthConfig {
    /// PEM file with the certificates of the authorities that sign them, relative to this file.
    pub ca: PathBuf,
    /// Refuse handshakes without a certificate; `false` leaves it to what operations ask for.
    #[serde(default = "default_required")]
    pub required: bool,
    /// PEM files with revocation lists; a change of one is a reload. Where any is named, every authority of a chain needs
    /// one that has not ended.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
}

fn default_required() -> bool {
    true
}

/// The PROXY protocol, versions 1 and 2: a load balancer that passes bytes on tells who connected to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocolConfig {
    /// CIDR blocks of the load balancers; connections of others are closed.
    pub trusted: Vec<Cidr>,
}

/// What Probity tells of its own work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Where traces of calls go; none are made when absent.
    pub otlp: Option<OtlpConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// An OTLP/HTTP collector, `https://collector.example:4318`; `/v1/traces` is added unless a path is given.
    pub endpoint: String,
    /// Of the calls that begin a trace, the part that is sampled: 0 to 1. A call that continues one is sampled as it says.
    #[serde(default = "default_ratio")]
    pub ratio: f64,
    /// File with `name: value` lines, sent along with each export; relative to this file.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Clear text beyond loopback: must be asked for.
    #[serde(default)]
    pub clear_text: bool,
}

fn default_ratio() -> f64 {
    1.0
}

impl OtlpConfig {
    /// The address that exports go to.
    pub fn url(&self) -> Result<url::Url, String> {
        let mut url = url::Url::parse(&self.endpoint).map_err(|error| format!("not a URL: {error}"))?;
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => return Err("it names no host".to_owned()),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || self.clear_text => {}
            "http" => return Err("clear text beyond loopback".to_owned()),
            other => return Err(format!("scheme `{other}` is not known")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials belong into `headers_file`".to_owned());
        }
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Ok(url)
    }
}

impl TlsConfig {
    /// Every file that is served.
    pub fn files(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        let first = self.certificate.as_ref().zip(self.key.as_ref());
        first.into_iter().chain(self.certificates.iter().map(|pair| (&pair.certificate, &pair.key)))
    }

    /// What clients are judged by.
    pub fn client_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.client.iter().flat_map(|client| std::iter::once(&client.ca).chain(&client.crls))
    }

    /// As the bundle says it: the first certificate is the default one.
    pub fn compile(&self, loaded: &Loaded) -> ListenerTls {
        let file = |path: &PathBuf| loaded.path(path).display().to_string();
        let mut all = self.files().map(|(certificate, key)| CertificateFiles {
            certificate_file: file(certificate),
            key_file: file(key),
        });
        let first = if self.self_signed { None } else { all.next() };
        let (certificate_file, key_file) =
            first.map(|first| (first.certificate_file, first.key_file)).unwrap_or_default();
        ListenerTls {
            certificate_file,
            key_file,
            minimum: self.minimum,
            certificates: all.collect(),
            strict_sni: self.strict_sni,
            self_signed: self.self_signed,
            client_auth: self.client.as_ref().map(|client| ClientAuth {
                ca_file: file(&client.ca),
                required: client.required,
                crl_files: client.crls.iter().map(file).collect(),
            }),
        }
    }
}

impl UpstreamConfig {
    /// What the gateway proves itself with.
    pub fn client(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.client_certificate.as_ref().zip(self.client_key.as_ref())
    }

    /// Pins as the bundle has them, in hex.
    pub fn pins(&self) -> Result<Vec<String>, String> {
        self.pin_sha256.iter().map(|pin| read_pin(pin)).collect()
    }
}

/// 64 hex digits, or base64 as `curl --pinnedpubkey` has it, with or without `sha256//`.
fn read_pin(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    let encoded = text.strip_prefix("sha256//").unwrap_or(text);
    match base64::engine::general_purpose::STANDARD.decode(encoded) {
        Ok(bytes) if bytes.len() == 32 => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        _ => Err(format!("`{text}` is not the SHA-256 of a public key")),
    }
}

/// What only `--dev` serves, where a configuration asks for it.
pub fn of_a_workplace(loaded: &Loaded) -> Option<Diagnostic> {
    let listens = &loaded.config.gateway.listen;
    let index = listens.iter().position(|listen| listen.tls.as_ref().is_some_and(|tls| tls.self_signed))?;
    let file = loaded.file.display().to_string();
    let span = probity_reader::config::from_yaml_with_spans::<Config>(&file, &loaded.text)
        .ok()
        .and_then(|located| located.span_of(&format!("/gateway/listen/{index}/tls/self_signed")))
        .unwrap_or(Span { file: file.as_str().into(), line: 1, column: 1 });
    let message = "a self-signed certificate is served with `--dev` alone".to_owned();
    let hint = Some("expected `certificate` and `key` of an authority, or `probity up --dev`".to_owned());
    Some(Diagnostic { span, severity: Severity::High, message, hint })
}

/// What the shape alone cannot say: pointer, message, hint.
pub fn faults(config: &Config, say: &mut dyn FnMut(&str, String, &str)) {
    for (index, listen) in config.gateway.listen.iter().enumerate() {
        listen_faults(listen, &format!("/gateway/listen/{index}"), say);
    }
    for (index, service) in config.services.iter().enumerate() {
        for (number, upstream) in service.upstreams.iter().enumerate() {
            upstream_faults(upstream, &format!("/services/{index}/upstreams/{number}"), say);
        }
    }
    let Some(otlp) = &config.telemetry.otlp else { return };
    if let Err(problem) = otlp.url() {
        let hint = "expected `https://host:port`, `http://` on loopback, or `clear_text: true`";
        say("/telemetry/otlp/endpoint", format!("endpoint `{}`: {problem}", otlp.endpoint), hint);
    }
    if !(0.0..=1.0).contains(&otlp.ratio) {
        say("/telemetry/otlp/ratio", format!("ratio `{}` is out of range", otlp.ratio), "expected 0 to 1");
    }
}

fn listen_faults(listen: &ListenConfig, at: &str, say: &mut dyn FnMut(&str, String, &str)) {
    let address = match listen.address.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => {
            let message = format!("`{}` is not a listener's address", listen.address);
            return say(
                &format!("{at}/address"),
                message,
                "expected `address:port`, such as `127.0.0.1:8080`",
            );
        }
    };
    match &listen.tls {
        None if !address.ip().to_canonical().is_loopback() && !listen.clear_text => say(
            &format!("{at}/address"),
            format!("`{}` is beyond loopback and would speak clear text", listen.address),
            "expected `tls`, an address on loopback, or `clear_text: true`, which becomes a finding",
        ),
        None => {}
        Some(tls) => tls_faults(tls, &format!("{at}/tls"), say),
    }
    if listen.proxy_protocol.as_ref().is_some_and(|proxy| proxy.trusted.is_empty()) {
        let message = "nobody is trusted, so every connection would be closed".to_owned();
        say(&format!("{at}/proxy_protocol/trusted"), message, "expected CIDR blocks of load balancers");
    }
}

fn tls_faults(tls: &TlsConfig, at: &str, say: &mut dyn FnMut(&str, String, &str)) {
    if tls.certificate.is_some() != tls.key.is_some() {
        let message = "`certificate` and `key` go together".to_owned();
        say(at, message, "expected both");
    } else if tls.self_signed && tls.certificate.is_some() {
        let message = "`self_signed` stands in the place of `certificate` and `key`".to_owned();
        say(at, message, "expected one of them");
    } else if !tls.self_signed && tls.files().next().is_none() {
        let hint = "expected `certificate` and `key`, `certificates`, or with `--dev` `self_signed: true`";
        say(at, "no certificate is named".to_owned(), hint);
    }
}

fn upstream_faults(upstream: &UpstreamConfig, at: &str, say: &mut dyn FnMut(&str, String, &str)) {
    if upstream.client_certificate.is_some() != upstream.client_key.is_some() {
        let message = "`client_certificate` and `client_key` go together".to_owned();
        say(at, message, "expected both");
    }
    if let Err(problem) = upstream.pins() {
        say(&format!("{at}/pin_sha256"), problem, "expected 64 hex digits, or base64 of 32 bytes");
    }
    let secured = upstream.client_certificate.is_some() || !upstream.pin_sha256.is_empty();
    if secured && !upstream.url.starts_with("https://") {
        let message = format!("upstream `{}` speaks clear text and proves nothing", upstream.url);
        say(&format!("{at}/url"), message, "expected `https://host:port`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, upstream: &str, telemetry: &str, expected: &[(u32, &str)]) {
        let text = format!(
            "version: 1\ngateway:\n  listen:\n    - {listen}\nservices:\n  - name: shop\n    upstreams:\n      - {upstream}\n{telemetry}\n"
        );
        let found = Loaded::parse("probity.yaml".as_ref(), text).err().unwrap_or_default();
        let found: Vec<_> = found.iter().map(|fault| (fault.span.line, fault.message.as_str())).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.0 == expected.0 && found.1.contains(expected.1), "{found:?} {expected:?}");
        }
    }

    const PLAIN: &str = "{address: \"127.0.0.1:0\"}";
    const UPSTREAM: &str = "{url: \"https://shop.internal\"}";

    #[test]
    fn listeners() {
        for (listen, expected) in [
            (PLAIN, &[][..]),
            ("{address: \"0.0.0.0:80\"}", &[(4, "beyond loopback")]),
            ("{address: \"[::]:80\"}", &[(4, "beyond loopback")]),
            ("{address: \"[::ffff:127.0.0.1]:80\"}", &[]),
            ("{address: \"0.0.0.0:80\", clear_text: true}", &[]),
            ("{address: \"0.0.0.0:443\", tls: {certificate: a.pem, key: a.key}}", &[]),
            ("{address: \"0.0.0.0:443\", tls: {self_signed: true}}", &[]),
            ("{address: \"0.0.0.0:443\", tls: {certificates: [{certificate: a.pem, key: a.key}]}}", &[]),
            ("{address: \"0.0.0.0:443\", tls: {}}", &[(4, "no certificate")]),
            (
                "{address: \"0.0.0.0:443\", tls: {certificate: a.pem, key: a.key, client: {ca: b.pem, crls: [c.pem]}}}",
                &[],
            ),
            (
                "{address: \"0.0.0.0:443\", tls: {certificate: a.pem, key: a.key, client: {required: true}}}",
                &[(4, "`ca`")],
            ),
            ("{address: \"0.0.0.0:443\", tls: {certificate: a.pem}}", &[(4, "go together")]),
            (
                "{address: \"127.0.0.1:0\", tls: {certificate: a.pem, key: a.key, self_signed: true}}",
                &[(4, "place of")],
            ),
            ("{address: localhost}", &[(4, "not a listener's address")]),
            ("{address: \"127.0.0.1:0\", proxy_protocol: {trusted: [\"10.0.0.0/8\"]}}", &[]),
            ("{address: \"127.0.0.1:0\", proxy_protocol: {trusted: []}}", &[(4, "nobody is trusted")]),
            (
                "{address: \"127.0.0.1:0\", proxy_protocol: {trusted: [\"10.0.0.0/40\"]}}",
                &[(4, "10.0.0.0/40")],
            ),
        ] {
            check(listen, UPSTREAM, "", expected);
        }
    }

    #[test]
    fn upstreams_and_telemetry() {
        let pin = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c";
        for (upstream, expected) in [
            ("{url: \"https://a\", client_certificate: c.pem, client_key: c.key}".to_owned(), &[][..]),
            ("{url: \"https://a\", client_certificate: c.pem}".to_owned(), &[(8, "go together")]),
            ("{url: \"http://a\", client_certificate: c.pem, client_key: c.key}".to_owned(), &[(8, "clear text")]),
            (format!("{{url: \"https://a\", pin_sha256: [\"{pin}\"]}}"), &[]),
            ("{url: \"https://a\", pin_sha256: [\"sha256//tbudgBSg+bHWHiHnlteNzN8TUvI80ygS9IULh4rklEw=\"]}".to_owned(), &[]),
            ("{url: \"https://a\", pin_sha256: [abc]}".to_owned(), &[(8, "`abc`")]),
        ] {
            check(PLAIN, &upstream, "", expected);
        }
        assert_eq!(read_pin("sha256//tbudgBSg+bHWHiHnlteNzN8TUvI80ygS9IULh4rklEw=").unwrap(), pin);
        for (otlp, expected) in [
            ("{endpoint: \"http://127.0.0.1:4318\"}", &[][..]),
            ("{endpoint: \"https://collector.example\", ratio: 0.1}", &[]),
            ("{endpoint: \"http://collector.example\"}", &[(9, "beyond loopback")]),
            ("{endpoint: \"http://collector.example\", clear_text: true}", &[]),
            ("{endpoint: \"collector:4318\"}", &[(9, "collector")]),
            ("{endpoint: \"https://u:p@collector.example\"}", &[(9, "headers_file")]),
            ("{endpoint: \"https://collector.example\", ratio: 1.5}", &[(9, "out of range")]),
        ] {
            check(PLAIN, UPSTREAM, &format!("telemetry: {{otlp: {otlp}}}"), expected);
        }
    }
}
