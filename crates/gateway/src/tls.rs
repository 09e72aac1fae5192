//! TLS for both sides: what a listener offers, how an upstream is verified. Files are PEM; aws-lc-rs does the work.

use std::path::Path;
use std::sync::Arc;

use probity_model::bundle::{ListenerTls, TlsVersion, UpstreamProtocol, UpstreamTls};
use probity_model::exchange::Tls;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureAlgorithm, SupportedCipherSuite};

use crate::certificate::CertificateFacts;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{file}` cannot be read, expected PEM")]
    File { file: String, source: rustls::pki_types::pem::Error },
    #[error("`{file}` holds no certificate, expected at least one in PEM")]
    NoCertificate { file: String },
    #[error("TLS is refused by these files or settings")]
    Config(#[from] rustls::Error),
    #[error("the system has no trusted roots, expected a `ca_file`")]
    NoRoots,
}

/// A listener's TLS and what is stated about it.
#[derive(Debug)]
pub(crate) struct ServerTls {
    pub config: Arc<ServerConfig>,
    pub suites: Vec<String>,
    pub certificates: Vec<CertificateFacts>,
}

pub(crate) fn server(tls: &ListenerTls) -> Result<ServerTls, TlsError> {
    let chain = certificates(&tls.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|source| TlsError::File { file: tls.key_file.clone(), source })?;
    let facts = chain.iter().map(|certificate| CertificateFacts::read(certificate)).collect();
    let provider = provider();
    let algorithm = provider.key_provider.load_private_key(key.clone_key())?.algorithm();
    let versions: &[&rustls::SupportedProtocolVersion] = match tls.minimum {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let suites = provider
        .cipher_suites
        .iter()
        .filter(|suite| versions.contains(&suite.version()) && fits(suite, algorithm))
        .map(|suite| iana_name(suite.suite()))
        .collect();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(ServerTls { config: Arc::new(config), suites, certificates: facts })
}

/// A verified connection to an upstream; no setting turns verification off.
pub(crate) fn client(tls: &UpstreamTls, protocol: UpstreamProtocol) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = verifying(tls.ca_file.as_deref())?;
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        UpstreamProtocol::Http1 => vec![b"http/1.1".to_vec()],
        UpstreamProtocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}

/// The same to whoever those roots vouch for, over HTTP/1.1.
pub(crate) fn roots(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = verifying(ca_file)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn verifying(ca_file: Option<&str>) -> Result<ClientConfig, TlsError> {
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
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
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
