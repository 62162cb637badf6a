//! The operator's certificate, with the real program.

use std::net::SocketAddr;

use crate::support::docker_api::DockerApi;
use crate::support::engine::Engine;
use crate::support::orbitra::{Orbitra, free_port};
use crate::support::tls::{Authority, connect, get, http1, read};
use crate::support::wire::ask;

#[tokio::test]
async fn a_certificate_that_the_operator_gives_is_served_and_survives() {
    let authority = Authority::new();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let issued = authority.issue(&["apps.test", "*.apps.test", "elsewhere.test"]);
    std::fs::write(path("chain"), &issued.chain).unwrap();
    std::fs::write(path("key"), &issued.key).unwrap();
    std::fs::write(path("roots"), authority.pem()).unwrap();
    let engine = Engine::new();
    let socket = DockerApi::serve(engine.clone());
    let port = free_port(std::process::id() + 77);
    let tls = SocketAddr::from(([127, 0, 0, 1], port));
    let settings = [
        ("ORBITRA_LISTEN_TLS", tls.to_string()),
        ("ORBITRA_BASE_DOMAIN", "apps.test".to_owned()),
        ("SSL_CERT_FILE", path("roots")),
    ];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut orbitra = Orbitra::start_on(&socket.host(), &settings).await;
    // Without a certificate there is one that nobody trusts.
    assert!(connect(tls, "apps.test", authority.client(&[])).await.is_err());
    let put = ["set-certificate", "--chain", &path("chain"), "--key", &path("key")];
    assert_eq!(orbitra.admin(&put), "apps.test\n*.apps.test");
    // What does not fit is refused, and nothing changes.
    let other = authority.issue(&["apps.test"]);
    std::fs::write(path("other"), &other.key).unwrap();
    let foreign = authority.issue(&["elsewhere.test", "notapps.test"]);
    std::fs::write(path("foreign"), &foreign.chain).unwrap();
    std::fs::write(path("foreign-key"), &foreign.key).unwrap();
    let expired = authority.issue_until(&["apps.test"], 2020);
    std::fs::write(path("expired"), &expired.chain).unwrap();
    std::fs::write(path("expired-key"), &expired.key).unwrap();
    for (chain, key, says) in [
        ("chain", "other", "key: the private key is not the one"),
        ("key", "key", "chain: not one to ten certificates"),
        ("foreign", "foreign-key", "chain: the certificate is for none of apps.test"),
        ("expired", "expired-key", "chain: the certificate expired"),
    ] {
        let arguments = ["admin", "set-certificate", "--chain", &path(chain), "--key", &path(key)];
        let output = orbitra.command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{chain} {key}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(says), "{error}");
    }
    orbitra.kill9();
    orbitra.restart().await;
    let health = async |host: &str| {
        let stream = connect(tls, host, authority.client(&[])).await.unwrap();
        let mut request = get("/api/v1/health");
        request.headers_mut().insert("host", host.parse().unwrap());
        read(http1(stream).await.send_request(request).await.unwrap()).await.unwrap()
    };
    let answer = health("apps.test").await;
    assert_eq!(answer.status(), 200, "{}", answer.body());
    // The program trusts what `SSL_CERT_FILE` names, so for it everybody does.
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=63072000");
    // One certificate for both, so a connection for one is one for the other.
    assert_eq!(health("nobody.apps.test").await.status(), 404);
    let plain = SocketAddr::from(([127, 0, 0, 1], orbitra.port));
    let answer = ask(plain, "GET /x HTTP/1.1\r\nHost: nobody.apps.test\r\n\r\n").await;
    let there = format!("https://nobody.apps.test:{port}/x");
    assert_eq!((answer.status, answer.header("location")), (308, Some(there)));
    // The key lies sealed.
    let body: String = issued.key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(orbitra.files_with(&body.as_bytes()[..60]).is_empty());
}

/// An address of this machine that others reach it at.
fn outer_address() -> Option<std::net::IpAddr> {
    // Nothing is sent: the system says which address it would use.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[tokio::test]
async fn a_key_in_the_clear_is_refused_and_not_redirected() {
    let Some(outer) = outer_address() else {
        eprintln!("this machine has no address but its own loopback");
        return;
    };
    let engine = Engine::new();
    let socket = DockerApi::serve(engine.clone());
    let (port, tls) = (free_port(std::process::id() + 177), free_port(std::process::id() + 277));
    let (listen, listen_tls) = (format!("0.0.0.0:{port}"), format!("0.0.0.0:{tls}"));
    let settings = [("ORBITRA_LISTEN", listen.as_str()), ("ORBITRA_LISTEN_TLS", &listen_tls)];
    let orbitra = Orbitra::start_at(port, &socket.host(), &settings).await;
    let (here, there) = (SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::new(outer, port));
    let key = format!("Authorization: Bearer {}\r\n", orbitra.api.key);
    let get = |path: &str, fields: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    for (path, fields) in [("/users/me", ""), ("/login", ""), ("/login", key.as_str())] {
        let answer = ask(there, get(path, fields)).await;
        let location = format!("https://localhost:{tls}{path}");
        assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{path}");
    }
    for path in ["/users/me", "/api/v1/users/me", "/projects"] {
        let answer = ask(there, get(path, &key)).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("\"reason\":\"tls_required\""), "{}", answer.text());
        assert!(answer.header("x-ratelimit-remaining").is_some());
        assert_eq!(ask(here, get(path, &key)).await.status, 200, "{path} on this machine");
    }
}
