//! TLS on both sides.

use std::path::Path;
use std::sync::Arc;

use probity_model::bundle::{ListenerTls, TlsVersion, UpstreamProtocol, UpstreamTls};
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
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
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

    fn listener(&self, minimum: TlsVersion) -> ListenerTls {
        ListenerTls { certificate_file: self.file("cert.pem"), key_file: self.file("key.pem"), minimum }
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
    let bench = Bench::start(&bundle).await;

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
    let bench = Bench::start(&bundle).await;
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
    let bench = Bench::start(&bundle).await;
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
        bundle.services[0].upstreams[0].tls =
            Some(UpstreamTls { server_name: name.into(), ca_file: Some(ca.file("cert.pem")) });
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
