//! The release command of a `Procfile`, on real Docker.

use serde_json::json;

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;

const SECRET: &str = "s3cret-Zf83kQp1x";

/// Says who it is and what it sees.
const MIGRATE: &str = r#"console.log(`migrates ${process.env.DATABASE_URL} of ${process.env.ORBITRA_PROJECT}`);
console.log(`by user ${process.getuid()}, with ${require("node:fs").readdirSync(".").filter((name) => name[0] !== ".").sort()}`);
console.error("and complains");
"#;

#[tokio::test]
async fn a_release_command_runs_in_the_new_image_and_decides_on_the_switch() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = apps::answering("one");
    let files = [
        ("package.json", r#"{"name": "app", "version": "1.0.0", "private": true}"#),
        ("server.js", server.as_str()),
        ("migrate.js", MIGRATE),
        ("Procfile", "web: node server.js\nrelease: node migrate.js\n"),
    ];
    let (repository, api) = (git.repository_of("app", &files), &orbitra.api);
    let project = api.project("shop", json!({"runtime": {"memory_mb": 96}})).await;
    let deploy = async || {
        let environment = json!({"environment": {"DATABASE_URL": SECRET}});
        api.deploy(&project, &repository, environment).await
    };
    let first = deploy().await;
    api.live(&first).await;
    assert_eq!(orbitra.visit("shop.localhost", "/").await.body, "one");
    let log = api.log(&first).await;
    for line in [
        "Running the release command: node migrate.js",
        "migrates *** of shop",
        "by user 1000, with Procfile,migrate.js,package.json,server.js",
        "and complains",
        "The release command is done.",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    assert!(!log.contains(SECRET), "{log}");

    repository.commit("server.js", &apps::answering("two"));
    for (migrate, code, exit_code, message) in [
        (
            "console.log('no such table'); process.exit(5);",
            "start_failed",
            json!(5),
            "The release command ended with exit code 5. Nothing was switched.",
        ),
        (
            "const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));",
            "out_of_memory",
            json!(137),
            "The release command was stopped: it used more than its 96 MiB of memory. Nothing was switched.",
        ),
    ] {
        repository.commit("migrate.js", migrate);
        let id = deploy().await;
        let error = api.failure(&id).await;
        assert_eq!(error["code"], code, "{error}\n{}", api.log(&id).await);
        assert_eq!((&error["phase"], &error["exit_code"]), (&json!("starting"), &exit_code));
        assert_eq!(text(&error, "message"), message);
        assert_eq!(orbitra.visit("shop.localhost", "/").await.body, "one");
        assert_eq!(orbitra.owned("container").len(), 1, "only the one that serves");
        assert_eq!(orbitra.owned("image").len(), 1);
    }
    repository.commit("migrate.js", MIGRATE);
    api.live(&deploy().await).await;
    assert_eq!(orbitra.visit("shop.localhost", "/").await.body, "two");
}
