//! `/hooks/git/{token}` and `/hooks/deploy/{token}`: what forges and scripts call.

use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::Request;
use orbitra::model::transition::State;
use serde_json::{Value, json};

use super::operations::Rows;
use crate::support::app::{Client, Reply, TestApp};
use crate::support::forge::{AFTER, Delivery, NONE, deletion, delivery, push, signed, tag};

const FORGES: [&str; 6] = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"];
const OTHER: &str = "a10867b14bb761a232cd80139fbd4c0d33264240";

/// A project with a source and a hook.
pub struct Hooked {
    pub app: TestApp,
    pub client: Client,
    project: String,
    pub provider: &'static str,
    path: String,
    secret: String,
}

impl Hooked {
    pub async fn new(provider: &'static str, hook: Value) -> Self {
        let app = TestApp::new();
        let client = app.client("ada@example.com", &["full"]).await;
        let source = json!({ "git_url": "https://github.com/user/repo.git", "branch": "main" });
        let body = json!({ "name": "web", "region": "local", "source": source });
        let project = client.post("/projects", body).await.expect(201).text("/id");
        let mut hooked =
            Self { app, client, project, provider, path: String::new(), secret: String::new() };
        (hooked.path, hooked.secret) = hooked.hook(provider, hook).await;
        hooked
    }

    async fn of(provider: &'static str) -> Self {
        Self::new(provider, json!({})).await
    }

    /// Another hook: its path and its secret.
    async fn hook(&self, provider: &str, mut hook: Value) -> (String, String) {
        hook["provider"] = provider.into();
        if hook["kind"].is_null() {
            hook["kind"] = "git".into();
        }
        let made = self.client.post("/projects/web/hooks", hook).await.expect(201);
        let url = made.text("/url");
        let path = url.strip_prefix("https://example.com").unwrap().to_owned();
        (path, made.at("/secret").as_str().unwrap_or_default().to_owned())
    }

    /// Sends without a key, as forges do.
    pub async fn send(&self, delivery: Delivery) -> Reply {
        let mut request = Request::post(&self.path);
        for (name, value) in delivery.headers {
            request = request.header(name, value);
        }
        self.app.anonymous().ask(request.body(Body::from(delivery.body)).unwrap()).await
    }

    pub fn delivery(&self, event: &str, id: &str, payload: &Value) -> Delivery {
        delivery(self.provider, &self.secret, event, id, payload)
    }

    /// A push of one file to a branch.
    pub async fn push(&self, id: &str, branch: &str, after: &str, message: &str) -> Reply {
        let payload = push(self.provider, branch, after, message, &["src/index.js"]);
        self.send(self.delivery("push", id, &payload)).await
    }

    pub async fn patch(&self, body: Value) {
        self.client.patch("/projects/web", body).await.expect(200);
    }

    pub async fn deployments(&self) -> Value {
        self.client.get("/projects/web/deployments?include=*").await.expect(200).at("/data")
    }

    async fn rows(&self) -> Rows {
        super::operations::rows(&self.app).await
    }
}

#[track_caller]
pub fn ignored(reply: &Reply, reason: &str) {
    assert_eq!(reply.status, 200, "{}", reply.body());
    assert_eq!(reply.json(), json!({ "status": "ignored", "reason": reason }));
}

#[track_caller]
pub fn accepted(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.body());
    let id = reply.text("/deployment_id");
    assert_eq!(reply.json(), json!({ "status": "accepted", "deployment_id": id }));
    assert_eq!(reply.header("location"), format!("/api/v1/deployments/{id}"));
    id
}

#[tokio::test]
async fn a_push_of_every_forge_deploys_its_commit_to_production() {
    for provider in FORGES {
        let hooked = Hooked::of(provider).await;
        let id = accepted(&hooked.push("one", "main", AFTER, "A change").await);
        let shown = hooked.client.get(&format!("/deployments/{id}")).await.expect(200);
        assert_eq!(
            [
                shown.at("/target"),
                shown.at("/trigger"),
                shown.at("/promote"),
                shown.at("/git/branch")
            ],
            [json!("production"), json!("git_push"), json!(true), json!("main")],
            "{provider}"
        );
        assert_eq!(shown.text("/created_by/type"), "hook");
        assert!(shown.text("/created_by/id").starts_with("ghk_"));
        let stored = hooked.app.app.db.read(move |c| {
            orbitra::db::deployments::find(
                c,
                &orbitra::model::ids::DeploymentId::parse(&id).unwrap(),
            )
        });
        assert_eq!(stored.await.unwrap().unwrap().wanted_commit.as_deref(), Some(AFTER));
        let event = hooked.client.get("/events?event=deployment.created").await.expect(200);
        assert_eq!(event.at("/data/0/data/status"), "building");
        let audit = hooked.client.get("/audit-log?action=deployment.created").await.expect(200);
        assert_eq!(audit.text("/data/0/actor/type"), "hook");
        let token = hooked.path.rsplit('/').next().unwrap();
        assert!(!audit.body().contains(token) && !audit.body().contains("orbh_"));
        let hook = hooked.client.get("/projects/web/hooks").await.expect(200);
        assert_eq!(hook.at("/data/0/last_received_at"), "2026-01-20T16:30:00Z");
        // Sent again it makes nothing more.
        let again = hooked.push("one", "main", AFTER, "A change").await.expect(200);
        assert_eq!(again.at("/status"), "duplicate");
        assert_eq!(again.at("/deployment_id"), shown.at("/id"));
        ignored(&hooked.send(hooked.delivery("push", "two", &tag(provider))).await, "tag");
        let deleted = hooked.delivery("push", "three", &deletion(provider, "feature"));
        ignored(&hooked.send(deleted).await, "branch_deleted");
        ignored(&hooked.push("four", "feature", OTHER, "x").await, "branch_not_tracked");
        ignored(&hooked.push("five", "main", OTHER, "Docs\n\n[Skip CI]").await, "skip_ci");
        let other = hooked.delivery("issues", "six", &json!({ "action": "opened" }));
        ignored(&hooked.send(other).await, "event_not_supported");
        assert_eq!(hooked.deployments().await.as_array().unwrap().len(), 1, "{provider}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_and_seen() {
    for provider in ["github", "bitbucket", "generic"] {
        let hooked = Hooked::of(provider).await;
        let payload = json!({ "zen": "Keep it logically awesome.", "hook_id": 1 });
        let reply = hooked.send(hooked.delivery("ping", "one", &payload)).await.expect(200);
        assert_eq!(reply.json(), json!({ "status": "pong" }));
        let hooks = hooked.client.get("/projects/web/hooks").await;
        assert_eq!(hooks.at("/data/0/last_received_at"), "2026-01-20T16:30:00Z");
    }
    let hooked = Hooked::of("generic").await;
    let bare = hooked.delivery("ping", "one", &json!({ "zen": "x" })).with("x-github-event", None);
    assert_eq!(hooked.send(bare).await.expect(200).at("/status"), "pong");
}

#[tokio::test]
async fn what_is_not_signed_is_refused_before_anything_is_read_or_written() {
    for provider in FORGES {
        let hooked = Hooked::of(provider).await;
        let before = hooked.rows().await;
        let payload = push(provider, "main", AFTER, "x", &["a"]);
        let good = hooked.delivery("push", "one", &payload);
        let header = match provider {
            "gitlab" => "x-gitlab-token",
            "bitbucket" => "x-hub-signature",
            _ => "x-hub-signature-256",
        };
        let value = good.headers.iter().find(|(name, _)| *name == header).unwrap().1.clone();
        let mut altered = good.clone();
        altered.body.push(b' ');
        let elsewhere = delivery(provider, "another secret", "push", "one", &payload);
        let mut bad = vec![
            elsewhere,
            delivery(provider, "", "push", "one", &payload),
            good.clone().with(header, Some("")),
            good.clone().with(header, Some(&value[..value.len() - 2])),
            good.clone().with(header, Some(&format!("{value}0"))),
            good.clone().with(header, Some("sha256=")),
        ];
        if provider != "gitlab" {
            bad.push(altered);
            let sha1 = "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8";
            bad.push(good.clone().with(header, Some(sha1)).with("x-gitea-signature", None));
        }
        // Signed with nothing, but readable by nobody.
        bad.push(signed(provider, "x", "push", "one", b"[".repeat(10_000)));
        for delivery in bad {
            let reply = hooked.send(delivery.clone()).await;
            let (status, code, reason) = reply.error("reason");
            assert_eq!((status, code.as_str()), (401, "unauthorized"), "{provider} {delivery:?}");
            assert!(
                ["missing_credentials", "invalid_signature"].contains(&reason.as_str().unwrap())
            );
            assert!(!reply.header("www-authenticate").is_empty());
        }
        let none = good.clone().with(header, None).with("x-gitea-signature", None);
        assert_eq!(hooked.send(none).await.error("reason").2, "missing_credentials");
        let twice = {
            let mut twice = good.clone();
            twice.headers.push((header, value.clone()));
            twice.with("x-gitea-signature", None)
        };
        let twice = Delivery {
            headers: twice.headers.into_iter().chain([(header, "x".to_owned())]).collect(),
            ..twice
        };
        assert_eq!(hooked.send(twice).await.status, 401);
        assert_eq!(hooked.rows().await, before, "{provider}");
        accepted(&hooked.send(good).await);
    }
}

#[tokio::test]
async fn what_is_signed_and_no_payload_is_refused() {
    let hooked = Hooked::of("github").await;
    let before = hooked.rows().await;
    let send = async |body: &[u8]| {
        hooked.send(signed("github", &hooked.secret, "push", "one", body.to_vec())).await
    };
    for body in [&b"{"[..], b"", b"[]", b"\xff\xfe", b"{\"a\":1,\"a\":2}", &b"[".repeat(10_000)] {
        let (status, code, _) = send(body).await.error("parse_error");
        assert_eq!((status, code.as_str()), (400, "invalid_request"));
    }
    assert_eq!(send(b"{}").await.error("missing_fields").2, json!(["ref"]));
    for (field, bad) in [
        ("ref", json!(1)),
        ("after", json!([])),
        ("deleted", json!("yes")),
        ("commits", json!({})),
        ("head_commit", json!("x")),
        ("repository", json!(1)),
    ] {
        let mut payload = push("github", "main", AFTER, "x", &["a"]);
        payload[field] = bad;
        let refused = send(payload.to_string().as_bytes()).await;
        assert_eq!(refused.invalid(), [format!("{field} type")]);
    }
    let mut payload = push("github", "main", AFTER, "x", &["a"]);
    payload["commits"][0]["added"] = json!([1]);
    assert_eq!(send(payload.to_string().as_bytes()).await.invalid(), ["commits type"]);
    let strange = push("github", "main", "not a commit", "x", &["a"]);
    assert_eq!(send(strange.to_string().as_bytes()).await.invalid(), ["commit_sha format"]);
    let text = signed("github", &hooked.secret, "push", "one", b"{}".to_vec());
    let text = hooked.send(text.with("content-type", Some("text/plain"))).await;
    assert_eq!(text.error("supported").0, 415);
    // Too large, announced and not.
    let large = vec![b' '; 5 * 1024 * 1024 + 1];
    let (status, _, limit) = send(&large).await.error("limit_bytes");
    assert_eq!((status, limit), (413, json!(5_242_880)));
    let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(large)]);
    let request = Request::post(&hooked.path).body(Body::from_stream(chunks)).unwrap();
    assert_eq!(hooked.app.anonymous().ask(request).await.status, 413);
    assert_eq!(hooked.rows().await, before);
    let unknown = hooked.send(hooked.delivery("push", "one", &json!({}))).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn an_address_is_known_by_its_whole_token_and_kind() {
    let hooked = Hooked::of("github").await;
    let payload = push("github", "main", AFTER, "x", &["a"]);
    let request = |path: &str| {
        let delivery = hooked.delivery("push", "one", &payload);
        let request = delivery
            .headers
            .iter()
            .fold(Request::post(path), |request, (name, value)| request.header(*name, value));
        request.body(Body::from(delivery.body)).unwrap()
    };
    let token = hooked.path.rsplit('/').next().unwrap();
    for path in [
        format!("/api/v1/hooks/deploy/{token}"),
        format!("/api/v1/hooks/git/{}", &token[..40]),
        format!("/api/v1/hooks/git/{token}0"),
        "/api/v1/hooks/git/orbh_0123456789ABCDEFGHIJabcdefghij000000".to_owned(),
        "/api/v1/hooks/git/x".to_owned(),
        format!("/api/v1/hooks/git/{}", hooked.client.key()),
    ] {
        let reply = hooked.app.anonymous().ask(request(&path)).await;
        assert_eq!(reply.error("resource"), (404, "not_found".to_owned(), json!("hook")), "{path}");
        assert!(!reply.body().contains(&token[..20]));
        assert!(reply.header("ratelimit-policy").starts_with("\"anonymous\""));
    }
    let get = hooked.app.anonymous().get(&hooked.path).await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "OPTIONS, POST"));
    let query = hooked.app.anonymous().ask(request(&format!("{}?x=1", hooked.path))).await;
    assert_eq!(query.error("unknown_params").2, json!(["x"]));
    // The short ways to write the address lead to the same.
    let short = hooked.path.strip_prefix("/api/v1").unwrap();
    accepted(&hooked.app.anonymous().ask(request(short)).await);
}

#[tokio::test]
async fn twenty_duplicates_make_one_deployment() {
    let hooked = Hooked::of("github").await;
    let all = (0..20).map(|_| hooked.push("same", "main", AFTER, "x"));
    let replies = join_all(all).await;
    let made: Vec<_> = replies.iter().filter(|reply| reply.status == 202).collect();
    assert_eq!(made.len(), 1);
    let id = made[0].text("/deployment_id");
    for reply in replies.iter().filter(|reply| reply.status != 202) {
        assert_eq!(reply.status, 200, "{}", reply.body());
        assert_eq!(reply.json(), json!({ "status": "duplicate", "deployment_id": id }));
    }
    assert_eq!(hooked.deployments().await.as_array().unwrap().len(), 1);
    hooked.app.app.clock.advance(Duration::from_secs(3600));
    let later = hooked.push("same", "main", AFTER, "x").await.expect(200);
    assert_eq!(later.at("/status"), "duplicate");
    // Another hook has deliveries of its own.
    let (path, secret) = hooked.hook("github", json!({})).await;
    let payload = push("github", "main", AFTER, "x", &["a"]);
    let other = Hooked { path, secret, ..hooked };
    accepted(&other.send(other.delivery("push", "same", &payload)).await);
    // After a day it is forgotten.
    other.app.app.clock.advance(Duration::from_secs(24 * 3600));
    accepted(&other.send(other.delivery("push", "same", &payload)).await);
}

#[tokio::test]
async fn branches_are_production_previews_or_nothing() {
    let hooked = Hooked::new("github", json!({ "previews": true })).await;
    let preview = accepted(&hooked.push("one", "feature/login", AFTER, "x").await);
    let shown = hooked.client.get(&format!("/deployments/{preview}")).await;
    assert_eq!(
        [shown.at("/target"), shown.at("/promote"), shown.at("/git/branch")],
        [json!("preview"), json!(false), json!("feature/login")]
    );
    hooked.patch(json!({ "auto_deploy": false })).await;
    ignored(&hooked.push("two", "main", OTHER, "x").await, "auto_deploy_off");
    accepted(&hooked.push("three", "other", OTHER, "x").await);
    hooked.patch(json!({ "auto_deploy": true })).await;
    // A hook of another branch: that one is its production.
    let (path, secret) = hooked.hook("github", json!({ "branch": "release" })).await;
    let release = Hooked { path, secret, ..hooked };
    ignored(&release.push("one", "main", OTHER, "x").await, "branch_not_tracked");
    let id = accepted(&release.push("two", "release", OTHER, "x").await);
    let shown = release.client.get(&format!("/deployments/{id}")).await;
    assert_eq!(shown.text("/target"), "production");
    // The project's own setting makes previews as well.
    release.patch(json!({ "preview_deployments": true })).await;
    let id = accepted(&release.push("three", "main", OTHER, "x").await);
    let shown = release.client.get(&format!("/deployments/{id}")).await;
    assert_eq!(shown.text("/target"), "preview");
    // Without a branch of its own the project follows the repository's default.
    release.patch(json!({ "source": { "branch": null } })).await;
    let (path, secret) = release.hook("github", json!({})).await;
    let default = Hooked { path, secret, ..release };
    let mut payload = push("github", "trunk", AFTER, "x", &["a"]);
    payload["repository"]["default_branch"] = "trunk".into();
    let id = accepted(&default.send(default.delivery("push", "four", &payload)).await);
    let shown = default.client.get(&format!("/deployments/{id}")).await;
    assert_eq!(shown.text("/target"), "production");
}

#[tokio::test]
async fn a_push_that_changes_nothing_that_is_watched_deploys_nothing() {
    for provider in ["github", "gitlab", "gitea"] {
        let hooked = Hooked::of(provider).await;
        hooked.patch(json!({ "source": { "watch_paths": ["apps/web/**", "!**/*.md"] } })).await;
        let send = async |id: &str, payload: &Value| {
            hooked.send(hooked.delivery("push", id, payload)).await
        };
        let of = |files: &[&str]| push(provider, "main", AFTER, "x", files);
        ignored(&send("1", &of(&["apps/api/a.js", "README.md"])).await, "no_watched_path");
        ignored(&send("2", &of(&["apps/web/README.md"])).await, "no_watched_path");
        accepted(&send("3", &of(&["apps/api/a.js", "apps/web/a.js"])).await);
        let mut added = of(&[]);
        added["commits"][0]["added"] = json!(["apps/web/new.js"]);
        accepted(&send("4", &added).await);
        let mut removed = of(&[]);
        removed["commits"][0]["removed"] = json!(["apps/web/old.js"]);
        accepted(&send("5", &removed).await);
        // What may be left out is deployed.
        let mut fresh = of(&["apps/api/a.js"]);
        fresh["before"] = NONE.into();
        accepted(&send("6", &fresh).await);
        let mut cut = of(&["apps/api/a.js"]);
        match provider {
            "github" => cut["forced"] = true.into(),
            "gitlab" => cut["total_commits_count"] = 21.into(),
            _ => cut["total_commits"] = 21.into(),
        }
        accepted(&send("7", &cut).await);
        let mut silent = of(&["apps/api/a.js"]);
        silent["commits"][0]["modified"] = Value::Null;
        accepted(&send("8", &silent).await);
        let mut none = of(&[]);
        none["commits"] = json!([]);
        if provider != "github" {
            none["total_commits_count"] = 0.into();
            none["total_commits"] = 0.into();
        }
        accepted(&send("9", &none).await);
    }
    let hooked = Hooked::of("bitbucket").await;
    hooked.patch(json!({ "source": { "watch_paths": ["apps/web/**"] } })).await;
    accepted(&hooked.push("1", "main", AFTER, "x").await);
    // Whoever deploys by hand has decided.
    hooked.client.post("/projects/web/deployments", json!({})).await.expect(201);
}

#[tokio::test]
async fn of_pushes_that_wait_the_newest_wins() {
    let hooked = Hooked::new("github", json!({ "previews": true })).await;
    let one = accepted(&hooked.push("1", "main", AFTER, "x").await);
    let by_hand =
        hooked.client.post("/projects/web/deployments", json!({ "branch": "main" })).await;
    let by_hand = by_hand.expect(201).text("/id");
    let preview = accepted(&hooked.push("2", "feature", AFTER, "x").await);
    let two = accepted(&hooked.push("3", "main", OTHER, "x").await);
    let shown = hooked.client.get(&format!("/deployments/{one}")).await;
    assert_eq!(
        (shown.text("/status"), shown.text("/cancel_reason")),
        ("canceled".into(), "newer_commit".into())
    );
    for id in [&by_hand, &preview, &two] {
        let shown = hooked.client.get(&format!("/deployments/{id}")).await;
        assert_eq!(shown.text("/status"), "building", "{id}");
    }
    let event = hooked.client.get("/events?event=deployment.canceled").await.expect(200);
    assert_eq!(event.at("/data/0/data/deployment_id"), json!(one));
    // One that is under way goes on.
    hooked.app.advance(&two, State::Cloning).await;
    accepted(&hooked.push("4", "main", AFTER, "x").await);
    let shown = hooked.client.get(&format!("/deployments/{two}")).await;
    assert_eq!(shown.text("/status"), "building");
}

#[tokio::test]
async fn a_branch_that_is_deleted_takes_its_previews_along() {
    for provider in FORGES.into_iter().filter(|provider| *provider != "generic") {
        let hooked = Hooked::new(provider, json!({ "previews": true })).await;
        let ready = accepted(&hooked.push("1", "feature", AFTER, "x").await);
        hooked.app.advance(&ready, State::Ready).await;
        let waiting = accepted(&hooked.push("2", "feature", OTHER, "x").await);
        let other = accepted(&hooked.push("3", "other", OTHER, "x").await);
        let production = accepted(&hooked.push("4", "main", OTHER, "x").await);
        // GitHub and Gitea tell of it twice, in two ways.
        let told = json!({ "ref": "feature", "ref_type": "branch" });
        let gone = match provider {
            "gitlab" | "bitbucket" => hooked.delivery("push", "5", &deletion(provider, "feature")),
            _ => hooked.delivery("delete", "5", &told),
        };
        ignored(&hooked.send(gone).await, "branch_deleted");
        let status = async |id: &str| {
            hooked.client.get(&format!("/deployments/{id}")).await.expect(200).text("/status")
        };
        assert_eq!(status(&ready).await, "removed", "{provider}");
        assert_eq!(status(&waiting).await, "canceled", "{provider}");
        assert_eq!(
            (status(&other).await, status(&production).await),
            ("building".into(), "building".into())
        );
        let shown = hooked.client.get(&format!("/deployments/{waiting}")).await;
        assert_eq!(shown.text("/cancel_reason"), "branch_deleted");
        let audit = hooked.client.get("/audit-log?action=branch.closed").await.expect(200);
        assert_eq!(audit.at("/data/0/changes/branch/from"), "feature");
        // Told once more, nothing is left to do.
        let gone = hooked.delivery("push", "6", &deletion(provider, "feature"));
        ignored(&hooked.send(gone).await, "branch_deleted");
        let audit = hooked.client.get("/audit-log?action=branch.closed").await.expect(200);
        assert_eq!(audit.at("/data").as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_payload_may_come_as_a_form() {
    let hooked = Hooked::of("github").await;
    let payload = push("github", "main", AFTER, "a & b = ü", &["a"]).to_string();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload)
        .finish();
    let kind = Some("application/x-www-form-urlencoded");
    let sent = signed("github", &hooked.secret, "push", "one", form.into_bytes());
    accepted(&hooked.send(sent.with("content-type", kind)).await);
    let empty = signed("github", &hooked.secret, "push", "two", b"a=b".to_vec());
    let refused = hooked.send(empty.with("content-type", kind)).await;
    assert_eq!(refused.error("missing_fields").2, json!(["payload"]));
}

#[tokio::test]
async fn one_push_of_bitbucket_may_tell_of_several_branches() {
    let hooked = Hooked::new("bitbucket", json!({ "previews": true })).await;
    let mut payload = push("bitbucket", "main", AFTER, "x", &[]);
    let preview = push("bitbucket", "feature", OTHER, "x", &[]);
    let more = preview["push"]["changes"][0].clone();
    payload["push"]["changes"].as_array_mut().unwrap().push(more);
    let id = accepted(&hooked.send(hooked.delivery("push", "one", &payload)).await);
    let made = hooked.deployments().await;
    assert_eq!(made.as_array().unwrap().len(), 2);
    assert_eq!((&made[1]["id"], &made[0]["target"]), (&json!(id), &json!("preview")));
    let again = hooked.send(hooked.delivery("push", "one", &payload)).await.expect(200);
    assert_eq!(again.json(), json!({ "status": "duplicate", "deployment_id": id }));
    assert_eq!(hooked.deployments().await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_deploy_hook_is_called_without_a_signature() {
    let hooked = Hooked::of("github").await;
    let (path, secret) = hooked.hook("generic", json!({ "kind": "deploy" })).await;
    assert_eq!(secret, "");
    let client = hooked.app.anonymous();
    let id = accepted(&client.call("POST", &path).await);
    let shown = hooked.client.get(&format!("/deployments/{id}")).await;
    assert_eq!(
        [shown.at("/target"), shown.at("/trigger"), shown.at("/git/branch")],
        [json!("production"), json!("deploy_hook"), json!("main")]
    );
    let body = json!({ "branch": "main", "commit_sha": AFTER, "message": "Content" });
    let id = accepted(&client.post(&path, body).await);
    assert_eq!(hooked.client.get(&format!("/deployments/{id}")).await.text("/message"), "Content");
    ignored(&client.post(&path, json!({ "branch": "feature" })).await, "branch_not_tracked");
    for (body, expected) in [
        (json!({ "branch": "-x" }), "branch unsafe"),
        (json!({ "branch": 1 }), "branch type"),
        (json!({ "commit_sha": "xyz" }), "commit_sha format"),
        (json!({ "message": "x".repeat(501) }), "message too_long"),
    ] {
        assert_eq!(client.post(&path, &body).await.invalid(), [expected], "{body}");
    }
    let unknown = client.post(&path, json!({ "ref": "main" })).await;
    assert_eq!(unknown.error("unknown_fields").2[0]["field"], "ref");
    // It is no address for a forge.
    let git = path.replace("/deploy/", "/git/");
    client.post(&git, "{}").await.expect(404);
    hooked.client.post("/projects/web/pause", "{}").await.expect(200);
    assert_eq!(client.call("POST", &path).await.error("reason").2, "project_paused");
}

#[tokio::test]
async fn a_hook_is_answered_sixty_times_a_minute() {
    let hooked = Hooked::of("github").await;
    let ping = hooked.delivery("ping", "one", &json!({ "zen": "x" }));
    let first = hooked.send(ping.clone()).await.expect(200);
    assert_eq!(
        [
            first.header("ratelimit-policy"),
            first.header("ratelimit"),
            first.header("x-ratelimit-limit")
        ],
        ["\"hook\";q=60;w=60", "\"hook\";r=59;t=60", "60"]
    );
    for _ in 1..60 {
        hooked.send(ping.clone()).await.expect(200);
    }
    let refused = hooked.send(ping.clone()).await;
    assert_eq!(
        refused.error("violated_policies"),
        (429, "rate_limit_exceeded".into(), json!(["hook"]))
    );
    assert_eq!(refused.header("retry-after"), "60");
    // The account's own limit is not touched.
    let account = hooked.client.get("/rate-limit").await.expect(200);
    assert!(account.at("/used").as_u64().unwrap() < 10, "{}", account.body());
    hooked.app.app.clock.advance(Duration::from_secs(60));
    hooked.send(ping).await.expect(200);
}

#[tokio::test]
async fn a_hook_ends_with_its_project_and_rests_with_its_maker() {
    let hooked = Hooked::of("github").await;
    let suspend = "UPDATE users SET suspended = ?1";
    let set = async |value: i64| {
        let write = hooked.app.app.db.write(move |c| -> Result<_, orbitra::db::DbError> {
            Ok(c.execute(suspend, [value])?)
        });
        write.await.unwrap();
    };
    set(1).await;
    assert_eq!(hooked.push("1", "main", AFTER, "x").await.error("reason").2, "suspended");
    set(0).await;
    hooked.client.delete(&format!("/projects/{}", hooked.project)).await.expect(204);
    hooked.push("2", "main", AFTER, "x").await.expect(404);
}

#[tokio::test]
async fn a_project_without_a_repository_says_so() {
    let hooked = Hooked::of("github").await;
    hooked.patch(json!({ "source": { "git_url": null } })).await;
    let refused = hooked.push("1", "main", AFTER, "x").await;
    assert_eq!(refused.error("missing_fields").2, json!(["git_url"]));
}
