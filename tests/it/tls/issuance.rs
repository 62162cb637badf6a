//! Certificates that come by themselves, from a real authority.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::handshakes::Handshakes;
use super::listener::trusting_anybody;
use crate::support::api_client::text;
use crate::support::dns::Dns;
use crate::support::effort::effort;
use crate::support::orbitra::free_port;
use crate::support::pebble::{Pebble, Place};
use crate::support::tls::connect;
use crate::support::until::{until, within};
use crate::whole::Whole;
use crate::whole::event_keys::{Listener, OF_CERTIFICATES};

const HOST: &str = "www.example.org";
/// An authority that is slow to start or rejects much has this long.
const PATIENCE: Duration = Duration::from_secs(180);

/// An Orbitra, an authority that looks at it, and the name servers of both.
struct Scene {
    whole: Whole,
    pebble: Pebble,
    ours: Dns,
    theirs: Dns,
    tls: SocketAddr,
    project: String,
}

impl Scene {
    /// `number` keeps the ports of tests that run at the same time apart.
    async fn start(number: u32, challenge: &'static str, reject: u32) -> Self {
        let (ours, theirs) = (Dns::start().await, Dns::start().await);
        let place = Place::new(free_port(std::process::id() * 3 + number * 500));
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let settings = [
            ("ORBITRA_LISTEN_TLS", "127.0.0.1:0"),
            ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
            ("ORBITRA_DNS_SERVERS", leak(ours.address.to_string())),
            ("ORBITRA_ACME_EMAIL", "admin@example.org"),
            ("ORBITRA_ACME_DIRECTORY", leak(place.url())),
            ("ORBITRA_ACME_CA", leak(place.root().to_str().unwrap().to_owned())),
            ("ORBITRA_ACME_CHALLENGE", challenge),
        ];
        let whole = Whole::start_with(&settings).await;
        let tls = whole.program.as_ref().unwrap().1.tls_addr().unwrap();
        let pebble = place.start(whole.api.port, tls.port(), theirs.address, reject).await;
        let repository = whole.repository(&json!({"body": "one"}));
        let project = whole.project("shop").await;
        whole.api.deploy_live(&project, &repository).await;
        Self { whole, pebble, ours, theirs, tls, project }
    }

    /// The names of both servers lead here from now on.
    fn lead_here(&self) {
        self.ours.set(HOST, &["127.0.0.1"]);
        self.theirs.set(HOST, &["127.0.0.1"]);
    }

    async fn add(&self) -> String {
        let path = format!("/projects/{}/domains", self.project);
        let made = self.whole.api.done("POST", &path, Some(json!({"hostname": HOST}))).await;
        text(&made, "id")
    }

    /// Asks until the certificate stands there.
    async fn stands(&self, id: &str, status: &str) -> Value {
        within(PATIENCE, status, async || {
            let shown = self.whole.api.get(&format!("/domains/{id}")).await;
            if shown["certificate"]["status"] == status {
                return Some(shown);
            }
            self.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
            None
        })
        .await
    }

    /// Who has signed what is served, until when it holds, and its number.
    async fn served(&self) -> Option<(String, i64, String)> {
        let stream = connect(self.tls, HOST, trusting_anybody()).await.ok()?;
        let chain = stream.get_ref().1.peer_certificates()?.to_vec();
        let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).ok()?;
        let number = own.raw_serial_as_string();
        Some((own.issuer().to_string(), own.validity().not_after.timestamp(), number))
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let all = self.whole.events().into_iter();
        all.filter(|(event, _)| event == name).map(|(_, data)| data).collect()
    }

    fn ends_in(&self, days: i64) {
        ends_in(&self.whole, HOST, days);
    }

    /// Has the certificate revoked, and waits for the one that comes in its place.
    async fn is_revoked_and_replaced(&self, id: &str) {
        let (before, told) = (self.served().await, self.events("domain.certificate.issued").len());
        let app = self.whole.program.as_ref().unwrap().1.app.clone();
        orbitra::boot::revoke_certificate(&app, HOST).await.unwrap();
        assert!(self.pebble.log().contains("/revoke-cert"), "{}", self.pebble.log());
        within(PATIENCE, "another one", async || {
            self.stands(id, "issued").await;
            (self.events("domain.certificate.issued").len() == told + 1).then_some(())
        })
        .await;
        until("it is served", async || {
            let after = self.served().await?;
            (after.0.contains("Pebble") && Some(&after) != before.as_ref()).then_some(())
        })
        .await;
    }
}

/// Moves the life of a stored certificate, so that it ends so many days from now.
pub fn ends_in(whole: &Whole, host: &str, days: i64) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let day = 24 * 3600 * 1000;
    let (from, until) = ((now - 80 * day).to_string(), (now + days * day).to_string());
    let sql = "UPDATE certificates SET not_before = ?2, not_after = ?3, warned = NULL WHERE hostname = ?1";
    assert_eq!(whole.change_rows(sql, [host, &from, &until]), 1);
}

#[tokio::test]
async fn a_domain_gets_its_certificate_over_http() {
    let scene = Scene::start(1, "http", 0).await;
    let id = scene.add().await;
    // Nothing is ordered for a name that does not lead here.
    until("the DNS was looked at", async || {
        let shown = scene.whole.api.get(&format!("/domains/{id}")).await;
        (!shown["dns"]["checked_at"].is_null()).then_some(())
    })
    .await;
    assert!(!scene.pebble.log().contains("/order-plz"), "{}", scene.pebble.log());
    scene.lead_here();
    let shown = scene.stands(&id, "issued").await;
    assert!(shown["certificate"]["issuer"].as_str().unwrap().contains("Pebble"), "{shown}");
    assert_eq!(shown["certificate"]["last_error"], Value::Null);
    until("it is served", async || {
        let (issuer, ..) = scene.served().await?;
        issuer.contains("Pebble").then_some(())
    })
    .await;
    let plain = scene.whole.visit(HOST).await;
    assert_eq!(plain.status, 308);
    let told = scene.events("domain.certificate.issued");
    let data = json!({
        "domain_id": id, "hostname": HOST, "project_id": scene.project, "status": "active",
    });
    assert_eq!(told, [data]);
    // It stays what it is: nobody orders what is there.
    let before = scene.served().await;
    scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
    assert_eq!(scene.served().await, before);
    assert_eq!(scene.events("domain.certificate.issued").len(), 1);
}

#[tokio::test]
async fn a_domain_gets_its_certificate_over_tls_and_a_new_one_in_time() {
    let scene = Scene::start(2, "tls", 0).await;
    scene.lead_here();
    let id = scene.add().await;
    scene.stands(&id, "issued").await;
    let first = until("it is served", async || {
        scene.served().await.filter(|(issuer, ..)| issuer.contains("Pebble"))
    })
    .await;
    // A third of its life is left, and more than people are told of.
    let handshakes = Handshakes::begin(scene.tls, HOST);
    scene.ends_in(30);
    within(PATIENCE, "a new one", async || {
        scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
        assert!(scene.served().await.unwrap().0.contains("Pebble"), "it is served all the time");
        (scene.events("domain.certificate.issued").len() == 2).then_some(())
    })
    .await;
    let seen = handshakes.until_another().await;
    assert_eq!(seen.failures, Vec::<String>::new());
    assert_eq!(seen.certificates.len(), 2, "the old one or the new one");
    println!("renewed beside {} handshakes, of which none failed", seen.count);
    assert!(scene.events("domain.certificate.expiring").is_empty());
    assert!(scene.served().await.unwrap().1 >= first.1);
    scene.is_revoked_and_replaced(&id).await;
}

#[tokio::test]
async fn what_the_authority_finds_is_told_and_the_next_try_succeeds() {
    let scene = Scene::start(3, "http", 0).await;
    scene.ours.set(HOST, &["127.0.0.1"]);
    // The authority asks another server, and finds nobody there.
    scene.theirs.set(HOST, &["127.0.0.9"]);
    let id = scene.add().await;
    let shown = scene.stands(&id, "failed").await;
    let error = shown["certificate"]["last_error"].as_str().unwrap();
    assert!(
        error.contains("127.0.0.9") || error.contains("refused") || error.contains(HOST),
        "{error}"
    );
    assert_eq!(scene.events("domain.certificate.failed").len(), 1);
    let answer = scene.whole.visit(HOST).await;
    assert_eq!(answer.body, "one", "it is served without");
    scene.theirs.set(HOST, &["127.0.0.1"]);
    let shown = scene.stands(&id, "issued").await;
    assert_eq!(shown["certificate"]["last_error"], Value::Null);
}

#[tokio::test]
async fn nonces_that_are_rejected_are_no_reason_to_give_up() {
    let scene = Scene::start(4, "http", 50).await;
    // More for a run that is longer than a test may be.
    let many = effort("ORBITRA_TEST_CERTIFICATES", 1);
    let mut ids = Vec::new();
    for number in 0..many {
        let host = format!("www.site-{number}.example");
        scene.ours.set(&host, &["127.0.0.1"]);
        scene.theirs.set(&host, &["127.0.0.1"]);
        let path = format!("/projects/{}/domains", scene.project);
        let made = scene.whole.api.done("POST", &path, Some(json!({"hostname": host}))).await;
        ids.push(text(&made, "id"));
    }
    let begin = std::time::Instant::now();
    for id in ids {
        scene.stands(&id, "issued").await;
    }
    println!("{many} of {many} issued in {:?}", begin.elapsed());
    // Nobody was told of a failure: it is none.
    assert_eq!(scene.events("domain.certificate.failed").len(), 0);
}

#[tokio::test]
async fn a_certificate_over_http_is_renewed_and_one_that_is_revoked_is_replaced() {
    let scene = Scene::start(6, "http", 0).await;
    scene.lead_here();
    let id = scene.add().await;
    scene.stands(&id, "issued").await;
    let app = scene.whole.program.as_ref().unwrap().1.app.clone();
    let unknown = orbitra::boot::revoke_certificate(&app, "www.example.net").await.unwrap_err();
    assert!(unknown.to_string().contains("no authority has signed"), "{unknown}");
    scene.ends_in(30);
    within(PATIENCE, "a new one", async || {
        scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
        (scene.events("domain.certificate.issued").len() == 2).then_some(())
    })
    .await;
    scene.is_revoked_and_replaced(&id).await;
}

#[tokio::test]
async fn people_are_told_of_what_runs_out_and_an_authority_that_is_away_takes_nothing() {
    let scene = Scene::start(5, "http", 0).await;
    scene.lead_here();
    let id = scene.add().await;
    scene.stands(&id, "issued").await;
    until("it is served", async || {
        scene.served().await.filter(|(issuer, ..)| issuer.contains("Pebble"))
    })
    .await;
    scene.pebble.stop();
    for (days, told) in [(20, 1), (6, 2)] {
        scene.ends_in(days);
        let before = scene.events("domain.certificate.expiring").len();
        assert!(before < told);
        within(PATIENCE, "people are told", async || {
            scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
            (scene.events("domain.certificate.expiring").len() == told).then_some(())
        })
        .await;
        assert!(scene.served().await.unwrap().0.contains("Pebble"), "the old one stays");
    }
    let shown = scene.whole.api.get(&format!("/domains/{id}")).await;
    assert_eq!(shown["certificate"]["status"], "issued");
    assert!(shown["certificate"]["last_error"].is_string(), "{shown}");
}

#[tokio::test]
async fn what_becomes_of_certificates_is_told_with_exactly_its_keys() {
    let scene = Scene::start(7, "http", 0).await;
    let listener = Listener::of(&scene.whole.api).await;
    scene.ours.set(HOST, &["127.0.0.1"]);
    scene.theirs.set(HOST, &["127.0.0.9"]);
    let id = scene.add().await;
    scene.stands(&id, "failed").await;
    scene.theirs.set(HOST, &["127.0.0.1"]);
    scene.stands(&id, "issued").await;
    scene.pebble.stop();
    scene.ends_in(20);
    within(PATIENCE, "people are told", async || {
        scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
        (!scene.events("domain.certificate.expiring").is_empty()).then_some(())
    })
    .await;
    listener.hears(OF_CERTIFICATES).await;
}
