//! Fetching from a real Git server over smart HTTP. These tests need Python and
//! Git.

mod fetching;
mod refusals;
mod wire;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::libgit::{LibGit, Limits};
use super::{
    EntryKind, FetchError, FetchRequest, FetchedCommit, Progress, SourceFetcher, TreeError,
};
use crate::egress::{Client, Policy};

/// A Git server with one repository, and a clone of it to commit in.
struct Server {
    child: Child,
    address: String,
    root: TempDir,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/git-http-server.py");
        let root = tempfile::tempdir().unwrap();
        let mut child = Command::new("python3")
            .args([script, "--port", "0", "--root"])
            .arg(root.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        let server = Self { child, address, root };
        git(server.root.path(), &["init", "-q", "--bare", "-b", "main", "repo.git"]);
        git(server.root.path(), &["init", "-q", "-b", "main", "work"]);
        server
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Commits these files and pushes to the branch; returns the commit.
    fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            let path = self.work().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&self.work(), &["add", "-A"]);
        git(
            &self.work(),
            &["commit", "-q", "--allow-empty", "-m", &format!("Change {}", files[0].0)],
        );
        git(
            &self.work(),
            &["push", "-q", "-f", "../repo.git", &format!("HEAD:refs/heads/{branch}")],
        );
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    fn fetcher(&self) -> LibGit {
        fetcher(self.root.path().join("mirrors"), Limits::default())
    }

    fn request(&self, branch: Option<&str>, commit: Option<&str>) -> FetchRequest {
        let policy = Policy::parse(&["127.0.0.1/32"], true).unwrap();
        FetchRequest {
            url: policy.git_url(&format!("{}/repo.git", self.address)).unwrap(),
            branch: branch.map(str::to_owned),
            access: None,
            commit: commit.map(str::to_owned),
            timeout: Duration::from_secs(20),
        }
    }

    fn mirror(&self) -> PathBuf {
        let key = self.request(None, None).url.mirror_key();
        self.root.path().join("mirrors").join(format!("{key}.git"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn fetcher(mirrors: PathBuf, limits: Limits) -> LibGit {
    let policy = Policy::parse(&["127.0.0.1/32"], true).unwrap();
    LibGit::new(mirrors, Client::new(policy).unwrap(), limits)
}

async fn fetch(fetcher: &LibGit, request: FetchRequest) -> Result<FetchedCommit, FetchError> {
    fetcher.fetch(request, Arc::new(|_| {}), CancellationToken::new()).await
}

fn read(commit: &FetchedCommit, path: &str) -> Option<String> {
    let bytes = commit.tree.read(path, 1 << 20).unwrap()?;
    Some(String::from_utf8(bytes).unwrap())
}
