//! `/projects/{project}/uploads` and deployments of what was uploaded.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use orbitra::crypto::sha256::Sha256;
use orbitra::crypto::token::hex;
use serde_json::{Value, json};
use tar::EntryType;

use crate::support::app::{Client, Reply, TestApp};
use crate::support::archive;

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

async fn send(client: &Client, path: &str, headers: &[(&str, &str)], body: Body) -> Reply {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.ask(request.body(body).unwrap()).await
}

async fn upload(client: &Client, project: &str, archive: &[u8]) -> Reply {
    let path = format!("/projects/{project}/uploads");
    let body = Body::from(archive.to_vec());
    send(client, &path, &[("content-type", "application/gzip")], body).await
}

/// Names of the files in the directory of the uploads.
fn files(app: &TestApp) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(app.data().join("uploads")) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn rows(app: &TestApp) -> i64 {
    let count = |c: &orbitra::db::Connection| -> Result<i64, orbitra::db::DbError> {
        Ok(c.query_row("SELECT count(*) FROM uploads", [], |row| row.get(0))?)
    };
    app.app.db.read(count).await.unwrap()
}

#[tokio::test]
async fn an_archive_is_kept_for_a_day() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    let archive = archive::of(&[("index.html", "<h1>Hello</h1>")]);
    let made = upload(&client, "web", &archive).await.expect(201);
    let mut keys: Vec<_> = made.json().as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["expires_at", "id", "sha256", "size_bytes"]);
    let id = made.text("/id");
    assert!(id.starts_with("upl_") && id.len() == 20, "{id}");
    assert_eq!(made.at("/size_bytes"), archive.len());
    assert_eq!(made.text("/sha256"), hex(&sha256(&archive)));
    assert_eq!(made.text("/expires_at"), "2026-01-21T16:30:00Z");
    assert_eq!(made.header("location"), "");
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(files(&app), [format!("{id}.tar.gz")]);
    let kept = app.data().join("uploads").join(format!("{id}.tar.gz"));
    assert_eq!(std::fs::read(&kept).unwrap(), archive);
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let log = client.get("/audit-log?limit=1").await.json();
    assert_eq!(log["data"][0]["action"], "upload.created");
    assert_eq!(log["data"][0]["target"], json!({ "type": "upload", "id": id, "name": null }));

    // All names of a gzipped tar will do, and its hash may come along.
    let digest = format!("sha-256=:{}:", STANDARD.encode(sha256(&archive)));
    for kind in ["application/x-gzip", "application/x-tar+gzip; a=b", "APPLICATION/GZIP"] {
        let path = format!("/projects/{project}/uploads");
        let headers = [("content-type", kind), ("content-digest", digest.as_str())];
        send(&client, &path, &headers, Body::from(archive.clone())).await.expect(201);
    }
    assert_eq!(files(&app).len(), 4);

    // A day later they are gone, row and file.
    app.app.clock.advance(Duration::from_secs(24 * 3600 - 1));
    app.app.forget_old_uploads().await;
    assert_eq!((files(&app).len(), rows(&app).await), (4, 4));
    app.app.clock.advance(Duration::from_secs(1));
    app.app.forget_old_uploads().await;
    assert_eq!((files(&app).len(), rows(&app).await), (0, 0));
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    let reader = app.client_of(&user, &["read"]).await;
    let stranger = app.client("stranger@example.com", &["full"]).await;
    client.project("web").await;
    let good = archive::of(&[("index.html", "x")]);
    let gzip = ("content-type", "application/gzip");
    let path = "/projects/web/uploads";
    let body = || Body::from(good.clone());

    send(&app.anonymous(), path, &[gzip], body()).await.expect(401);
    send(&reader, path, &[("content-type", "text/plain")], body()).await.expect(403);
    let kinds = json!(["application/gzip", "application/x-gzip", "application/x-tar+gzip"]);
    for headers in [
        &[("content-type", "application/json")][..],
        &[("content-type", "application/zip")],
        &[("content-type", "")],
        &[],
        &[gzip, ("content-encoding", "gzip")],
    ] {
        let refused = send(&client, path, headers, body()).await.error("supported");
        assert_eq!(refused, (415, "unsupported_media_type".to_owned(), kinds.clone()));
    }
    // Somebody else's project is answered like one that never was.
    let hidden = upload(&stranger, "web", &good).await.expect(404);
    let unknown = upload(&stranger, "wob", &good).await.expect(404);
    assert_eq!(hidden.body().replace("web", "wob"), unknown.body());
    let digest = format!("sha-256=:{}:", STANDARD.encode([0; 32]));
    for value in [digest.as_str(), "sha-256=:short:", "md5"] {
        let refused = send(&client, path, &[gzip, ("content-digest", value)], body()).await;
        assert_eq!(refused.invalid(), ["Content-Digest format"], "{value}");
    }
    let refused = send(&client, &format!("{path}?x=1"), &[gzip], body()).await;
    assert_eq!(refused.error("unknown_params").2, json!(["x"]));
    // A connection that breaks.
    let broken = stream::iter([Ok(Bytes::from_static(b"\x1f\x8b")), Err("gone")]);
    let refused = send(&client, path, &[gzip], Body::from_stream(broken)).await;
    assert_eq!(refused.invalid(), ["body format"]);
    for (archive, code, named) in [
        (archive::hostile("../x", EntryType::Regular, ""), "unsafe", "`../x`"),
        (archive::hostile("/etc/x", EntryType::Regular, ""), "unsafe", "`/etc/x`"),
        (archive::hostile(".git/config", EntryType::Regular, ""), "unsafe", "`.git/config`"),
        (archive::hostile("a", EntryType::Symlink, "/etc/passwd"), "unsafe", "`a`"),
        (archive::hostile("a", EntryType::Symlink, "../../x"), "unsafe", "`a`"),
        (archive::hostile("a", EntryType::Link, "/etc/passwd"), "unsafe", "`/etc/passwd`"),
        (archive::hostile("a", EntryType::Char, ""), "unsafe", "`a`"),
        (archive::hostile("a", EntryType::Block, ""), "unsafe", "`a`"),
        (archive::hostile("a", EntryType::Fifo, ""), "unsafe", "`a`"),
        (
            archive::hostile("a\u{1b}[2J\n", EntryType::Regular, ""),
            "unsafe",
            "`a\u{fffd}[2J\u{fffd}`",
        ),
        (archive::of(&[("a", "1"), ("a", "2")]), "duplicate", "`a`"),
        (archive::of(&[("a", "1"), ("a/b", "2")]), "unsafe", "`a/b`"),
        (archive::of(&[]), "too_short", "nothing"),
        (archive::zeros(100 * 1024 * 1024), "out_of_range", "200 times"),
        (b"PK\x03\x04 a zip".to_vec(), "format", "gzip"),
        (good[..good.len() - 4].to_vec(), "format", "cut off"),
        (Vec::new(), "format", "gzip"),
    ] {
        let refused = upload(&client, "web", &archive).await;
        assert_eq!(refused.invalid(), [format!("body {code}")], "{}", refused.body());
        let message = refused.text("/error/details/invalid_fields/0/message");
        assert!(message.contains(named), "{message:?} does not name {named:?}");
    }
    assert_eq!((files(&app), rows(&app).await), (Vec::new(), 0));
    let log = client.get("/audit-log?limit=100").await.body().to_owned();
    assert!(!log.contains("upload.created"));
    upload(&client, "web", &good).await.expect(201);
}

#[tokio::test]
async fn an_archive_has_at_most_512_mib() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let limit: u64 = 512 * 1024 * 1024;
    let refused = (413, "payload_too_large".to_owned(), Value::from(limit));
    // Announced: refused before anything is read, whoever asks.
    struct Announced;
    impl http_body::Body for Announced {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            panic!("nothing is to be read")
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(512 * 1024 * 1024 + 1)
        }
    }
    let path = "/projects/web/uploads";
    let large = send(&app.anonymous(), path, &[], Body::new(Announced)).await;
    assert_eq!(large.error("limit_bytes"), refused);
    // Not announced: counted on its way to the disk.
    let part = Bytes::from(vec![0; 1024 * 1024]);
    let parts = stream::iter((0..513).map(move |_| Ok::<_, std::io::Error>(part.clone())));
    let gzip = [("content-type", "application/gzip")];
    let large = send(&client, path, &gzip, Body::from_stream(parts)).await;
    assert_eq!(large.error("limit_bytes"), refused);
    assert_eq!((files(&app), rows(&app).await), (Vec::new(), 0));
}

#[tokio::test]
async fn a_repeated_upload_is_one() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let (one, other) = (archive::of(&[("a", "1")]), archive::of(&[("a", "2")]));
    let keyed = [("content-type", "application/gzip"), ("idempotency-key", "k-1")];
    let path = "/projects/web/uploads";
    let first = send(&client, path, &keyed, Body::from(one.clone())).await.expect(201);
    let again = send(&client, path, &keyed, Body::from(one.clone())).await.expect(201);
    assert_eq!(again.body(), first.body());
    assert_eq!(again.header("idempotent-replayed"), "true");
    let reused = send(&client, path, &keyed, Body::from(other)).await.error("reason");
    assert_eq!(reused, (422, "unprocessable".to_owned(), "idempotency_key_reused".into()));
    assert_eq!((files(&app).len(), rows(&app).await), (1, 1));
    // What was refused may be mended.
    let keyed = [("content-type", "application/gzip"), ("idempotency-key", "k-2")];
    send(&client, path, &keyed, Body::from("x")).await.expect(400);
    send(&client, path, &keyed, Body::from(one)).await.expect(201);
}

#[tokio::test]
async fn a_project_has_at_most_fifty_that_wait() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let archive = archive::of(&[("a", "1")]);
    for _ in 0..50 {
        upload(&client, "web", &archive).await.expect(201);
    }
    let refused = upload(&client, "web", &archive).await;
    assert_eq!(refused.error("retry_after_seconds").2, 24 * 3600);
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "86400"));
    assert_eq!(files(&app).len(), 50);
    client.project("other").await;
    upload(&client, "other", &archive).await.expect(201);
}

#[tokio::test]
async fn an_upload_is_deployed_once() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    client.project("other").await;
    let archive = archive::of(&[("index.html", "x")]);
    let id = upload(&client, "web", &archive).await.expect(201).text("/id");
    let body = json!({ "upload_id": id });
    let deploy = async |project: &str, body: &Value| {
        client.post(&format!("/projects/{project}/deployments"), body).await
    };
    for (project, unknown) in
        [("other", id.as_str()), ("web", "upl_0000000000000000"), ("web", "x")]
    {
        let refused = deploy(project, &json!({ "upload_id": unknown })).await;
        assert_eq!(refused.invalid(), ["upload_id unknown_value"], "{unknown}");
    }
    // A refused deployment does not use it up.
    let wrong = deploy("web", &json!({ "upload_id": id, "target": "moon" })).await;
    assert_eq!(wrong.invalid(), ["target unknown_value"]);
    let made = deploy("web", &body).await.expect(201).text("/id");
    let shown = client.get(&format!("/deployments/{made}")).await.json();
    assert_eq!(shown["upload_id"], *id);
    assert_eq!(shown["image"], Value::Null);
    let none = json!({ "url": null, "branch": null, "commit_sha": null, "commit_message": null, "commit_author": null });
    assert_eq!(shown["git"], none);
    let again = deploy("web", &body).await;
    assert_eq!(again.error("reason"), (409, "conflict".to_owned(), "upload_consumed".into()));
    assert_eq!(again.error("upload_id").2, *id);

    // The deployment itself can be repeated, and keeps the archive.
    app.app.clock.advance(Duration::from_secs(48 * 3600));
    client.post(&format!("/deployments/{made}/cancel"), "").await.expect(200);
    let (first, project) = (made.clone(), "web");
    let repeated = client.post(&format!("/deployments/{first}/redeploy"), "").await.expect(201);
    let repeated = repeated.text("/id");
    let shown = client.get(&format!("/deployments/{repeated}")).await.json();
    assert_eq!((&shown["upload_id"], &shown["source_deployment_id"]), (&json!(id), &json!(first)));
    app.app.forget_old_uploads().await;
    assert_eq!(files(&app), [format!("{id}.tar.gz")]);

    // It goes with the last deployment of it.
    let purge = "DELETE FROM deployments";
    let write =
        app.app.db.write(move |c| -> Result<_, orbitra::db::DbError> { Ok(c.execute(purge, [])?) });
    assert_eq!(write.await.unwrap(), 2);
    app.app.forget_old_uploads().await;
    assert_eq!((files(&app), rows(&app).await), (Vec::new(), 0));

    // One that has expired is unknown, also before it is removed.
    let id = upload(&client, project, &archive).await.expect(201).text("/id");
    app.app.clock.advance(Duration::from_secs(24 * 3600));
    let late = deploy(project, &json!({ "upload_id": id })).await;
    assert_eq!(late.invalid(), ["upload_id unknown_value"]);
}

#[tokio::test]
async fn of_two_at_the_same_time_one_deploys_it() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let id = upload(&client, "web", &archive::of(&[("a", "1")])).await.expect(201).text("/id");
    let body = json!({ "upload_id": id }).to_string();
    let all = (0..10).map(|_| client.post("/projects/web/deployments", &body));
    let mut statuses: Vec<_> = futures_util::future::join_all(all)
        .await
        .iter()
        .map(|reply| reply.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 9]].concat());
}

#[tokio::test]
async fn a_deployment_has_exactly_one_source() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let id = upload(&client, "web", &archive::of(&[("a", "1")])).await.expect(201).text("/id");
    let url = "https://github.com/user/repo.git";
    for (body, wanted) in [
        (json!({ "git_url": url, "upload_id": id }), &["upload_id mutually_exclusive"][..]),
        (json!({ "git_url": url, "image": "nginx" }), &["image mutually_exclusive"]),
        (
            json!({ "git_url": url, "upload_id": id, "image": "nginx" }),
            &["upload_id mutually_exclusive", "image mutually_exclusive"],
        ),
        (
            json!({ "upload_id": id, "branch": "main", "commit_sha": "0123456" }),
            &["branch mutually_exclusive", "commit_sha mutually_exclusive"],
        ),
        (
            json!({ "image": "nginx", "branch": "main", "root_dir": "sub" }),
            &["branch mutually_exclusive", "root_dir mutually_exclusive"],
        ),
        (json!({ "upload_id": 5 }), &["upload_id type"]),
        (json!({ "image": {} }), &["image type"]),
        (json!({ "image": "NGINX" }), &["image format"]),
        (json!({ "image": "a".repeat(513) }), &["image too_long"]),
        (json!({ "image": "http://ghcr.io/a/b" }), &["image format"]),
        (json!({ "image": "$(id)" }), &["image format"]),
        (json!({ "image": "--help" }), &["image format"]),
        (json!({ "image": "127.0.0.1:5000/app" }), &["image url_not_allowed"]),
        (json!({ "image": "localhost/app" }), &["image url_not_allowed"]),
        (json!({ "image": "registry.internal/app" }), &["image url_not_allowed"]),
        (json!({ "image": "169.254.169.254/app" }), &["image url_not_allowed"]),
        (json!({ "image": "ghcr.io:22/app" }), &["image url_not_allowed"]),
    ] {
        let refused = client.post("/projects/web/deployments", &body).await;
        assert_eq!(refused.invalid(), wanted, "{body}");
    }
    let missing = client.post("/projects/web/deployments", json!({})).await;
    assert_eq!(missing.error("missing_fields").2, json!(["git_url"]));
    // Over the project's own source.
    let source = json!({ "source": { "git_url": url, "branch": "main" } });
    client.patch("/projects/web", source).await.expect(200);
    for (body, image, upload) in [
        (json!({ "image": "nginx:1.27" }), json!("nginx:1.27"), Value::Null),
        (json!({ "upload_id": id, "root_dir": "sub" }), Value::Null, json!(id)),
    ] {
        let made = client.post("/projects/web/deployments", &body).await.expect(201).text("/id");
        let shown = client.get(&format!("/deployments/{made}")).await.json();
        assert_eq!((&shown["image"], &shown["upload_id"]), (&image, &upload));
        assert_eq!((&shown["git"]["url"], &shown["git"]["branch"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_the_start() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let id = upload(&client, "web", &archive::of(&[("a", "1")])).await.expect(201).text("/id");
    let directory = app.data().join("uploads");
    for name in ["upl_0000000000000000.tar.gz", "unpacked-0123", "x"] {
        std::fs::write(directory.join(name), "cut off").unwrap();
    }
    // While the server runs, what is young may be under way.
    app.app.forget_old_uploads().await;
    assert_eq!(files(&app).len(), 4);
    app.app.clean_uploads().await;
    assert_eq!(files(&app), [format!("{id}.tar.gz")]);
}
