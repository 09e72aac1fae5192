//! TLS on both sides.

use std::path::Path;
use std::sync::Arc;

use probity_model::bundle::{CertificateFiles, ListenerTls, TlsVersion, UpstreamProtocol, UpstreamTls};
use probity_model::exchange::{End, Protocol};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::harness::*;

/// A self-signed certificate for `localhost`, as files.
struct Pair {
    folder: tempfile::TempDir,
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

impl Pair {
    fn new(name: &str) -> Self {
        Self::of(name, &["localhost"])
    }

    fn of(name: &str, names: &[&str]) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        let pair = Self { folder: tempfile::tempdir().unwrap(), certificate, key };
        pair.write();
        pair
    }

    fn write(&self) {
        std::fs::write(self.file("cert.pem"), self.certificate.pem()).unwrap();
        std::fs::write(self.file("key.pem"), self.key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).to_str().unwrap().to_owned()
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles { certificate_file: self.file("cert.pem"), key_file: self.file("key.pem") }
    }

    fn listener(&self, minimum: TlsVersion) -> ListenerTls {
        ListenerTls {
            certificate_file: self.file("cert.pem"),
            key_file: self.file("key.pem"),
            minimum,
            certificates: Vec::new(),
            strict_sni: false,
            self_signed: false,
            client_auth: None,
        }
    }
}

/// A gateway that serves certificates which nobody vouches for.
async fn workplace(bundle: &probity_model::bundle::Bundle) -> Bench {
    let tuning = probity_gateway::Tuning { workers: Some(2), ..Default::default() };
    Bench::start_with(bundle, |options| options.self_signed = Some("nowhere".into()), tuning).await
}

fn verified(name: &str, ca: &Pair) -> UpstreamTls {
    UpstreamTls {
        server_name: name.into(),
        ca_file: Some(ca.file("cert.pem")),
        client: None,
        pins: Vec::new(),
    }
}

fn connector(
    pair: &Pair,
    alpn: &[&[u8]],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn dial(
    bench: &Bench,
    connector: &TlsConnector,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(bench.address()).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The certificate that is served for a name, as long as one is.
async fn served(bench: &Bench, name: &str, trusted: &Pair) -> bool {
    let connector = connector(trusted, &[], rustls::ALL_VERSIONS);
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await.is_ok()
}

async fn exchange(stream: &mut tokio_rustls::client::TlsStream<TcpStream>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_offer_both_protocols_and_state_what_they_offer() {
    let pair = Pair::new("first");
    let mut bundle = bundle(&[echo().await]);
    bundle.listeners[0].tls = Some(pair.listener(TlsVersion::V1_2));
    let bench = workplace(&bundle).await;

    let mut stream = dial(&bench, &connector(&pair, &[b"http/1.1"], rustls::ALL_VERSIONS)).await.unwrap();
    let answer = exchange(&mut stream).await;
    assert!(answer.contains("\nx-forwarded-proto: https\n"), "{answer}");
    let record = bench.record();
    let tls = record.tls.unwrap();
    assert_eq!((&*tls.version, record.protocol), ("TLSv1.3", Protocol::Http11));
    assert!(tls.suite.starts_with("TLS_AES_") || tls.suite.starts_with("TLS_CHACHA20_"), "{}", tls.suite);

    let stream = dial(&bench, &connector(&pair, &[b"h2"], rustls::ALL_VERSIONS)).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let (head, ..) = h2_ask(&client, get("https://localhost/"), None).await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(bench.record().protocol, Protocol::Http2);

    let mut old = dial(&bench, &connector(&pair, &[], &[&rustls::version::TLS12])).await.unwrap();
    let suite = old.get_ref().1.negotiated_cipher_suite().unwrap().suite().as_str().unwrap().to_owned();
    // Once it has answered, the gateway has counted the handshake.
    exchange(&mut old).await;
    let [transport] = bench.gateway.transport().try_into().unwrap();
    assert!(transport.tls && transport.loopback && transport.minimum == Some(TlsVersion::V1_2));
    assert!(transport.suites.contains(&suite), "{suite} in {:?}", transport.suites);
    assert!(transport.suites.iter().all(|suite| !suite.contains("_RSA_")), "{:?}", transport.suites);
    assert_eq!(transport.certificates[0].names, ["localhost"]);
    assert!(transport.certificates[0].subject.contains("CN=first") && transport.certificates[0].self_signed);
    let handshakes = bench.gateway.handshakes();
    assert_eq!(handshakes.iter().map(|(.., count)| count).sum::<u64>(), 3);
    assert!(handshakes.iter().any(|(name, what, _)| name == "main" && *what == format!("TLSv1.2 {suite}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_minimum_holds() {
    let pair = Pair::new("strict");
    let mut bundle = bundle(&[echo().await]);
    bundle.listeners[0].tls = Some(pair.listener(TlsVersion::V1_3));
    let bench = workplace(&bundle).await;
    assert!(dial(&bench, &connector(&pair, &[], &[&rustls::version::TLS12])).await.is_err());
    assert!(dial(&bench, &connector(&pair, &[], &[&rustls::version::TLS13])).await.is_ok());
    let [transport] = bench.gateway.transport().try_into().unwrap();
    assert!(transport.suites.iter().all(|suite| !suite.contains("_WITH_")), "{:?}", transport.suites);
}

/// A certificate is replaced under an open connection.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_reloaded() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (first, second) = (Pair::new("first"), Pair::new("second"));
    let mut bundle = bundle(&[echo().await]);
    bundle.listeners[0].tls = Some(first.listener(TlsVersion::V1_3));
    let bench = workplace(&bundle).await;
    let mut open = dial(&bench, &connector(&first, &[], rustls::ALL_VERSIONS)).await.unwrap();
    let request = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut room = [0; 4096];
    open.write_all(request).await.unwrap();
    assert!(open.read(&mut room).await.unwrap() > 0);

    std::fs::copy(second.file("cert.pem"), first.file("cert.pem")).unwrap();
    std::fs::copy(second.file("key.pem"), first.file("key.pem")).unwrap();
    let before = bench.address();
    assert_eq!(bench.gateway.apply(sign(&bundle)).unwrap(), 1);
    assert_eq!(bench.address(), before);
    assert!(dial(&bench, &connector(&first, &[], rustls::ALL_VERSIONS)).await.is_err());
    assert!(dial(&bench, &connector(&second, &[], rustls::ALL_VERSIONS)).await.is_ok());
    assert!(bench.gateway.transport()[0].certificates[0].subject.contains("CN=second"));
    open.write_all(request).await.unwrap();
    assert!(open.read(&mut room).await.unwrap() > 0);

    std::fs::write(first.file("key.pem"), "torn").unwrap();
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(matches!(refused, probity_gateway::BundleRefusal::ListenerTls { .. }), "{refused}");
    assert!(dial(&bench, &connector(&second, &[], rustls::ALL_VERSIONS)).await.is_ok());
}

/// An upstream with TLS, speaking what ALPN says.
async fn tls_origin(pair: &Pair, alpn: &[&[u8]]) -> std::net::SocketAddr {
    let chain = vec![pair.certificate.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    tls_origin_with(config).await
}

async fn tls_origin_with(config: rustls::ServerConfig) -> std::net::SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                serve_origin(stream, |request| async move {
                    let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
                    let host = host.unwrap_or_else(|| request.uri().authority().unwrap().to_string());
                    answer(200, "text/plain", format!("{:?} {host}", request.version()))
                })
                .await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_are_verified() {
    let (pair, stranger) = (Pair::new("upstream"), Pair::new("stranger"));
    let http1 = tls_origin(&pair, &[b"http/1.1"]).await;
    let http2 = tls_origin(&pair, &[b"h2", b"http/1.1"]).await;
    for (address, name, ca, expected) in [
        (http1, "localhost", &pair, "HTTP/1.1"),
        (http2, "localhost", &pair, "HTTP/2.0"),
        (http1, "localhost", &stranger, ""),
        (http1, "other.example", &pair, ""),
    ] {
        let mut bundle = bundle(&[address]);
        bundle.services[0].upstreams[0].protocol = UpstreamProtocol::Auto;
        bundle.services[0].upstreams[0].tls = Some(verified(name, ca));
        let bench = Bench::start(&bundle).await;
        let mut client = bench.connect().await;
        for _ in 0..2 {
            let answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let record = bench.record();
            if expected.is_empty() {
                assert_eq!((status(&answer), record.end), (502, End::UpstreamUnreachable), "{answer}");
            } else {
                assert_eq!(body(&answer), format!("{expected} localhost:{}", address.port()));
                assert_eq!(record.end, End::Complete);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_text_beyond_loopback_must_be_asked_for() {
    let mut bundle = bundle(&[echo().await]);
    let bench = Bench::start(&bundle).await;
    bundle.listeners[0].address = "0.0.0.0:0".into();
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(matches!(refused, probity_gateway::BundleRefusal::ClearText { .. }), "{refused}");
    bundle.listeners[0].clear_text_allowed = true;
    bench.gateway.apply(sign(&bundle)).unwrap();
    let [transport] = bench.gateway.transport().try_into().unwrap();
    assert!(transport.clear_text_allowed && !transport.loopback && !transport.tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_chosen_by_name() {
    let (first, api, v1) = (
        Pair::of("first", &["localhost"]),
        Pair::of("api", &["*.api.example"]),
        Pair::of("v1", &["v1.api.example"]),
    );
    let mut bundle = bundle(&[echo().await]);
    let tls = ListenerTls { certificates: vec![api.files(), v1.files()], ..first.listener(TlsVersion::V1_3) };
    bundle.listeners[0].tls = Some(tls.clone());
    let bench = workplace(&bundle).await;
    for (name, pair, expected) in [
        ("localhost", &first, true),
        ("v2.api.example", &api, true),
        ("v2.api.example", &first, false),
        ("v1.api.example", &v1, true),
        ("v1.api.example", &api, false),
    ] {
        assert_eq!(served(&bench, name, pair).await, expected, "{name}");
    }
    // For any other name the default is served: the client is it that finds it odd.
    let failed = bench.gateway.metrics();
    assert!(!served(&bench, "other.example", &first).await);
    let named = |listener: &probity_gateway::ListenerTransport| -> Vec<String> {
        listener.certificates.iter().flat_map(|certificate| certificate.names.clone()).collect()
    };
    assert_eq!(named(&bench.gateway.transport()[0]), ["localhost", "*.api.example", "v1.api.example"]);
    assert!(
        failed.contains(
            "probity_gateway_certificate_expiry_seconds{listener=\"main\",name=\"v1.api.example\"}"
        )
    );

    // Strict, and one certificate renewed: an open connection stays what it was.
    let mut open = dial(&bench, &connector(&first, &[], rustls::ALL_VERSIONS)).await.unwrap();
    let renewed = Pair::of("renewed", &["v1.api.example"]);
    std::fs::copy(renewed.file("cert.pem"), v1.file("cert.pem")).unwrap();
    std::fs::copy(renewed.file("key.pem"), v1.file("key.pem")).unwrap();
    bundle.listeners[0].tls = Some(ListenerTls { strict_sni: true, ..tls });
    bench.gateway.apply(sign(&bundle)).unwrap();
    for (name, pair, expected) in [
        ("localhost", &first, true),
        ("v1.api.example", &renewed, true),
        ("v1.api.example", &v1, false),
        ("other.example", &first, false),
        ("127.0.0.1", &first, false),
    ] {
        assert_eq!(served(&bench, name, pair).await, expected, "{name}");
    }
    assert!(exchange(&mut open).await.starts_with("HTTP/1.1 200"));

    // A key of another certificate is refused, whole.
    std::fs::copy(first.file("key.pem"), v1.file("key.pem")).unwrap();
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(refused.to_string().contains("does not fit the certificate"), "{refused}");
    assert!(served(&bench, "v1.api.example", &renewed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_for_a_self_signed_certificate() {
    let pair = Pair::new("own");
    let mut bundle = bundle(&[echo().await]);
    let bench = Bench::start(&bundle).await;
    bundle.listeners[0].tls = Some(pair.listener(TlsVersion::V1_3));
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(refused.to_string().contains("is self-signed, expected one of an authority"), "{refused}");
    bundle.listeners[0].tls = Some(ListenerTls { self_signed: true, ..pair.listener(TlsVersion::V1_3) });
    let refused = bench.gateway.apply(sign(&bundle)).unwrap_err();
    assert!(refused.to_string().contains("`--dev`"), "{refused}");

    // In a workplace its own one is found by the listener's name.
    std::fs::copy(pair.file("cert.pem"), pair.file("main.pem")).unwrap();
    std::fs::copy(pair.file("key.pem"), pair.file("main.key")).unwrap();
    let folder = pair.folder.path().to_owned();
    let tuning = probity_gateway::Tuning { workers: Some(1), ..Default::default() };
    let bench = Bench::start_with(&bundle, |options| options.self_signed = Some(folder), tuning).await;
    assert!(served(&bench, "localhost", &pair).await);
}

/// Nothing without authentication or forward secrecy is offered, whatever the policy.
#[tokio::test(flavor = "multi_thread")]
async fn suites_are_sound() {
    let pair = Pair::new("ec");
    let mut bundle = bundle(&[echo().await]);
    let modern = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];
    let older = [
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ];
    for (minimum, expected) in
        [(TlsVersion::V1_3, modern.to_vec()), (TlsVersion::V1_2, [modern, older].concat())]
    {
        bundle.listeners[0].tls = Some(pair.listener(minimum));
        let bench = workplace(&bundle).await;
        assert_eq!(bench.gateway.transport()[0].suites, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_may_be_pinned() {
    let pair = Pair::new("upstream");
    let address = tls_origin(&pair, &[b"http/1.1"]).await;
    let info = rcgen::PublicKeyData::subject_public_key_info(&pair.key);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &info);
    let pin: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let other = "00".repeat(32);
    for (pins, expected) in
        [(vec![pin.clone()], 200), (vec![other.clone(), pin.clone()], 200), (vec![other.clone()], 502)]
    {
        let mut bundle = bundle(&[address]);
        bundle.services[0].upstreams[0].tls = Some(UpstreamTls { pins, ..verified("localhost", &pair) });
        let bench = Bench::start(&bundle).await;
        assert_eq!(status(&bench.connect().await.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await), expected);
    }
    let mut bundle = bundle(&[address]);
    let bench = Bench::start(&bundle).await;
    let odd = UpstreamTls { pins: vec!["abc".into()], ..verified("localhost", &pair) };
    bundle.services[0].upstreams[0].tls = Some(odd);
    assert!(bench.gateway.apply(sign(&bundle)).unwrap_err().to_string().contains("pin `abc`"));
}

/// An upstream that wants to know who calls.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_proves_itself_to_upstreams() {
    let (server, client, stranger) = (Pair::new("server"), Pair::new("client"), Pair::new("stranger"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = rustls::pki_types::PrivateKeyDer::try_from(server.key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.certificate.der().clone()], key)
        .unwrap();
    let address = tls_origin_with(config).await;
    for (own, expected) in [(Some(&client), 200), (Some(&stranger), 502), (None, 502)] {
        let mut bundle = bundle(&[address]);
        let tls = UpstreamTls { client: own.map(Pair::files), ..verified("localhost", &server) };
        bundle.services[0].upstreams[0].tls = Some(tls);
        let bench = Bench::start(&bundle).await;
        let answer = bench.connect().await.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}
