//! Where a project's code comes from, and what it is read with.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::app::{Client, Reply, TestApp};

const URL: &str = "https://github.com/user/repo.git";
const SECRET: &str = "s3cret-Zf83kQp1x";

async fn begin() -> (TestApp, Client, String) {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    (app, client, project)
}

async fn put(client: &Client, body: Value) -> Reply {
    client.with("PUT", "/projects/web/source", body).await
}

async fn with(
    client: &Client,
    method: &str,
    path: &str,
    header: (&str, &str),
    body: Value,
) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(CONTENT_TYPE, "application/json")
        .header(header.0, header.1)
        .body(Body::from(body.to_string()));
    client.ask(request.unwrap()).await
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
async fn a_source_is_set_as_a_whole_and_its_token_is_never_shown() {
    let (app, client, project) = begin().await;
    let watched = json!(["apps/web/**", "!**/*.md"]);
    let body = json!({
        "git_url": URL, "branch": "dev", "root_dir": "/apps/web", "auth": "token", "token": SECRET, "watch_paths": watched,
    });
    let set = put(&client, body).await.expect(200);
    let source = json!({
        "git_url": URL, "branch": "dev", "root_dir": "/apps/web", "auth": "token", "watch_paths": watched, "fork_previews": false,
    });
    assert_eq!(set.at("/source"), source);
    let shown = client.get("/projects/web").await.expect(200);
    assert_eq!(shown.at("/source"), source);
    let event = client.get("/events?event=project.updated").await;
    let changed = json!([
        "source.auth",
        "source.branch",
        "source.git_url",
        "source.root_dir",
        "source.token",
        "source.watch_paths"
    ]);
    let mut found: Vec<_> = event.at("/data/0/data/changed").as_array().unwrap().clone();
    found.sort_by_key(ToString::to_string);
    assert_eq!(Value::from(found), changed);
    let audit = client.get("/audit-log?action=project.updated").await.expect(200);
    assert_eq!(
        audit.at("/data/0/changes/source.token"),
        json!({ "from": null, "to": "***" }),
        "{}",
        audit.body()
    );
    for reply in [&set, &shown, &event, &audit] {
        assert!(!reply.body().contains(SECRET), "{}", reply.body());
    }
    assert!(!app.stores(SECRET));
    // Without a token what is stored stays; what is not named gets its default.
    let again =
        put(&client, json!({ "git_url": "https://GitHub.com/user/other", "auth": "token" })).await;
    let source = json!({ "git_url": "https://GitHub.com/user/other", "branch": null, "root_dir": "/", "auth": "token", "watch_paths": [], "fork_previews": false });
    assert_eq!(again.expect(200).at("/source"), source);
    let tag = client.get("/projects/web").await.header("etag").to_owned();
    put(&client, json!({ "git_url": "https://GitHub.com/user/other", "auth": "token" }))
        .await
        .expect(200);
    assert_eq!(client.get("/projects/web").await.header("etag"), tag);
    let public = put(&client, json!({ "git_url": URL })).await.expect(200);
    assert_eq!(public.text("/source/auth"), "none");
    let gone = put(&client, json!({ "git_url": URL, "auth": "token" })).await.expect(400);
    assert_eq!(problems(&gone), ["token missing"]);
    assert_eq!(client.get(&format!("/projects/{project}")).await.text("/source/auth"), "none");
}

#[tokio::test]
async fn a_token_stays_with_its_server() {
    let (_app, client, _) = begin().await;
    put(&client, json!({ "git_url": URL, "token": format!("user:{SECRET}") })).await.expect(200);
    for other in ["https://gitlab.com/user/repo.git", "https://github.com:8443/user/repo.git"] {
        let moved = put(&client, json!({ "git_url": other, "auth": "token" })).await.expect(400);
        assert_eq!(problems(&moved), ["token missing"], "{other}");
    }
    let patch =
        async |source: Value| client.patch("/projects/web", json!({ "source": source })).await;
    let same = patch(json!({ "git_url": "https://github.com/user/third", "auth": "token" })).await;
    assert_eq!(same.expect(200).text("/source/auth"), "token");
    assert_eq!(patch(json!({ "branch": "x" })).await.expect(200).text("/source/auth"), "token");
    let moved = patch(json!({ "git_url": "https://gitlab.com/user/repo.git" })).await.expect(200);
    assert_eq!(moved.text("/source/auth"), "none");
    // And does not come back.
    let back = patch(json!({ "git_url": URL, "auth": "token" })).await.expect(400);
    assert_eq!(problems(&back), ["source.auth unknown_value"]);
    assert!(back.body().contains("PUT /projects/{project}/source"));
}

#[tokio::test]
async fn an_ssh_address_is_read_with_the_deploy_key() {
    let (_app, client, project) = begin().await;
    let set = put(&client, json!({ "git_url": "git@github.com:user/repo.git" })).await.expect(200);
    assert_eq!(set.text("/source/auth"), "deploy_key");
    let path = format!("/projects/{project}/source/deploy-key");
    let key = client.get(&path).await.expect(200);
    let line = key.text("/public_key");
    assert!(
        line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && line.ends_with(" orbitra-web")
    );
    assert!(key.text("/fingerprint").starts_with("SHA256:"));
    assert_eq!(key.text("/created_at"), "2026-01-20T16:30:00Z");
    assert_eq!(client.get(&path).await.json(), key.json());
    let patch =
        async |source: Value| client.patch("/projects/web", json!({ "source": source })).await;
    let https = patch(json!({ "git_url": URL })).await.expect(200);
    assert_eq!(https.text("/source/auth"), "none");
    let ssh = patch(json!({ "git_url": "ssh://git@github.com/user/repo.git" })).await.expect(200);
    assert_eq!(ssh.text("/source/auth"), "deploy_key");
    assert_eq!(problems(&patch(json!({ "auth": "none" })).await), ["source.auth unknown_value"]);
    // The key is the project's and outlives such changes.
    assert_eq!(client.get(&path).await.json(), key.json());
    let source = json!({ "git_url": "git@github.com:user/repo.git" });
    let made = client
        .post("/projects", json!({ "name": "new", "region": "local", "source": source }))
        .await;
    made.expect(201);
    assert_eq!(client.get("/projects/new").await.text("/source/auth"), "deploy_key");
    assert_ne!(client.get("/projects/new/source/deploy-key").await.text("/public_key"), line);
}

#[tokio::test]
async fn a_key_is_rotated_once_for_each_request() {
    let (app, client, project) = begin().await;
    let path = format!("/projects/{project}/source/deploy-key");
    let rotate = format!("{path}/rotate");
    // There need not be one yet.
    let first = client.post(&rotate, json!({})).await.expect(201);
    assert_eq!(first.header("location"), format!("/api/v1{path}"));
    let tag = client.get(&path).await.header("etag").to_owned();
    let again =
        with(&client, "POST", &rotate, ("idempotency-key", "k1"), json!({})).await.expect(201);
    assert_ne!(again.text("/fingerprint"), first.text("/fingerprint"));
    let replay =
        with(&client, "POST", &rotate, ("idempotency-key", "k1"), json!({})).await.expect(201);
    assert_eq!(replay.json(), again.json());
    assert_eq!(replay.header("idempotent-replayed"), "true");
    assert_eq!(client.get(&path).await.json(), again.json());
    with(&client, "POST", &rotate, ("if-match", &tag), json!({})).await.expect(412);
    let tag = client.get(&path).await.header("etag").to_owned();
    let third = with(&client, "POST", &rotate, ("if-match", &tag), json!({})).await.expect(201);
    let audit = client.get("/audit-log?action=project.updated").await;
    let change = json!({ "from": again.text("/fingerprint"), "to": third.text("/fingerprint") });
    assert_eq!(audit.at("/data/0/changes/source.deploy_key"), change);
    client.post(&rotate, json!({ "x": 1 })).await.expect(400);
    // The private half is nowhere in clear: no key of OpenSSH's, and no line of it anywhere.
    assert!(!app.stores("PRIVATE KEY"));
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_a_token_is_not_repeated() {
    let (_app, client, _) = begin().await;
    let ssh = "git@github.com:user/repo.git";
    for (body, expected) in [
        (json!({}), &["git_url missing"][..]),
        (json!({ "git_url": null, "token": SECRET }), &["git_url missing"]),
        (json!({ "git_url": 1, "branch": 2 }), &["git_url type", "branch type"]),
        (json!({ "git_url": "file:///etc" }), &["git_url unsafe"]),
        (json!({ "git_url": "https://10.0.0.1/x" }), &["git_url url_not_allowed"]),
        (json!({ "git_url": "ssh://git@127.0.0.1/x" }), &["git_url url_not_allowed"]),
        (json!({ "git_url": "git@h.test:o/r;id" }), &["git_url unsafe"]),
        (json!({ "git_url": URL, "branch": "-x" }), &["branch unsafe"]),
        (json!({ "git_url": URL, "root_dir": "../x" }), &["root_dir unsafe"]),
        (json!({ "git_url": URL, "watch_paths": ["/a"] }), &["watch_paths format"]),
        (json!({ "git_url": URL, "watch_paths": "a" }), &["watch_paths type"]),
        (json!({ "git_url": URL, "watch_paths": [1] }), &["watch_paths type"]),
        (json!({ "git_url": URL, "watch_paths": null }), &["watch_paths missing"]),
        (json!({ "git_url": URL, "auth": "basic" }), &["auth unknown_value"]),
        (json!({ "git_url": URL, "auth": "token" }), &["token missing"]),
        (json!({ "git_url": URL, "auth": "deploy_key" }), &["auth mutually_exclusive"]),
        (json!({ "git_url": ssh, "auth": "token", "token": SECRET }), &["auth mutually_exclusive"]),
        (json!({ "git_url": ssh, "auth": "none" }), &["auth mutually_exclusive"]),
        (json!({ "git_url": URL, "auth": "none", "token": SECRET }), &["token mutually_exclusive"]),
        (json!({ "git_url": URL, "token": "" }), &["token too_short"]),
        (json!({ "git_url": URL, "token": SECRET.repeat(100) }), &["token too_long"]),
        (json!({ "git_url": URL, "token": format!("{SECRET} x") }), &["token format"]),
        (json!({ "git_url": URL, "token": format!(":{SECRET}") }), &["token format"]),
        (json!({ "git_url": URL, "token": format!("{SECRET}é") }), &["token format"]),
    ] {
        let reply = put(&client, body.clone()).await.expect(400);
        assert_eq!(problems(&reply), expected, "{body}");
        assert!(!reply.body().contains(SECRET), "{}", reply.body());
    }
    let unknown = put(&client, json!({ "git_url": URL, "tokn": SECRET })).await.expect(400);
    assert!(unknown.body().contains("tokn") && !unknown.body().contains(SECRET));
    assert_eq!(client.get("/projects/web").await.at("/source/git_url"), Value::Null);
}

#[tokio::test]
async fn a_source_is_changed_only_as_it_was_read_and_by_whom_may() {
    let (app, client, project) = begin().await;
    let path = format!("/projects/{project}/source");
    let tag = client.get("/projects/web").await.header("etag").to_owned();
    with(&client, "PUT", &path, ("if-match", &tag), json!({ "git_url": URL })).await.expect(200);
    let late = json!({ "git_url": URL, "branch": "x" });
    with(&client, "PUT", &path, ("if-match", &tag), late).await.expect(412);
    let reader = app.client("reader@example.com", &["projects:read"]).await;
    let refused = reader.with("PUT", &path, json!({ "git_url": URL })).await;
    assert_eq!(refused.error("reason"), (403, "forbidden".to_owned(), "missing_scope".into()));
    let stranger = app.client("stranger@example.com", &["full"]).await;
    let wrong = json!({ "git_url": "nonsense" });
    assert_eq!(stranger.with("PUT", &path, wrong).await.error("resource").2, "project");
    stranger.get(&format!("{path}/deploy-key")).await.expect(404);
    stranger.post(&format!("{path}/deploy-key/rotate"), json!({})).await.expect(404);
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(client.call(method, &path).await.status, 405, "{method}");
    }
    client.delete("/projects/web").await.expect(204);
    client.get(&format!("{path}/deploy-key")).await.expect(404);
}
