//! JavaScript projects of every package manager and runtime, from a repository to an answer, on real Docker.

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::api_client::{Answer, host_of, send, text};
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;

/// Deploys an example with these settings; answers the deployment, its page and its log.
async fn served(
    orbitra: &Orbitra,
    git: &GitServer,
    example: &str,
    settings: Value,
) -> (Value, String, String) {
    let repository = git.repository(example, example);
    let project = orbitra.api.project(example, settings).await;
    let deployment = orbitra.api.deploy_live(&project, &repository).await;
    let page = orbitra.visit(&format!("{example}.localhost"), "/").await;
    assert_eq!(page.status, 200, "{example}: {}", page.body);
    let log = orbitra.api.log(&text(&deployment, "id")).await;
    (deployment, page.body, log)
}

/// The container runs as somebody who is not root.
fn has_no_root(orbitra: &Orbitra, deployment: &Value, user: &str) {
    let container = orbitra.container_of(&text(deployment, "id"));
    assert_eq!(container["Config"]["User"], user);
}

#[tokio::test]
async fn pnpm_installs_what_its_lock_file_says_and_only_once() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, api) = (git.repository("app", "node-pnpm"), &orbitra.api);
    let project = api.project("node-pnpm", json!({})).await;
    let first = api.deploy_live(&project, &repository).await;
    assert!(orbitra.visit("node-pnpm.localhost", "/").await.body.contains("Hello from polka"));
    has_no_root(&orbitra, &first, "node");
    let log = api.log(&text(&first, "id")).await;
    assert!(log.contains("pnpm 10.") && log.contains("(packageManager in package.json)"), "{log}");

    // A change of the source leaves the layer of the dependencies as it was.
    repository.change("server.js", "Hello from polka", "Hello again");
    let second = api.deploy_live(&project, &repository).await;
    assert!(orbitra.visit("node-pnpm.localhost", "/").await.body.contains("Hello again"));
    let log = api.log(&text(&second, "id")).await;
    let kept =
        |line: &str| line.contains("pnpm install --frozen-lockfile") && line.ends_with("CACHED");
    assert!(log.lines().any(kept), "{log}");
}

#[tokio::test]
async fn both_kinds_of_yarn_install() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    for (example, version) in [("node-yarn", "yarn 4."), ("node-yarn-classic", "yarn 1.22.22")] {
        let (deployment, page, log) = served(&orbitra, &git, example, json!({})).await;
        assert!(page.contains("Hello from polka"), "{page}");
        assert!(log.contains(version), "{log}");
        has_no_root(&orbitra, &deployment, "node");
    }
}

#[tokio::test]
async fn bun_and_deno_run_what_is_theirs() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    for example in ["bun", "deno"] {
        let (deployment, page, _) = served(&orbitra, &git, example, json!({})).await;
        assert!(page.to_lowercase().starts_with(&format!("hello from {example} ")), "{page}");
        assert_eq!(deployment["framework"], example);
        has_no_root(&orbitra, &deployment, example);
    }
}

#[tokio::test]
async fn a_member_of_a_workspace_is_served_from_its_own_directory() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let source = json!({"source": {"root_dir": "apps/web"}});
    let (_, page, log) = served(&orbitra, &git, "node-workspaces", source).await;
    assert!(page.contains("Hello from a workspace"), "{page}");
    assert!(log.contains("COPY packages/greeting/package.json"), "{log}");
}

#[tokio::test]
async fn next_is_served_by_its_own_small_server() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (deployment, page, _) = served(&orbitra, &git, "nextjs", json!({})).await;
    assert!(page.contains("Hello from Next.js"), "{page}");
    assert_eq!(deployment["framework"], "nextjs");
    assert_eq!(orbitra.visit("nextjs.localhost", "/robots.txt").await.status, 200);
    has_no_root(&orbitra, &deployment, "node");
}

/// A visitor's request, with what it takes for an encoding.
async fn get(orbitra: &Orbitra, path: &str, encoding: &str) -> Answer {
    let request = Request::get(path).header("host", "vite.localhost");
    let request = request.header("accept-encoding", encoding).body(Full::default()).unwrap();
    send(orbitra.port, request).await.unwrap()
}

/// The script that the page names, and both as they must be.
async fn single_page(orbitra: &Orbitra) -> String {
    let page = get(orbitra, "/", "identity").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Hello from Vite"), "{}", page.body);
    let script = page.body.split('"').find(|part| part.starts_with("/assets/index-")).unwrap();
    let answer = get(orbitra, script, "identity").await;
    assert_eq!(answer.status, 200, "{script}");
    assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    // A route of the browser is the page; what is missing and what only the build had is not.
    let route = get(orbitra, "/orders/17", "identity").await;
    assert_eq!((route.status.as_u16(), &route.body), (200, &page.body));
    for path in
        ["/assets/index-00000000.js", "/main.js", "/package.json", "/node_modules/vite/README.md"]
    {
        assert_eq!(get(orbitra, path, "identity").await.status, 404, "{path}");
    }
    script.to_owned()
}

#[tokio::test]
async fn a_site_is_all_that_is_left_of_its_build() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository("vite", "vite");
    let project = orbitra.api.project("vite", json!({})).await;
    let first = orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(first["framework"], "vite");
    let old = single_page(&orbitra).await;

    // A larger script, which is worth compressing; what was installed stays.
    let words = format!("{} {}", orbitra.name(), "words that are said again and again ".repeat(60));
    repository.change("main.js", "This is ", &words);
    let second = orbitra.api.deploy_live(&project, &repository).await;
    let log = orbitra.api.log(&text(&second, "id")).await;
    let kept = |line: &str| line.contains("npm ci") && line.ends_with("CACHED");
    assert!(log.lines().any(kept), "{log}");
    assert!(log.contains("No container is needed: they are served directly."), "{log}");
    let script = single_page(&orbitra).await;
    assert_ne!(script, old);
    for (accepted, encoding) in [("br", "br"), ("gzip", "gzip"), ("zstd", "zstd")] {
        let answer = get(&orbitra, &script, accepted).await;
        assert_eq!(answer.headers["content-encoding"], encoding);
        assert!(answer.body.len() < words.len() / 2, "{accepted}: {}", answer.body.len());
    }

    // Nothing of it is on the engine, and it needs no engine to be back.
    for kind in ["container", "image"] {
        assert!(orbitra.owned(kind).is_empty(), "{kind}");
    }
    orbitra.kill9();
    orbitra.restart().await;
    assert_eq!(single_page(&orbitra).await, script);
    let own = host_of(&text(&first, "url"));
    assert_eq!(orbitra.visit(&own, &old).await.status, 200);
    assert_eq!(orbitra.visit(&own, "/orders/17").await.status, 200);
}
