//! What a build gets, what it may take and how it ends, on real Docker.

use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::{until, within};

/// A Dockerfile that runs this before it has an application.
fn dockerfile(steps: &str) -> String {
    format!(
        "FROM node:22-bookworm-slim\n{steps}\nWORKDIR /app\nCOPY . ./\nCMD [\"node\", \"server.js\"]\n"
    )
}

fn process_runs(arguments: &[&str]) -> bool {
    let wanted = format!("{}\0", arguments.join("\0"));
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .any(|command| command == wanted)
}

#[tokio::test]
async fn variables_reach_a_build_as_secrets_and_stay_nowhere() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let secret = format!("tok-{}-Zf83k'Qp1x", std::process::id());
    // Of this run alone: a step that is cached writes nothing.
    let run = format!("{}-{}", std::process::id(), orbitra.api.port);
    let steps = format!(
        "ENV RUN={run}\nARG API_TOKEN\n\
        RUN --mount=type=secret,id=API_TOKEN cat /run/secrets/API_TOKEN && base64 /run/secrets/API_TOKEN \\\n\
          && wc -c < /run/secrets/API_TOKEN > /size && test -z \"$API_TOKEN\"\n\
        RUN --mount=type=secret,id=orbitra-variables . /run/secrets/orbitra-variables \\\n\
          && test \"$(printf %s \"$API_TOKEN\" | wc -c)\" = \"$(cat /size)\" && echo \"all: $API_TOKEN\""
    );
    let server = "const size = require('node:fs').readFileSync('/size', 'utf8').trim();\n\
        require('node:http').createServer((q, r) => r.end(size)).listen(process.env.PORT, '0.0.0.0');";
    let (dockerfile, api) = (dockerfile(&steps), &orbitra.api);
    let files = [("Dockerfile", dockerfile.as_str()), ("server.js", server)];
    let repository = git.repository_of("app", &files);
    let project = api.project("builder", json!({})).await;
    let environment = json!({"API_TOKEN": secret, "OTHER": "plain words"});
    let id = api.deploy(&project, &repository, json!({"environment": environment})).await;
    api.live(&id).await;
    assert_eq!(orbitra.visit("builder.localhost", "/").await.body, secret.len().to_string());

    let log = api.log(&id).await;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&secret);
    assert!(log.contains("all: ***"), "{log}");
    assert!(!log.contains(&secret) && !log.contains(&encoded[..16]), "{log}");
    assert!(log.contains("--mount=type=secret,id=API_TOKEN"), "the way to do it is told:\n{log}");

    let images = orbitra.owned("image");
    assert!(!images.is_empty());
    for image in images {
        let history = docker(&["image", "history", "--no-trunc", &image]);
        let description = docker(&["image", "inspect", &image]);
        assert!(!history.contains(&secret) && !description.contains(&secret), "{image}");
        let save = ["image", "save", &image];
        let saved = std::process::Command::new("docker").args(save).output().unwrap().stdout;
        assert!(saved.len() > 1_000_000);
        assert!(memchr::memmem::find(&saved, secret.as_bytes()).is_none(), "it is in a layer");
    }
    let found = orbitra.files_with(secret.as_bytes());
    assert!(found.is_empty(), "the secret stands in {found:?}");
}

#[tokio::test]
async fn a_build_that_takes_all_memory_is_told_its_limit_and_harms_nobody() {
    let settings = [("ORBITRA_BUILD_MEMORY", "128"), ("ORBITRA_BUILD_CPUS", "0.5")];
    let (git, orbitra) = (GitServer::start(), Orbitra::start_with(&settings).await);
    let api = &orbitra.api;
    let project = api.project("steady", json!({})).await;
    let app = git.repository_of("steady", &apps::node(&apps::answering("steady")));
    api.deploy_live(&project, &app).await;

    let greedy = dockerfile("RUN sleep 1; tail /dev/zero");
    let bomb = git.repository_of("bomb", &[("Dockerfile", greedy.as_str()), ("server.js", "")]);
    let failing = api.project("failing", json!({})).await;
    let id = api.deploy(&failing, &bomb, json!({})).await;
    let mut slowest = Duration::ZERO;
    until("the build is over", async || {
        let begin = Instant::now();
        assert_eq!(orbitra.visit("steady.localhost", "/").await.body, "steady");
        slowest = slowest.max(begin.elapsed());
        let shown = api.get(&format!("/deployments/{id}")).await;
        (shown["status"] != "building").then_some(())
    })
    .await;
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let error = api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("out_of_memory"), &json!("building")));
    let message = text(&error, "message");
    assert!(message.contains("its limit is 128 MB. Raise ORBITRA_BUILD_MEMORY"), "{message}");
    assert_eq!(orbitra.owned("image").len(), 1, "only the steady one's");
}

#[tokio::test]
async fn output_without_end_is_cut_and_the_build_goes_on() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let noisy = dockerfile(
        "RUN timeout 2 yes 'a line that says nothing' || true; \
         head -c 3000000 /dev/zero | tr '\\0' x; echo; echo done",
    );
    let server = apps::answering("quiet");
    let files = [("Dockerfile", noisy.as_str()), ("server.js", server.as_str())];
    let (repository, api) = (git.repository_of("noisy", &files), &orbitra.api);
    let project = api.project("noisy", json!({})).await;
    let id = text(&api.deploy_live(&project, &repository).await, "id");
    let page = api.get(&format!("/deployments/{id}/logs?order=desc&limit=1000")).await;
    let lines = page["data"].as_array().unwrap();
    assert!(lines[0]["seq"].as_u64().unwrap() < 200_000);
    let longest = lines.iter().map(|line| text(line, "message").len()).max().unwrap();
    assert!(longest < 20_000, "{longest}");
    let told = lines.iter().any(|line| text(line, "message").contains("Live. "));
    assert!(told, "the last words are there: {}", lines[0]);
}

#[tokio::test]
async fn a_canceled_build_is_gone_within_five_seconds() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let sleep = ["sleep", "31417.25"];
    let endless = dockerfile("RUN [\"sleep\", \"31417.25\"]");
    let files = [("Dockerfile", endless.as_str()), ("server.js", "")];
    let (repository, api) = (git.repository_of("endless", &files), &orbitra.api);
    let project = api.project("endless", json!({})).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    until("the step runs", async || process_runs(&sleep).then_some(())).await;
    let begin = Instant::now();
    let path = format!("/deployments/{id}/cancel");
    let answer = api.done("POST", &path, Some(json!({}))).await;
    assert_eq!(answer["status"], "canceled", "{answer}");
    within(Duration::from_secs(5), "the process is gone", async || {
        (!process_runs(&sleep)).then_some(())
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_build_that_does_not_end_is_ended_at_its_time_limit() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let sleep = ["sleep", "31418.25"];
    let endless = dockerfile("RUN [\"sleep\", \"31418.25\"]");
    let files = [("Dockerfile", endless.as_str()), ("server.js", "")];
    let (repository, api) = (git.repository_of("endless", &files), &orbitra.api);
    let build = json!({"build": {"timeout_seconds": 60}});
    let project = api.project("endless", build).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    until("the step runs", async || process_runs(&sleep).then_some(())).await;
    let error: Value = api.failure(&id).await;
    assert_eq!(error["code"], "build_timeout", "{error}");
    assert_eq!(error["message"], "The build ran longer than 60 seconds.");
    until("the process is gone", async || (!process_runs(&sleep)).then_some(())).await;
}

#[tokio::test]
async fn a_build_reaches_neither_this_machine_nor_its_surroundings() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    // The gateway is this machine. Nothing needs to listen there: it is refused before it is asked.
    let probe = r"
        const { readFileSync, writeFileSync } = require('node:fs');
        const routes = readFileSync('/proc/net/route', 'utf8').split('\n').map((line) => line.split('\t'));
        const bytes = routes.find((words) => words[1] === '00000000')[2].match(/../g).reverse();
        const gateway = bytes.map((byte) => parseInt(byte, 16)).join('.');
        const connect = (host) => new Promise((done) => require('node:net').connect(80, host)
            .on('connect', () => done('reached')).on('error', (error) => done(error.code)));
        Promise.all([gateway, '169.254.169.254', '10.0.0.1'].map(connect))
            .then((all) => writeFileSync('/seen', all.join(' ')));
    ";
    let steps = "COPY probe.js /\nRUN node /probe.js";
    let server = "const seen = require('node:fs').readFileSync('/seen', 'utf8');\n\
        require('node:http').createServer((q, r) => r.end(seen)).listen(process.env.PORT, '0.0.0.0');";
    let (dockerfile, api) = (dockerfile(steps), &orbitra.api);
    let files = [("Dockerfile", dockerfile.as_str()), ("server.js", server), ("probe.js", probe)];
    let repository = git.repository_of("app", &files);
    let project = api.project("curious", json!({})).await;
    api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("curious.localhost", "/").await.body, "EACCES EACCES EACCES");
}

#[tokio::test]
async fn no_file_is_added_from_where_this_server_may_not_connect_to() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let api = &orbitra.api;
    for (name, add, told) in [
        (
            "metadata",
            "ADD http://169.254.169.254/latest/meta-data /x",
            "from 169.254.169.254: this address",
        ),
        (
            "named",
            "ARG HOST=localhost\nADD http://${HOST}:2375/info /x",
            "from localhost: this address",
        ),
        ("hidden", "ADD [\"http://0x0a000001/\", \"/x\"]", "from 10.0.0.1: this address"),
        ("unclear", "ADD https://$WHERE/x /x", "Write the host out"),
    ] {
        let dockerfile = format!("FROM scratch\n{add}\n");
        let repository = git.repository_of(name, &[("Dockerfile", dockerfile.as_str())]);
        let project = api.project(name, json!({})).await;
        let id = api.deploy(&project, &repository, json!({})).await;
        let error = api.failure(&id).await;
        assert_eq!(error["code"], "build_failed", "{error}");
        let message = text(&error, "message");
        assert!(message.starts_with("`Dockerfile` ") && message.contains(told), "{message}");
    }
}

#[tokio::test]
async fn a_cache_that_is_cleared_is_empty() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let steps = "COPY word /word\n\
        RUN --mount=type=cache,target=/cache echo \"$(ls /cache | wc -l) $(cat /word)\" > /seen; touch /cache/$(cat /word)";
    let server = "const seen = require('node:fs').readFileSync('/seen', 'utf8').trim();\n\
        require('node:http').createServer((q, r) => r.end(seen)).listen(process.env.PORT, '0.0.0.0');";
    let (dockerfile, api) = (dockerfile(steps), &orbitra.api);
    let files = [("Dockerfile", dockerfile.as_str()), ("server.js", server), ("word", "one\n")];
    let repository = git.repository_of("app", &files);
    let project = api.project("cleared", json!({})).await;
    let seen = async || orbitra.visit("cleared.localhost", "/").await.body;
    api.deploy_live(&project, &repository).await;
    assert_eq!(seen().await, "0 one");
    repository.change("word", "one", "two");
    api.deploy_live(&project, &repository).await;
    assert_eq!(seen().await, "1 two");
    let id = api.deploy(&project, &repository, json!({"clear_cache": true})).await;
    api.live(&id).await;
    assert_eq!(seen().await, "0 two");
    // What is built from then on has what was kept since.
    repository.change("word", "two", "three");
    api.deploy_live(&project, &repository).await;
    assert_eq!(seen().await, "1 three");
}
