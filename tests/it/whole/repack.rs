//! A repository that is pushed to many times stays small: its packs become one, and nothing is lost by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{DOCKERFILE, Whole};
use crate::support::api_client::text;
use crate::support::pusher::Pusher;
use crate::support::until::until;

/// More pushes than packs are kept.
const PUSHES: usize = 24;

fn packs(repository: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository.join("objects/pack")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "idx")).collect();
    all.sort();
    all
}

/// What Git itself finds below a commit in a repository.
fn objects(repository: &Path, commit: &str) -> String {
    let listed = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["rev-list", "--objects", commit])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{error}");
    String::from_utf8(listed.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pushes_are_packed_anew_and_everything_is_there() {
    let mut whole = Whole::start().await;
    let project = whole.project("shop").await;
    let app = json!({ "body": "first" }).to_string();
    let pusher = Pusher::new(&[("Dockerfile", DOCKERFILE), ("app.json", &app)]);
    let address =
        format!("http://anybody:{}@127.0.0.1:{}/git/shop.git", whole.api.key, whole.api.port);
    // Kept and not deployed.
    pusher.git(&["checkout", "-q", "-b", "notes"]);
    let mut commit = String::new();
    for number in 0..PUSHES {
        commit = pusher.commit("notes.txt", &format!("note {number}\n").repeat(number + 1));
        pusher.push(&address, &["notes"]).taken();
    }
    let repository = whole.data.path().join(format!("repositories/{project}.git"));
    until("the packs are one", async || (packs(&repository).len() < PUSHES - 15).then_some(()))
        .await;
    assert!(!repository.join("repack").exists());
    let copy = pusher.path().join(".git");
    assert_eq!(objects(&repository, &commit), objects(&copy, &commit));
    // A pack without its index, and one that was being made: what a power cut may leave.
    let stray = repository.join("objects/pack/pack-0000000000000000000000000000000000000000.pack");
    std::fs::write(&stray, "PACK").unwrap();
    std::fs::create_dir_all(repository.join("repack/pack")).unwrap();
    std::fs::write(repository.join("repack/pack/x.idx"), "x").unwrap();
    whole.cut_off();
    whole.run().await;
    let address =
        format!("http://anybody:{}@127.0.0.1:{}/git/shop.git", whole.api.key, whole.api.port);
    // It goes on, and what is deployed is read from what was packed anew.
    for number in 0..PUSHES {
        commit = pusher.commit("notes.txt", &format!("second {number}\n"));
        pusher.push(&address, &["notes"]).taken();
    }
    until("they are one again", async || (packs(&repository).len() < PUSHES).then_some(())).await;
    assert!(!stray.exists());
    assert_eq!(objects(&repository, &commit), objects(&copy, &commit));
    pusher.git(&["checkout", "-q", "main"]);
    pusher.git(&["merge", "-q", "notes"]);
    pusher.push(&address, &["main"]).taken();
    let list = whole.api.get(&format!("/projects/{project}/deployments")).await;
    whole.api.live(&text(&list["data"][0], "id")).await;
}
