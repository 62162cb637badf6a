//! A push that waits for the checks of its commit: it is deployed when they have passed, and not when one fails.

use std::sync::{Arc, Mutex};

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::Whole;
use crate::support::api_client::{Answer, send, text};
use crate::support::forge::{self, delivery};
use crate::support::git_server::Repository;
use crate::support::toy::Toy;
use crate::support::until::until;

/// A project whose forge answers what the test wants it to.
struct Place {
    whole: Whole,
    repository: Repository,
    project: String,
    path: String,
    secret: String,
    /// The checks of every commit.
    checks: Arc<Mutex<Value>>,
    forge: Toy,
}

impl Place {
    async fn start(kind: &'static str) -> Self {
        let checks = Arc::new(Mutex::new(json!([])));
        let list = checks.clone();
        let forge = Toy::answering(move |seen| {
            let list = list.lock().unwrap().clone();
            let body = if seen.head.starts_with("POST ") {
                json!({})
            } else if seen.head.contains("/check-runs") {
                json!({"total_count": 0, "check_runs": []})
            } else if seen.head.contains("/repository/commits/") {
                list
            } else if seen.head.contains("/repositories/") {
                json!({"pagelen": 100, "values": list})
            } else {
                json!({"state": "pending", "statuses": list})
            };
            let body = body.to_string();
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
        })
        .await;
        let whole = Whole::start().await;
        let app = json!({"body": "one"}).to_string();
        let files = [("Dockerfile", super::DOCKERFILE), ("app.json", app.as_str())];
        let repository = whole.git.repository_of("acme/web", &files);
        let project = whole.project("shop").await;
        let path = format!("/projects/{project}");
        let source = json!({"git_url": repository.url, "branch": "main"});
        whole.api.done("PATCH", &path, Some(json!({ "source": source }))).await;
        let hook = json!({"kind": "git", "provider": kind, "wait_for_checks": true});
        let hooks = format!("{path}/hooks");
        let (status, refused) = whole.api.call("POST", &hooks, Some(hook.clone())).await;
        assert_eq!(status, 400, "{refused}");
        let body = json!({
            "kind": kind, "token": "t0ken", "api_url": format!("http://{}/api", forge.address),
        });
        whole.api.done("PUT", &format!("{path}/source/forge"), Some(body)).await;
        let made = whole.api.done("POST", &hooks, Some(hook)).await;
        let path = url::Url::parse(&text(&made, "url")).unwrap().path().to_owned();
        let secret = text(&made, "secret");
        Self { whole, repository, project, path, secret, checks, forge }
    }

    fn say(&self, checks: Value) {
        *self.checks.lock().unwrap() = checks;
    }

    /// Tells of a push to `main`. Answers the deployment.
    async fn push(&self, kind: &str, id: &str) -> String {
        let commit = self.repository.head();
        let payload = forge::push(kind, "main", &commit, "x", &["app.json"]);
        let delivery = delivery(kind, &self.secret, "push", id, &payload);
        let mut request = Request::post(&self.path).header("host", "127.0.0.1");
        for (name, value) in delivery.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(delivery.body.into())).unwrap();
        let answer: Answer = send(self.whole.api.port, request).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
        text(&serde_json::from_str(&answer.body).unwrap(), "deployment_id")
    }

    /// Waits until the checks were asked for, and answers the deployment.
    async fn asked(&self, id: &str) -> Value {
        until("the checks were asked for", async || {
            let seen = self.forge.seen.lock().unwrap();
            seen.iter().any(|seen| seen.head.starts_with("GET ")).then_some(())
        })
        .await;
        self.whole.api.get(&format!("/deployments/{id}")).await
    }
}

#[tokio::test]
async fn a_push_is_deployed_when_its_checks_have_passed() {
    for kind in ["github", "gitlab", "bitbucket"] {
        let mut place = Place::start(kind).await;
        let check =
            |word: &str| json!([{"context": "ci", "name": "ci", "state": word, "status": word}]);
        place.say(check("pending"));
        let id = place.push(kind, "one").await;
        let waits = place.asked(&id).await;
        assert_eq!(
            (&waits["phase"], &waits["waiting"]),
            (&json!("queued"), &json!("It waits for the checks of its commit."))
        );
        let head = place.repository.head();
        let seen = place.forge.seen.lock().unwrap().clone();
        assert!(seen.iter().any(|seen| seen.head.starts_with("GET ") && seen.head.contains(&head)));
        // It holds up nothing else, and a restart makes no difference.
        let other = place.whole.repository(&json!({"body": "by hand"}));
        place.whole.api.deploy_live(&place.project, &other).await;
        assert_eq!(place.whole.site("shop").await, "by hand");
        place.whole.cut_off();
        place.whole.run().await;
        place.say(check(if kind == "bitbucket" { "SUCCESSFUL" } else { "success" }));
        place.whole.api.live(&id).await;
        assert_eq!(place.whole.site("shop").await, "one");
    }
}

#[tokio::test]
async fn a_push_whose_check_fails_or_takes_too_long_is_not_deployed() {
    let place = Place::start("gitea").await;
    place.say(json!([
        {"context": "ci", "status": "success"}, {"context": "lint", "status": "failure"},
    ]));
    let id = place.push("gitea", "one").await;
    let ended = place.whole.api.finished(&id).await;
    assert_eq!(
        (&ended["status"], &ended["cancel_reason"]),
        (&json!("canceled"), &json!("checks_failed"))
    );
    place.say(json!([{"context": "ci", "status": "pending"}]));
    let id = place.push("gitea", "two").await;
    place.asked(&id).await;
    let sql = "UPDATE deployments SET checks_until = 1, checks_next = 1 WHERE id = ?1";
    assert_eq!(place.whole.change_rows(sql, [&id]), 1);
    let ended = place.whole.api.finished(&id).await;
    assert_eq!(ended["cancel_reason"], "checks_timed_out");
    // Whoever does not want to wait deploys by hand.
    let again = format!("/deployments/{id}/redeploy");
    let again = place.whole.api.done("POST", &again, Some(json!({}))).await;
    place.whole.api.live(&text(&again, "id")).await;
}
