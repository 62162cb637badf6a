//! Sites that a build makes: files that the proxy serves, without a container.

use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{Answer, host_of, text, try_visit};
use crate::support::git_server::Repository;

const SCRIPT: &str = "assets/index-8f3a2b1c.js";

fn package(tool: &str) -> String {
    let build = format!("{tool} build");
    json!({"scripts": {"build": build}, "devDependencies": {tool: "1.0.0"}}).to_string()
}

/// A repository of a tool whose build makes these files.
fn repository(whole: &Whole, tool: &str, app: &Value) -> Repository {
    let (package, app) = (package(tool), app.to_string());
    let files = [("package.json", package.as_str()), ("index.html", ""), ("app.json", &app)];
    whole.git.repository_of("app", &files)
}

async fn get(whole: &Whole, host: &str, path: &str) -> Answer {
    try_visit(whole.api.port, host, path).await.unwrap()
}

/// What a router in the browser needs.
async fn routes_in_the_browser(whole: &Whole, host: &str, page: &str) {
    for path in ["/", "/some/route", "/some/route/", "/some/route?with=query"] {
        let answer = get(whole, host, path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, page), "{host}{path}");
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        assert_eq!(answer.headers["cache-control"], "public, max-age=0, must-revalidate");
    }
    let script = get(whole, host, &format!("/{SCRIPT}")).await;
    assert_eq!((script.status.as_u16(), script.body.as_str()), (200, "run()"));
    assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
    // A page in the place of a script would hide that it is missing.
    for path in ["/assets/index-00000000.js", "/missing.js", "/package.json", "/app.json"] {
        assert_eq!(get(whole, host, path).await.status, 404, "{host}{path}");
    }
}

#[tokio::test]
async fn a_path_without_a_file_is_for_the_router_in_the_browser() {
    let mut whole = Whole::start().await;
    let app = |body: &str| json!({"body": body, "files": {SCRIPT: "run()"}});
    let repository = repository(&whole, "vite", &app("one"));
    let project = whole.project("shop").await;
    let first = whole.api.deploy_live(&project, &repository).await;
    assert_eq!(first["framework"], "vite");
    routes_in_the_browser(&whole, "shop.localhost", "one").await;
    let log = whole.api.log(&text(&first, "id")).await;
    assert!(log.contains("2 files, 1 KB. No container is needed"), "{log}");

    change(&repository, &app("two"));
    whole.api.deploy_live(&project, &repository).await;
    let own = host_of(&text(&first, "url"));
    for _ in 0..2 {
        routes_in_the_browser(&whole, "shop.localhost", "two").await;
        routes_in_the_browser(&whole, &own, "one").await;
        assert_eq!(whole.engine.count(), (0, 0, 0, 0), "nothing is on the engine");
        whole.cut_off();
        whole.run().await;
    }
    // A way back is a way back for files, too.
    whole.api.done("POST", &format!("/projects/{project}/rollback"), Some(json!({}))).await;
    whole.released(&text(&first, "id")).await;
    routes_in_the_browser(&whole, "shop.localhost", "one").await;
}

#[tokio::test]
async fn a_build_that_makes_a_page_for_routes_beside_its_own_pages() {
    let whole = Whole::start().await;
    let app = json!({"body": "home", "files": {"200.html": "routes", "404.html": "not here"}});
    let repository = repository(&whole, "vite", &app);
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    for (path, status, body) in
        [("/", 200, "home"), ("/some/route", 200, "routes"), ("/missing.js", 404, "not here")]
    {
        let answer = get(&whole, "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body), "{path}");
    }
}

#[tokio::test]
async fn a_site_of_pages_has_no_page_for_what_is_not_there() {
    let whole = Whole::start().await;
    let app = json!({"body": "home", "files": {"about.html": "about", "404.html": "not here"}});
    let repository = repository(&whole, "astro", &app);
    let project = whole.project("shop").await;
    let deployment = whole.api.deploy_live(&project, &repository).await;
    assert_eq!(deployment["framework"], "astro");
    for (path, status, body) in
        [("/", 200, "home"), ("/about", 200, "about"), ("/some/route", 404, "not here")]
    {
        let answer = get(&whole, "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body), "{path}");
    }
}

#[tokio::test]
async fn a_build_that_fails_leaves_the_old_files_serving() {
    let whole = Whole::start().await;
    let repository = repository(&whole, "vite", &json!({"body": "good"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"build_exit": 2}));
    let failed = whole.deploy(&project, &repository).await;
    assert_eq!(whole.api.failure(&failed).await["code"], "build_failed");
    // Nothing that could be served: hidden files are not.
    change(&repository, &json!({"body": "", "no_index": true, "files": {".hidden": "x"}}));
    let empty = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&empty).await;
    assert_eq!(error["code"], "build_failed");
    assert!(text(&error, "message").contains("made no files that can be served"), "{error}");
    assert_eq!(whole.site("shop").await, "good");
    let sites = std::fs::read_dir(whole.data.path().join("sites")).unwrap();
    assert_eq!(sites.count(), 1, "nothing of the failed ones is left");
}
