//! Code of a fork on real Docker: it serves at its own URL, and reaches nothing of the project's.

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::api_client::{host_of, send, text};
use crate::support::apps;
use crate::support::forge::{delivery, pull_request, pull_request_event};
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;
use crate::support::until::until;

/// Connects to whatever its path names, as `/10.0.0.1@3000`, and says what came of it.
const REACHING: &str = r#"const http = require("node:http");
const net = require("node:net");
const server = http.createServer((request, response) => {
  const [host, port] = request.url.slice(1).split("@");
  if (!port) return response.end("preview");
  let said = false;
  const socket = net.connect({ host, port: Number(port), timeout: 4000 });
  const say = (what) => {
    if (!said) response.end(what);
    said = true;
    socket.destroy();
  };
  socket.on("connect", () => say("reached"));
  socket.on("timeout", () => say("nobody answers"));
  socket.on("error", (error) => say(`refused: ${error.code}`));
});
server.listen(process.env.PORT, "0.0.0.0", () => console.log("listening"));
"#;

/// Tells of a pull request. Answers its deployment.
async fn opened(orbitra: &Orbitra, hook: &Value, id: &str, sha: &str, fork: bool) -> String {
    let branch = if fork { "main" } else { "feature" };
    let payload = pull_request("github", "opened", branch, sha, fork);
    let (status, body) = told(orbitra, hook, id, &payload).await;
    assert_eq!(status, 202, "{body}");
    text(&serde_json::from_str(&body).unwrap(), "deployment_id")
}

async fn told(orbitra: &Orbitra, hook: &Value, id: &str, payload: &Value) -> (u16, String) {
    let path = url::Url::parse(&text(hook, "url")).unwrap().path().to_owned();
    let event = pull_request_event("github", "opened");
    let delivery = delivery("github", &text(hook, "secret"), event, id, payload);
    let mut request = Request::post(path).header("host", "127.0.0.1");
    for (name, value) in delivery.headers {
        request = request.header(name, value);
    }
    let body = Full::new(delivery.body.into());
    let answer = send(orbitra.port, request.body(body).unwrap()).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

/// Names of the networks a deployment's container is in, and its address.
fn place_of(orbitra: &Orbitra, deployment: &str) -> (Vec<String>, String) {
    let networks = orbitra.container_of(deployment)["NetworkSettings"]["Networks"].clone();
    let networks = networks.as_object().unwrap();
    let address = networks.values().next().unwrap()["IPAddress"].as_str().unwrap().to_owned();
    (networks.keys().cloned().collect(), address)
}

#[tokio::test]
async fn a_preview_of_a_fork_reaches_no_container_of_the_project() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let api = &orbitra.api;
    let repository = git.repository_of("forked", &apps::node(&apps::answering("live")));
    let project = api.project("forked", json!({})).await;
    let path = format!("/projects/{project}");
    let source = json!({"git_url": repository.url, "branch": "main", "fork_previews": true});
    api.done("PATCH", &path, Some(json!({ "source": source }))).await;
    let wanted = json!({"kind": "git", "provider": "github", "pull_requests": true});
    let hook = api.done("POST", &format!("{path}/hooks"), Some(wanted)).await;
    let live = text(&api.deploy_live(&project, &repository).await, "id");
    repository.branch("feature", "server.js", REACHING);
    let sha = repository.git(&["rev-parse", "feature"]);

    let (networks, address) = place_of(&orbitra, &live);
    assert_eq!(networks, [format!("orbitra-{project}")]);
    let ways = [format!("/{address}@3000"), format!("/orbitra-{live}@3000")];
    // Code of the repository's own reaches it, at its address and by its name.
    let own = opened(&orbitra, &hook, "one", &sha, false).await;
    let own_host = host_of(&text(&api.finished(&own).await, "url"));
    for way in &ways {
        assert_eq!(orbitra.visit(&own_host, way).await.body, "reached", "{way}");
    }
    assert_eq!(place_of(&orbitra, &own).0, networks);
    // That of a fork does not; the proxy reaches both.
    let fork = opened(&orbitra, &hook, "two", &sha, true).await;
    let ready = api.finished(&fork).await;
    assert_eq!(ready["status"], "staged", "{ready}");
    let fork_host = host_of(&text(&ready, "url"));
    let (its_own, _) = place_of(&orbitra, &fork);
    assert_eq!(its_own, [format!("orbitra-{fork}")]);
    assert_eq!(orbitra.visit(&fork_host, "/").await.body, "preview");
    for way in &ways {
        let said = orbitra.visit(&fork_host, way).await;
        assert_eq!(said.status, 200);
        assert!(
            said.body.starts_with("nobody") || said.body.starts_with("refused"),
            "{way}: {}",
            said.body
        );
    }
    let (_, own_address) = place_of(&orbitra, &own);
    let said = orbitra.visit(&fork_host, &format!("/{own_address}@3000")).await.body;
    assert_ne!(said, "reached");
    assert_eq!(orbitra.visit("forked.localhost", "/").await.body, "live");
    // It itself is reached by nothing but the proxy either.
    let (_, fork_address) = place_of(&orbitra, &fork);
    let said = orbitra.visit(&own_host, &format!("/{fork_address}@3000")).await.body;
    assert_ne!(said, "reached");

    // With the request everything of it goes, and its network with it.
    assert_eq!(orbitra.owned("network").len(), 2);
    let closed = pull_request("github", "closed", "main", &sha, true);
    assert_eq!(told(&orbitra, &hook, "three", &closed).await.0, 200);
    until("its network and its image are gone", async || {
        let left = (orbitra.owned("network").len(), orbitra.owned("image").len());
        (left == (1, 2)).then_some(())
    })
    .await;
    assert!(!orbitra.has_container(&fork));
    assert_eq!(orbitra.visit("forked.localhost", "/").await.body, "live");
    assert_eq!(orbitra.visit(&own_host, "/").await.body, "preview");
}
