//! Promote, roll back, redeploy, pause, resume, restart, delete: the contract's answers. What really
//! happens to the traffic is in `whole/`.

use axum::body::Body;
use http::Request;
use orbitra::model::transition::State;
use serde_json::json;

use crate::support::app::{Client, Reply, TestApp};

async fn act(client: &Client, path: &str) -> Reply {
    client.call("POST", path).await
}

fn conflict(reply: &Reply) -> String {
    let (status, code, reason) = reply.error("reason");
    assert_eq!((status, code.as_str()), (409, "conflict"), "{}", reply.body());
    reason.as_str().unwrap().to_owned()
}

/// A project with a superseded deployment, a live one, a staged one and one that is being built.
async fn project(app: &TestApp, client: &Client) -> [String; 4] {
    client.project("web").await;
    let old = client.deployment("web").await;
    app.make_live(&old).await;
    let live = client.deployment("web").await;
    app.make_live(&live).await;
    let staged = client.deployment("web").await;
    app.advance(&staged, State::Ready).await;
    let building = client.deployment("web").await;
    [old, live, staged, building]
}

#[tokio::test]
async fn promotion_is_accepted_and_shown() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let [old, live, staged, building] = project(&app, &client).await;
    let accepted = act(&client, &format!("/deployments/{staged}/promote")).await.expect(202);
    assert_eq!(accepted.header("location"), format!("/api/v1/deployments/{staged}"));
    assert_eq!(accepted.at("/status"), "staged");
    assert_eq!(accepted.at("/phase"), "starting");
    let shown = client.get(&format!("/deployments/{staged}")).await;
    assert_eq!(shown.at("/phase"), "starting");
    assert_eq!(shown.at("/can/promote"), false);
    let same = act(&client, &format!("/deployments/{live}/promote")).await.expect(200);
    assert_eq!(same.at("/status"), "live");
    let refused = act(&client, &format!("/deployments/{building}/promote")).await;
    assert_eq!(conflict(&refused), "deployment_not_promotable");
    assert_eq!(refused.at("/error/details/status"), "building");
    act(&client, "/deployments/dep_unknown0/promote").await.expect(404);

    // What can be done is said before it is tried.
    for (id, can) in [
        (&old, json!({ "cancel": false, "redeploy": true, "promote": true, "rollback": true })),
        (&live, json!({ "cancel": false, "redeploy": true, "promote": false, "rollback": false })),
        (
            &building,
            json!({ "cancel": true, "redeploy": false, "promote": false, "rollback": false }),
        ),
    ] {
        assert_eq!(client.get(&format!("/deployments/{id}")).await.at("/can"), can, "{id}");
    }
}

#[tokio::test]
async fn a_rollback_goes_to_what_served_before() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("empty").await;
    assert_eq!(conflict(&act(&client, "/projects/empty/rollback").await), "no_rollback_target");
    let [old, live, staged, _] = project(&app, &client).await;
    let accepted = act(&client, "/projects/web/rollback").await.expect(202);
    assert_eq!(accepted.at("/id"), old.as_str());
    assert_eq!(accepted.at("/status"), "superseded");
    for id in [&live, &staged] {
        let refused = client.post("/projects/web/rollback", json!({ "deployment_id": id })).await;
        assert_eq!(conflict(&refused), "deployment_not_promotable");
    }
    let other = client.post("/projects/empty/rollback", json!({ "deployment_id": old })).await;
    assert_eq!(other.error("resource").0, 404);
    let named = json!({ "deployment_id": old, "auto_deploy": false });
    client.post("/projects/web/rollback", named).await.expect(202);
    assert_eq!(client.get("/projects/web").await.at("/auto_deploy"), false);
    let bad = client.post("/projects/web/rollback", json!({ "deployment_id": 1, "x": 2 })).await;
    assert_eq!(bad.invalid(), ["deployment_id type"]);
    assert_eq!(bad.at("/error/details/unknown_fields/0/field"), "x");

    let body = Request::post("/projects/web/rollback").header("idempotency-key", "r-1");
    let first = client.ask(body.body(Body::empty()).unwrap()).await.expect(202);
    let body = Request::post("/projects/web/rollback").header("idempotency-key", "r-1");
    let again = client.ask(body.body(Body::empty()).unwrap()).await.expect(202);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.body(), first.body());
}

#[tokio::test]
async fn a_paused_project_takes_nothing_new() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let [old, live, ..] = project(&app, &client).await;
    act(&client, "/projects/web/resume").await.expect(200);
    let paused = act(&client, "/projects/web/pause").await.expect(200);
    assert_eq!(paused.at("/status"), "paused");
    assert_eq!(act(&client, "/projects/web/pause").await.expect(200).at("/status"), "paused");
    assert_eq!(client.get("/projects?status=paused").await.at("/pagination/total"), 1);
    let body = json!({ "git_url": "https://github.com/user/repo.git" });
    let path = "/projects/web/deployments";
    assert_eq!(conflict(&client.post(path, body).await), "project_paused");
    for path in [
        format!("/deployments/{live}/redeploy"),
        format!("/deployments/{old}/promote"),
        "/projects/web/rollback".to_owned(),
    ] {
        assert_eq!(conflict(&act(&client, &path).await), "project_paused", "{path}");
    }
    act(&client, "/projects/web/restart").await.expect(200);
    assert_eq!(act(&client, "/projects/web/resume").await.expect(200).at("/status"), "active");
    let events = client.get("/events?event=project.paused,project.resumed").await;
    assert_eq!(events.at("/pagination/total"), 2, "what changes nothing is no event");
    act(&client, "/projects/nothing/pause").await.expect(404);
    let refused = client.post("/projects/web/pause", json!({ "for": "ever" })).await;
    assert_eq!(refused.at("/error/details/unknown_fields/0/field"), "for");
}

#[tokio::test]
async fn the_same_commit_is_deployed_again() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let [_, live, ..] = project(&app, &client).await;
    let path = format!("/deployments/{live}/redeploy");
    let made = client.post(&path, json!({ "environment": { "A": "1" } })).await.expect(201);
    let keys: Vec<_> = made.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["created_at", "id", "project_id", "status", "url"]);
    let shown = client.get(made.header("location")).await.expect(200);
    assert_eq!(shown.at("/trigger"), "redeploy");
    assert_eq!(shown.at("/source_deployment_id"), live.as_str());
    assert_eq!(shown.at("/environment_keys"), json!(["A"]));
    let bad = client.post(&path, json!({ "environment": { "ORBITRA_X": "1", "B": 2 } })).await;
    assert_eq!(bad.invalid(), ["environment.B type", "environment.ORBITRA_X reserved"]);
}

#[tokio::test]
async fn deployments_can_be_deleted() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let [old, live, staged, building] = project(&app, &client).await;
    let refused = client.delete(&format!("/deployments/{live}")).await;
    assert_eq!(conflict(&refused), "deployment_is_live");
    let refused = client.delete(&format!("/deployments/{building}")).await;
    assert_eq!(conflict(&refused), "deployment_not_cancelable");
    act(&client, "/projects/web/rollback").await.expect(202);
    let wanted = client.delete(&format!("/deployments/{old}")).await;
    assert_eq!(conflict(&wanted), "deployment_is_live");
    client.delete(&format!("/deployments/{staged}")).await.expect(204);
    client.get(&format!("/deployments/{staged}")).await.expect(404);
    client.delete(&format!("/deployments/{staged}")).await.expect(404);
    assert_eq!(client.get("/projects/web/deployments").await.at("/pagination/total"), 3);
    let event = client.get("/events?event=deployment.deleted").await;
    let data = event.at("/data/0/data");
    let keys: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["deployment_id", "project_id"]);
}
