//! Python applications, built and served on real Docker.

use serde_json::json;

use crate::support::api_client::text;
use crate::support::git_server::{GitServer, Repository};
use crate::support::orbitra::{Orbitra, docker, need_image};

const IMAGE: &str = "python:3.13-slim-trixie";

/// Deploys an example and answers what a visitor gets, with the deployment's log.
async fn served(orbitra: &Orbitra, git: &GitServer, example: &str) -> (Repository, String, String) {
    need_image(IMAGE);
    let repository = git.repository(example, example);
    let project = orbitra.api.project(example, json!({})).await;
    let deployment = orbitra.api.deploy_live(&project, &repository).await;
    let page = orbitra.visit(&format!("{example}.localhost"), "/").await;
    let log = orbitra.api.log(&text(&deployment, "id")).await;
    assert_eq!(page.status, 200, "{example}: {}\n{log}", page.body);
    (repository, page.body, log)
}

/// Poetry needs more of a package index than a plain mirror has (its JSON pages), so its example is a plan only.
#[tokio::test]
async fn every_tool_installs_what_is_served() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    for (example, body, line) in [
        ("python-pip", "Hello from Python 3.13: 1,234,567\n", "pip install -r requirements.txt"),
        ("python-uv", "Hello from uv\n", "uv sync --locked"),
        ("python-pipenv", "Hello from Pipenv\n", "pipenv install --deploy"),
    ] {
        let (_, seen, log) = served(&orbitra, &git, example).await;
        assert_eq!(seen, body, "{example}");
        assert!(log.contains(line), "{example}: no {line:?} in\n{log}");
    }
}

#[tokio::test]
async fn frameworks_are_found_and_served() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (_, page, log) = served(&orbitra, &git, "flask").await;
    assert_eq!(page, "Hello from Flask\n");
    assert!(log.contains("is added to serve the application"), "{log}");
    let (_, page, _) = served(&orbitra, &git, "fastapi").await;
    assert_eq!(page, r#"{"hello":"FastAPI","scheme":"http"}"#);
    let (_, page, _) = served(&orbitra, &git, "procfile").await;
    assert_eq!(page, "Hello from a Procfile\n");
    let (_, page, log) = served(&orbitra, &git, "django").await;
    assert_eq!(page, "Hello from Django\n");
    assert!(log.contains("static file copied"), "{log}");
    let css = orbitra.visit("django.localhost", "/static/site.css").await;
    assert_eq!(css.status, 200);
    assert!(css.body.contains("#123456"), "{}", css.body);

    // None of them runs as root, and the tools of the build are not in what is run.
    for container in orbitra.owned("container") {
        let exec = |words: &[&str]| docker(&[&["exec", &container], words].concat());
        assert_eq!(exec(&["id", "-u"]), "1000");
        assert_eq!(exec(&["sh", "-c", "command -v uv poetry gcc || echo none"]), "none");
    }
}

#[tokio::test]
async fn a_change_of_the_source_installs_nothing_again() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, _, _) = served(&orbitra, &git, "flask").await;
    let project = text(&orbitra.api.get("/projects/flask").await, "id");
    repository.change("app.py", "Hello from Flask", "Hello again");
    let deployment = orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("flask.localhost", "/").await.body, "Hello again\n");
    let log = orbitra.api.log(&text(&deployment, "id")).await;
    let installs: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("pip install -r") && line.contains("CACHED"))
        .collect();
    assert_eq!(installs.len(), 1, "{log}");
}

#[tokio::test]
async fn versions_stay_until_somebody_says_otherwise() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, _, log) = served(&orbitra, &git, "python-pip").await;
    assert!(log.contains("python 3.13 (the default)"), "{log}");
    let project = text(&orbitra.api.get("/projects/python-pip").await, "id");
    let again = async |body: serde_json::Value| {
        let id = orbitra.api.deploy(&project, &repository, body).await;
        let deployment = orbitra.api.live(&id).await;
        orbitra.api.log(&text(&deployment, "id")).await
    };
    let log = again(json!({})).await;
    assert!(log.contains("python 3.13 (pinned by an earlier deployment)"), "{log}");
    let log = again(json!({"clear_cache": true})).await;
    assert!(log.contains("versions are chosen anew"), "{log}");
    assert!(log.contains("python 3.13 (the default)"), "{log}");

    // What fails pins nothing, and what the repository names wins.
    repository.commit(".python-version", "3.9");
    let id = orbitra.api.deploy(&project, &repository, json!({})).await;
    let failed = orbitra.api.finished(&id).await;
    assert_eq!(failed["error"]["code"], "detect_failed", "{failed}");
    repository.commit(".python-version", "3.13");
    let log = again(json!({})).await;
    assert!(log.contains("python 3.13 (`.python-version`)"), "{log}");
}
