//! `/webhooks`: made, listed, changed, given another secret, deleted, and who may.

use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};

const URL: &str = "https://hooks.acme.test/orbitra";

async fn begin() -> (TestApp, Client) {
    let app = TestApp::new();
    let client = app.client("ada@example.com", &["full"]).await;
    (app, client)
}

fn body(url: &str) -> Value {
    json!({ "url": url, "events": ["deployment.succeeded"] })
}

fn keys(object: &Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

const KEYS: [&str; 16] = [
    "created_at",
    "description",
    "disabled_reason",
    "enabled",
    "events",
    "format",
    "id",
    "last_delivery",
    "previous_secret_expires_at",
    "project_id",
    "recipient",
    "secret_hint",
    "status",
    "team_id",
    "updated_at",
    "url",
];

#[tokio::test]
async fn a_webhook_is_made_listed_changed_and_deleted() {
    let (app, client) = begin().await;
    let url = format!("{URL}?token=ORBCANARY");
    let sent = json!({ "url": url, "events": ["deployment.succeeded", "deployment.*"], "description": " ci " });
    let made = client.post("/webhooks", &sent).await.expect(201);
    let (id, secret) = (made.text("/id"), made.text("/secret"));
    assert!(id.starts_with("whk_"), "{id}");
    let location = format!("/api/v1/webhooks/{id}");
    assert_eq!(
        (made.header("location"), made.header("cache-control")),
        (location.as_str(), "no-store")
    );
    let mut expected: Vec<_> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    let shown = client.get(&format!("/webhooks/{id}")).await.expect(200);
    assert_eq!(keys(&shown.json()), expected);
    expected.insert(11, "secret".to_owned());
    assert_eq!(keys(&made.json()), expected);
    assert_eq!(
        (made.at("/url"), made.at("/status"), made.at("/enabled"), made.at("/description")),
        (json!(url), json!("active"), json!(true), json!("ci"))
    );
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(made.text("/secret_hint"), format!("whsec_…{}", &secret[46..]));
    // Neither the secret nor the address is in the files, and both are shown once or to whoever asks for it alone.
    assert!(!app.stores(&secret) && !app.stores(&secret[6..]) && !app.stores("ORBCANARY"));
    assert_eq!(shown.text("/url"), url);
    let listed = client.get("/webhooks").await.expect(200);
    assert_eq!(listed.text("/data/0/url"), format!("{URL}?***"));
    let audit = client.get("/audit-log?action=webhook.*").await.expect(200);
    for answer in [&shown, &listed, &audit] {
        assert!(!answer.body().contains(&secret));
    }
    assert!(!audit.body().contains("ORBCANARY"));
    // A change, with the revision it was made from.
    let tag = shown.header("etag").to_owned();
    let change = |body: Value, tag: &str| {
        let request = http::Request::patch(format!("/webhooks/{id}"))
            .header("content-type", "application/json")
            .header("if-match", tag)
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        client.ask(request)
    };
    let changed = change(json!({ "events": ["*"], "description": null }), &tag).await.expect(200);
    assert_eq!((changed.at("/events"), changed.at("/description")), (json!(["*"]), Value::Null));
    assert_eq!(change(json!({ "events": ["*"] }), &tag).await.error("current_etag").0, 412);
    // What was read may be sent back, the masked address as well.
    let mut back = client.get("/webhooks").await.at("/data/0");
    back["description"] = "again".into();
    let changed = client.patch(&format!("/webhooks/{id}"), &back).await.expect(200);
    assert_eq!((changed.at("/url"), changed.at("/description")), (json!(url), json!("again")));
    let refused = client.patch(&format!("/webhooks/{id}"), json!({ "secret_hint": "x" })).await;
    assert_eq!(refused.invalid(), ["secret_hint read_only"]);
    client.delete(&format!("/webhooks/{id}")).await.expect(204);
    client.get(&format!("/webhooks/{id}")).await.expect(404);
    for (method, path) in [
        ("DELETE", ""),
        ("PATCH", ""),
        ("POST", "/ping"),
        ("POST", "/rotate-secret"),
        ("GET", "/deliveries"),
        ("GET", "/deliveries/dlv_000000"),
        ("POST", "/deliveries/dlv_000000/redeliver"),
    ] {
        let answer = client.with(method, &format!("/webhooks/{id}{path}"), "{}").await;
        assert_eq!(
            answer.error("resource"),
            (404, "not_found".to_owned(), json!("webhook")),
            "{path}"
        );
    }
    let audit = client.get("/audit-log?action=webhook.*").await.expect(200);
    let actions: Vec<_> =
        audit.at("/data").as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(
        actions,
        ["webhook.deleted", "webhook.updated", "webhook.updated", "webhook.created"]
    );
}

#[tokio::test]
async fn addresses_that_may_not_be_reached_are_refused_when_made_and_when_changed() {
    let (_app, client) = begin().await;
    let made = client.post("/webhooks", body(URL)).await.expect(201).text("/id");
    for url in [
        "http://hooks.acme.test/",
        "https://localhost/",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://host/",
        "https://example.com./",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://[fe80::1]/",
        "https://[fd12::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://172.17.0.1/",
        "https://192.168.0.1/",
        "https://198.18.0.1/",
        "https://224.0.0.1/",
        "https://hooks.acme.test:22/",
        "https://user:pass@hooks.acme.test/",
        "https://hooks.acme.test/#x",
        "ftp://hooks.acme.test/",
        "file:///etc/passwd",
    ] {
        let refused = client.post("/webhooks", body(url)).await;
        assert_eq!(refused.invalid(), ["url url_not_allowed"], "{url}");
        let refused = client.patch(&format!("/webhooks/{made}"), json!({ "url": url })).await;
        assert_eq!(refused.invalid(), ["url url_not_allowed"], "{url}");
    }
    // What the operator opened, and a name that does not resolve yet.
    for url in ["https://10.9.0.1/", "https://no-such-name.invalid/", "https://8.8.8.8:8443/x?y"] {
        client.post("/webhooks", body(url)).await.expect(201);
    }
    assert_eq!(client.get("/webhooks").await.at("/pagination/total"), 4);
    let shown = client.get(&format!("/webhooks/{made}")).await;
    assert_eq!(shown.text("/url"), URL);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let (_app, client) = begin().await;
    let with = |field: &str, value: Value| {
        let mut sent = body(URL);
        sent[field] = value;
        sent
    };
    for (sent, expected) in [
        (with("url", json!("hooks")), "url format"),
        (with("url", json!(format!("{URL}/{}", "x".repeat(2048)))), "url too_long"),
        (with("url", json!(7)), "url type"),
        (with("events", json!([])), "events too_short"),
        (with("events", json!(["deployment.succeded"])), "events unknown_value"),
        (with("events", json!(["deployment"])), "events unknown_value"),
        (with("events", json!("*")), "events type"),
        (with("events", json!(vec!["*"; 51])), "events too_long"),
        (with("description", json!("x".repeat(501))), "description too_long"),
        (with("enabled", json!("yes")), "enabled type"),
        (with("enabled", json!(null)), "enabled type"),
        (with("project_id", json!("prj_000000")), "project_id unknown_value"),
        (with("secret", json!("whsec_short")), "secret format"),
        (with("secret", json!("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")), "secret format"),
        (with("secret", json!(null)), "secret type"),
    ] {
        let refused = client.post("/webhooks", &sent).await;
        assert_eq!(refused.invalid(), [expected], "{sent}");
    }
    let typo = client.post("/webhooks", with("events", json!(["deployment.succeded"]))).await;
    assert_eq!(typo.at("/error/details/invalid_fields/0/suggestion"), "deployment.succeeded");
    let none = client.post("/webhooks", "{}").await;
    assert_eq!(none.error("missing_fields").2, json!(["url", "events"]));
    let more = client.post("/webhooks", with("headers", json!({ "x": "a\r\nb" }))).await;
    assert_eq!(more.error("unknown_fields").2[0]["field"], "headers");
    assert_eq!(client.get("/webhooks").await.at("/pagination/total"), 0);
    for _ in 0..50 {
        client.post("/webhooks", body(URL)).await.expect(201);
    }
    let one_more = client.post("/webhooks", body(URL)).await;
    assert_eq!(one_more.error("reason"), (409, "conflict".to_owned(), json!("too_many_webhooks")));
}

#[tokio::test]
async fn a_secret_can_be_brought_along_and_is_never_said_again() {
    let (app, client) = begin().await;
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut sent = body(URL);
    sent["secret"] = secret.into();
    let request = || {
        http::Request::post("/webhooks")
            .header("idempotency-key", "once")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(sent.to_string()))
            .unwrap()
    };
    let made = client.ask(request()).await.expect(201);
    assert_eq!(made.text("/secret"), secret);
    assert_eq!(made.text("/secret_hint"), "whsec_…Hh8=");
    let again = client.ask(request()).await.expect(201);
    assert_eq!((again.body(), again.header("idempotent-replayed")), (made.body(), "true"));
    assert_eq!(client.get("/webhooks").await.at("/pagination/total"), 1);
    let path = format!("/webhooks/{}/rotate-secret", made.text("/id"));
    let rotated = client.post(&path, json!({ "grace_seconds": 3600 })).await.expect(200);
    assert_ne!(rotated.text("/secret"), secret);
    assert!(rotated.at("/previous_secret_expires_at").is_string());
    for bad in [json!(-1), json!(604_801), json!("1h")] {
        let refused = client.post(&path, json!({ "grace_seconds": bad })).await;
        assert_eq!(refused.status, 400);
    }
    assert!(!app.stores(&rotated.text("/secret")[6..]) && !app.stores(&secret[6..]));
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let (_app, client) = begin().await;
    let project = client.project("web").await;
    for number in 0..3 {
        let mut sent = body(&format!("https://hooks{number}.acme.test/"));
        if number == 1 {
            sent["project_id"] = "web".into();
            sent["events"] = json!(["deployment.*"]);
        }
        sent["enabled"] = json!(number != 2);
        client.post("/webhooks", sent).await.expect(201);
    }
    for (query, total) in [
        ("", 3),
        ("enabled=true", 2),
        ("enabled=false", 1),
        ("event=deployment.succeeded", 3),
        ("event=deployment.failed", 1),
        ("event=project.created", 0),
        ("q=HOOKS2", 1),
        (&format!("project_id={project}"), 1),
        ("created_after=2100-01-01T00:00:00Z", 0),
    ] {
        let list = client.get(&format!("/webhooks?{query}")).await.expect(200);
        assert_eq!(list.at("/pagination/total"), total, "{query}");
    }
    let page = client.get("/webhooks?limit=2&page=2&sort=created_at").await.expect(200);
    assert_eq!(page.at("/data").as_array().unwrap().len(), 1);
    assert!(page.header("link").contains("rel=\"first\""));
    for bad in ["enabled=maybe", "sort=url", "x=1", "event=", "event=a,b", "project_id=web"] {
        client.get(&format!("/webhooks?{bad}")).await.expect(400);
    }
}

#[tokio::test]
async fn who_may_is_decided_by_scope_team_and_project() {
    let (app, client) = begin().await;
    let (web, blog) = (client.project("web").await, client.project("blog").await);
    let all = client.post("/webhooks", body(URL)).await.expect(201).text("/id");
    let mut of_web = body(URL);
    of_web["project_id"] = web.clone().into();
    let of_web = client.post("/webhooks", of_web).await.expect(201).text("/id");
    // Somebody else sees nothing.
    let other = app.client("eve@example.com", &["full"]).await;
    assert_eq!(other.get("/webhooks").await.at("/pagination/total"), 0);
    other.get(&format!("/webhooks/{all}")).await.expect(404);
    other.post(&format!("/webhooks/{all}/ping"), "").await.expect(404);
    other.patch(&format!("/webhooks/{all}"), json!({ "enabled": false })).await.expect(404);
    other.delete(&format!("/webhooks/{all}")).await.expect(404);
    let mut theirs = body(URL);
    theirs["project_id"] = web.clone().into();
    assert_eq!(other.post("/webhooks", theirs).await.invalid(), ["project_id unknown_value"]);
    // A key that only reads.
    let made = json!({ "name": "r", "scopes": ["webhooks:read"] });
    let reads = client.post("/api-keys", made).await.expect(201).text("/key");
    let reads = app.with_key(&reads);
    reads.get(&format!("/webhooks/{all}")).await.expect(200);
    let refused = reads.post("/webhooks", body(URL)).await;
    assert_eq!(refused.error("required_scopes").2, json!(["webhooks:write"]));
    reads.post(&format!("/webhooks/{all}/ping"), "").await.expect(403);
    // A token of one project sees what is that project's.
    let token = json!({ "name": "t", "scopes": ["webhooks:read", "webhooks:write"] });
    let token = client.post("/projects/web/tokens", token).await.expect(201).text("/key");
    let token = app.with_key(&token);
    let seen = token.get("/webhooks").await.expect(200);
    assert_eq!((seen.at("/pagination/total"), seen.text("/data/0/id")), (json!(1), of_web.clone()));
    token.get(&format!("/webhooks/{all}")).await.expect(404);
    token.post("/webhooks", body(URL)).await.expect(403);
    let mut sent = body(URL);
    sent["project_id"] = blog.into();
    assert_eq!(token.post("/webhooks", &sent).await.invalid(), ["project_id unknown_value"]);
    sent["project_id"] = web.into();
    token.post("/webhooks", &sent).await.expect(201);
    let wider = token.patch(&format!("/webhooks/{of_web}"), json!({ "project_id": null })).await;
    assert_eq!(wider.status, 403);
    token.delete(&format!("/webhooks/{of_web}")).await.expect(204);
}

#[tokio::test]
async fn event_types_have_schemas_and_examples() {
    let (_app, client) = begin().await;
    let list = client.get("/event-types").await.expect(200);
    let list = list.at("/data");
    let list = list.as_array().unwrap();
    assert!(list.len() >= 33);
    for given in [
        "deployment.created",
        "deployment.succeeded",
        "deployment.failed",
        "project.created",
        "project.deleted",
        "billing.invoice.created",
    ] {
        assert!(list.iter().any(|one| one["name"] == given), "{given}");
    }
    for one in list {
        let (name, schema, example) = (&one["name"], &one["schema"], &one["example"]);
        assert!(!one["description"].as_str().unwrap().is_empty());
        assert_eq!(keys(example), ["data", "event", "timestamp"]);
        assert_eq!(&example["event"], name);
        assert!(!schema.to_string().contains("$ref"), "{schema}");
        let described = keys(&schema["properties"]["data"]["properties"]);
        assert_eq!(keys(&example["data"]), described, "{name}");
        // Every one can be chosen.
        let mut sent = body(URL);
        sent["events"] = json!([name]);
        let made = client.post("/webhooks", sent).await.expect(201);
        client.delete(&format!("/webhooks/{}", made.text("/id"))).await.expect(204);
    }
}
