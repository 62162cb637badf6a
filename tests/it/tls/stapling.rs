//! Answers of responders beside certificates, with the real program and OpenSSL at both ends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_client::{Api, text};
use crate::support::dns::Dns;
use crate::support::docker_api::DockerApi;
use crate::support::engine::Engine;
use crate::support::openssl::OpenSsl;
use crate::support::orbitra::{Orbitra, free_port};
use crate::support::tls::{Authority, Issued};
use crate::support::toy::{Toy, request};
use crate::support::until::until;

const HOST: &str = "www.example.org";
/// A host whose certificate names no responder.
const PLAIN: &str = "plain.example.org";
const DAY: &str = "-ndays 1";

struct Scene {
    orbitra: Orbitra,
    tls: SocketAddr,
    /// An instance admin's.
    admin: String,
    project: String,
    plain: Issued,
    _dns: Dns,
    _engine: Engine,
    _socket: DockerApi,
}

impl Scene {
    async fn start(number: u32) -> Self {
        let dns = Dns::start().await;
        dns.set(HOST, &["127.0.0.1"]);
        let engine = Engine::new();
        let socket = DockerApi::serve(engine.clone());
        let tls = SocketAddr::from(([127, 0, 0, 1], free_port(std::process::id() + number)));
        let (listen, servers) = (tls.to_string(), dns.address.to_string());
        let settings = [
            ("ORBITRA_LISTEN_TLS", listen.as_str()),
            ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
            ("ORBITRA_DNS_SERVERS", servers.as_str()),
            // Responders are asked over it all the same.
            ("ORBITRA_EGRESS_ALLOW_HTTP", "false"),
        ];
        let orbitra = Orbitra::start_on(&socket.host(), &settings).await;
        // The ledger is looked at again and again.
        let account = ["create-user", "--email", "b@example.com", "--name", "B"];
        let rights = ["--instance-admin", "--plan", "enterprise"];
        let user = orbitra.admin(&[&account[..], &rights[..]].concat());
        let key = ["create-key", "--user", &user, "--name", "tests", "--scopes", "full"];
        let admin = orbitra.admin(&key);
        let project = orbitra.api.project("shop", json!({})).await;
        let plain = Authority::new().issue(&[PLAIN]);
        let scene = Self {
            orbitra,
            tls,
            admin,
            project,
            plain,
            _dns: dns,
            _engine: engine,
            _socket: socket,
        };
        for host in [HOST, PLAIN] {
            scene.add(host).await;
        }
        until("it leads here", async || {
            let domain = scene.orbitra.api.get(&format!("/domains/{HOST}")).await;
            (domain["status"] == "active").then_some(())
        })
        .await;
        scene.wake().await;
        scene
    }

    async fn add(&self, host: &str) {
        let path = format!("/projects/{}/domains", self.project);
        self.orbitra.api.done("POST", &path, Some(json!({"hostname": host}))).await;
    }

    async fn upload(&self, host: &str, issued: &Issued) {
        let body = json!({"certificate": issued.chain, "private_key": issued.key});
        self.orbitra.api.done("PUT", &format!("/domains/{host}/certificate"), Some(body)).await;
    }

    /// Waits until a client is shown a certificate of this authority.
    async fn serves(&self, authority: &OpenSsl) {
        until("it is served", async || authority.accepted(self.tls.port(), HOST).map(drop)).await;
    }

    /// Has the responder of `HOST` asked, as when its time has come.
    async fn ask_again(&self) {
        let sql = "UPDATE certificates SET ocsp_ask_at = NULL WHERE hostname = ?1";
        assert_eq!(self.change(sql, &[&HOST]), 1);
        self.wake().await;
    }

    /// Changes what is stored, in the place of time that passes; answers how many rows.
    fn change(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> usize {
        let database = rusqlite::Connection::open(self.orbitra.data().join("orbitra.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute(sql, values).unwrap()
    }

    /// Somebody changes a certificate, so that all of them are looked at.
    async fn wake(&self) {
        self.upload(PLAIN, &self.plain).await;
    }

    /// What the ledger has of a host's answers.
    async fn ledger(&self, host: &str) -> Value {
        let admin = Api { port: self.orbitra.port, key: self.admin.clone() };
        let all = admin.get("/system/certificates").await;
        let all = all["data"].as_array().unwrap();
        all.iter().find(|one| one["hostname"] == host).unwrap()["ocsp"].clone()
    }

    /// Waits until the last question was not answered for this reason.
    async fn fails(&self, host: &str, reason: &str) {
        until(reason, async || {
            let known = self.ledger(host).await;
            known["last_error"].as_str()?.contains(reason).then_some(())
        })
        .await;
    }

    fn events(&self) -> i64 {
        let sql = "SELECT count(*) FROM events WHERE event = 'domain.certificate.revoked'";
        self.orbitra.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// An answer of a server that speaks HTTP.
fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nLocation: /\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn visitors_are_shown_that_it_is_good_and_a_revocation_is_told_of() {
    let authority = OpenSsl::new();
    let port = free_port(std::process::id() + 901);
    let issued = authority.issue("own", HOST, port, "");
    let responder = authority.respond(port);
    let mut scene = Scene::start(902).await;
    scene.upload(HOST, &issued).await;
    scene.serves(&authority).await;
    let answer = |scene: &Scene| authority.shown(scene.tls.port(), HOST).answer;
    let is_good = async |scene: &Scene| {
        until("it is good", async || (answer(scene)? == "good").then_some(())).await;
    };
    is_good(&scene).await;
    let known = scene.ledger(HOST).await;
    assert!(known["good_until"].is_string(), "{known}");
    assert_eq!((&known["revoked_at"], &known["last_error"]), (&Value::Null, &Value::Null));
    assert_eq!(scene.ledger(PLAIN).await, Value::Null, "it names nobody");

    // Nobody answers any more: what was answered is shown as long as it holds, after a power cut as well.
    drop(responder);
    scene.ask_again().await;
    scene.fails(HOST, "the server refused it").await;
    scene.orbitra.kill9();
    scene.orbitra.restart().await;
    assert_eq!(answer(&scene).as_deref(), Some("good"));
    assert_eq!(scene.ledger(HOST).await["good_until"], known["good_until"]);
    let soon = jiff::Timestamp::now().as_millisecond() + 60_000;
    scene.change("UPDATE certificates SET ocsp_until = ?1", &[&soon]);
    scene.wake().await;
    until("it is not shown to its very end", async || answer(&scene).is_none().then_some(())).await;

    let responder = authority.respond(port);
    scene.ask_again().await;
    is_good(&scene).await;
    drop(responder);
    authority.revoke("own");
    let responder = authority.respond(port);
    scene.ask_again().await;
    until("it is revoked", async || {
        scene.ledger(HOST).await["revoked_at"].is_string().then_some(())
    })
    .await;
    until("nobody is told that it is good", async || answer(&scene).is_none().then_some(())).await;
    assert_eq!(scene.ledger(HOST).await["good_until"], Value::Null);
    let domain = scene.orbitra.api.get(&format!("/domains/{HOST}")).await;
    assert_eq!(domain["certificate"]["status"], "revoked");
    assert_eq!(scene.events(), 1);
    // Told of once; and another certificate is another matter.
    scene.ask_again().await;
    let next = authority.issue("next", HOST, port, "");
    // It learns of what was signed when it starts.
    drop(responder);
    let _responder = authority.respond(port);
    scene.upload(HOST, &next).await;
    is_good(&scene).await;
    let domain = scene.orbitra.api.get(&format!("/domains/{HOST}")).await;
    assert_eq!(text(&domain["certificate"], "status"), "issued");
    assert_eq!(scene.events(), 1);
}

#[tokio::test]
async fn a_responder_that_misbehaves_disturbs_nothing() {
    let authority = Arc::new(OpenSsl::new());
    authority.sign("anybody", "plain");
    let says = Arc::new(Mutex::new(Vec::new()));
    // It signs what it is asked about while there is nothing else to be said.
    let toy = Toy::answering({
        let (authority, says) = (Arc::clone(&authority), Arc::clone(&says));
        move |seen| {
            let says: Vec<u8> = says.lock().unwrap().clone();
            if says.is_empty() {
                http("200 OK", &authority.answer(&seen.body, "ca", DAY))
            } else {
                says
            }
        }
    })
    .await;
    let hangs = Toy::serving(|wire, _| async move {
        let _open = wire;
        std::future::pending::<()>().await;
    })
    .await;
    let scene = Scene::start(1303).await;
    scene.add("slow.example.org").await;
    let slow = authority.issue("slow", "slow.example.org", hangs.address.port(), "");
    let issued = authority.issue("own", HOST, toy.address.port(), "");
    scene.upload("slow.example.org", &slow).await;
    scene.upload(HOST, &issued).await;
    scene.serves(&authority).await;
    // One that hangs is given up, and then at the latest the others have their turn.
    scene.fails("slow.example.org", "no answer came in time").await;
    let good = || authority.shown(scene.tls.port(), HOST).answer.as_deref() == Some("good");
    until("it is good", async || good().then_some(())).await;

    let request = toy.seen.lock().unwrap().last().unwrap().body.clone();
    let old = authority.answer(&request, "ca", DAY);
    let stranger = authority.answer(&request, "anybody", DAY);
    let second = jiff::Timestamp::now().as_second() + 1;
    until("a second is over", async || (jiff::Timestamp::now().as_second() > second).then_some(()))
        .await;
    scene.ask_again().await;
    let newest = || {
        let sql = "SELECT max(ocsp_from) FROM certificates";
        let newest: Option<i64> =
            scene.orbitra.database().query_row(sql, [], |row| row.get(0)).unwrap();
        newest.unwrap_or_default() / 1000
    };
    until("there is a newer one", async || (newest() > second - 1).then_some(())).await;
    for (said, reason) in [
        (http("404 Not Found", b"no"), "answered with status 404"),
        (http("302 Found", b""), "answered with status 302"),
        (http("200 OK", &[b'0'; 70_000]), "the responder's answer is too large"),
        (http("200 OK", b"<html>"), "something else than an answer"),
        (http("200 OK", &old[..old.len() / 2]), "something else than an answer"),
        (b"nonsense\r\n\r\n".to_vec(), "the answer could not be read"),
        (http("200 OK", &stranger), "the answer is not signed by"),
        (http("200 OK", &[0x30, 3, 0x0a, 1, 3]), "refused to answer (tryLater)"),
        (http("200 OK", &old), "the answer is older than the one before"),
    ] {
        *says.lock().unwrap() = said;
        scene.ask_again().await;
        scene.fails(HOST, reason).await;
        assert!(good(), "{reason}");
    }
    says.lock().unwrap().clear();
    scene.ask_again().await;
    until("nothing is wrong any more", async || {
        scene.ledger(HOST).await["last_error"].is_null().then_some(())
    })
    .await;
    assert!(good());
}

#[tokio::test]
async fn one_that_must_come_with_an_answer_waits_for_it_behind_the_one_before() {
    let authority = Arc::new(OpenSsl::new());
    let (asked, gate) =
        (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let toy = Toy::serving({
        let (authority, asked, gate) =
            (Arc::clone(&authority), Arc::clone(&asked), Arc::clone(&gate));
        move |mut wire, _| {
            let (authority, asked, gate) =
                (Arc::clone(&authority), Arc::clone(&asked), Arc::clone(&gate));
            async move {
                let Ok(seen) = request(&mut wire).await else { return };
                asked.notify_one();
                gate.notified().await;
                wire.send(&http("200 OK", &authority.answer(&seen.body, "ca", DAY))).await;
            }
        }
    })
    .await;
    let scene = Scene::start(1704).await;
    let shown = || authority.shown(scene.tls.port(), HOST);
    // The first one has nothing to wait behind.
    let port = toy.address.port();
    let before = authority.issue("before", HOST, port, "");
    scene.upload(HOST, &before).await;
    scene.serves(&authority).await;
    asked.notified().await;
    gate.notify_one();
    until("it is good", async || shown().answer).await;
    let strict = authority.issue("strict", HOST, port, "tlsfeature = status_request");
    scene.upload(HOST, &strict).await;
    asked.notified().await;
    for _ in 0..20 {
        let shown = shown();
        assert!(authority.is(&shown, "before") && shown.answer.is_some(), "{shown:?}");
    }
    gate.notify_one();
    until("the new one is served", async || {
        let shown = shown();
        assert!(shown.answer.is_some(), "never without an answer");
        authority.is(&shown, "strict").then_some(())
    })
    .await;
    // One whose responder never answers is served all the same after a minute.
    let lost = authority.issue("lost", HOST, port, "tlsfeature = status_request");
    scene.upload(HOST, &lost).await;
    asked.notified().await;
    assert!(authority.is(&shown(), "strict"));
    scene.change("UPDATE certificates SET created_at = created_at - 60000", &[]);
    scene.wake().await;
    until("it is served", async || authority.is(&shown(), "lost").then_some(())).await;
}
