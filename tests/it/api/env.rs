//! Variables of projects.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use orbitra::db;
use orbitra::model::ids::{DeploymentId, ProjectId};
use orbitra::model::transition::State;
use serde_json::{Value, json};

use crate::support::app::{Client, Reply, TestApp};

const SECRET: &str = "s3cret-Zf83kQp1x";

async fn begin() -> (TestApp, Client, String) {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    (app, client, project)
}

/// Names with targets, as the list has them.
fn names(reply: &Reply) -> Vec<String> {
    let data = reply.at("/data");
    let name = |item: &Value| {
        format!("{} {}", item["key"].as_str().unwrap(), item["target"].as_str().unwrap())
    };
    data.as_array().unwrap().iter().map(name).collect()
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

/// Makes a deployment the live one.
async fn go_live(app: &TestApp, id: &str) {
    app.advance(id, State::Ready).await;
    let id = DeploymentId::parse(id).unwrap();
    let now = app.app.clock.now();
    let live = move |c: &db::Connection| -> Result<(), db::DbError> {
        let deployment = db::deployments::find_any(c, &id)?.unwrap();
        let project: ProjectId = deployment.project_id;
        let from = db::projects::find(c, &project)?.unwrap().live_deployment_id;
        db::projects::point_at(c, &project, from.as_ref(), &id, None, now)?;
        db::transitions::record_live(c, &id, now)
    };
    app.app.db.write(live).await.unwrap();
}

#[tokio::test]
async fn a_variable_is_made_read_changed_and_deleted() {
    let (_app, client, project) = begin().await;
    let me = client.get("/users/me").await.text("/id");
    let made =
        client.post("/projects/web/env", json!({ "key": "A", "value": SECRET })).await.expect(201);
    assert_eq!(made.header("location"), format!("/api/v1/projects/{project}/env/A"));
    assert_eq!(made.header("cache-control"), "no-store");
    let view = json!({
        "key": "A", "target": "all", "value": null, "sensitive": false, "source": "user",
        "created_at": "2026-01-20T16:30:00Z", "updated_at": "2026-01-20T16:30:00Z", "updated_by": me,
    });
    assert_eq!(made.json(), view);
    let shown = client.get(made.header("location")).await.expect(200);
    assert_eq!(shown.json(), view);
    assert_eq!(shown.header("cache-control"), "private, no-cache");
    let revealed = client.get("/projects/web/env/A?reveal=true").await.expect(200);
    assert_eq!(
        (revealed.text("/value").as_str(), revealed.header("cache-control")),
        (SECRET, "no-store")
    );

    let taken = client.post("/projects/web/env", json!({ "key": "A", "value": "x" })).await;
    assert_eq!(taken.error("reason"), (409, "conflict".to_owned(), "key_exists".into()));
    let other = json!({ "key": "A", "value": "preview", "target": "preview" });
    let preview = client.post("/projects/web/env", other).await.expect(201);
    assert_eq!(client.get(preview.header("location")).await.text("/target"), "preview");
    assert_eq!(
        client.get("/projects/web/env/A?target=production").await.error("resource").2,
        "env_variable"
    );

    client.with("PUT", "/projects/web/env/A", json!({ "value": "new" })).await.expect(200);
    assert_eq!(client.get("/projects/web/env/A?reveal=true").await.text("/value"), "new");
    let new =
        client.with("PUT", "/projects/web/env/B?target=production", json!({ "value": "" })).await;
    assert_eq!(
        new.expect(201).header("location"),
        format!("/api/v1/projects/{project}/env/B?target=production")
    );
    client.delete("/projects/web/env/A").await.expect(204);
    for (method, path) in [
        ("DELETE", "/projects/web/env/A"),
        ("GET", "/projects/web/env/A"),
        ("GET", "/projects/web/env/A%3B"),
    ] {
        assert_eq!(client.call(method, path).await.error("resource").2, "env_variable");
    }
}

#[tokio::test]
async fn the_list_has_pages_and_filters() {
    let (_app, client, _) = begin().await;
    for (key, target) in
        [("B_URL", "all"), ("A_URL", "production"), ("C", "preview"), ("A_URL", "all")]
    {
        let body = json!({ "key": key, "value": format!("of {key} {target}"), "target": target });
        client.post("/projects/web/env", body).await.expect(201);
    }
    let list = client.get("/projects/web/env").await.expect(200);
    assert_eq!(names(&list), ["A_URL all", "C preview", "A_URL production", "B_URL all"]);
    assert_eq!(list.at("/pagination"), json!({ "page": 1, "limit": 20, "total": 4 }));
    assert!(!list.body().contains("of "));
    let page =
        client.get("/projects/web/env?sort=key&limit=2&page=2&reveal=true").await.expect(200);
    assert_eq!(names(&page), ["B_URL all", "C preview"]);
    assert_eq!(
        (page.text("/data/1/value").as_str(), page.header("cache-control")),
        ("of C preview", "no-store")
    );
    assert!(page.header("link").contains("rel=\"prev\""));
    assert_eq!(
        names(&client.get("/projects/web/env?target=all,preview&q=url").await),
        ["A_URL all", "B_URL all"]
    );
    assert_eq!(names(&client.get("/projects/web/env?sort=updated_at").await)[0], "B_URL all");
    let bad = client.get("/projects/web/env?target=x&sort=value&reveal=yes&nope=1").await;
    assert_eq!(
        bad.invalid(),
        ["reveal unknown_value", "target unknown_value", "sort unknown_value"]
    );
    assert_eq!(bad.at("/error/details/unknown_params"), json!(["nope"]));
}

#[tokio::test]
async fn a_set_is_merged_or_replaced_as_a_whole() {
    let (_app, client, _) = begin().await;
    let put = async |query: &str, body: Value| {
        client.with("PUT", &format!("/projects/web/env{query}"), body).await
    };
    let first = json!({ "variables": { "A": "1", "B": "2", "GONE": null } });
    assert_eq!(
        put("", first.clone()).await.expect(200).json(),
        json!({ "created": 2, "updated": 0, "deleted": 0 })
    );
    let events = client.get("/events?event=env.updated").await.at("/pagination/total");
    assert_eq!(
        put("", first).await.expect(200).json(),
        json!({ "created": 0, "updated": 0, "deleted": 0 })
    );
    assert_eq!(
        client.get("/events?event=env.updated").await.at("/pagination/total"),
        events,
        "nothing happened"
    );
    let merged =
        put("", json!({ "variables": { "A": "3", "B": null, "C": "4" }, "target": "all" })).await;
    assert_eq!(merged.expect(200).json(), json!({ "created": 1, "updated": 1, "deleted": 1 }));
    put("", json!({ "variables": { "P": "5" }, "target": "production" })).await.expect(200);
    let replaced = put("?replace=true", json!({ "variables": { "C": "4", "D": "6" } })).await;
    assert_eq!(replaced.expect(200).json(), json!({ "created": 1, "updated": 0, "deleted": 1 }));
    assert_eq!(
        names(&client.get("/projects/web/env?sort=key").await),
        ["C all", "D all", "P production"]
    );

    let bad = json!({ "variables": { "A-B": SECRET, "ORBITRA_X": SECRET, "N": 7, "Z": format!("{SECRET}\0"), "OK": "1" }, "target": "x", "more": 1 });
    let refused = put("", bad).await;
    assert_eq!(
        refused.invalid(),
        [
            "variables.N type",
            "target unknown_value",
            "variables.A-B format",
            "variables.ORBITRA_X reserved",
            "variables.Z format"
        ]
    );
    assert!(!refused.body().contains(SECRET));
    assert_eq!(names(&client.get("/projects/web/env").await).len(), 3, "none of it happened");
    assert_eq!(
        put("", json!({ "variables": null })).await.at("/error/details/missing_fields"),
        json!(["variables"])
    );
    let missing = client.post("/projects/web/env", json!({ "value": 5, "sensitiv": true })).await;
    assert_eq!(missing.at("/error/details/missing_fields"), json!(["key"]));
    assert_eq!(missing.invalid(), ["value type"]);
    assert_eq!(missing.at("/error/details/unknown_fields/0/suggestion"), "sensitive");
    let bad = client
        .with("PUT", "/projects/web/env/1A", json!({ "value": "x".repeat(32 * 1024 + 1) }))
        .await;
    assert_eq!(bad.invalid(), ["key format", "value too_long"]);
}

#[tokio::test]
async fn a_project_has_room_for_so_many() {
    let (_app, client, _) = begin().await;
    let many = |count: usize, value: &str| {
        let all = (0..count).map(|number| (format!("V{number}"), Value::from(value)));
        json!({ "variables": Value::Object(all.collect()), "target": "preview" })
    };
    client.with("PUT", "/projects/web/env", many(500, "x")).await.expect(200);
    let more = client.post("/projects/web/env", json!({ "key": "MORE", "value": "x" })).await;
    assert_eq!(more.invalid(), ["variables out_of_range"]);
    // What is there can be changed and made less.
    client
        .with("PUT", "/projects/web/env/V1?target=preview", json!({ "value": "y" }))
        .await
        .expect(200);
    client
        .with("PUT", "/projects/web/env?replace=true", many(7, &"x".repeat(32 * 1024)))
        .await
        .expect(200);
    let large = client
        .post("/projects/web/env", json!({ "key": "MORE", "value": "x".repeat(32 * 1024) }))
        .await;
    assert_eq!(large.invalid(), ["variables too_long"]);
}

#[tokio::test]
async fn a_sensitive_value_is_never_shown_again() {
    let (app, client, _) = begin().await;
    let body = json!({ "key": "TOKEN", "value": SECRET, "sensitive": true });
    client.post("/projects/web/env", body).await.expect(201);
    client
        .post("/projects/web/env", json!({ "key": "PLAIN", "value": "shown-value" }))
        .await
        .expect(201);
    let one = client.get("/projects/web/env/TOKEN?reveal=true").await.expect(200);
    assert_eq!((one.at("/value"), one.at("/sensitive")), (Value::Null, true.into()));
    let off = client
        .with("PUT", "/projects/web/env/TOKEN", json!({ "value": "x", "sensitive": false }))
        .await;
    assert_eq!(off.invalid(), ["sensitive immutable"]);
    client
        .with("PUT", "/projects/web/env/TOKEN", json!({ "value": "other-s3cret" }))
        .await
        .expect(200);
    client
        .with("PUT", "/projects/web/env", json!({ "variables": { "TOKEN": "third-s3cret" } }))
        .await
        .expect(200);
    let list = client.get("/projects/web/env?reveal=true&sort=key").await.expect(200);
    assert_eq!(
        (list.text("/data/0/value").as_str(), list.at("/data/1/value")),
        ("shown-value", Value::Null)
    );
    assert_eq!(list.at("/data/1/sensitive"), true);
    client
        .with(
            "PUT",
            "/projects/web/env/PLAIN",
            json!({ "value": "shown-value", "sensitive": true }),
        )
        .await
        .expect(200);
    assert_eq!(client.get("/projects/web/env/PLAIN?reveal=true").await.at("/value"), Value::Null);
    // Reveals are written down by name; what was not shown is not.
    let log = client.get("/audit-log?action=env.revealed").await.expect(200);
    assert_eq!(log.at("/pagination/total"), 1);
    assert_eq!(log.at("/data/0/changes"), json!({ "keys": { "from": null, "to": ["all.PLAIN"] } }));
    let everything =
        [client.get("/audit-log?limit=100").await, client.get("/events?limit=100").await];
    for text in everything.iter().map(Reply::body) {
        assert!(!text.contains("s3cret") && !text.contains("shown-value"), "{text}");
    }
    assert!(!app.stores("s3cret") && !app.stores("shown-value"));
    assert!(app.stores("PLAIN"), "the files are the right ones");
    let event = client.get("/events?event=env.updated").await;
    assert_eq!(event.at("/data/0/data/keys"), json!(["PLAIN"]));
    assert_eq!(event.at("/data/0/data/target"), "all");
    let updated = client.get("/audit-log?action=env.updated").await;
    assert_eq!(
        updated.at("/data/0/changes"),
        json!({ "all.PLAIN": { "from": "***", "to": "***" } })
    );
}

#[tokio::test]
async fn others_see_nothing_and_keys_need_their_scopes() {
    let (app, client, _) = begin().await;
    client.post("/projects/web/env", json!({ "key": "A", "value": SECRET })).await.expect(201);
    let stranger = app.client("other@example.com", &["full"]).await;
    let calls = [
        ("GET", "/projects/web/env", "env:read", Value::Null),
        ("GET", "/projects/web/env?reveal=true", "env:reveal", Value::Null),
        ("GET", "/projects/web/env/A", "env:read", Value::Null),
        ("GET", "/projects/web/env/A?reveal=true", "env:reveal", Value::Null),
        ("POST", "/projects/web/env", "env:write", json!({ "key": "B", "value": "x" })),
        ("PUT", "/projects/web/env", "env:write", json!({ "variables": { "A": null } })),
        ("PUT", "/projects/web/env/A", "env:write", json!({ "value": "x" })),
        ("DELETE", "/projects/web/env/A", "env:write", Value::Null),
        ("DELETE", "/projects/web/env/A?redeploy=true", "deployments:write", Value::Null),
    ];
    for (number, (method, path, scope, body)) in calls.into_iter().enumerate() {
        assert_eq!(
            stranger.with(method, path, &body).await.error("resource").2,
            "project",
            "{method} {path}"
        );
        let others: Vec<_> =
            ["env:read", "env:reveal", "env:write", "deployments:write", "projects:write"]
                .into_iter()
                .filter(|other| *other != scope)
                .collect();
        let lacking = app.client(&format!("u{number}@example.com"), &others).await;
        let reply = lacking.with(method, path, &body).await;
        assert_eq!(
            reply.error("required_scopes"),
            (403, "forbidden".to_owned(), json!([scope])),
            "{method} {path}"
        );
    }
    assert_eq!(client.get("/projects/web/env/A?reveal=true").await.text("/value"), SECRET);
}

#[tokio::test]
async fn of_many_at_the_same_time_one_makes_it() {
    let (_app, client, _) = begin().await;
    let sent = (0..10).map(|number| {
        client.post("/projects/web/env", json!({ "key": "A", "value": number.to_string() }))
    });
    let made = futures_util::future::join_all(sent).await;
    assert_eq!(made.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(
        made.iter().all(|reply| reply.status == 201 || reply.error("reason").2 == "key_exists")
    );
    assert_eq!(client.get("/projects/web").await.expect(200).at("/pending_redeploy"), false);
}

#[tokio::test]
async fn a_change_can_be_repeated_and_can_ask_that_nothing_changed() {
    let (app, client, _) = begin().await;
    let deployment = client.deployment("web").await;
    app.advance(&deployment, State::Ready).await;
    let body = json!({ "key": "A", "value": SECRET });
    let path = "/projects/web/env?redeploy=true";
    let first =
        with(&client, "POST", path, ("idempotency-key", "k"), body.clone()).await.expect(201);
    let again = with(&client, "POST", path, ("idempotency-key", "k"), body).await.expect(201);
    assert_eq!(again.body(), first.body());
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("x-orbitra-deployment"), first.header("x-orbitra-deployment"));
    assert_ne!(first.header("x-orbitra-deployment"), "");
    assert_eq!(client.get("/deployments").await.at("/pagination/total"), 2);
    let other = json!({ "key": "A", "value": "x" });
    assert_eq!(with(&client, "POST", path, ("idempotency-key", "k"), other).await.status, 422);
    assert!(!app.stores(SECRET));

    let one = "/projects/web/env/A";
    let tag = client.get(one).await.header("etag").to_owned();
    with(&client, "PUT", one, ("if-match", &tag), json!({ "value": "1" })).await.expect(200);
    with(&client, "PUT", one, ("if-match", &tag), json!({ "value": "2" })).await.expect(412);
    with(&client, "DELETE", one, ("if-match", &tag), Value::Null).await.expect(412);
    let tag = client.get(one).await.header("etag").to_owned();
    client.delete(one).await.expect(204);
    with(&client, "PUT", one, ("if-match", "*"), json!({ "value": "3" })).await.expect(412);
    client.with("PUT", one, json!({ "value": "3" })).await.expect(201);
    // One that was made again is another one.
    with(&client, "PUT", one, ("if-match", &tag), json!({ "value": "4" })).await.expect(412);
}

#[tokio::test]
async fn a_deployment_keeps_the_set_it_was_made_with() {
    let (app, client, _) = begin().await;
    for (target, variables) in [
        ("all", json!({ "A": "all", "B": "all", "C": "all" })),
        ("production", json!({ "B": "production", "P": "production" })),
        ("preview", json!({ "B": "preview", "V": "preview" })),
    ] {
        let body = json!({ "variables": variables, "target": target });
        client.with("PUT", "/projects/web/env", body).await.expect(200);
    }
    let deploy = async |target: &str| {
        let body = json!({
            "git_url": "https://github.com/user/repo.git", "target": target, "environment": { "C": "own", "O": "own" },
        });
        client.post("/projects/web/deployments", body).await.expect(201).text("/id")
    };
    let set = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let production =
        [("A", "all"), ("B", "production"), ("C", "own"), ("O", "own"), ("P", "production")];
    let preview = [("A", "all"), ("B", "preview"), ("C", "own"), ("O", "own"), ("V", "preview")];
    let first = deploy("production").await;
    assert_eq!(app.environment(&first).await, set(&production));
    assert_eq!(app.environment(&deploy("preview").await).await, set(&preview));
    let shown = client.get(&format!("/deployments/{first}")).await;
    assert_eq!(shown.at("/environment_keys"), json!(["A", "B", "C", "O", "P"]));
    client.with("PUT", "/projects/web/env/A", json!({ "value": "later" })).await.expect(200);
    client.delete("/projects/web/env/P?target=production").await.expect(204);
    assert_eq!(app.environment(&first).await, set(&production));
    // What was only the request's own is not repeated.
    go_live(&app, &first).await;
    let again = client
        .with("PUT", "/projects/web/env/A?redeploy=true", json!({ "value": "now" }))
        .await
        .expect(200);
    let again = again.header("x-orbitra-deployment").to_owned();
    assert_eq!(
        app.environment(&again).await,
        set(&[("A", "now"), ("B", "production"), ("C", "all")])
    );
    assert_eq!(client.get(&format!("/deployments/{again}")).await.text("/trigger"), "redeploy");
}

#[tokio::test]
async fn a_project_says_that_variables_wait_for_a_deployment() {
    let (app, client, _) = begin().await;
    let pending = async || {
        let one = client.get("/projects/web").await.at("/pending_redeploy");
        let list =
            client.get("/projects?include=pending_redeploy").await.at("/data/0/pending_redeploy");
        assert_eq!(one, list);
        one.as_bool().unwrap()
    };
    let put = async |path: &str, value: &str| {
        client.with("PUT", &format!("/projects/web/env/{path}"), json!({ "value": value })).await
    };
    let none = put("A?redeploy=true", "1").await.expect(201);
    assert_eq!(none.header("x-orbitra-deployment"), "", "there is nothing to repeat");
    assert!(!pending().await, "nothing is live");
    let first = client.deployment("web").await;
    // Between acceptance and the switch: the deployment has the old set.
    put("A", "2").await.expect(200);
    go_live(&app, &first).await;
    assert!(pending().await);
    client.patch("/projects/web", json!({ "pending_redeploy": true })).await.expect(200);
    let wrong = client.patch("/projects/web", json!({ "pending_redeploy": false })).await;
    assert_eq!(wrong.invalid(), ["pending_redeploy read_only"]);
    let second = client.deployment("web").await;
    go_live(&app, &second).await;
    assert!(!pending().await);
    put("A", "2").await.expect(200);
    put("V?target=preview", "1").await.expect(201);
    assert!(!pending().await, "nothing changed for production");
    put("V?target=production", "1").await.expect(201);
    assert!(pending().await);
    for (method, path, body, status) in [
        ("DELETE", "/V?target=production&redeploy=true", Value::Null, 204),
        ("PUT", "?redeploy=true", json!({ "variables": { "A": "2" } }), 200),
    ] {
        let reply =
            client.with(method, &format!("/projects/web/env{path}"), body).await.expect(status);
        let id = reply.header("x-orbitra-deployment").to_owned();
        go_live(&app, &id).await;
        assert!(!pending().await);
    }
}
