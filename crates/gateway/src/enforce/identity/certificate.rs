//! Client certificates: the names of one that TLS has verified, and what becomes of them. The chain, its validity and its
//! revocation lists are rustls's to judge; who a name stands for is the directory's.

use probity_model::bundle::identity::CertificateNameKind;

use super::key::secret_digest;
use crate::certificate;

/// The leaf that a connection proved to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// SHA-256 of the DER, as RFC 8705 binds tokens to it.
    pub sha256: [u8; 32],
    /// The best first: URIs, DNS names, mail addresses, the common name.
    pub names: Vec<(CertificateNameKind, String)>,
}

impl ClientCertificate {
    pub fn read(der: &[u8]) -> Self {
        let mut names = certificate::identities(der);
        let rank = |kind: CertificateNameKind| match kind {
            CertificateNameKind::Uri => 0,
            CertificateNameKind::Dns => 1,
            CertificateNameKind::Email => 2,
            CertificateNameKind::CommonName => 3,
        };
        names.sort_by_key(|(kind, _)| rank(*kind));
        for (kind, name) in &mut names {
            if *kind == CertificateNameKind::Dns {
                name.make_ascii_lowercase();
            }
        }
        Self { sha256: secret_digest(der), names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    #[test]
    fn names_are_read_and_ranked() {
        let mut params = CertificateParams::new(vec!["Api.Example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "batch");
        params.subject_alt_names.push(SanType::Rfc822Name("ops@example.org".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/billing".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = ClientCertificate::read(certificate.der());
        assert_eq!(read.sha256, secret_digest(certificate.der()));
        let names: Vec<_> = read.names.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
        use CertificateNameKind::*;
        assert_eq!(
            names,
            [
                (Uri, "spiffe://example.org/billing"),
                (Dns, "api.example"),
                (Email, "ops@example.org"),
                (CommonName, "batch")
            ]
        );
        assert_eq!(ClientCertificate::read(b"no certificate").names, []);
    }
}
