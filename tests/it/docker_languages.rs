//! Applications in other languages than JavaScript, built and served on real Docker. tests/README.md says which
//! languages are missing here, and why.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::git_server::{GitServer, Repository};
use crate::support::orbitra::{Orbitra, inspect};
use crate::support::until::within;

/// An example that is live.
struct Site {
    orbitra: Orbitra,
    project: String,
    repository: Repository,
    deployment: String,
    _git: GitServer,
}

impl Site {
    /// Deploys an example, and sees that it greets, as a user without rights and as the framework that it is.
    async fn of(example: &str, framework: &str, greeting: &str) -> Self {
        let git = GitServer::start();
        let orbitra = Orbitra::start().await;
        let repository = git.repository("app", example);
        let project = orbitra.api.project("site", json!({})).await;
        let deployment = deploy(&orbitra, &project, &repository).await;
        assert_eq!(deployment["framework"], framework);
        let id = text(&deployment, "id");
        let site = Self { orbitra, project, repository, deployment: id, _git: git };
        site.greets(greeting).await;
        let user = &site.orbitra.container_of(&site.deployment)["Config"]["User"];
        assert!(user.as_str().is_some_and(|user| !matches!(user, "" | "root" | "0")), "{user}");
        site
    }

    async fn greets(&self, greeting: &str) {
        let page = self.orbitra.visit("site.localhost", "/").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains(greeting), "{}", page.body);
    }

    /// Changes the sources and deploys again. Answers the log of the build.
    async fn change(&self, path: &str, from: &str, to: &str) -> String {
        self.repository.change(path, from, to);
        let deployment = deploy(&self.orbitra, &self.project, &self.repository).await;
        self.orbitra.api.log(&text(&deployment, "id")).await
    }
}

/// Deploys, with the time that a compiler with nothing kept takes on a busy machine.
async fn deploy(orbitra: &Orbitra, project: &str, repository: &Repository) -> Value {
    let id = orbitra.api.deploy(project, repository, json!({})).await;
    within(Duration::from_secs(400), "the build ends", async || {
        let deployment = orbitra.api.get(&format!("/deployments/{id}?wait=30")).await;
        (deployment["status"] != "building").then_some(())
    })
    .await;
    orbitra.api.live(&id).await
}

#[tokio::test]
async fn a_go_module_with_two_programs() {
    let site = Site::of("go-hello", "go", "Hello from Go").await;
    site.change("greeting/greeting.go", "Hello from Go", "Good day from Go").await;
    site.greets("Good day from Go").await;
    // The finished image has the program and no compiler.
    let image = site.orbitra.container_of(&site.deployment)["Image"].clone();
    let size = inspect("image", image.as_str().unwrap())["Size"].as_u64().unwrap();
    assert!(size < 150_000_000, "{size} bytes");
}

#[tokio::test]
async fn a_rust_workspace_compiles_its_dependencies_once() {
    let site = Site::of("rust-hello", "rust", "Hello from Rust").await;
    // Files of a commit have its time, which is older than the last build: a kept program of the commit before must not be taken for this one's.
    // The engine keeps what it built in an earlier run of this test, so the change is a new one each time.
    let greeting = format!("Good day from {}", site.project);
    let log = site.change("crates/greeting/src/lib.rs", "Hello from Rust", &greeting).await;
    site.greets(&greeting).await;
    assert!(log.contains("Compiling greeting"), "{log}");
    assert!(!log.contains("Compiling tiny_http"), "{log}");
}

#[tokio::test]
async fn a_rack_application_with_puma() {
    let site = Site::of("ruby-rack", "ruby", "Hello from Ruby").await;
    let log = site.change("config.ru", "Hello from Ruby", "Good day from Ruby").await;
    site.greets("Good day from Ruby").await;
    // Nothing was installed again.
    assert!(log.contains("CACHED"), "{log}");
}

#[tokio::test]
async fn php_with_a_front_controller() {
    let site = Site::of("php-hello", "php", "Hello from PHP").await;
    let get = async |path: &str| site.orbitra.visit("site.localhost", path).await;
    let missing = get("/no/such/page").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("Nothing here"), "{}", missing.body);

    let style = get("/style.css").await;
    assert_eq!(style.status, 200);
    // The files of an older commit have older times: they say nothing about which copy is the newer one.
    assert!(!style.headers.contains_key("last-modified"));
    let tag = style.headers["etag"].clone();
    site.change("public/style.css", "sans-serif", "monospace ").await;
    assert_ne!(get("/style.css").await.headers["etag"], tag);

    for path in ["/composer.json", "/.htaccess", "/.git/config", "/../composer.json"] {
        let answer = get(path).await;
        assert!(!answer.body.contains("psr-4"), "{path}: {}", answer.body);
        assert!(matches!(answer.status.as_u16(), 400 | 403 | 404), "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_jar_made_by_maven() {
    Site::of("java-maven", "java", "Hello from Java").await;
}

#[tokio::test]
async fn a_jar_made_by_gradle() {
    Site::of("java-gradle", "java", "Hello from Gradle").await;
}

#[tokio::test]
async fn an_elixir_release() {
    Site::of("elixir", "elixir", "Hello from Elixir").await;
}
