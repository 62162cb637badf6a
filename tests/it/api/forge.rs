//! The forge of a project: what is accepted, what follows from the source, and that its token is never shown.

use serde_json::{Value, json};

use crate::support::app::{Client, Reply, TestApp};

const SECRET: &str = "s3cret-Zf83kQp1x";
const PATH: &str = "/projects/web/source/forge";

async fn begin(source: &str) -> (TestApp, Client) {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    if !source.is_empty() {
        client.with("PUT", "/projects/web/source", json!({"git_url": source})).await.expect(200);
    }
    (app, client)
}

async fn put(client: &Client, body: Value) -> Reply {
    client.with("PUT", PATH, body).await
}

/// The problems of a reply, as `field code`.
fn problems(reply: &Reply) -> Vec<String> {
    let details = &reply.json()["error"]["details"];
    let missing = details["missing_fields"].as_array().into_iter().flatten();
    let missing = missing.map(|field| format!("{} missing", field.as_str().unwrap()));
    let invalid = details["invalid_fields"].as_array().into_iter().flatten();
    let invalid = invalid.map(|field| {
        format!("{} {}", field["field"].as_str().unwrap(), field["code"].as_str().unwrap())
    });
    missing.chain(invalid).collect()
}

#[tokio::test]
async fn a_forge_follows_from_the_source_and_its_token_is_never_shown() {
    let (app, client) = begin("https://github.com/acme/web.git").await;
    assert_eq!(client.get(PATH).await.error("resource").0, 404);
    let set = put(&client, json!({"token": SECRET})).await.expect(200);
    assert_eq!(
        (set.at("/kind"), set.at("/api_url"), set.at("/repository")),
        (json!("github"), json!("https://api.github.com"), json!("acme/web"))
    );
    let shown = client.get(PATH).await.expect(200);
    assert_eq!((shown.at("/trouble"), shown.at("/last_told_at")), (Value::Null, Value::Null));
    let audit = client.get("/audit-log?action=project.updated").await.expect(200);
    assert_eq!(audit.at("/data/0/changes/source.forge.token"), json!({"from": null, "to": "***"}));
    for reply in [&set, &shown, &audit, &client.get("/events").await] {
        assert!(!reply.body().contains(SECRET), "{}", reply.body());
    }
    assert!(!app.stores(SECRET));
    // Without another token the address stays, and with another address the token does not.
    put(&client, json!({})).await.expect(200);
    let moved = put(&client, json!({"api_url": "https://git.example.com/api/v3"})).await;
    assert_eq!(problems(&moved.expect(400)), ["token missing"]);
    let other = put(&client, json!({"kind": "gitea", "token": "x"})).await.expect(200);
    assert_eq!(other.at("/api_url"), "https://github.com/api/v1");
    client.delete(PATH).await.expect(204);
    assert_eq!(client.delete(PATH).await.error("resource").0, 404);
}

#[tokio::test]
async fn a_forge_of_its_own_is_named_and_what_may_not_be_reached_is_refused() {
    let (_app, client) = begin("").await;
    let nothing = put(&client, json!({})).await.expect(400);
    assert_eq!(problems(&nothing), ["kind missing", "api_url missing", "token missing"]);
    let good =
        json!({"kind": "forgejo", "api_url": "https://git.example.com/api/v1/", "token": "x"});
    let set = put(&client, good.clone()).await.expect(200);
    assert_eq!(
        (set.at("/api_url"), set.at("/repository")),
        (json!("https://git.example.com/api/v1"), Value::Null)
    );
    for (field, value, code) in [
        ("kind", json!("sourcehut"), "unknown_value"),
        ("api_url", json!("git.example.com"), "format"),
        ("api_url", json!("https://u:p@git.example.com/"), "format"),
        ("api_url", json!("https://git.example.com/?x=1"), "format"),
        ("api_url", json!("http://git.example.com/"), "url_not_allowed"),
        ("api_url", json!("https://127.0.0.1/api"), "url_not_allowed"),
        ("api_url", json!("https://[::1]/api"), "url_not_allowed"),
        ("api_url", json!("https://169.254.169.254/"), "url_not_allowed"),
        ("api_url", json!("ftp://git.example.com/"), "url_not_allowed"),
        ("token", json!(""), "too_short"),
        ("token", json!("a b"), "format"),
        ("token", json!("x".repeat(1025)), "too_long"),
        ("token", json!(7), "type"),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let reply = put(&client, body).await.expect(400);
        assert_eq!(problems(&reply)[0], format!("{field} {code}"), "{value}");
    }
    assert_eq!(client.get(PATH).await.expect(200).at("/kind"), "forgejo");
}
