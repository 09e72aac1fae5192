//! TLS for both sides: what a listener offers, how an upstream is verified. Files are PEM; aws-lc-rs does the work.
//!
//! [`chooser`] finds the certificate for a name, [`client_auth`] judges those of clients, [`pin`] holds an upstream to
//! known keys. Who a client is, its certificate tells the control `identity`, not this module.

mod chooser;
mod client_auth;
mod pin;

use std::path::Path;
use std::sync::Arc;

use probity_model::bundle::{CertificateFiles, ListenerTls, TlsVersion, UpstreamProtocol, UpstreamTls};
use probity_model::exchange::Tls;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureAlgorithm, SupportedCipherSuite};

use self::chooser::Chooser;
use self::pin::Pinned;
use crate::certificate::CertificateFacts;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{file}` cannot be read, expected PEM")]
    File { file: String, source: rustls::pki_types::pem::Error },
    #[error("`{file}` holds no certificate, expected at least one in PEM")]
    NoCertificate { file: String },
    #[error("TLS is refused by these files or settings")]
    Config(#[from] rustls::Error),
    #[error("the key `{key}` does not fit the certificate `{file}`, expected the key that it was made for")]
    Pair { file: String, key: String, source: rustls::Error },
    #[error(
        "the certificate `{file}` is self-signed, expected one of an authority; in a workplace, start with `--dev`"
    )]
    SelfSigned { file: String },
    #[error(
        "a self-signed certificate is asked for, which is made with `--dev` alone, expected `certificate` and `key`"
    )]
    SelfSignedAsked,
    #[error("the trusted roots cannot be used")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    #[error("pin `{0}`, expected the SHA-256 of a public key in 64 hex digits")]
    Pin(String),
    #[error(
        "`{file}` holds what cannot be an authority of client certificates, expected its certificate in PEM"
    )]
    Authority { file: String, source: rustls::Error },
    #[error("`{file}` holds no revocation list, expected at least one in PEM")]
    NoRevocations { file: String },
    #[error("a revocation list in `{file}` cannot be used, expected a complete one of version 2")]
    Revocations { file: String, source: rustls::client::VerifierBuilderError },
    #[error("the system has no trusted roots, expected a `ca_file`")]
    NoRoots,
}

/// A listener's TLS and what is stated about it.
#[derive(Debug)]
pub(crate) struct ServerTls {
    pub config: Arc<ServerConfig>,
    pub suites: Vec<String>,
    /// Of the default chain, leaf first, then of every other.
    pub certificates: Vec<CertificateFacts>,
}

/// What a listener offers. `self_signed` is the folder where a workplace keeps certificates that it made for itself;
/// without it none that is self-signed is served.
pub(crate) fn server(
    listener: &str,
    tls: &ListenerTls,
    self_signed: Option<&Path>,
) -> Result<ServerTls, TlsError> {
    let provider = provider();
    let mut chooser = Chooser::new(tls.strict_sni);
    let (mut facts, mut algorithms) = (Vec::new(), Vec::new());
    for files in std::iter::once(default_files(listener, tls, self_signed)?).chain(tls.certificates.clone()) {
        let (certified, chain) = certified(&files, &provider)?;
        let leaf = chain.first().ok_or(TlsError::NoCertificate { file: files.certificate_file.clone() })?;
        if leaf.self_signed && self_signed.is_none() {
            return Err(TlsError::SelfSigned { file: files.certificate_file });
        }
        algorithms.push(certified.key.algorithm());
        chooser.add(&Arc::new(certified), &leaf.names);
        facts.extend(chain);
    }
    let versions: &[&rustls::SupportedProtocolVersion] = match tls.minimum {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let fits_one = |suite: &SupportedCipherSuite| algorithms.iter().any(|algorithm| fits(suite, *algorithm));
    let suites = provider
        .cipher_suites
        .iter()
        .filter(|suite| versions.contains(&suite.version()) && fits_one(suite))
        .map(|suite| iana_name(suite.suite()))
        .collect();
    let clients = client_auth::verifier(tls.client_auth.as_ref(), &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(chooser));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if tls.client_auth.is_some() {
        // A session that is taken up again shows no certificate: one that ended or was revoked would go on.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // Keys that change by themselves; a reload has new ones, so that no ticket outlives what it was given under.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    }
    Ok(ServerTls { config: Arc::new(config), suites, certificates: facts })
}

fn default_files(
    listener: &str,
    tls: &ListenerTls,
    self_signed: Option<&Path>,
) -> Result<CertificateFiles, TlsError> {
    if !tls.self_signed {
        let (certificate_file, key_file) = (tls.certificate_file.clone(), tls.key_file.clone());
        return Ok(CertificateFiles { certificate_file, key_file });
    }
    let folder = self_signed.ok_or(TlsError::SelfSignedAsked)?;
    let file = |ending: &str| folder.join(format!("{listener}.{ending}")).display().to_string();
    Ok(CertificateFiles { certificate_file: file("pem"), key_file: file("key") })
}

/// A chain with its key, which must be the one that it was made for.
fn certified(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, Vec<CertificateFacts>), TlsError> {
    let (chain, key) = (certificates(&files.certificate_file)?, private_key(&files.key_file)?);
    let facts = chain.iter().map(|certificate| CertificateFacts::read(certificate)).collect();
    let pair = CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Pair {
        file: files.certificate_file.clone(),
        key: files.key_file.clone(),
        source,
    })?;
    Ok((pair, facts))
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| TlsError::File { file: file.to_owned(), source })
}

/// What the certificates of a PEM file say.
///
/// # Errors
/// [`TlsError`] where the file cannot be read or holds none.
pub fn certificate_facts(file: &Path) -> Result<Vec<CertificateFacts>, TlsError> {
    let chain = certificates(&file.display().to_string())?;
    Ok(chain.iter().map(|certificate| CertificateFacts::read(certificate)).collect())
}

/// A verified connection to an upstream; no setting turns verification off.
pub(crate) fn client(tls: &UpstreamTls, protocol: UpstreamProtocol) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = verifying(tls.ca_file.as_deref(), tls.client.as_ref(), pins(&tls.pins)?)?;
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        UpstreamProtocol::Http1 => vec![b"http/1.1".to_vec()],
        UpstreamProtocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}

fn pins(texts: &[String]) -> Result<Vec<[u8; 32]>, TlsError> {
    let pin = |text: &String| {
        let bytes = crate::bundle::unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| TlsError::Pin(text.clone()))
    };
    texts.iter().map(pin).collect()
}

/// The same to whoever those roots vouch for, over HTTP/1.1.
pub(crate) fn roots(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = verifying(ca_file, None, Vec::new())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn verifying(
    ca_file: Option<&str>,
    own: Option<&CertificateFiles>,
    pins: Vec<[u8; 32]>,
) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let roots = Arc::new(roots_of(ca_file)?);
    let usual = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match pins.is_empty() {
        true => builder.with_webpki_verifier(usual),
        // Named dangerous by rustls because a verifier may do anything; this one only ever refuses more.
        false => builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned::new(usual, pins))),
    };
    Ok(match own {
        None => builder.with_no_client_auth(),
        Some(files) => builder
            .with_client_auth_cert(certificates(&files.certificate_file)?, private_key(&files.key_file)?)?,
    })
}

fn roots_of(ca_file: Option<&str>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => certificates(file)?.into_iter().try_for_each(|root| roots.add(root))?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(TlsError::NoRoots);
            }
        }
    }
    Ok(roots)
}

/// Version and suite of a connection by their registered names.
pub(crate) fn negotiated(connection: &rustls::CommonState) -> Option<Tls> {
    let version = match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => return None,
    };
    let suite = iana_name(connection.negotiated_cipher_suite()?.suite());
    Some(Tls { version: version.into(), suite: suite.into() })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |source| TlsError::File { file: file.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(Path::new(file)).map_err(error)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(error)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned() });
    }
    Ok(chain)
}

/// Whether a suite can be negotiated with that kind of key: in TLS 1.2 the suite's name says which it takes.
fn fits(suite: &SupportedCipherSuite, algorithm: SignatureAlgorithm) -> bool {
    let name = iana_name(suite.suite());
    match suite {
        SupportedCipherSuite::Tls13(_) => true,
        SupportedCipherSuite::Tls12(_) => (algorithm == SignatureAlgorithm::RSA) != name.contains("_ECDSA_"),
    }
}

/// rustls writes TLS 1.3 suites as `TLS13_...`; the registry has `TLS_...`.
fn iana_name(suite: rustls::CipherSuite) -> String {
    suite.as_str().map_or_else(|| format!("{suite:?}"), |name| name.replacen("TLS13_", "TLS_", 1))
}
