//! Every application of `examples/broken`, deployed on real Docker: each gets its own cause, evidence and next step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use futures_util::stream;
use orbitra::model::diagnosis::Cause;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;
use crate::support::until::until;

/// Applications on their way at the same time. Most of them wait most of the time.
const TOGETHER: usize = 12;
/// Seconds that an application whose process ends may take to become healthy. Nobody waits for them: the end itself is seen.
const GRACE: u64 = 300;

/// What an application's `expected.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: String,
    phase: String,
    cause: String,
    exit_code: Option<i64>,
    /// Part of the next step.
    hint: String,
    /// Part of one piece of evidence.
    evidence: Option<String>,
    /// Of its project.
    #[serde(default)]
    settings: Value,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/broken")
}

fn all() -> BTreeMap<String, Expected> {
    let directories = std::fs::read_dir(corpus()).unwrap().map(Result::unwrap);
    let directories = directories.filter(|entry| entry.file_type().unwrap().is_dir());
    directories
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let written = std::fs::read_to_string(entry.path().join("expected.toml")).unwrap();
            let expected = toml::from_str(&written);
            (name.clone(), expected.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

/// What is wrong with the explanation of one application; nothing when it is as expected.
async fn deploy(
    orbitra: &Orbitra,
    git: &GitServer,
    name: &str,
    expected: &Expected,
) -> Vec<String> {
    let api = &orbitra.api;
    let repository = git.repository(name, &format!("broken/{name}"));
    let mut settings =
        if expected.settings.is_null() { json!({}) } else { expected.settings.clone() };
    let ends = expected.phase == "checking" && expected.code == "start_failed";
    if ends {
        settings["runtime"]["healthcheck"]["grace_seconds"] = json!(GRACE);
    }
    let project = api.project(name, settings).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    let deployment = api.finished(&id).await;
    let error = &deployment["error"];
    let mut wrong = Vec::new();
    let mut compare = |what: &str, found: &Value, wanted: Value| {
        if *found != wanted {
            wrong.push(format!("{name}: {what} is {found}, not {wanted}"));
        }
    };
    compare("the status", &deployment["status"], json!("failed"));
    compare("the code", &error["code"], json!(expected.code));
    compare("the phase", &error["phase"], json!(expected.phase));
    compare("the cause", &error["cause"], json!(expected.cause));
    compare("the exit code", &error["exit_code"], json!(expected.exit_code));
    let hint = error["hint"].as_str().unwrap_or_default();
    if !hint.contains(&expected.hint) {
        wrong.push(format!("{name}: {:?} is not in the hint {hint:?}", expected.hint));
    }
    let evidence = error["evidence"].to_string();
    let shown = expected.evidence.as_ref().map(|text| serde_json::to_string(text).unwrap());
    if shown.is_some_and(|text| !evidence.contains(text.trim_matches('"'))) {
        wrong.push(format!("{name}: {:?} is not in the evidence {evidence}", expected.evidence));
    }
    let receipt = api.get(&format!("/deployments/{id}/receipt")).await;
    if !receipt["written_at"].is_string() {
        wrong.push(format!("{name}: there is no receipt: {receipt}"));
    }
    if ends {
        // Whoever waited for the deadline would have taken all of it.
        let phases = receipt["phases"].as_array().unwrap();
        let checking = phases.iter().find(|step| step["phase"] == "checking").unwrap();
        if checking["duration_ms"].as_u64().unwrap() >= GRACE * 1_000 {
            wrong.push(format!("{name}: the failure came with the deadline: {checking}"));
        }
    }
    if !wrong.is_empty() {
        wrong.push(format!("{error:#}\n{}", api.log(&id).await));
    }
    // Its network is free for the next one.
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    wrong
}

#[tokio::test]
async fn each_gets_its_own_cause_evidence_and_next_step() {
    let corpus = all();
    assert!(corpus.len() >= 20, "{} applications", corpus.len());
    let git = GitServer::start();
    let settings = [("ORBITRA_BUILD_CONCURRENCY", "4"), ("ORBITRA_NETWORK_POOL", "10.210.0.0/18")];
    let orbitra = Orbitra::start_with(&settings).await;
    let (orbitra, git) = (&orbitra, &git);
    let deploying = stream::iter(&corpus)
        .map(|(name, expected)| deploy(orbitra, git, name, expected))
        .buffer_unordered(TOGETHER);
    let wrong: Vec<String> = deploying.collect::<Vec<_>>().await.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(orbitra.owned("container").is_empty() && orbitra.owned("image").is_empty());
    until("the networks of deleted projects go", async || {
        orbitra.owned("network").is_empty().then_some(())
    })
    .await;
}

#[test]
fn every_expectation_names_a_cause_and_the_table_names_every_application() {
    let table = std::fs::read_to_string(corpus().join("README.md")).unwrap();
    for (name, expected) in all() {
        assert!(Cause::parse(&expected.cause).is_some(), "{name}: {}", expected.cause);
        let row = format!("| `{name}` |");
        let row = table.lines().find(|line| line.starts_with(&row)).expect(&name);
        let end = format!("| `{}` | `{}` |", expected.code, expected.cause);
        assert!(row.ends_with(&end), "{row}");
    }
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, all().len());
}

#[tokio::test]
async fn a_project_that_serves_goes_on_and_what_failed_keeps_its_last_lines() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let api = &orbitra.api;
    let good = git.repository("good", "node-hello");
    let project = api.project("serves", json!({})).await;
    api.deploy_live(&project, &good).await;
    let lines =
        "for (let line = 1; line <= 250; line++) console.log(`line ${line}`);\nprocess.exit(1);\n";
    let bad = git.repository_of("bad", &crate::support::apps::node(lines));
    let id = api.deploy(&project, &bad, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!((&error["cause"], &error["exit_code"]), (&json!("exit_code"), &json!(1)));
    let message = text(&error, "message");
    assert!(message.starts_with("The application stopped with exit code 1."), "{message}");
    assert!(message.ends_with("line 249\nline 250"), "{message}");
    assert_eq!(orbitra.visit("serves.localhost", "/").await.status, 200);
}
