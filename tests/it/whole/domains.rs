//! Domains from the DNS to the visitor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::Whole;
use crate::support::api_client::text;
use crate::support::dns::Dns;
use crate::support::tls::{Authority, connect, get, http1, read};
use crate::support::until::until;

const HERE: &str = "203.0.113.10";

/// An Orbitra that asks this name server.
async fn start(dns: &Dns, more: &[(&'static str, &'static str)]) -> Whole {
    let server: &'static str = Box::leak(dns.address.to_string().into_boxed_str());
    let settings = [("ORBITRA_DNS_SERVERS", server), ("ORBITRA_PUBLIC_ADDRESSES", HERE)];
    Whole::start_with(&[&settings, more].concat()).await
}

async fn add(whole: &Whole, project: &str, body: Value) -> String {
    let made = whole.api.done("POST", &format!("/projects/{project}/domains"), Some(body)).await;
    text(&made, "id")
}

/// Asks until a domain stands there.
async fn stands(whole: &Whole, id: &str, status: &str) -> Value {
    until(status, async || {
        whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
        let shown = whole.api.get(&format!("/domains/{id}")).await;
        (shown["status"] == status && !shown["dns"]["checked_at"].is_null()).then_some(shown)
    })
    .await
}

async fn body_of(whole: &Whole, host: &str) -> (u16, String) {
    let answer = whole.visit(host).await;
    (answer.status.as_u16(), answer.body)
}

#[tokio::test]
async fn a_domain_is_served_once_the_dns_leads_it_here() {
    let dns = Dns::start().await;
    let whole = start(&dns, &[]).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let id = add(&whole, &project, json!({"hostname": "www.example.org"})).await;
    let shown = stands(&whole, &id, "pending").await;
    assert_eq!(
        shown["dns"]["required"],
        json!([{"type": "A", "name": "www.example.org", "value": HERE}])
    );
    assert_eq!(body_of(&whole, "www.example.org").await.0, 404);
    // Somebody else's address, alone and beside ours.
    for wrong in [&["198.51.100.7"][..], &[HERE, "2001:db8::7"]] {
        dns.set("www.example.org", wrong);
        until("all of it is found", async || {
            let shown = stands(&whole, &id, "misconfigured").await;
            let found = shown["dns"]["found"].as_array().unwrap().iter();
            let mut found: Vec<_> = found.map(|record| record["value"].as_str().unwrap()).collect();
            found.sort_unstable_by_key(|value| wrong.iter().position(|wrong| wrong == value));
            (found == wrong).then_some(())
        })
        .await;
        assert_eq!(body_of(&whole, "www.example.org").await.0, 404);
    }
    dns.set("www.example.org", &[HERE]);
    let shown = stands(&whole, &id, "active").await;
    assert!(shown["verified_at"].is_string());
    until("it is served", async || {
        (body_of(&whole, "www.example.org").await == (200, "one".to_owned())).then_some(())
    })
    .await;
    // It goes on to be served when the records break, for those who still reach it.
    dns.set("www.example.org", &["198.51.100.7"]);
    stands(&whole, &id, "misconfigured").await;
    assert_eq!(body_of(&whole, "www.example.org").await, (200, "one".to_owned()));
    let named = |name: &str| whole.events().into_iter().filter(|(event, _)| event == name).count();
    assert_eq!((named("domain.created"), named("domain.verified")), (1, 1));
    whole.api.call("DELETE", &format!("/domains/{id}"), None).await;
    until("nobody answers", async || {
        (body_of(&whole, "www.example.org").await.0 == 404).then_some(())
    })
    .await;
    assert_eq!(named("domain.deleted"), 1);
    let asked = dns.asked("www.example.org");
    assert!(asked > 0);
}

#[tokio::test]
async fn wildcards_redirects_and_a_restart() {
    let dns = Dns::start().await;
    dns.set("*.example.org", &[HERE]);
    dns.set("example.net", &[HERE]);
    let mut whole = start(&dns, &[]).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let wild = add(&whole, &project, json!({"hostname": "*.example.org"})).await;
    let body =
        json!({"hostname": "example.net", "redirect_to": "www.example.org", "redirect_code": 302});
    let on = add(&whole, &project, body).await;
    stands(&whole, &wild, "active").await;
    stands(&whole, &on, "active").await;
    until("both answer", async || {
        let both = (whole.visit("a.example.org").await, whole.visit("example.net").await);
        (both.0.body == "one" && both.1.status == 302).then_some(())
    })
    .await;
    for _ in 0..2 {
        assert_eq!(body_of(&whole, "b.example.org").await, (200, "one".to_owned()));
        assert_eq!(body_of(&whole, "example.org").await.0, 404);
        assert_eq!(body_of(&whole, "b.a.example.org").await.0, 404);
        let answer =
            crate::support::api_client::try_visit(whole.api.port, "example.net", "/a?b=c").await;
        let answer = answer.unwrap();
        let there = answer.headers["location"].to_str().unwrap().to_owned();
        assert!(
            there.starts_with("http://www.example.org:") && there.ends_with("/a?b=c"),
            "{there}"
        );
        whole.cut_off();
        whole.run().await;
    }
    whole
        .api
        .done("PATCH", &format!("/domains/{on}"), Some(json!({"redirect_to": "elsewhere.test"})))
        .await;
    until("it goes elsewhere", async || {
        let answer = whole.visit("example.net").await;
        let there = answer.headers.get("location")?.to_str().unwrap().to_owned();
        (there == "https://elsewhere.test/").then_some(())
    })
    .await;
    whole.api.call("POST", &format!("/projects/{project}/pause"), Some(json!({}))).await;
    until("it is paused", async || (body_of(&whole, "a.example.org").await.0 == 503).then_some(()))
        .await;
    let shown = whole.api.get(&format!("/domains/{wild}")).await;
    assert_eq!(shown["status"], "disabled");
    whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    until("it is gone", async || (body_of(&whole, "a.example.org").await.0 == 404).then_some(()))
        .await;
}

#[tokio::test]
async fn an_uploaded_certificate_is_served_and_replaced_under_load() {
    let dns = Dns::start().await;
    dns.set("www.example.org", &[HERE]);
    let whole = Arc::new(start(&dns, &[("ORBITRA_LISTEN_TLS", "127.0.0.1:0")]).await);
    let tls: SocketAddr = whole.program.as_ref().unwrap().1.tls_addr().unwrap();
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let id = add(&whole, &project, json!({"hostname": "www.example.org"})).await;
    stands(&whole, &id, "active").await;
    until("it is served", async || {
        (whole.visit("www.example.org").await.status == 200).then_some(())
    })
    .await;
    let authority = Arc::new(Authority::new());
    assert!(connect(tls, "www.example.org", authority.client(&[])).await.is_err());
    let upload = async |number: usize| {
        let issued =
            authority.issue_until(&["www.example.org"], 3000 + i32::try_from(number).unwrap());
        let body = json!({"certificate": issued.chain, "private_key": issued.key});
        whole.api.done("PUT", &format!("/domains/{id}/certificate"), Some(body)).await
    };
    let shown = upload(0).await;
    assert_eq!(shown["certificate"]["status"], "issued");
    until("a handshake succeeds", async || {
        connect(tls, "www.example.org", authority.client(&[])).await.ok()
    })
    .await;
    let plain = whole.visit("www.example.org").await;
    assert_eq!(plain.status, 308);
    let there = plain.headers["location"].to_str().unwrap();
    assert_eq!(there, format!("https://www.example.org:{}/", tls.port()));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (authority, stop, done) =
            (Arc::clone(&authority), Arc::clone(&stop), Arc::clone(&done));
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let config = authority.client(&["http/1.1"]);
                let stream = connect(tls, "www.example.org", config).await.expect("a handshake");
                let mut request = get("/");
                request.headers_mut().insert("host", "www.example.org".parse().unwrap());
                let answer = http1(stream).await.send_request(request).await.expect("an answer");
                assert_eq!(read(answer).await.unwrap().body(), "one");
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for number in 1..8 {
        upload(number).await;
        let before = done.load(Ordering::Relaxed);
        until("some more", async || (done.load(Ordering::Relaxed) > before + 10).then_some(()))
            .await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    whole.api.call("DELETE", &format!("/domains/{id}/certificate"), None).await;
    until("nobody is trusted", async || {
        connect(tls, "www.example.org", authority.client(&[])).await.is_err().then_some(())
    })
    .await;
    until("plain requests are answered", async || {
        (whole.visit("www.example.org").await.body == "one").then_some(())
    })
    .await;
}
