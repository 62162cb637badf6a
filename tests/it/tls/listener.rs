//! Handshakes, certificates by name, and what is said over plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use orbitra::routing::table::{Notice, Route};
use orbitra::server::Tls;
use orbitra::tls::store::{Certificates, Table};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::front::{Front, HOST, notice, to};
use crate::support::tls::{Authority, Issued, connect, get, http1, read};
use crate::support::toy::Toy;
use crate::support::wire::ask;

/// A server with a TLS side.
pub struct Edge {
    pub front: Front,
    pub address: SocketAddr,
    pub certificates: Certificates,
    pub authority: Authority,
}

impl Edge {
    /// With a certificate for the tests' host.
    pub fn start(route: Route) -> Self {
        Self::with(route, |_| {})
    }

    pub fn with(route: Route, change: impl FnOnce(&mut orbitra::server::Options)) -> Self {
        let authority = Authority::new();
        let certificates = Certificates::new().unwrap();
        let served = certificates.clone();
        let front = Front::with(route, |options| {
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            options.tls = Some(Tls { listen, port: 443, certificates: served });
            change(options);
        });
        let address = front.server.tls_addr().unwrap();
        let edge = Self { front, address, certificates, authority };
        edge.serve(&[(HOST, edge.authority.issue(&[HOST]))]);
        edge
    }

    pub fn serve(&self, all: &[(&str, Issued)]) {
        let mut table = Table::default();
        for (name, issued) in all {
            table.insert(issued.served(name, false));
        }
        self.certificates.publish(table);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_gets_its_own_certificate_and_nobody_elses() {
    let edge = Edge::start(notice(Notice::Paused));
    let authority = &edge.authority;
    let own = authority.issue(&["a.example.test"]);
    let wild = authority.issue(&["*.example.test"]);
    edge.serve(&[("a.example.test", own), ("*.example.test", wild)]);
    let names = async |name: &str| {
        let stream = connect(edge.address, name, authority.client(&[])).await.ok()?;
        let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        let names = own.subject_alternative_name().unwrap().unwrap();
        Some(format!("{}", names.value.general_names[0]))
    };
    assert_eq!(names("a.example.test").await.unwrap(), "DNSName(a.example.test)");
    assert_eq!(names("A.Example.Test").await.unwrap(), "DNSName(a.example.test)");
    assert_eq!(names("b.example.test").await.unwrap(), "DNSName(*.example.test)");
    // One that nobody trusts, so that no name is shown for another.
    for other in ["example.test", "c.b.example.test", "other.test", "127.0.0.1"] {
        assert_eq!(names(other).await, None, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_tls_reaches_the_application_and_says_so() {
    let toy = Toy::saying("hello").await;
    let edge = Edge::start(to(toy.address));
    let stream = connect(edge.address, HOST, edge.authority.client(&["http/1.1"])).await.unwrap();
    let connection = stream.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut client = http1(stream).await;
    for _ in 0..2 {
        let mut request = get("/path?q");
        request.headers_mut().insert("host", HOST.parse().unwrap());
        request.headers_mut().insert("x-forwarded-proto", "http".parse().unwrap());
        client.ready().await.unwrap();
        let answer = read(client.send_request(request).await.unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "hello"));
        // Not everybody trusts the authority of the tests.
        assert!(!answer.headers().contains_key("strict-transport-security"));
        assert_eq!(toy.last().header("x-forwarded-proto").unwrap(), "https");
    }
    // What the control plane answers comes the same way.
    edge.serve(&[("localhost", edge.authority.issue(&["localhost"]))]);
    let stream = connect(edge.address, "localhost", edge.authority.client(&[])).await.unwrap();
    let mut request = get("/");
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let answer = read(http1(stream).await.send_request(request).await.unwrap()).await.unwrap();
    assert_eq!(answer.body(), "control");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_trusts_is_reached_by_tls_from_then_on() {
    let toy = Toy::answering(|seen| {
        let own = if seen.head.contains("/own") {
            "Strict-Transport-Security: max-age=1\r\n"
        } else {
            ""
        };
        format!("HTTP/1.1 200 OK\r\n{own}Content-Length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let edge = Edge::start(to(toy.address));
    let mut table = Table::default();
    table.insert(edge.authority.issue(&[HOST]).served(HOST, true));
    edge.certificates.publish(table);
    for (path, hsts) in [("/", "max-age=63072000"), ("/own", "max-age=1")] {
        let stream = connect(edge.address, HOST, edge.authority.client(&[])).await.unwrap();
        let mut request = get(path);
        request.headers_mut().insert("host", HOST.parse().unwrap());
        let answer = http1(stream).await.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], hsts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_requests_go_to_https_where_there_is_a_certificate() {
    let toy = Toy::saying("plain").await;
    let edge = Edge::start(to(toy.address));
    let plain = edge.front.address;
    for (method, path) in [("GET", "/a/b?c=%20d"), ("POST", "/"), ("DELETE", "//x"), ("HEAD", "/")]
    {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: App.Test:8080\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(plain, request).await;
        assert_eq!(answer.status, 308, "{method} {path}");
        assert_eq!(answer.header("location").unwrap(), format!("https://app.test{path}"));
    }
    assert_eq!(toy.count(), 0);
    // An authority that looks whether the name leads here, and one that asks the application.
    let shown = edge.certificates.challenges().show_token("abc", "abc.def");
    let looking = "GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: app.test\r\n\r\n";
    assert_eq!(ask(plain, looking).await.text(), "abc.def");
    drop(shown);
    assert_eq!(ask(plain, looking).await.text(), "plain");
    // The control plane is asked from this machine, and nobody else has a certificate.
    let control = ask(plain, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((control.status, control.text().as_str()), (200, "control"));
    let unknown = ask(plain, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    assert_eq!(unknown.status, 404);
    edge.serve(&[]);
    let answer = ask(plain, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "plain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_one_host_answers_for_no_other() {
    let toy = Toy::saying("hello").await;
    let edge = Edge::start(to(toy.address));
    edge.serve(&[
        (HOST, edge.authority.issue(&[HOST])),
        ("other.test", edge.authority.issue(&["other.test"])),
    ]);
    let from = async |name: &str, host: &str| {
        let stream = connect(edge.address, name, edge.authority.client(&[])).await.unwrap();
        let mut request = get("/");
        request.headers_mut().insert("host", host.parse().unwrap());
        http1(stream).await.send_request(request).await.unwrap().status().as_u16()
    };
    assert_eq!(from(HOST, HOST).await, 200);
    assert_eq!(from("other.test", HOST).await, 421);
    assert_eq!(from(HOST, "third.test").await, 421);
    assert_eq!(from("other.test", "other.test").await, 404);
    assert_eq!(toy.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_resume_and_nothing_older_is_spoken() {
    let edge = Edge::start(notice(Notice::Paused));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = Arc::new(trusting(&[version]));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = connect(edge.address, HOST, Arc::clone(&config)).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            // The ticket comes after the handshake, with the first answer at the latest.
            let mut request = get("/");
            request.headers_mut().insert("host", HOST.parse().unwrap());
            let answer = http1(stream).await.send_request(request).await.unwrap();
            read(answer).await.unwrap();
        }
        assert_eq!(kinds[0], HandshakeKind::Full);
        assert_eq!(kinds[1], HandshakeKind::Resumed, "{version:?}");
    }
    // A hello of TLS 1.0 that is right in everything else, and bytes that are no TLS.
    let hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01abcdefghijklmnopqrstuvwxyz012345\x00\x00\x04\xc0\x13\x00\x2f\x01\x00";
    for bytes in [&hello[..], b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(edge.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap();
        assert_eq!(answer.first(), Some(&0x15), "an alert: {answer:?}");
        assert!(answer.len() < 10, "{answer:?}");
    }
    let nonsense = connect(edge.address, HOST, edge.authority.client(&["nonsense"])).await;
    assert!(nonsense.unwrap_err().to_string().contains("NoApplicationProtocol"));
}

/// A client that trusts anybody: what is looked at is what it is shown.
pub fn trusting_anybody() -> rustls::ClientConfig {
    trusting(&[&rustls::version::TLS13])
}

fn trusting(versions: &[&'static rustls::SupportedProtocolVersion]) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Anybody));
    config
}

/// Takes any certificate; what is looked at is the handshake.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let all = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &all)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let all = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &all)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_without_a_handshake_that_fails() {
    let toy = Toy::saying("hello").await;
    let edge = Arc::new(Edge::start(to(toy.address)));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (edge, stop, done) = (Arc::clone(&edge), Arc::clone(&stop), Arc::clone(&done));
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let config = edge.authority.client(&[]);
                let stream = connect(edge.address, HOST, config).await.expect("a handshake");
                let mut request = get("/");
                request.headers_mut().insert("host", HOST.parse().unwrap());
                let answer = http1(stream).await.send_request(request).await.expect("an answer");
                assert_eq!(answer.status(), 200);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut replaced = 0;
    crate::support::until::until("enough handshakes", async || {
        edge.serve(&[(HOST, edge.authority.issue(&[HOST]))]);
        replaced += 1;
        (done.load(Ordering::Relaxed) >= 200).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(replaced > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_ended() {
    let edge = Edge::start(notice(Notice::Paused));
    let mut stream = tokio::net::TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    let mut buffer = [0; 64];
    let reading = tokio::time::timeout(Duration::from_secs(15), stream.read(&mut buffer));
    assert!(matches!(reading.await, Ok(Ok(0) | Err(_))), "it is still open");
}
