//! An application that writes as fast as it can, and one that leaves dead processes behind.

use serde_json::json;

use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::until;

/// MiB of a project's log.
const LIMIT: u64 = 8;
/// Writes lines that count, without end, and tells visitors how many bytes it has written.
const NOISY: &str = r#"const http = require("node:http");
const line = "x".repeat(4000);
let written = 0;
function write() {
  while (process.stdout.write(`${written} ${line}\n`)) written += line.length;
  written += line.length;
  process.stdout.once("drain", () => setImmediate(write));
}
http.createServer((request, response) => response.end(String(written))).listen(process.env.PORT, write);
"#;
/// Starts a shell for each visitor whose child is never waited for.
const FORGETFUL: &str = r#"const http = require("node:http");
const { spawn } = require("node:child_process");
http.createServer((request, response) => {
  const shell = spawn("sh", ["-c", "for i in $(seq 200); do (sh -c : &) ; done"]);
  shell.on("exit", () => response.end("left"));
}).listen(process.env.PORT);
"#;

/// Resident memory of a process in MiB.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Bytes of all files below a directory.
fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some(if metadata.is_dir() { size(&entry.path()) } else { metadata.len() })
        })
        .sum()
}

#[tokio::test]
async fn output_without_end_costs_neither_memory_nor_disk_nor_the_neighbours() {
    let limit = LIMIT.to_string();
    let (git, orbitra) =
        (GitServer::start(), Orbitra::start_with(&[("ORBITRA_LOG_SIZE", &limit)]).await);
    let api = &orbitra.api;
    let calm = git.repository_of("calm", &apps::node(&apps::answering("calm")));
    let project = api.project("calm", json!({})).await;
    api.deploy_live(&project, &calm).await;
    let before = memory(orbitra.pid());
    let noisy = git.repository_of("noisy", &apps::node(NOISY));
    let project = api.project("noisy", json!({})).await;
    api.deploy_live(&project, &noisy).await;
    until("it has written ten times what is kept", async || {
        assert_eq!(orbitra.visit("calm.localhost", "/").await.body, "calm");
        let written: u64 = orbitra.visit("noisy.localhost", "/").await.body.parse().ok()?;
        (written > 10 * LIMIT * 1024 * 1024).then_some(())
    })
    .await;
    let after = memory(orbitra.pid());
    assert!(after < before + 48, "{before} MiB before, {after} MiB after");
    let kept = size(&orbitra.data().join("logs"));
    assert!(kept < 3 * LIMIT * 1024 * 1024, "{kept} bytes are kept");
    let path = format!("/projects/{project}/logs?limit=5");
    assert_eq!(api.get(&path).await["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn dead_processes_are_reaped() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let api = &orbitra.api;
    let repository = git.repository_of("forgetful", &apps::node(FORGETFUL));
    let project = api.project("forgetful", json!({})).await;
    let deployment = api.deploy_live(&project, &repository).await;
    for _ in 0..5 {
        assert_eq!(orbitra.visit("forgetful.localhost", "/").await.body, "left");
    }
    let container = format!("orbitra-{}", deployment["id"].as_str().unwrap());
    until("only the application is left", async || {
        let listed = docker(&["container", "top", &container, "-o", "pid,stat"]);
        let processes = listed.lines().skip(1).count();
        (processes <= 2 && !listed.contains('Z')).then_some(())
    })
    .await;
}
