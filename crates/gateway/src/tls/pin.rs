//! Pinned upstreams: besides being verified as ever, a server must hold one of a few known keys. What is pinned is the
//! public key (SubjectPublicKeyInfo, as RFC 7469 has it), so that a certificate may be renewed.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::certificate::public_key_info;

#[derive(Debug)]
pub(super) struct Pinned {
    usual: Arc<dyn ServerCertVerifier>,
    pins: Vec<[u8; 32]>,
}

impl Pinned {
    pub fn new(usual: Arc<dyn ServerCertVerifier>, pins: Vec<[u8; 32]>) -> Self {
        Self { usual, pins }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.usual.verify_server_cert(leaf, chain, name, ocsp, now)?;
        let key = public_key_info(leaf).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let found = digest::digest(&digest::SHA256, key);
        match self.pins.iter().any(|pin| pin == found.as_ref()) {
            true => Ok(verified),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
