//! From a Git repository to a site that answers, on real Docker.

use serde_json::{Value, json};

use crate::support::api_client::{host_of, text};
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, free_port};
use crate::support::until::until;

#[tokio::test]
async fn a_repository_becomes_a_site() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, api) = (git.repository("hello", "node-hello"), &orbitra.api);
    let project = api.project("hello", json!({})).await;
    let before = until("the new name is known", async || {
        Some(orbitra.visit("hello.localhost", "/").await).filter(|page| page.status != 404)
    })
    .await;
    assert_eq!(before.status, 503);
    assert!(before.body.contains("This site is being set up."), "{}", before.body);

    let id = api.deploy(&project, &repository, json!({"branch": "main"})).await;
    let deployment = api.live(&id).await;

    for host in ["hello.localhost".to_owned(), host_of(&text(&deployment, "url"))] {
        let page = orbitra.visit(&host, "/").await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("Hello from Orbitra"), "{}", page.body);
        // Only the site's own name is for search engines.
        let hidden = page.headers.contains_key("x-robots-tag");
        assert_eq!(hidden, host != "hello.localhost", "{host}");
    }
    assert_eq!(deployment["framework"], "nodejs");
    assert_eq!(deployment["git"]["branch"], "main");
    assert_eq!(deployment["git"]["commit_sha"], repository.head());
    assert_eq!(deployment["git"]["commit_message"], "the first commit");
    assert_eq!(deployment["git"]["commit_author"], "A Tester");
    assert_eq!(api.get(&format!("/projects/{project}")).await["status"], "active");
    let log = api.log(&id).await;
    for line in ["Fetching http://127.0.0.1", "Commit ", "RUN ", "GET / answered 200", "Live. "] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
}

#[tokio::test]
async fn a_static_site_needs_no_container() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, api) = (git.repository("site", "static-site"), &orbitra.api);
    let project = api.project("site", json!({})).await;
    api.deploy_live(&project, &repository).await;

    let page = orbitra.visit("site.localhost", "/").await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(orbitra.visit("site.localhost", "/about/").await.status, 200);
    assert_eq!(orbitra.visit("site.localhost", "/nothing").await.status, 404);
    assert_eq!(orbitra.visit("site.localhost", "/.git/config").await.status, 404);
    assert!(orbitra.owned("container").is_empty());
    assert!(orbitra.owned("image").is_empty());
}

#[tokio::test]
async fn a_container_has_limits_and_no_port_of_the_host() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("inside")));
    let api = &orbitra.api;
    let port = free_port(std::process::id());
    let runtime = json!({"port": port, "memory_mb": 96, "cpu_millis": 500});
    let project = api.project("limits", json!({"runtime": runtime})).await;
    let deployment = api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("limits.localhost", "/").await.body, "inside");

    // The application listens on this port in its own network, and nobody does on the host.
    assert!(std::net::TcpListener::bind(("0.0.0.0", port)).is_ok());

    let container = orbitra.container_of(&text(&deployment, "id"));
    let host = &container["HostConfig"];
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges:true"]));
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["PidsLimit"], 512);
    assert_eq!(host["Memory"], 96 * 1024 * 1024);
    assert_eq!(host["MemorySwap"], 96 * 1024 * 1024);
    assert_eq!(host["NanoCpus"], 500_000_000);
    assert_eq!(host["Init"], true);
    assert_eq!(host["LogConfig"]["Type"], "json-file");
    assert_eq!(host["LogConfig"]["Config"], json!({"max-size": "10m", "max-file": "3"}));
    assert_eq!(host["NetworkMode"], format!("orbitra-{project}"));
    let none = |value: &Value| value.is_null() || value == &json!({}) || value == &json!([]);
    for field in ["PortBindings", "Binds", "Devices", "VolumesFrom"] {
        assert!(none(&host[field]), "{field}: {}", host[field]);
    }
    assert_eq!(host["PublishAllPorts"], false);
    assert!(none(&container["Mounts"]));
    let networks = container["NetworkSettings"]["Networks"].as_object().unwrap();
    assert_eq!(networks.keys().collect::<Vec<_>>(), [&format!("orbitra-{project}")]);
}

#[tokio::test]
async fn a_deployment_gets_the_variables_it_was_made_with() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = r#"const { createServer } = require("node:http");
createServer((q, r) => r.end(JSON.stringify(process.env))).listen(process.env.PORT, "0.0.0.0");"#;
    let (repository, api) = (git.repository_of("app", &apps::node(server)), &orbitra.api);
    let project = api.project("variables", json!({})).await;
    let difficult = "a=b \"c\" $HOME 'd' ü\n2";
    let environment = json!({"DIFFICULT": difficult, "EMPTY": ""});
    let id = api.deploy(&project, &repository, json!({"environment": environment})).await;
    let deployment = api.live(&id).await;

    assert_eq!(deployment["environment_keys"], json!(["DIFFICULT", "EMPTY"]));
    let seen = orbitra.visit("variables.localhost", "/").await.body;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["DIFFICULT"], difficult);
    assert_eq!(seen["EMPTY"], "");
    assert_eq!(seen["ORBITRA_DEPLOYMENT_ID"], *id);
    assert_eq!(seen["ORBITRA_PROJECT"], "variables");
    assert_eq!(seen["ORBITRA_COMMIT"], repository.head());
    assert_eq!(seen["ORBITRA_DEPLOYMENT_URL"], deployment["url"]);
    assert_eq!(seen["ORBITRA_URL"], format!("http://variables.localhost:{}", orbitra.port));
}

#[tokio::test]
async fn the_port_is_found_when_the_application_chooses_its_own() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = apps::answering("found").replace("process.env.PORT", "4321");
    let (repository, api) = (git.repository_of("app", &apps::node(&server)), &orbitra.api);
    let project = api.project("own-port", json!({})).await;
    let deployment = api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("own-port.localhost", "/").await.body, "found");
    let log = api.log(&text(&deployment, "id")).await;
    assert!(log.contains("ms on port 4321."), "{log}");
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let api = &orbitra.api;
    let project = api.project("short-lived", json!({})).await;
    let first = api.deploy_live(&project, &repository).await;
    repository.commit("server.js", &apps::answering("two"));
    api.deploy_live(&project, &repository).await;
    for kind in ["container", "image"] {
        assert_eq!(orbitra.owned(kind).len(), 2, "{kind}");
    }

    let (status, _) = api.call("DELETE", &format!("/projects/{project}"), None).await;
    assert_eq!(status, 204);
    assert_eq!(api.call("GET", &format!("/projects/{project}"), None).await.0, 404);
    until("container, image and network are gone", async || {
        let left = ["container", "image", "network"].map(|kind| orbitra.owned(kind).len());
        (left == [0, 0, 0]).then_some(())
    })
    .await;
    for host in ["short-lived.localhost".to_owned(), host_of(&text(&first, "url"))] {
        assert_eq!(orbitra.visit(&host, "/").await.status, 404, "{host}");
    }
    // The name is free again.
    api.project("short-lived", json!({})).await;
}

#[tokio::test]
async fn files_carry_the_time_of_their_commit_and_unchanged_ones_are_not_built_again() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    // What a server of static files inside of an application answers. The engine keeps what it built in an earlier run
    // of this test, so the content is a new one each time.
    let (name, api) = (orbitra.name(), &orbitra.api);
    let server = r#"const fs = require("node:fs");
require("node:http").createServer((request, response) => {
  const { mtimeMs, size } = fs.statSync("page.html");
  response.setHeader("etag", `"${size}-${mtimeMs / 1000}"`);
  response.end(fs.readFileSync("page.html"));
}).listen(process.env.PORT, "0.0.0.0");
"#;
    let dockerfile = format!(
        "FROM node:22-bookworm-slim\nWORKDIR /app\nCOPY package.json ./\nRUN : install {name}\nCOPY . ./\n\
         CMD [\"node\", \"server.js\"]\n"
    );
    let page = |letter: &str| format!("{letter} {name}");
    let first = page("a");
    let files = [
        ("Dockerfile", dockerfile.as_str()),
        ("package.json", "{}"),
        ("server.js", server),
        ("page.html", &first),
    ];
    let repository = git.repository_of("app", &files);
    let project = api.project("times", json!({})).await;
    let deployed = async || {
        let id = text(&api.deploy_live(&project, &repository).await, "id");
        let page = orbitra.visit("times.localhost", "/").await;
        let tag = page.headers["etag"].to_str().unwrap().to_owned();
        (page.body, tag, api.log(&id).await)
    };
    let tag = || format!("\"{}-{}\"", page("a").len(), repository.committed_at());
    let cached = |log: &str, step: &str| {
        log.lines().any(|line| line.contains(step) && line.ends_with("CACHED"))
    };
    let (body, first_tag, log) = deployed().await;
    assert_eq!((body, &first_tag), (page("a"), &tag()));
    assert!(!cached(&log, "RUN : install"), "{log}");

    repository.commit("page.html", &page("b"));
    let (body, second_tag, log) = deployed().await;
    assert_eq!((body, &second_tag), (page("b"), &tag()));
    assert_ne!(first_tag, second_tag, "a copy of the first page is not taken for the second");
    assert!(cached(&log, "COPY package.json") && cached(&log, "RUN : install"), "{log}");
    assert!(!cached(&log, "COPY . ./"), "{log}");

    // The same commit is the same image.
    let (body, again, log) = deployed().await;
    assert_eq!((body, again), (page("b"), second_tag));
    assert!(cached(&log, "COPY . ./"), "{log}");
}
