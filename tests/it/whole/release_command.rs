//! The release command: it runs in the new image before anything of it serves.

use serde_json::{Value, json};

use super::Whole;
use crate::support::api_client::text;
use crate::support::git_server::Repository;
use crate::support::until::until;

const SECRET: &str = "s3cret-Zf83kQp1x";
const PROCFILE: &str = "web: node server.js\nrelease: ./migrate --all\nworker: node worker.js\n";

/// A repository with a `Procfile` whose application behaves like this.
fn repository(whole: &Whole, app: &Value) -> Repository {
    let app = app.to_string();
    let files =
        [("package.json", "{}"), ("server.js", ""), ("Procfile", PROCFILE), ("app.json", &app)];
    whole.git.repository_of("app", &files)
}

/// The words of every release command so far.
fn words(whole: &Whole) -> Vec<String> {
    whole.engine.commands().iter().map(|command| command.words.join(" ")).collect()
}

#[tokio::test]
async fn it_runs_before_the_switch_with_the_variables_of_the_deployment() {
    let whole = Whole::start().await;
    let app = |body: &str| json!({"body": body, "release_says": format!("migrated with {SECRET}")});
    let repository = repository(&whole, &app("one"));
    let project = whole.project("shop").await;
    let first = text(&whole.api.deploy_live(&project, &repository).await, "id");
    repository.commit("app.json", &app("two").to_string());
    let environment = json!({"environment": {"DATABASE_URL": SECRET}});
    let second = whole.api.deploy(&project, &repository, environment).await;
    whole.api.live(&second).await;
    assert_eq!(whole.site("shop").await, "two");

    let ran = whole.engine.commands();
    assert_eq!(ran.len(), 2, "one for each deployment");
    let command = &ran[1];
    assert_eq!(command.words, ["/bin/sh", "-c", "./migrate --all"]);
    assert_eq!(command.network, format!("orbitra-{project}"));
    assert_eq!(command.others, [format!("orbitra-{first}")], "nothing of the new one ran yet");
    let variable = |name: &str| {
        let found = command.environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(variable("DATABASE_URL"), Some(SECRET));
    assert_eq!(variable("ORBITRA_DEPLOYMENT_ID"), Some(second.as_str()));
    assert_eq!(variable("ORBITRA_COMMIT"), Some(repository.head().as_str()));

    let log = whole.api.log(&second).await;
    let at = |line: &str| log.find(line).unwrap_or_else(|| panic!("no {line:?} in\n{log}"));
    let order = [
        at("Its `Procfile` says `web` and `release`."),
        at("Running the release command: ./migrate --all"),
        at("migrated with ***"),
        at("The release command is done."),
        at("Starting the container"),
        at("Live. "),
    ];
    assert!(order.is_sorted(), "{log}");
    assert!(!log.contains(SECRET), "{log}");
    assert!(log.contains("`worker`, which will not run"), "{log}");
    let names = whole.engine.names();
    assert!(!names.iter().any(|name| name.ends_with("-release")), "{names:?}");

    // A restart and a way back run nothing again: the image was released.
    whole.api.done("POST", &format!("/projects/{project}/restart"), None).await;
    whole.released(&second).await;
    whole.api.done("POST", &format!("/projects/{project}/rollback"), Some(json!({}))).await;
    whole.released(&first).await;
    assert_eq!(whole.site("shop").await, "one");
    assert_eq!(whole.engine.commands().len(), 2);
}

#[tokio::test]
async fn orbitra_toml_counts_more_than_a_procfile_and_serves_a_dockerfile_too() {
    let whole = Whole::start().await;
    let repository = repository(&whole, &json!({"body": "one"}));
    let project = whole.project("shop").await;
    repository.commit("orbitra.toml", "[runtime]\nrelease_command = 'bin/release'\n");
    whole.api.deploy_live(&project, &repository).await;
    repository.commit("Dockerfile", super::DOCKERFILE);
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(words(&whole), ["/bin/sh -c bin/release"; 2]);
    // A Dockerfile says itself what is run: the Procfile beside it has no say.
    repository.commit("orbitra.toml", "");
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(words(&whole).len(), 2);
}

/// Deploys something good, then this: the error, with the old one serving and nothing of the new one left.
async fn fails(app: Value, seconds: u32) -> Value {
    let whole = Whole::start().await;
    let repository = repository(&whole, &json!({"body": "good"}));
    let project = whole.project("shop").await;
    let good = whole.api.deploy_live(&project, &repository).await;
    let before = whole.engine.count();
    // The shortest time that the API takes is a minute.
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    let limit = "UPDATE projects SET build = json_set(build, '$.timeout_seconds', ?1)";
    assert_eq!(database.execute(limit, [seconds]).unwrap(), 1);
    repository.commit("app.json", &app.to_string());
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(whole.site("shop").await, "good");
    assert_eq!(whole.engine.count(), before, "nothing of the failed one is left");
    assert_eq!(whole.engine.starts(&id), None);
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["live_deployment_id"], good["id"]);
    let log = whole.api.log(&id).await;
    assert!(log.contains(&text(&error, "message")), "{log}");
    assert!(!log.contains("Starting the container"), "{log}");
    error
}

#[tokio::test]
async fn one_that_fails_switches_nothing() {
    let error = fails(json!({"release_exit": 3, "release_says": "no table"}), 600).await;
    assert_eq!(
        error,
        json!({"code": "start_failed", "phase": "starting", "exit_code": 3,
               "message": "The release command ended with exit code 3. Nothing was switched.",
               "cause": "exit_code", "evidence": ["no table", "exit code 3"],
               "hint": "Read what it wrote at the end of the build log, and run it on your machine."})
    );
}

#[tokio::test]
async fn one_that_does_not_end_is_ended_at_the_limit_of_the_build() {
    let error = fails(json!({"release_hangs": true}), 1).await;
    assert_eq!(
        error,
        json!({"code": "start_failed", "phase": "starting", "exit_code": null,
               "message": "The release command ran longer than 1 seconds. Nothing was switched."})
    );
}

#[tokio::test]
async fn one_that_takes_too_much_memory_is_told_its_limit() {
    let app = json!({"release_exit": 137, "release_takes_all_memory": true});
    assert_eq!(
        fails(app, 600).await,
        json!({"code": "out_of_memory", "phase": "starting", "exit_code": 137,
               "message": "The release command was stopped: it used more than its 512 MiB of memory. Nothing was switched.",
               "cause": "memory_limit", "evidence": ["killed by the kernel: memory limit 512 MiB, exit code 137"],
               "hint": "Raise the project's memory above 512 MiB, or let the application use less."})
    );
}

#[tokio::test]
async fn one_that_runs_ends_with_a_cancel_and_begins_again_after_a_crash() {
    let mut whole = Whole::start().await;
    let repository = repository(&whole, &json!({"body": "good"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let before = whole.engine.count();
    repository.commit("app.json", &json!({"release_hangs": true}).to_string());
    let id = whole.deploy(&project, &repository).await;
    let runs = async |whole: &Whole, count: usize| {
        until("it runs", async || (whole.engine.commands().len() == count).then_some(())).await;
    };
    runs(&whole, 2).await;
    assert_eq!(whole.site("shop").await, "good", "the old one serves while it runs");
    let path = format!("/deployments/{id}/cancel");
    let answer = whole.api.done("POST", &path, Some(json!({}))).await;
    assert_eq!(answer["status"], "canceled", "{answer}");
    until("nothing is left", async || (whole.engine.count() == before).then_some(())).await;

    let id = whole.deploy(&project, &repository).await;
    runs(&whole, 3).await;
    whole.cut_off();
    repository.commit("app.json", &json!({"body": "better"}).to_string());
    whole.run().await;
    whole.api.live(&id).await;
    assert_eq!(whole.site("shop").await, "better");
    let names = whole.engine.names();
    assert!(!names.iter().any(|name| name.ends_with("-release")), "{names:?}");
}
