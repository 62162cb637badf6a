//! Fetching from real servers: private ones, over SSH, with submodules, with Git LFS.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod large_files;
mod private;
mod ssh;
mod submodules;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orbitra::crypto::ssh_key::{SshSeed, openssh};
use orbitra::egress::{Client, Policy};
use orbitra::git::libgit::{LibGit, Limits};
use orbitra::git::{Access, Credential, FetchError, FetchRequest, FetchedCommit, SourceFetcher};
use orbitra::model::git_url::GitUrl;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// A fetcher with a directory of its own, and what it said.
struct Fetching {
    fetcher: LibGit,
    directory: TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

fn policy() -> Policy {
    Policy::parse(&["127.0.0.1/32"], true).unwrap()
}

fn address(url: &str) -> GitUrl {
    policy().git_url(url).unwrap()
}

/// Access with a token to the server of this address.
fn token(url: &str, token: &str) -> Access {
    let url = address(url);
    let credential = Credential::token(token, &url.host());
    Access {
        owner: "prj_0000000000000001".to_owned(),
        origin: url.origin(),
        alone: false,
        credential,
    }
}

/// Access with a key, and the key as a server takes it.
fn key(url: &str, seed: u8) -> (Access, String) {
    let (url, seed) = (address(url), SshSeed([seed; 32]));
    let line = openssh(&seed.public(), "orbitra");
    let (owner, credential) = ("prj_0000000000000001".to_owned(), Credential::Key(seed));
    (Access { owner, origin: url.origin(), alone: false, credential }, line)
}

impl Fetching {
    fn new() -> Self {
        Self::limited(Limits::default())
    }

    fn limited(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let client = Client::new(policy()).unwrap();
        let fetcher = LibGit::new(directory.path().join("mirrors"), client, limits)
            .with_known_hosts(directory.path().join("known_hosts"));
        Self { fetcher, directory, said: Arc::default() }
    }

    /// What the operator writes into the file of known host keys.
    fn know(&self, line: &str) {
        std::fs::write(self.directory.path().join("known_hosts"), line).unwrap();
    }

    async fn fetch(&self, url: &str, access: Option<Access>) -> Result<FetchedCommit, FetchError> {
        self.commit(url, access, None).await
    }

    async fn commit(
        &self,
        url: &str,
        access: Option<Access>,
        commit: Option<String>,
    ) -> Result<FetchedCommit, FetchError> {
        let said = Arc::clone(&self.said);
        let request = FetchRequest {
            url: address(url),
            branch: None,
            access,
            commit,
            timeout: Duration::from_secs(30),
        };
        let progress = Arc::new(move |line| said.lock().unwrap().push(line));
        self.fetcher.fetch(request, progress, CancellationToken::new()).await
    }

    /// The text of the error of a fetch that must fail.
    async fn error(&self, url: &str, access: Option<Access>) -> FetchError {
        self.fetch(url, access).await.err().expect("it was fetched")
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    fn files(&self) -> Vec<PathBuf> {
        let (mut found, mut open) = (Vec::new(), vec![self.directory.path().to_owned()]);
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found
    }

    /// Whether these bytes stand in any file of the fetcher.
    fn stores(&self, wanted: &str) -> bool {
        let finder = memchr::memmem::Finder::new(wanted.as_bytes());
        self.files().iter().any(|path| finder.find(&std::fs::read(path).unwrap()).is_some())
    }
}

/// Everything of a commit, as `path content`.
fn contents(commit: &FetchedCommit) -> Vec<String> {
    let mut lines = Vec::new();
    let walked = commit.tree.walk(&mut |entry, content| {
        let (size, mut text) = (content.size()?, String::new());
        content.read_to_string(&mut text)?;
        assert_eq!(text.len() as u64, size, "{}", entry.path);
        lines.push(format!("{} {text}", entry.path).trim_end().to_owned());
        Ok(())
    });
    walked.unwrap();
    lines
}

fn read(commit: &FetchedCommit, path: &str) -> Option<String> {
    Some(String::from_utf8(commit.tree.read(path, 1 << 20).unwrap()?).unwrap())
}

/// A server that keeps what is sent to it and answers everything with these bytes.
async fn listener(answer: String) -> (String, Arc<Mutex<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 65536];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            hearing.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, heard)
}
