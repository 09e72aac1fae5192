//! Client certificates of a listener: who signs them, whether one is needed, and which were revoked. What their names
//! mean is [`crate::enforce::identity`]'s.

use std::path::Path;
use std::sync::Arc;

use probity_model::bundle::ClientAuth;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{TlsError, certificates};

/// What judges the certificates of clients; asks for none where nothing is wanted.
pub(super) fn verifier(
    wanted: Option<&ClientAuth>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(wanted) = wanted else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let unusable = |source| TlsError::Authority { file: wanted.ca_file.clone(), source };
    let mut roots = RootCertStore::empty();
    certificates(&wanted.ca_file)?.into_iter().try_for_each(|root| roots.add(root)).map_err(unusable)?;
    let roots = Arc::new(roots);
    let builder = || WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
    let mut lists = Vec::new();
    for file in &wanted.crl_files {
        let found = revocations(file)?;
        // Read once by itself, so that the refusal of a list names its file.
        builder()
            .with_crls(found.iter().cloned())
            .build()
            .map_err(|source| TlsError::Revocations { file: file.clone(), source })?;
        lists.extend(found);
    }
    let mut complete = builder();
    if !lists.is_empty() {
        // Silence is no proof: an authority below the roots without a list, or with one that ended, vouches for nobody.
        complete = complete.with_crls(lists).enforce_revocation_expiration();
    }
    if !wanted.required {
        complete = complete.allow_unauthenticated();
    }
    Ok(complete.build()?)
}

fn revocations(file: &str) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let error = |source| TlsError::File { file: file.to_owned(), source };
    let lists = CertificateRevocationListDer::pem_file_iter(Path::new(file)).map_err(error)?;
    let lists: Vec<_> = lists.collect::<Result<_, _>>().map_err(error)?;
    if lists.is_empty() {
        return Err(TlsError::NoRevocations { file: file.to_owned() });
    }
    Ok(lists)
}
