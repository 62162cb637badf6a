//! When certificates are renewed, where their authority says when.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::api_client::text;
use crate::support::ari::Ari;
use crate::support::dns::Dns;
use crate::support::orbitra::free_port;
use crate::support::pebble::{Pebble, Place};
use crate::support::until::within;
use crate::whole::Whole;

const HOST: &str = "www.example.org";
const PATIENCE: Duration = Duration::from_secs(180);
const DAY: i64 = 24 * 3600;

struct Scene {
    whole: Whole,
    ari: Ari,
    domain: String,
    _pebble: Pebble,
    _dns: Dns,
}

impl Scene {
    async fn start() -> Self {
        let dns = Dns::start().await;
        dns.set(HOST, &["127.0.0.1"]);
        let place = Place::new(free_port(std::process::id() * 3 + 4_500));
        let ari = Ari::start(&place).await;
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let settings = [
            ("ORBITRA_LISTEN_TLS", "127.0.0.1:0"),
            ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
            ("ORBITRA_DNS_SERVERS", leak(dns.address.to_string())),
            ("ORBITRA_ACME_EMAIL", "admin@example.org"),
            ("ORBITRA_ACME_DIRECTORY", leak(ari.url())),
            ("ORBITRA_ACME_CA", leak(place.root().to_str().unwrap().to_owned())),
            ("ORBITRA_ACME_CHALLENGE", "http"),
        ];
        let whole = Whole::start_with(&settings).await;
        let tls = whole.program.as_ref().unwrap().1.tls_addr().unwrap();
        let pebble = place.start(whole.api.port, tls.port(), dns.address, 0).await;
        let repository = whole.repository(&json!({"body": "one"}));
        let project = whole.project("shop").await;
        whole.api.deploy_live(&project, &repository).await;
        let path = format!("/projects/{project}/domains");
        let made = whole.api.done("POST", &path, Some(json!({"hostname": HOST}))).await;
        Self { domain: text(&made, "id"), whole, ari, _pebble: pebble, _dns: dns }
    }

    /// Has everybody look, again and again, until it is so.
    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let verify = format!("/domains/{}/verify", self.domain);
        within(PATIENCE, what, async || {
            self.whole.api.call("POST", &verify, Some(json!({}))).await;
            is_so().then_some(())
        })
        .await;
    }

    fn issued(&self) -> usize {
        let events = self.whole.events().into_iter();
        events.filter(|(event, _)| event == "domain.certificate.issued").count()
    }

    /// Moves the life of the stored certificate, so that it ends so many days from now, and has the authority asked.
    fn ends_in(&self, days: i64) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        let (from, until) = (now - 80 * DAY * 1000, now + days * DAY * 1000);
        let sql = "UPDATE certificates SET not_before = ?2, not_after = ?3, renewal_ask_at = NULL WHERE hostname = ?1";
        assert_eq!(self.whole.change_rows(sql, [HOST, &from.to_string(), &until.to_string()]), 1);
    }

    /// The window that is known, the moment in it, and when the authority is asked again; all in seconds from now. `None`
    /// before the authority's answer is stored.
    fn known(&self) -> Option<[i64; 4]> {
        let path = self.whole.directory().join("orbitra.db");
        let database = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT renewal_from, renewal_to, renewal_at, renewal_ask_at FROM certificates WHERE hostname = ?1";
        let now = jiff::Timestamp::now().as_millisecond();
        let seconds = |row: &rusqlite::Row<'_>, index: usize| {
            row.get(index).map(|at: Option<i64>| at.map(|at| (at - now) / 1000))
        };
        let read = |row: &rusqlite::Row<'_>| {
            Ok([seconds(row, 0)?, seconds(row, 1)?, seconds(row, 2)?, seconds(row, 3)?])
        };
        let [from, to, at, again] = database.query_row(sql, [HOST], read).unwrap();
        Some([from?, to?, at?, again?])
    }
}

#[tokio::test]
async fn the_authority_says_when_and_orders_say_what_they_replace() {
    let scene = Scene::start().await;
    scene.ari.set(Some((20 * DAY, 22 * DAY)));
    scene.until("the first one", || scene.issued() == 1).await;
    scene.until("it is asked", || scene.known().is_some()).await;
    assert_eq!(scene.ari.replaced(), [None]);
    // A third of its life is left, but the authority wants to wait: the round that asks orders nothing.
    scene.ends_in(30);
    scene.until("it is asked again", || scene.known().is_some()).await;
    let asked = scene.ari.asked();
    scene.ends_in(30);
    scene.until("and again", || scene.known().is_some()).await;
    assert!(scene.ari.asked().len() > asked.len());
    assert_eq!((scene.issued(), scene.ari.replaced().len()), (1, 1));
    let [from, to, at, again] = scene.known().unwrap();
    assert!(from <= at && at <= to && (19 * DAY..23 * DAY).contains(&at), "{from} {at} {to}");
    assert!((7_000..=7_200).contains(&again), "as it said: {again}");
    // It is to be replaced soon, as one that will be revoked.
    scene.ari.set(Some((-2 * DAY, -DAY)));
    scene.ends_in(80);
    scene.until("a new one", || scene.issued() == 2).await;
    assert_eq!(scene.ari.replaced()[1], asked.first().cloned(), "it says what it replaces");
    // An authority that fails when it is asked is no reason to let one run out.
    scene.ari.set(None);
    let before = scene.ari.asked().len();
    scene.until("the new one is asked about", || scene.ari.asked().len() > before).await;
    scene.ends_in(30);
    scene.until("one more", || scene.issued() == 3).await;
    assert!(scene.ari.replaced()[2].is_some());
}

#[tokio::test]
async fn one_that_its_authority_has_revoked_is_replaced() {
    let scene = Scene::start().await;
    scene.ari.set(Some((20 * DAY, 22 * DAY)));
    scene.until("the first one", || scene.issued() == 1).await;
    let sql = "UPDATE certificates SET revoked_at = 1 WHERE hostname = ?1";
    assert_eq!(scene.whole.change_rows(sql, [HOST]), 1);
    scene.until("another one", || scene.issued() == 2).await;
    assert!(scene.ari.replaced()[1].is_some(), "it says what it replaces");
    let sql = "UPDATE certificates SET revoked_at = NULL WHERE hostname = ?1 AND revoked_at = 1";
    assert_eq!(scene.whole.change_rows(sql, [HOST]), 0);
}
