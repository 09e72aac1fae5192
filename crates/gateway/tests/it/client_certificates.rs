//! Client certificates: which ones a listener takes, whom their names stand for, and when they no longer hold.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use probity_gateway::BundleRefusal;
use probity_model::bundle::identity::{
    CertificateName, CertificateNameKind, Consumer, IdentityPolicy, Need, ServiceIdentity, Way,
};
use probity_model::bundle::{Bundle, ClientAuth, ListenerTls, Protection, TlsVersion};
use probity_model::exchange::{AuthenticationState, CredentialScheme};
use probity_model::principal::PrincipalKind;
use probity_model::{EnforcementMode, Exchange};
use rcgen::{CertificateParams, CertificateRevocationListParams, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::*;

const BILLING: &str = "spiffe://example.org/billing";

/// An authority, below another one where it is not a root.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str, above: Option<&Authority>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(1000.into());
        let certificate = match above {
            None => params.self_signed(&key).unwrap(),
            Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        };
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    fn leaf(&self, serial: u64, names: &[SanType], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names.to_vec();
        params.serial_number = Some(serial.into());
        change(&mut params);
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        Leaf { chain, key: key.serialize_der() }
    }

    /// Of the names that most of these tests know.
    fn billing(&self, serial: u64) -> Leaf {
        self.leaf(serial, &[uri(BILLING)], |_| {})
    }

    /// A list that revokes these, and ended long ago or did not.
    fn list(&self, serials: &[u64], ended: bool) -> String {
        let revoked = |serial: &u64| rcgen::RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: rcgen::date_time_ymd(2021, 1, 1),
            reason_code: Some(rcgen::RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(if ended { 2022 } else { 2999 }, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }
}

/// What a client shows.
struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// Files of a listener, and the authorities of its clients.
struct Files {
    folder: tempfile::TempDir,
    server: rcgen::Certificate,
    clients: Authority,
}

impl Files {
    fn new() -> Self {
        let own = Authority::new("servers", None);
        let served = own.leaf(1, &[dns("localhost")], |_| {});
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            clients: Authority::new("clients", None),
            server: own.certificate,
        };
        let pem = |kind: &str, der: &[u8]| {
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
        };
        files.write("server.pem", &pem("CERTIFICATE", &served.chain[0]));
        files.write("server.key", &pem("PRIVATE KEY", &served.key));
        files.write("clients.pem", &files.clients.certificate.pem());
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    fn file(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).to_str().unwrap().to_owned()
    }

    fn listener(&self, required: bool, lists: &[&str]) -> ListenerTls {
        ListenerTls {
            certificate_file: self.file("server.pem"),
            key_file: self.file("server.key"),
            minimum: TlsVersion::V1_2,
            certificates: Vec::new(),
            strict_sni: false,
            self_signed: false,
            client_auth: Some(ClientAuth {
                ca_file: self.file("clients.pem"),
                required,
                crl_files: lists.iter().map(|name| self.file(name)).collect(),
            }),
        }
    }

    async fn bundle(&self, required: bool, lists: &[&str]) -> Bundle {
        let mut bundle = bundle(&[echo().await]);
        bundle.listeners[0].tls = Some(self.listener(required, lists));
        bundle
    }

    fn connector(
        &self,
        shown: Option<&Leaf>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.server.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => config.with_no_client_auth(),
            Some(leaf) => {
                let key = PrivateKeyDer::try_from(leaf.key.clone()).unwrap();
                config.with_client_auth_cert(leaf.chain.clone(), key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }

    /// The status of an answer to a call of `path` with a certificate, 0 where the handshake is refused.
    async fn ask(&self, bench: &Bench, path: &str, shown: Option<&Leaf>) -> u16 {
        let mut seen = Vec::new();
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let connector = self.connector(shown, &[version]);
            let mut text = String::new();
            if let Ok(mut stream) = dial(bench, &connector).await {
                let _ = send(&mut stream, path).await;
                // In TLS 1.3 a client thinks itself done before the server has looked at its certificate.
                let _ = stream.read_to_string(&mut text).await;
            }
            seen.push(if text.is_empty() { 0 } else { status(&text) });
        }
        assert_eq!(seen[0], seen[1], "TLS 1.3 and TLS 1.2 differ");
        seen[0]
    }

    /// The same, with the record of the last call.
    async fn recorded(&self, bench: &Bench, path: &str, shown: Option<&Leaf>) -> (u16, Exchange) {
        let status = self.ask(bench, path, shown).await;
        bench.record();
        (status, bench.record())
    }
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn dial(bench: &Bench, connector: &TlsConnector) -> std::io::Result<Stream> {
    let stream = TcpStream::connect(bench.address()).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn send(stream: &mut Stream, path: &str) -> std::io::Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await
}

/// `/certificate` wants a certificate, `/open` nothing, everything else any proof.
fn protect(bundle: &mut Bundle) {
    let name = |kind, value: &str| CertificateName { kind, value: value.into(), consumer: 0 };
    bundle.identity = Some(IdentityPolicy {
        consumers: vec![Consumer {
            name: "billing".into(),
            kind: PrincipalKind::Service,
            ..Consumer::default()
        }],
        certificates: vec![
            name(CertificateNameKind::Uri, BILLING),
            name(CertificateNameKind::Dns, "batch.example.org"),
            name(CertificateNameKind::Email, "ops@example.org"),
            name(CertificateNameKind::CommonName, "old batch"),
        ],
        ..IdentityPolicy::default()
    });
    let service = &mut bundle.services[0];
    service.operations =
        ["/certificate", "/open"].map(|template| operation("clinic", "GET", template)).to_vec();
    let identity = ServiceIdentity {
        mode: EnforcementMode::Block,
        needs: vec![
            Need::default(),
            Need { alternatives: vec![vec![Way::Certificate]], ..Need::default() },
            Need { public: true, ..Need::default() },
        ],
        operations: vec![1, 2],
        ..ServiceIdentity::default()
    };
    service.protection = Some(Protection { identity: Some(identity), ..Protection::default() });
}

fn rules(record: &Exchange) -> String {
    record.decisions.iter().map(|decision| decision.rule.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_takes_only_what_its_authority_signed_and_what_holds() {
    let files = Files::new();
    let bench = Bench::start(&files.bundle(true, &[]).await).await;
    let stranger = Authority::new("clients", None);
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    let dated = |from, to| {
        files.clients.leaf(7, &[uri(BILLING)], |params| {
            (params.not_before, params.not_after) = (year(from), year(to));
        })
    };
    let purpose =
        |purpose| files.clients.leaf(7, &[uri(BILLING)], |params| params.extended_key_usages = vec![purpose]);
    for (shown, expected, what) in [
        (None, 0, "none"),
        (Some(files.clients.billing(7)), 200, "a good one"),
        (Some(stranger.billing(7)), 0, "one of an authority of the same name"),
        (Some(dated(2001, 2002)), 0, "an expired one"),
        (Some(dated(2901, 2902)), 0, "one of the future"),
        (Some(purpose(rcgen::ExtendedKeyUsagePurpose::ClientAuth)), 200, "one for clients"),
        (Some(purpose(rcgen::ExtendedKeyUsagePurpose::ServerAuth)), 0, "one for servers"),
    ] {
        assert_eq!(files.ask(&bench, "/x", shown.as_ref()).await, expected, "{what}");
    }
    // Optional, a bad one is still not taken for none.
    bench.gateway.apply(sign(&files.bundle(false, &[]).await)).unwrap();
    assert_eq!(files.ask(&bench, "/x", None).await, 200);
    assert_eq!(files.ask(&bench, "/x", Some(&dated(2001, 2002))).await, 0);
    assert_eq!(files.ask(&bench, "/x", Some(&stranger.billing(7))).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_stand_for_consumers() {
    let files = Files::new();
    let mut bundle = files.bundle(false, &[]).await;
    protect(&mut bundle);
    let bench = Bench::start(&bundle).await;
    let mail = SanType::Rfc822Name("ops@example.org".try_into().unwrap());
    let common = |name: &'static str| {
        files.clients.leaf(7, &[], move |params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
        })
    };
    let leaf = |names: &[SanType]| files.clients.leaf(7, names, |_| {});
    for (shown, path, expected, rule) in [
        (None, "/certificate", 401, "gateway-credential-missing"),
        (None, "/open", 200, ""),
        (Some(leaf(&[uri(BILLING)])), "/certificate", 200, ""),
        (Some(leaf(&[uri(BILLING)])), "/any", 200, ""),
        (Some(leaf(&[dns("Batch.Example.org")])), "/certificate", 200, ""),
        (Some(leaf(&[dns("other.example.org"), dns("batch.example.org")])), "/certificate", 200, ""),
        (Some(leaf(&[mail])), "/certificate", 200, ""),
        (Some(common("old batch")), "/certificate", 200, ""),
        (Some(common("batch.example.org")), "/certificate", 401, "gateway-credential-scheme"),
        (Some(leaf(&[uri("spiffe://example.org/other")])), "/certificate", 401, "gateway-credential-scheme"),
        (Some(leaf(&[uri("spiffe://example.org/other")])), "/any", 401, "gateway-credential-scheme"),
        (Some(leaf(&[uri("spiffe://example.org/other")])), "/open", 200, ""),
        (Some(leaf(&[dns("batch.example.org.evil.example")])), "/any", 401, "gateway-credential-scheme"),
    ] {
        let (status, record) = files.recorded(&bench, path, shown.as_ref()).await;
        assert_eq!((status, rules(&record).as_str()), (expected, rule), "{path}");
        if path != "/open" && expected == 200 {
            let authentication = &record.authentication;
            assert_eq!(authentication.state, AuthenticationState::Verified);
            assert_eq!(authentication.scheme, CredentialScheme::ClientCertificate);
            assert!(authentication.identity.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_refused_from_the_next_connection_on() {
    let files = Files::new();
    files.write("list.pem", &files.clients.list(&[7], false));
    let bundle = files.bundle(true, &["list.pem"]).await;
    let bench = Bench::start(&bundle).await;
    let (seven, eight) = (files.clients.billing(7), files.clients.billing(8));
    assert_eq!(files.ask(&bench, "/x", Some(&seven)).await, 0);
    assert_eq!(files.ask(&bench, "/x", Some(&eight)).await, 200);

    // One client keeps its sessions: none is given that would spare it the next proof.
    let remembering = files.connector(Some(&eight), rustls::ALL_VERSIONS);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = dial(&bench, &remembering).await.unwrap();
        send(&mut stream, "/x").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(status(&text), 200);
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    assert!(kinds.iter().all(|kind| *kind == rustls::HandshakeKind::Full), "{kinds:?}");

    let mut open = dial(&bench, &remembering).await.unwrap();
    files.write("list.pem", &files.clients.list(&[7, 8], false));
    assert_eq!(files.ask(&bench, "/x", Some(&eight)).await, 200, "before the reload");
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(files.ask(&bench, "/x", Some(&eight)).await, 0);
    send(&mut open, "/x").await.unwrap();
    let mut text = String::new();
    open.read_to_string(&mut text).await.unwrap();
    assert_eq!(status(&text), 200, "an open connection goes on");

    // A list that ended, or of another authority, proves nothing.
    let nine = files.clients.billing(9);
    assert_eq!(files.ask(&bench, "/x", Some(&nine)).await, 200);
    files.write("list.pem", &files.clients.list(&[], true));
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(files.ask(&bench, "/x", Some(&nine)).await, 0);
    files.write("list.pem", &Authority::new("others", None).list(&[], false));
    bench.gateway.apply(sign(&bundle)).unwrap();
    assert_eq!(files.ask(&bench, "/x", Some(&nine)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_in_between_are_held_against_lists_too() {
    let files = Files::new();
    let between = Authority::new("between", Some(&files.clients));
    let mut shown = between.billing(7);
    shown.chain.push(between.certificate.der().clone());
    files.write("root.pem", &files.clients.list(&[], false));
    files.write("between.pem", &between.list(&[], false));
    for (lists, expected) in
        [(&[][..], 200), (&["root.pem", "between.pem"], 200), (&["root.pem"], 0), (&["between.pem"], 0)]
    {
        let bench = Bench::start(&files.bundle(true, lists).await).await;
        assert_eq!(files.ask(&bench, "/x", Some(&shown)).await, expected, "{lists:?}");
    }
    files.write("root.pem", &files.clients.list(&[1000], false));
    let bench = Bench::start(&files.bundle(true, &["root.pem", "between.pem"]).await).await;
    assert_eq!(files.ask(&bench, "/x", Some(&shown)).await, 0, "the authority itself was revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_named_and_change_nothing() {
    let files = Files::new();
    files.write("good.pem", &files.clients.list(&[], false));
    files.write("list.pem", &files.clients.list(&[], false));
    let bundle = files.bundle(true, &["good.pem", "list.pem"]).await;
    let bench = Bench::start(&bundle).await;
    let (authority, list) = (files.clients.certificate.pem(), files.clients.list(&[], false));
    let hollow = |kind: &str| format!("-----BEGIN {kind}-----\nMAA=\n-----END {kind}-----\n");
    for (file, text, expected) in [
        ("clients.pem", String::new(), "clients.pem` holds no certificate"),
        ("clients.pem", hollow("CERTIFICATE"), "clients.pem` holds what cannot be an authority"),
        ("clients.pem", list.clone(), "clients.pem` holds no certificate"),
        ("list.pem", authority.clone(), "list.pem` holds no revocation list"),
        ("list.pem", hollow("X509 CRL"), "a revocation list in `"),
        ("list.pem", "-----BEGIN X509 CRL-----\n!".into(), "list.pem` cannot be read"),
    ] {
        files.write(file, &text);
        let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
        let BundleRefusal::ListenerTls { source, .. } = &refused else { panic!("{refused}") };
        assert!(source.to_string().contains(expected) && source.to_string().contains(file), "{source}");
        files.write("clients.pem", &authority);
        files.write("list.pem", &list);
        assert_eq!(files.ask(&bench, "/x", Some(&files.clients.billing(7))).await, 200);
        assert_eq!(files.ask(&bench, "/x", None).await, 0);
    }
    std::fs::remove_file(files.file("list.pem")).unwrap();
    assert!(bench.gateway.apply(sign(&bundle)).is_err());
}
