//! A certificate is replaced again and again beside handshakes: `bench/certificates.sh` runs this.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::summary;
use crate::support::api_client::text;
use crate::support::dns::Dns;
use crate::support::docker_api::DockerApi;
use crate::support::effort::effort;
use crate::support::engine::Engine;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, free_port};
use crate::support::tls::{Authority, connect};
use crate::support::until::until;
use crate::tls::handshakes::Handshakes;
use crate::tls::trusting_anybody;

const HOST: &str = "www.example.org";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/certificates.sh"]
async fn no_handshake_fails_while_certificates_change() {
    let switches = effort("SWITCHES", 100);
    let dns = Dns::start().await;
    dns.set(HOST, &["127.0.0.1"]);
    let engine = Engine::new();
    let socket = DockerApi::serve(engine.clone());
    let git = GitServer::start();
    let tls = SocketAddr::from(([127, 0, 0, 1], free_port(std::process::id() + 577)));
    let (listen, servers) = (tls.to_string(), dns.address.to_string());
    let settings = [
        ("ORBITRA_LISTEN_TLS", listen.as_str()),
        ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
        ("ORBITRA_DNS_SERVERS", servers.as_str()),
    ];
    let orbitra = Orbitra::start_on(&socket.host(), &settings).await;
    let files = [("Dockerfile", "FROM scratch\nCOPY app.json ./\n"), ("app.json", "{}")];
    let repository = git.repository_of("shop", &files);
    let project = orbitra.api.project("shop", json!({})).await;
    orbitra.api.deploy_live(&project, &repository).await;
    let path = format!("/projects/{project}/domains");
    let made = orbitra.api.done("POST", &path, Some(json!({"hostname": HOST}))).await;
    let path = format!("/domains/{}/certificate", text(&made, "id"));
    let authority = Authority::new();
    let upload = async || {
        let issued = authority.issue(&[HOST]);
        let body = json!({"certificate": issued.chain, "private_key": issued.key});
        orbitra.api.done("PUT", &path, Some(body)).await;
    };
    upload().await;
    until("it is served", async || connect(tls, HOST, authority.client(&[])).await.ok().map(drop))
        .await;
    let (handshakes, begin) = (Handshakes::begin(tls, HOST), Instant::now());
    let mut times = Vec::new();
    for _ in 0..switches {
        let served = serial(tls).await;
        let asked = Instant::now();
        upload().await;
        until("the new one is served", async || (serial(tls).await != served).then_some(())).await;
        times.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begin.elapsed();
    let seen = handshakes.end().await;
    println!(
        "{switches} certificates in {took:?}, from the upload until it is shown {}; {} handshakes ({:.0} a second), failed: \
         {}; certificates seen: {}",
        summary(&mut times),
        seen.count,
        seen.count as f64 / took.as_secs_f64(),
        seen.failures.len(),
        seen.certificates.len(),
    );
    assert_eq!(seen.failures, Vec::<String>::new());
    assert_eq!(seen.certificates.len(), switches + 1);
}

/// The number of the certificate that is shown.
async fn serial(tls: SocketAddr) -> String {
    let stream = connect(tls, HOST, trusting_anybody()).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
    let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    own.raw_serial_as_string()
}
