//! Pushes deploy: a forge tells over HTTP, the commit it names serves, and what a branch had goes with it.

use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{Answer, host_of, send, text};
use crate::support::forge::{self, Delivery, delivery};
use crate::support::git_server::Repository;
use crate::support::until::until;

/// A project of a repository, with a hook.
struct Pushed {
    whole: Whole,
    repository: Repository,
    project: String,
    provider: &'static str,
    path: String,
    secret: String,
}

impl Pushed {
    async fn start(hook: Value) -> Self {
        Self::of("github", hook).await
    }

    async fn of(provider: &'static str, hook: Value) -> Self {
        let whole = Whole::start_with(super::NO_PAUSE).await;
        let repository = whole.repository(&json!({"body": "first"}));
        let project = whole.project("shop").await;
        let source = json!({"git_url": repository.url, "branch": "main"});
        let path = format!("/projects/{project}");
        whole.api.done("PATCH", &path, Some(json!({ "source": source }))).await;
        let mut body = json!({"kind": "git", "provider": provider});
        body.as_object_mut().unwrap().extend(hook.as_object().unwrap().clone());
        let made = whole.api.done("POST", &format!("{path}/hooks"), Some(body)).await;
        let url = url::Url::parse(&text(&made, "url")).unwrap();
        let secret = made["secret"].as_str().unwrap_or_default().to_owned();
        Self { whole, repository, project, provider, path: url.path().to_owned(), secret }
    }

    async fn send(&self, delivery: Delivery) -> Answer {
        let mut request = Request::post(&self.path).header("host", "127.0.0.1");
        for (name, value) in delivery.headers {
            request = request.header(name, value);
        }
        let body = Full::new(delivery.body.into());
        send(self.whole.api.port, request.body(body).unwrap()).await.unwrap()
    }

    /// Tells of a push of a commit to a branch.
    async fn push(&self, id: &str, branch: &str, commit: &str) -> Answer {
        let payload = forge::push(self.provider, branch, commit, "x", &["app.json"]);
        self.send(delivery(self.provider, &self.secret, "push", id, &payload)).await
    }

    /// The same, accepted. Answers the deployment.
    async fn accepted(&self, id: &str, branch: &str, commit: &str) -> String {
        let answer = self.push(id, branch, commit).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        text(&serde_json::from_str(&answer.body).unwrap(), "deployment_id")
    }

    /// A branch with its own behaviour. Answers its commit.
    fn branch(&self, name: &str, body: &str) -> String {
        self.repository.branch(name, "app.json", &json!({ "body": body }).to_string());
        self.repository.git(&["rev-parse", name])
    }

    /// A preview that is ready.
    async fn preview(&self, id: &str, branch: &str, body: &str) -> Value {
        let commit = self.branch(branch, body);
        let deployment = self.accepted(id, branch, &commit).await;
        let ready = self.whole.api.finished(&deployment).await;
        assert_eq!(ready["status"], "staged", "{ready}");
        ready
    }

    async fn closed(&self, id: &str, branch: &str) {
        let payload = forge::deletion(self.provider, branch);
        let answer = self.send(delivery(self.provider, &self.secret, "push", id, &payload)).await;
        assert_eq!((answer.status.as_u16(), answer.body.contains("branch_deleted")), (200, true));
    }

    /// Waits until a host answers with a status.
    async fn answers(&self, host: &str, status: u16) {
        until("the host answers as it should", async || {
            (self.whole.visit(host).await.status == status).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_commit_of_a_push_serves_and_no_newer_one() {
    let pushed = Pushed::start(json!({})).await;
    let first = pushed.repository.head();
    change(&pushed.repository, &json!({"body": "second"}));
    let id = pushed.accepted("one", "main", &first).await;
    let live = pushed.whole.api.live(&id).await;
    assert_eq!((&live["git"]["commit_sha"], &live["trigger"]), (&json!(first), &json!("git_push")));
    assert_eq!(pushed.whole.site("shop").await, "first");
    let second = pushed.repository.head();
    let next = pushed.accepted("two", "main", &second).await;
    pushed.whole.api.live(&next).await;
    assert_eq!(pushed.whole.site("shop").await, "second");
    // A commit that nobody has fails its deployment, and visitors stay where they are.
    let lost = pushed.accepted("three", "main", forge::AFTER).await;
    assert_eq!(pushed.whole.api.failure(&lost).await["code"], "commit_not_found");
    assert_eq!(pushed.whole.site("shop").await, "second");
}

#[tokio::test]
async fn twenty_duplicates_over_twenty_connections_make_one_deployment() {
    let pushed = Pushed::start(json!({})).await;
    let commit = pushed.repository.head();
    let answers = join_all((0..20).map(|_| pushed.push("same", "main", &commit))).await;
    let mut ids: Vec<_> = answers
        .iter()
        .map(|answer| text(&serde_json::from_str(&answer.body).unwrap(), "deployment_id"))
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(202), count(200)), (1, 19));
    pushed.whole.api.live(&ids[0]).await;
    let all = pushed.whole.api.get(&format!("/projects/{}/deployments", pushed.project)).await;
    assert_eq!(all["pagination"]["total"], 1);
}

#[tokio::test]
async fn a_branch_has_a_preview_until_it_is_deleted() {
    let pushed = Pushed::start(json!({"previews": true})).await;
    let whole = &pushed.whole;
    let main = pushed.accepted("main", "main", &pushed.repository.head()).await;
    whole.api.live(&main).await;
    for (target, value) in [("preview", "a test"), ("production", "the shop")] {
        let body = json!({"key": "WHICH", "value": value, "target": target});
        let path = format!("/projects/{}/env", pushed.project);
        whole.api.done("POST", &path, Some(body)).await;
    }
    let before = whole.engine.names();
    let preview = pushed.preview("one", "feature", "a preview").await;
    let id = text(&preview, "id");
    assert_eq!(preview["target"], "preview");
    assert_eq!(whole.engine.variable(&id, "WHICH"), [Some("a test".to_owned())]);
    let own = host_of(&text(&preview, "url"));
    for host in ["shop-git-feature.localhost", own.as_str()] {
        let answer = whole.visit(host).await;
        assert_eq!(
            (answer.body.as_str(), answer.headers["x-robots-tag"].to_str().unwrap()),
            ("a preview", "noindex")
        );
    }
    assert_eq!(whole.site("shop").await, "first");
    // One more is under way when the branch goes.
    let hangs = json!({"body": "late", "build_hangs": true}).to_string();
    let commit = pushed.repository.commit_on("feature", "app.json", &hangs);
    let late = pushed.accepted("two", "feature", &commit).await;
    whole.phase(&late, "building").await;
    pushed.closed("three", "feature").await;
    for host in ["shop-git-feature.localhost", own.as_str()] {
        pushed.answers(host, 410).await;
    }
    let ended = whole.api.finished(&late).await;
    assert_eq!(
        (&ended["status"], &ended["cancel_reason"]),
        (&json!("canceled"), &json!("branch_deleted"))
    );
    assert_eq!(whole.api.finished(&id).await["status"], "removed");
    until("nothing is left on the engine", async || {
        let images = whole.engine.images();
        let left = images.iter().any(|image| image.contains(&id) || image.contains(&late));
        (!left && whole.engine.names() == before).then_some(())
    })
    .await;
    assert_eq!(whole.site("shop").await, "first");
    // Opened again, the branch has its address again.
    pushed.repository.git(&["branch", "-qD", "feature"]);
    pushed.repository.git(&["push", "-q", "origin", ":feature"]);
    pushed.preview("four", "feature", "again").await;
    pushed.answers("shop-git-feature.localhost", 200).await;
    assert_eq!(whole.visit("shop-git-feature.localhost").await.body, "again");
}

/// Whatever the forge, and whether the request was merged or not.
#[tokio::test]
async fn a_request_that_is_closed_leaves_nothing_behind() {
    let closed = |mut payload: Value, pointer: &str| {
        *payload.pointer_mut(pointer).unwrap() = "close".into();
        payload
    };
    for provider in ["github", "gitlab", "gitea", "bitbucket"] {
        let pushed = Pushed::of(provider, json!({"pull_requests": true})).await;
        let whole = &pushed.whole;
        let before = (whole.engine.names(), whole.engine.images());
        let commit = pushed.branch("feature", "a preview");
        let tell = async |id: &str, what: &str| {
            let payload = forge::pull_request(provider, what, "feature", &commit, false);
            let payload = match (provider, what) {
                ("gitlab", "closed") => closed(payload, "/object_attributes/action"),
                _ => payload,
            };
            let event = forge::pull_request_event(provider, what);
            pushed.send(delivery(provider, &pushed.secret, event, id, &payload)).await
        };
        let opened = tell("one", "opened").await;
        assert_eq!(opened.status, 202, "{provider}: {}", opened.body);
        let id = text(&serde_json::from_str(&opened.body).unwrap(), "deployment_id");
        let ready = whole.api.finished(&id).await;
        assert_eq!(ready["status"], "staged", "{provider}: {ready}");
        assert_eq!(whole.visit("shop-git-feature.localhost").await.body, "a preview");
        let ended = tell("two", "closed").await;
        assert_eq!(ended.status, 200, "{provider}: {}", ended.body);
        for host in ["shop-git-feature.localhost", &host_of(&text(&ready, "url"))] {
            pushed.answers(host, 410).await;
        }
        until("nothing is left on the engine", async || {
            ((whole.engine.names(), whole.engine.images()) == before).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn of_more_branches_than_a_project_may_have_those_not_used_for_longest_go() {
    let pushed = Pushed::start(json!({"previews": true})).await;
    let mut previews = Vec::new();
    for number in 0..22 {
        let branch = format!("feature-{number}");
        previews.push(pushed.preview(&branch, &branch, &branch).await);
    }
    for preview in &previews[..2] {
        let id = text(preview, "id");
        until("the oldest are removed", async || {
            let shown = pushed.whole.api.get(&format!("/deployments/{id}")).await;
            (shown["status"] == "removed").then_some(())
        })
        .await;
    }
    pushed.answers("shop-git-feature-0.localhost", 410).await;
    assert_eq!(pushed.whole.visit("shop-git-feature-2.localhost").await.body, "feature-2");
    assert_eq!(pushed.whole.visit("shop-git-feature-21.localhost").await.body, "feature-21");
}

#[tokio::test]
async fn a_preview_that_was_promoted_outlives_its_branch() {
    let pushed = Pushed::start(json!({"previews": true})).await;
    let preview = pushed.preview("one", "feature", "promoted").await;
    let id = text(&preview, "id");
    let none = orbitra::app::terms::Terms::none();
    pushed.whole.app().promote_deployment(pushed.whole.actor(), &id, &none).await.unwrap();
    pushed.whole.released(&id).await;
    pushed.closed("two", "feature").await;
    assert_eq!(pushed.whole.site("shop").await, "promoted");
    assert_eq!(pushed.whole.api.get(&format!("/deployments/{id}")).await["status"], "live");
}
