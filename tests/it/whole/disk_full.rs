//! The disk of the data directory is full: what cannot be stored is refused, visitors are served, and everything works
//! again when there is space. On a small file system of its own, which only root can mount.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Whole, change};
use crate::support::until::until;

/// MiB of the file system.
const SIZE: u32 = 32;

/// Files and directories it can have.
const FILES: u32 = 2_000;

/// A small file system; unmounted when it is dropped.
struct Mount {
    path: PathBuf,
}

impl Mount {
    /// `None`, with the reason on the screen, where mounting is not allowed.
    fn new(directory: &Path) -> Option<Self> {
        let options = format!("size={SIZE}m,nr_inodes={FILES},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "orbitra-test"])
            .arg(directory)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { path: directory.to_owned() }),
            Ok(output) => {
                eprintln!("skipped: no file system can be mounted here: {output:?}");
                None
            }
            Err(error) => {
                eprintln!("skipped: there is no mount command: {error}");
                None
            }
        }
    }

    /// Takes every file that can still be made, and no space.
    fn use_up_files(&self) {
        let names = 0_u32..;
        std::fs::create_dir(self.filler()).unwrap();
        let made = names.map(|name| File::create(self.filler().join(name.to_string())));
        assert!(made.take_while(Result::is_ok).count() > 10);
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        let block = [7; 4096];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&block[..1]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: files may still be open.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        let _ = std::fs::remove_dir(&self.path);
    }
}

async fn start(directory: TempDir) -> Whole {
    // The floor would refuse before anything is written.
    let mut whole = Whole::stopped(&[("ORBITRA_DISK_FLOOR", "0")], directory);
    whole.begin().await;
    whole
}

#[tokio::test]
async fn a_full_disk_refuses_changes_serves_visitors_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(directory.path()) else { return };
    let whole = start(directory).await;
    let repository = whole.repository(&json!({ "body": "served" }));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;

    mount.fill();
    let mut made = Vec::new();
    let refused = loop {
        assert!(made.len() < 20_000, "it is not full");
        let name = format!("project-{}", made.len());
        let body = json!({ "name": name, "region": "local", "description": "x".repeat(400) });
        let (status, answer) = whole.api.call("POST", "/projects", Some(body)).await;
        match status {
            201 => made.push(name),
            503 => break answer,
            other => panic!("{other} {answer}"),
        }
        // What the log of writes has given back may be written once more.
        mount.fill();
    };
    let error = &refused["error"];
    assert_eq!(
        (&error["code"], &error["details"]["reason"]),
        (&json!("service_unavailable"), &json!("disk_full"))
    );
    for _ in 0..50 {
        assert_eq!(whole.site("shop").await, "served");
    }
    let (status, health) = whole.api.call("GET", "/health", None).await;
    assert_eq!((status, &health["error"]["details"]["reason"]), (503, &json!("disk_full")));
    // Reading goes on as well, and what was answered is there.
    let stored = whole.api.get("/projects?limit=1").await["pagination"]["total"].clone();
    assert_eq!(stored, made.len() + 1);

    mount.empty();
    let again = until("it works again without a restart", async || {
        let body = json!({ "name": "again", "region": "local" });
        let (status, answer) = whole.api.call("POST", "/projects", Some(body)).await;
        (status == 201).then_some(answer)
    })
    .await;
    assert_eq!(again["name"], "again");
    assert_eq!(whole.api.get("/health").await["status"], "ok");
    change(&repository, &json!({ "body": "new" }));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "new");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(directory.path()) else { return };
    let whole = start(directory).await;
    mount.fill();
    let answer = until("it is refused", async || {
        let name = format!("p{}", rand());
        let body = json!({ "name": name, "region": "local" }).to_string();
        let request = http::Request::post("/api/v1/projects")
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", whole.api.key))
            .header("content-type", "application/json")
            .body(http_body_util::Full::new(bytes::Bytes::from(body)));
        let answer = crate::support::api_client::send(whole.api.port, request.unwrap()).await;
        mount.fill();
        answer.ok().filter(|answer| answer.status == 503)
    })
    .await;
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
}

/// A number that was not given before.
fn rand() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_site_that_does_not_fit_fails_with_the_reason_and_gives_the_space_back() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path()) else { return };
    let whole = start(directory).await;
    let package =
        json!({ "scripts": { "build": "vite build" }, "devDependencies": { "vite": "1.0.0" } });
    let app = json!({ "body": "small" }).to_string();
    let files =
        [("package.json", package.to_string()), ("index.html", String::new()), ("app.json", app)];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let repository = whole.git.repository_of("app", &files);
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let before = free(whole.data.path());

    let large = json!({ "body": "large", "large_file_mb": SIZE * 2 });
    repository.commit("app.json", &large.to_string());
    let id = whole.api.deploy(&project, &repository, json!({})).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "disk_full", "{error}");
    assert_eq!(whole.site("shop").await, "small");
    // A little was written meanwhile: rows and log lines.
    until("the space is back", async || {
        (free(whole.data.path()) + 4 * 1024 * 1024 > before).then_some(())
    })
    .await;
    assert_eq!(whole.api.statuses(&project).await[0].1, "failed");
}

#[tokio::test]
async fn without_a_file_left_deployments_say_so_and_visitors_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(directory.path()) else { return };
    let whole = start(directory).await;
    let repository = whole.repository(&json!({ "body": "served" }));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;

    mount.use_up_files();
    change(&repository, &json!({ "body": "new" }));
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "disk_full", "{error}");
    assert_eq!(whole.site("shop").await, "served");

    std::fs::remove_dir_all(mount.filler()).unwrap();
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "new");
}

#[tokio::test]
async fn an_engine_without_space_is_named_and_the_next_build_works() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({ "build_fills_disk": true }));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    let error: Value = whole.api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("disk_full"), &json!("building")));
    assert_eq!(whole.engine.images(), Vec::<String>::new());
    change(&repository, &json!({ "body": "fits" }));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "fits");
}

fn free(path: &Path) -> u64 {
    orbitra::config::machine::disk(path).unwrap().available
}
