//! `/domains`: added, shown, changed, removed; certificates that are brought along.

use serde_json::{Value, json};

use super::operations::CERTIFICATE;
use crate::support::app::{Client, TestApp};
use crate::support::dns::Dns;
use crate::support::tls::Authority;

async fn add(client: &Client, project: &str, hostname: &str) -> String {
    let body = json!({ "hostname": hostname });
    let made = client.post(&format!("/projects/{project}/domains"), body).await;
    made.expect(201).text("/id")
}

#[tokio::test]
async fn a_domain_has_exactly_these_fields() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    let body = json!({ "hostname": "www.Example.org", "redirect_to": null });
    let made = client.post(&format!("/projects/{project}/domains"), body).await.expect(201);
    let id = made.text("/id");
    assert!(id.starts_with("dom_") && id.len() == 20, "{id}");
    assert_eq!(made.header("location"), format!("/api/v1/domains/{id}"));
    let expected = format!(
        r#"{{"id":"{id}","hostname":"www.example.org","project_id":"{project}","status":"pending","redirect_to":null,"redirect_code":308,"dns":{{"required":[{{"type":"A","name":"www.example.org","value":"203.0.113.10"}}],"found":[],"checked_at":null}},"certificate":{{"status":"none","issuer":null,"expires_at":null,"last_error":null}},"managed":false,"created_at":"2026-01-20T16:30:00Z","verified_at":null}}"#
    );
    assert_eq!(made.body(), expected);
    for named in [&id, "www.example.org", "WWW.example.org."] {
        assert_eq!(client.get(&format!("/domains/{named}")).await.expect(200).body(), expected);
    }
    let event = client.get("/events?event=domain.created").await;
    let data = json!({
        "domain_id": id, "hostname": "www.example.org", "project_id": project, "status": "pending",
    });
    assert_eq!(event.at("/data/0/data"), data);
    let log = client.get("/audit-log?limit=1").await;
    assert_eq!(log.text("/data/0/action"), "domain.created");
    assert_eq!(log.at("/data/0/changes/hostname/to"), "www.example.org");
}

#[tokio::test]
async fn lists_have_the_name_under_the_base_domain_too() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let (project, other) = (client.project("web").await, client.project("shop").await);
    add(&client, &project, "a.example.org").await;
    add(&client, &other, "*.example.net").await;
    let names = async |path: &str| -> Vec<String> {
        let list = client.get(path).await.expect(200);
        let data = list.at("/data");
        let names = data.as_array().unwrap().iter();
        names.map(|domain| domain["hostname"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("/domains?sort=hostname").await,
        ["*.example.net", "a.example.org", "shop.example.com", "web.example.com"]
    );
    assert_eq!(names("/projects/web/domains").await, ["a.example.org", "web.example.com"]);
    assert_eq!(names("/domains?q=EXAMPLE.ORG").await, ["a.example.org"]);
    assert_eq!(
        names("/domains?status=pending&sort=hostname").await,
        ["*.example.net", "a.example.org"]
    );
    assert_eq!(names("/domains?limit=1&page=2&sort=-hostname").await, ["shop.example.com"]);
    let managed = client.get("/domains/web.example.com").await.expect(200);
    assert_eq!((managed.at("/managed"), managed.text("/status")), (true.into(), "active".into()));
    assert_eq!(managed.at("/dns/required"), json!([]));
    let id = managed.text("/id");
    assert_eq!(id, project.replace("prj_", "dom_"));
    // It follows its project.
    let path = format!("/domains/{id}");
    for reply in [
        client.delete(&path).await,
        client.patch(&path, json!({ "redirect_to": "a.example.org" })).await,
        client.with("PUT", &format!("{path}/certificate"), CERTIFICATE).await,
    ] {
        assert!(matches!(reply.status.as_u16(), 409 | 400), "{}", reply.body());
    }
    client.patch("/projects/web", json!({ "name": "site" })).await.expect(200);
    assert_eq!(client.get(&path).await.text("/hostname"), "site.example.com");
    client.post("/projects/site/pause", "{}").await;
    let paused = client.get("/domains/a.example.org").await;
    assert_eq!(paused.text("/status"), "disabled");
    client.delete("/projects/site").await.expect(204);
    client.get("/domains/a.example.org").await.expect(404);
    add(&client, &other, "a.example.org").await;
}

#[tokio::test]
async fn one_name_has_one_owner() {
    let dns = Dns::start().await;
    let app = TestApp::asking(dns.address);
    let alice = app.client("alice@example.com", &["full"]).await;
    let bob = app.client("bob@example.com", &["full"]).await;
    let (hers, his) = (alice.project("hers").await, bob.project("his").await);
    add(&alice, &hers, "www.example.org").await;
    add(&alice, &hers, "bücher.example").await;
    add(&alice, &hers, "*.wild.example").await;
    for name in [
        "www.example.org",
        "WWW.EXAMPLE.ORG",
        "www.example.org.",
        "*.example.org",
        "xn--bcher-kva.example",
        "BÜCHER.example",
        "*.wild.example",
        "a.wild.example",
    ] {
        let body = json!({ "hostname": name });
        let refused = bob.post("/projects/his/domains", body).await;
        let expected = (409, "conflict".to_owned(), "hostname_taken".into());
        assert_eq!(refused.error("reason"), expected, "{name}");
        assert!(!refused.body().contains("alice") && !refused.body().contains(&hers));
    }
    // Her own may overlap.
    add(&alice, &hers, "a.wild.example").await;
    add(&alice, &hers, "*.example.org").await;
    add(&bob, &his, "b.a.wild.example").await;
    for named in ["www.example.org", "dom_0000000000000000", "nothing", "%2e", "a b"] {
        bob.get(&format!("/domains/{}", named.replace(' ', "%20"))).await.expect(404);
    }
    let race = |client: Client, project: &'static str| async move {
        let body = json!({ "hostname": "race.example.org.uk" });
        client.post(&format!("/projects/{project}/domains"), body).await.status.as_u16()
    };
    let (one, other) = tokio::join!(race(alice, "hers"), race(bob, "his"));
    assert_eq!([one, other].into_iter().filter(|status| *status == 201).count(), 1);
    assert!([one, other].contains(&409));
}

#[tokio::test]
async fn hostile_names_are_refused() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let long = format!("{}.test", "a.".repeat(600));
    for (name, code) in [
        (json!(""), "format"),
        (json!("."), "format"),
        (json!("localhost"), "format"),
        (json!("a.test`) || Host(`b.test"), "format"),
        (json!("a.test;id"), "format"),
        (json!("a.test/x"), "format"),
        (json!("a.test:80"), "format"),
        (json!("https://a.test"), "format"),
        (json!("*.test"), "format"),
        (json!("a..test"), "format"),
        (json!("-a.test"), "format"),
        (json!("a_b.test"), "format"),
        (json!("1.2.3.4"), "format"),
        (json!("[::1]"), "format"),
        (json!("a.test\u{0}"), "format"),
        (json!(long), "format"),
        (json!("example.com"), "reserved"),
        (json!("web.example.com"), "reserved"),
        (json!("a.b.example.com"), "reserved"),
        (json!("*.example.com"), "reserved"),
        (json!(5), "type"),
    ] {
        let refused = client.post("/projects/web/domains", json!({ "hostname": name })).await;
        assert_eq!(refused.invalid(), [format!("hostname {code}")], "{name}");
    }
    for (redirect, expected) in [
        (json!({ "redirect_to": "https://a.test" }), "redirect_to format"),
        (json!({ "redirect_to": "*.a.test" }), "redirect_to format"),
        (json!({ "redirect_to": "WWW.example.org" }), "redirect_to out_of_range"),
        (json!({ "redirect_code": 303 }), "redirect_code unknown_value"),
        (json!({ "redirect_code": "301" }), "redirect_code type"),
    ] {
        let mut body = json!({ "hostname": "www.example.org" });
        body.as_object_mut().unwrap().extend(redirect.as_object().unwrap().clone());
        assert_eq!(client.post("/projects/web/domains", body).await.invalid(), [expected]);
    }
    assert_eq!(client.get("/domains").await.at("/pagination/total"), 1);
    let missing = client.post("/projects/web/domains", json!({ "hostname": null })).await;
    assert_eq!(missing.error("missing_fields").2, json!(["hostname"]));
}

#[tokio::test]
async fn where_it_goes_on_to_can_be_changed() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    let id = add(&client, &project, "www.example.org").await;
    let path = format!("/domains/{id}");
    let tag = client.get(&path).await.header("etag").to_owned();
    let change = json!({ "redirect_to": "Example.org", "redirect_code": 301, "hostname": "www.example.org" });
    let changed = client.patch(&path, &change).await.expect(200);
    assert_eq!(
        (changed.text("/redirect_to"), changed.at("/redirect_code")),
        ("example.org".into(), 301.into())
    );
    let event = client.get("/events?event=domain.updated").await;
    assert_eq!(event.at("/data/0/data/hostname"), "www.example.org");
    // Nothing new is no change.
    client.patch(&path, &change).await.expect(200);
    assert_eq!(client.get("/events?event=domain.updated").await.at("/pagination/total"), 1);
    let refused = client.patch(&path, json!({ "hostname": "other.example.org" })).await;
    assert_eq!(refused.invalid(), ["hostname read_only"]);
    assert_eq!(
        client.patch(&path, json!({ "redirect_to": "www.example.org" })).await.invalid(),
        ["redirect_to out_of_range"]
    );
    let back = client.patch(&path, json!({ "redirect_to": null })).await.expect(200);
    assert_eq!((back.at("/redirect_to"), back.at("/redirect_code")), (Value::Null, 301.into()));
    let request = http::Request::delete(&path).header("if-match", tag);
    let late = client.ask(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(late.status, 412);
    let verified = client.post(&format!("{path}/verify"), "").await.expect(202);
    assert_eq!(verified.text("/id"), id);
    client.delete(&path).await.expect(204);
    client.get(&path).await.expect(404);
    assert_eq!(
        client.get("/events?event=domain.deleted").await.at("/data/0/data/domain_id"),
        id.as_str()
    );
}

#[tokio::test]
async fn a_certificate_is_taken_only_when_it_fits() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    add(&client, &project, "www.example.org").await;
    add(&client, &project, "*.example.org").await;
    let authority = Authority::new();
    let put = async |host: &str, chain: &str, key: &str| {
        let body = json!({ "certificate": chain, "private_key": key });
        client.with("PUT", &format!("/domains/{host}/certificate"), body).await
    };
    let good = authority.issue(&["www.example.org"]);
    let other = authority.issue(&["www.example.org"]);
    let wrong = authority.issue(&["example.org", "*.www.example.org"]);
    let old = authority.issue_until(&["www.example.org"], 2025);
    for (chain, key, expected) in [
        (good.chain.as_str(), other.key.as_str(), "private_key format"),
        (&good.chain, "", "private_key format"),
        (&good.chain, &good.chain, "private_key format"),
        ("", &good.key, "certificate format"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &good.key,
            "certificate format",
        ),
        (&wrong.chain, &wrong.key, "certificate format"),
        (&old.chain, &old.key, "certificate out_of_range"),
    ] {
        let refused = put("www.example.org", chain, key).await;
        assert_eq!(refused.invalid(), [expected]);
        assert!(!refused.body().contains("PRIVATE"));
    }
    let missing = client.with("PUT", "/domains/www.example.org/certificate", json!({})).await;
    assert_eq!(missing.error("missing_fields").2, json!(["certificate", "private_key"]));
    client.delete("/domains/www.example.org/certificate").await.expect(404);
    let shown = put("www.example.org", &good.chain, &good.key).await.expect(200);
    assert_eq!(shown.text("/certificate/status"), "issued");
    assert_eq!(shown.text("/certificate/issuer"), "Tests");
    assert!(shown.text("/certificate/expires_at").starts_with("4096-12-31"));
    let body: String = good.key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!app.stores(&body[..40]), "the key is on the disk");
    let log = client.get("/audit-log?limit=1").await;
    assert_eq!(log.text("/data/0/action"), "domain.certificate.uploaded");
    // A wildcard's certificate is for what lies below it too, until that has its own.
    let wild = authority.issue(&["*.example.org"]);
    put("*.example.org", &wild.chain, &wild.key).await.expect(200);
    add(&client, &project, "a.example.org").await;
    let below = client.get("/domains/a.example.org").await;
    assert_eq!(below.text("/certificate/status"), "issued");
    client.delete("/domains/a.example.org/certificate").await.expect(404);
    client.delete("/domains/www.example.org/certificate").await.expect(204);
    let shown = client.get("/domains/www.example.org").await;
    assert_eq!(shown.text("/certificate/status"), "issued", "by the wildcard");
    client.delete("/domains/*.example.org").await.expect(204);
    let shown = client.get("/domains/www.example.org").await;
    assert_eq!(shown.text("/certificate/status"), "none");
}
