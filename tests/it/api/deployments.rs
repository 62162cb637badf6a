//! `/deployments`.

use std::time::Duration;

use futures_util::poll;
use orbitra::db;
use orbitra::model::failure::{Failure, FailureCode};
use orbitra::model::ids::DeploymentId;
use orbitra::model::transition::State;
use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test]
async fn the_given_shapes() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("my-app").await;
    let body = json!({
        "git_url": "https://github.com/user/repo.git", "branch": "main",
        "environment": { "NODE_ENV": "production", "API_KEY": "secret_key" },
    });
    let path = format!("/api/v1/projects/{project}/deployments");
    let made = client.post(&path, body).await.expect(201);
    let id = made.text("/id");
    let given = format!(
        r#"{{"id":"{id}","project_id":"{project}","status":"building","url":"https://my-app-dep{}.example.com","created_at":"2026-01-20T16:30:00Z""#,
        &id[4..12]
    );
    assert_eq!(made.body(), format!("{given}}}"));
    assert_eq!(made.header("location"), format!("/api/v1/deployments/{id}"));
    let pagination = r#""pagination":{"page":1,"limit":20,"total":1}"#;
    for path in ["/deployments", "/projects/my-app/deployments"] {
        let list = client.get(path).await.expect(200);
        assert_eq!(list.body(), format!(r#"{{"data":[{given}}}],{pagination}}}"#));
    }
    let me = client.get("/users/me?include=key").await;
    let full = format!(
        r#"{given},"branch_url":null,"phase":"queued","queue_position":1,"target":"production","trigger":"api","git":{{"url":"https://github.com/user/repo.git","branch":"main","commit_sha":null,"commit_message":null,"commit_author":null}},"image":null,"upload_id":null,"source_deployment_id":null,"message":null,"promote":true,"environment_keys":["API_KEY","NODE_ENV"],"framework":null,"started_at":null,"built_at":null,"live_at":null,"finished_at":null,"duration_ms":null,"error":null,"can":{{"cancel":true,"redeploy":false,"promote":false,"rollback":false}},"created_by":{{"type":"api_key","id":"{}","name":"test","user_id":"{}"}}}}"#,
        me.text("/key/id"),
        me.text("/id")
    );
    assert_eq!(client.get(&format!("/deployments/{id}")).await.expect(200).body(), full);
    let all = client.get("/deployments?include=*").await.expect(200);
    assert_eq!(all.body(), format!(r#"{{"data":[{full}],{pagination}}}"#));
    for reply in [all, client.get(&format!("/projects/{project}")).await] {
        assert!(!reply.body().contains("secret_key"));
    }
    // A project that knows where its code is needs no address. Accepting a deployment does not make it know: it may fail.
    assert_eq!(client.post(&path, "{}").await.error("missing_fields").2, json!(["git_url"]));
    let source =
        json!({ "source": { "git_url": "https://github.com/user/repo.git", "branch": "main" } });
    client.patch(&format!("/projects/{project}"), source).await.expect(200);
    let again = client.post(&path, "{}").await.expect(201).text("/id");
    let again = client.get(&format!("/deployments/{again}")).await;
    assert_eq!(again.at("/git/branch"), "main");
    assert_eq!(again.at("/queue_position"), 2);
}

#[tokio::test]
async fn requests_are_checked() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let path = format!("/projects/{}/deployments", client.project("my-app").await);
    let missing = client.post(&path, "{}").await;
    assert_eq!(missing.error("missing_fields").2, json!(["git_url"]));
    let missing = client.post(&path, json!({ "git_url": null })).await;
    assert_eq!(missing.error("missing_fields").2, json!(["git_url"]));
    for url in [
        "--upload-pack=touch PWNED",
        "-u touch",
        "-oProxyCommand=touch PWNED",
        "--config=core.sshCommand=id",
        "ssh://-oProxyCommand=touch%20PWNED/x",
        "git@-oProxyCommand=id:x",
        "ssh://a b/x",
        "git://h/x",
        "http://h/x",
        "ftp://h/x",
        "rsync://h/x",
        "javascript:x",
        "data:,x",
        "file:///etc/passwd",
        "ext::sh -c id",
        "/etc",
        "",
        "https://user:token@github.com/a/b.git",
        "https://github.com/a\nb",
        "https://github.com/a\0b",
    ] {
        let invalid = client.post(&path, json!({ "git_url": url })).await.invalid();
        assert!(invalid.len() == 1 && invalid[0].starts_with("git_url "), "{url:?} {invalid:?}");
    }
    for host in [
        "127.0.0.1",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[2002:a9fe:a9fe::]",
        "[2001:0::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "169.254.169.254",
        "100.100.100.200",
        "10.0.0.1",
        "172.17.0.1",
        "192.168.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
        "①②⑦.0.0.1",
    ] {
        let body = json!({ "git_url": format!("https://{host}/x.git") });
        assert_eq!(client.post(&path, body).await.invalid(), ["git_url url_not_allowed"], "{host}");
    }
    // The operator opened one address.
    client.post(&path, json!({ "git_url": "https://10.9.0.1/x.git" })).await.expect(201);
    for (field, value, expected) in [
        ("branch", json!("--x"), "branch unsafe"),
        ("branch", json!("a..b"), "branch format"),
        ("branch", json!(1), "branch type"),
        ("commit_sha", json!("main"), "commit_sha format"),
        ("root_dir", json!("../.."), "root_dir unsafe"),
        ("target", json!("staging"), "target unknown_value"),
        ("promote", json!("true"), "promote type"),
        ("clear_cache", json!(1), "clear_cache type"),
        ("message", json!("x".repeat(501)), "message too_long"),
        ("environment", json!([]), "environment type"),
        ("environment", json!(null), "environment type"),
        ("environment", json!({ "A": 1 }), "environment.A type"),
        ("environment", json!({ "A": null }), "environment.A type"),
        ("environment", json!({ "A;id": "x" }), "environment.A;id format"),
        ("environment", json!({ "": "x" }), "environment. format"),
        ("environment", json!({ "1A": "x" }), "environment.1A format"),
        ("environment", json!({ "ORBITRA_X": "x" }), "environment.ORBITRA_X reserved"),
        ("environment", json!({ "A": "NUL\u{0}value" }), "environment.A format"),
        ("environment", json!({ "A": "x".repeat(32 * 1024 + 1) }), "environment.A too_long"),
    ] {
        let mut body = json!({ "git_url": "https://github.com/user/repo.git" });
        body[field] = value;
        let reply = client.post(&path, body).await;
        assert_eq!(reply.invalid(), [expected]);
        assert!(!reply.body().contains("value\\u0000"));
    }
    let many: serde_json::Map<String, Value> =
        (0..501).map(|n| (format!("V{n}"), "x".into())).collect();
    let body = json!({ "git_url": "https://github.com/user/repo.git", "environment": many });
    assert_eq!(client.post(&path, body).await.invalid(), ["environment out_of_range"]);
    let unknown = json!({ "giturl": "x", "pictures": "alpine" });
    let unknown = client.post(&path, unknown).await.error("unknown_fields").2;
    assert_eq!(
        unknown,
        json!([{ "field": "giturl", "suggestion": "git_url" }, { "field": "pictures" }])
    );
}

#[tokio::test]
async fn waiting_ends_with_the_deployment() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let path = format!("/deployments/{id}?wait=60");
    for bad in ["0", "61", "x", "-1"] {
        client.get(&format!("/deployments/{id}?wait={bad}")).await.expect(400);
    }
    let waiting = client.get(&path);
    tokio::pin!(waiting);
    app.advance(&id, State::Building).await;
    assert!(poll!(&mut waiting).is_pending());
    app.app.clock.advance(Duration::from_secs(45));
    let (reply, ()) = tokio::join!(waiting, async {
        app.advance(&id, State::Ready).await;
    });
    assert_eq!(reply.expect(200).at("/status"), "staged");
    let done = client.get(&path).await.expect(200);
    assert_eq!((done.at("/phase"), done.at("/duration_ms")), ("done".into(), 45_000.into()));
    assert_eq!(done.at("/can/cancel"), false);
    // After its time the answer is what there is.
    let other = client.deployment("my-app").await;
    let reply = client.get(&format!("/deployments/{other}?wait=1")).await.expect(200);
    assert_eq!(reply.at("/status"), "building");
}

#[tokio::test]
async fn failures_are_shown() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let now = app.app.clock.now();
    let wanted = DeploymentId::parse(&id).unwrap();
    let failure =
        Failure::new(FailureCode::BuildFailed, "building", "Build command exited with code 1.")
            .with_exit_code(Some(1));
    app.app
        .db
        .write(move |c| db::transitions::fail(c, &wanted, State::Queued, &failure, now))
        .await
        .unwrap();
    let reply = client.get(&format!("/deployments/{id}")).await.expect(200);
    assert!(reply.body().contains(
        r#""error":{"code":"build_failed","phase":"building","message":"Build command exited with code 1.","exit_code":1}"#
    ));
    let refused = client.post(&format!("/deployments/{id}/cancel"), "{}").await;
    assert_eq!(
        refused.error("reason"),
        (409, "conflict".to_owned(), "deployment_not_cancelable".into())
    );
    assert_eq!(refused.at("/error/details/status"), "failed");
}

#[tokio::test]
async fn canceling() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let path = format!("/deployments/{id}/cancel");
    let unknown = client.post(&path, json!({ "force": true })).await;
    assert_eq!(unknown.error("unknown_fields").2, json!([{ "field": "force" }]));
    let canceled = client.call("POST", &path).await.expect(200);
    assert_eq!(canceled.at("/status"), "canceled");
    assert_eq!(canceled.at("/cancel_reason"), "user");
    let again = client.post(&path, "{}").await.expect(200);
    assert_eq!(again.body(), canceled.body());
    assert_eq!(client.get(&format!("/deployments/{id}/logs")).await.at("/complete"), true);
}

#[tokio::test]
async fn lists_are_filtered() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let (one, two) = (client.project("one").await, client.project("two").await);
    let first = client.deployment(&one).await;
    let body =
        json!({ "git_url": "https://github.com/a/b.git", "branch": "dev", "target": "preview" });
    let second = client.post(&format!("/projects/{two}/deployments"), body).await.text("/id");
    app.advance(&first, State::Ready).await;
    let key = client.get("/api-keys/current").await.text("/id");
    let ids = async |query: &str| -> Vec<String> {
        let data = client.get(&format!("/deployments?{query}")).await.expect(200).at("/data");
        data.as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, [&*second, &*first]);
    assert_eq!(ids("sort=created_at").await, [&*first, &*second]);
    assert_eq!(ids("sort=-duration_ms&limit=1").await, [&*first]);
    assert_eq!(ids("status=staged,live").await, [&*first]);
    assert_eq!(ids("branch=dev").await, [&*second]);
    assert_eq!(ids("target=preview&trigger=api").await, [&*second]);
    assert_eq!(ids(&format!("created_by={key}")).await.len(), 2);
    assert_eq!(ids("commit_sha=abc").await.len(), 0);
    assert_eq!(client.get("/projects/one/deployments").await.at("/pagination/total"), 1);
    for (query, expected) in [
        ("status=queued", "status unknown_value"),
        ("target=x", "target unknown_value"),
        ("trigger=x", "trigger unknown_value"),
        ("sort=id", "sort unknown_value"),
    ] {
        assert_eq!(client.get(&format!("/deployments?{query}")).await.invalid(), [expected]);
    }
}
