//! Forges hear how the deployments of their commits stand, also when they or Orbitra were away in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::text;
use crate::support::git_server::Repository;
use crate::support::toy::{Seen, Toy};
use crate::support::until::until;

/// A project whose forge notes what it is told.
struct Place {
    whole: Whole,
    repository: Repository,
    project: String,
    forge: Toy,
    /// What the forge answers with.
    answer: Arc<AtomicU16>,
}

impl Place {
    async fn start(kind: &str) -> Self {
        let answer = Arc::new(AtomicU16::new(201));
        let status = answer.clone();
        let forge = Toy::answering(move |_| {
            let (status, body) = (status.load(Ordering::SeqCst), "{}");
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
        })
        .await;
        let whole = Whole::start().await;
        let app = json!({"body": "one"}).to_string();
        let files = [("Dockerfile", super::DOCKERFILE), ("app.json", app.as_str())];
        let repository = whole.git.repository_of("acme/web", &files);
        let project = whole.project("shop").await;
        let place = Self { whole, repository, project, forge, answer };
        let source = json!({"git_url": place.repository.url, "branch": "main"});
        let path = format!("/projects/{}", place.project);
        place.whole.api.done("PATCH", &path, Some(json!({ "source": source }))).await;
        place.set_token(kind, "t0ken").await;
        place
    }

    async fn set_token(&self, kind: &str, token: &str) {
        let api = format!("http://{}/api", self.forge.address);
        let body = json!({"kind": kind, "api_url": api, "token": token});
        let path = format!("/projects/{}/source/forge", self.project);
        self.whole.api.done("PUT", &path, Some(body)).await;
    }

    async fn forge(&self) -> Value {
        self.whole.api.get(&format!("/projects/{}/source/forge", self.project)).await
    }

    async fn deploy(&self) -> String {
        self.whole.api.deploy_with(&self.project, json!({})).await
    }

    /// Waits until the forge was told this of a commit.
    async fn told(&self, commit: &str, state: &str) -> Seen {
        until(state, async || {
            let seen = self.forge.seen.lock().unwrap();
            let found = seen.iter().find(|seen| {
                let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
                seen.head.contains(commit) && body["state"] == state
            });
            found.cloned()
        })
        .await
    }
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

#[tokio::test]
async fn github_hears_of_the_beginning_and_of_the_end() {
    let place = Place::start("github").await;
    let commit = place.repository.head();
    let id = place.deploy().await;
    let seen = place.told(&commit, "success").await;
    let line = format!("POST /api/repos/acme/web/statuses/{commit} HTTP/1.1");
    assert!(seen.head.starts_with(&line), "{}", seen.head);
    assert_eq!(seen.header("authorization").as_deref(), Some("Bearer t0ken"));
    assert_eq!(seen.header("x-github-api-version").as_deref(), Some("2022-11-28"));
    let told = body(&seen);
    assert_eq!(
        (&told["context"], &told["description"]),
        (&json!("orbitra/shop"), &json!("Deployed"))
    );
    assert!(text(&told, "target_url").ends_with(&format!("/dashboard/deployments/{id}")));
    // Nobody had to be told twice, and once it is over nothing follows.
    let failing = change_to(&place, &json!({"build_exit": 3}));
    let broken = place.deploy().await;
    let told = body(&place.told(&failing, "failure").await);
    assert_eq!(told["description"], "RUN make ended with exit code 3");
    assert_eq!(place.whole.api.failure(&broken).await["code"], "build_failed");
    let stuck = change_to(&place, &json!({"build_hangs": true}));
    let hanging = place.deploy().await;
    place.told(&stuck, "pending").await;
    place.whole.api.done("POST", &format!("/deployments/{hanging}/cancel"), None).await;
    place.told(&stuck, "error").await;
    let all = place.forge.seen.lock().unwrap().clone();
    let ends = all.iter().filter(|seen| body(seen)["state"] != "pending").count();
    assert_eq!(ends, 3);
    let shown = place.forge().await;
    assert_eq!((&shown["trouble"], shown["last_told_at"].is_string()), (&Value::Null, true));
    // Of another repository than the project's own it hears nothing.
    let other = place.whole.repository(&json!({"body": "other"}));
    let other = place.whole.api.deploy_live(&place.project, &other).await;
    let waiting = "SELECT count(*) FROM commit_statuses WHERE deployment_id = ?1";
    let database = place.whole.data.path().join("orbitra.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let count: i64 = database.query_row(waiting, [text(&other, "id")], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

/// Commits another behaviour. Answers the commit.
fn change_to(place: &Place, app: &Value) -> String {
    change(&place.repository, app);
    place.repository.head()
}

#[tokio::test]
async fn the_others_hear_it_in_their_own_form() {
    let place = Place::start("gitlab").await;
    let commit = place.repository.head();
    place.deploy().await;
    let seen = place.told(&commit, "success").await;
    let line = format!("POST /api/projects/acme%2Fweb/statuses/{commit} HTTP/1.1");
    assert!(seen.head.starts_with(&line), "{}", seen.head);
    assert_eq!(seen.header("private-token").as_deref(), Some("t0ken"));
    assert_eq!(body(&seen)["name"], "orbitra/shop");
    let failing = change_to(&place, &json!({"build_exit": 3}));
    place.deploy().await;
    place.told(&failing, "failed").await;
    for kind in ["gitea", "forgejo"] {
        place.set_token(kind, "another").await;
        let commit = change_to(&place, &json!({"body": kind}));
        place.deploy().await;
        let seen = place.told(&commit, "success").await;
        assert!(seen.head.starts_with(&format!("POST /api/repos/acme/web/statuses/{commit} ")));
        assert_eq!(seen.header("authorization").as_deref(), Some("token another"));
    }
    place.set_token("bitbucket", "another").await;
    let commit = change_to(&place, &json!({"body": "bitbucket"}));
    place.deploy().await;
    let seen = place.told(&commit, "SUCCESSFUL").await;
    let line = format!("POST /api/repositories/acme/web/commit/{commit}/statuses/build ");
    assert!(seen.head.starts_with(&line), "{}", seen.head);
    assert_eq!(seen.header("authorization").as_deref(), Some("Bearer another"));
    assert_eq!(body(&seen)["key"], "orbitra/shop");
}

#[tokio::test]
async fn a_forge_that_is_away_hears_it_later_and_nothing_waits_for_it() {
    let mut place = Place::start("gitea").await;
    place.answer.store(503, Ordering::SeqCst);
    let commit = place.repository.head();
    let id = place.deploy().await;
    place.whole.api.live(&id).await;
    until("it was tried", async || {
        let shown = place.forge().await;
        shown["trouble"].as_str().is_some_and(|text| text.contains("503")).then_some(())
    })
    .await;
    place.whole.cut_off();
    place.answer.store(201, Ordering::SeqCst);
    place.forge.seen.lock().unwrap().clear();
    place.whole.run().await;
    place.told(&commit, "success").await;
    until("the trouble is over", async || place.forge().await["trouble"].is_null().then_some(()))
        .await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_and_a_better_one_makes_up_for_it() {
    let place = Place::start("github").await;
    place.answer.store(401, Ordering::SeqCst);
    let commit = place.repository.head();
    let id = place.deploy().await;
    place.whole.api.live(&id).await;
    until("the end was refused", async || {
        let seen = place.forge.seen.lock().unwrap().clone();
        seen.iter().any(|seen| body(seen)["state"] == "success").then_some(())
    })
    .await;
    until("the page says so", async || {
        let shown = place.forge().await;
        let trouble = shown["trouble"].as_str().unwrap_or_default().to_owned();
        trouble.contains("does not know the token (401)").then_some(())
    })
    .await;
    place.forge.seen.lock().unwrap().clear();
    place.answer.store(201, Ordering::SeqCst);
    place.set_token("github", "better").await;
    let seen = place.told(&commit, "success").await;
    assert_eq!(seen.header("authorization").as_deref(), Some("Bearer better"));
}
