//! A real Git server over smart HTTP, with repositories of this test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orbitra::crypto::digest::Sha256;
use orbitra::crypto::token::hex;
use tempfile::TempDir;

/// The server; it ends with the value.
pub struct GitServer {
    root: TempDir,
    process: Child,
    address: String,
}

/// A repository on the server, and a working copy of it.
pub struct Repository {
    /// What a deployment is asked for with.
    pub url: String,
    work: PathBuf,
}

impl GitServer {
    /// Starts a server on a free port.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that asks for this name and password.
    pub fn private(user: &str, password: &str) -> Self {
        Self::start_with(&["--user", user, "--password", password])
    }

    /// Starts a server with these switches of the tool.
    pub fn start_with(switches: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/git-http-server.py");
        let mut process = Command::new("python3")
            .arg(tool)
            .arg("--root")
            .arg(root.path())
            .args(switches)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for the Git server of the tests");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
        Self { root, process, address }
    }

    /// Where it listens: scheme, host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The directory of a bare repository.
    pub fn bare(&self, name: &str) -> PathBuf {
        self.root.path().join(format!("{name}.git"))
    }

    /// Puts the content of a Git LFS file where the server finds it.
    pub fn keep_large_file(&self, repository: &str, content: &[u8]) -> PathBuf {
        let directory = self.bare(repository).join("lfs");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(hex(&Sha256::of(content)));
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A repository with the files of `examples/<example>` as its first commit.
    pub fn repository(&self, name: &str, example: &str) -> Repository {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let work = self.root.path().join(format!("work-{name}"));
        copy(&examples.join(example), &work);
        self.publish(name, work)
    }

    /// A repository with these files as its first commit.
    pub fn repository_of(&self, name: &str, files: &[(&str, &str)]) -> Repository {
        let work = self.root.path().join(format!("work-{name}"));
        for (path, content) in files {
            write(&work.join(path), content);
        }
        self.publish(name, work)
    }

    fn publish(&self, name: &str, work: PathBuf) -> Repository {
        let bare = self.root.path().join(format!("{name}.git"));
        git(self.root.path(), &["init", "-q", "--bare", "-b", "main", bare.to_str().unwrap()]);
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        let repository = Repository { url: format!("{}/{name}.git", self.address), work };
        repository.push("the first commit");
        repository
    }
}

/// A pointer as Git LFS writes it.
pub fn large_file_pointer(content: &[u8]) -> String {
    let oid = hex(&Sha256::of(content));
    format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n",
        content.len()
    )
}

impl Repository {
    /// Writes a file, commits and pushes. Answers the commit.
    pub fn commit(&self, path: &str, content: &str) -> String {
        write(&self.work.join(path), content);
        self.push(&format!("changes {path}"))
    }

    /// Replaces a text in a file, commits and pushes.
    pub fn change(&self, path: &str, from: &str, to: &str) -> String {
        let before = std::fs::read_to_string(self.work.join(path)).unwrap();
        assert!(before.contains(from), "{path} does not hold {from:?}");
        self.commit(path, &before.replace(from, to))
    }

    /// Makes another branch with a file, pushes it and goes back to `main`.
    pub fn branch(&self, name: &str, path: &str, content: &str) {
        git(&self.work, &["checkout", "-q", "-b", name]);
        write(&self.work.join(path), content);
        git(&self.work, &["add", "-A"]);
        git(&self.work, &["commit", "-qm", "on another branch"]);
        git(&self.work, &["push", "-q", "origin", name]);
        git(&self.work, &["checkout", "-q", "main"]);
    }

    /// Writes a file on another branch that is there, commits, pushes it and goes back to `main`. Answers the commit.
    pub fn commit_on(&self, name: &str, path: &str, content: &str) -> String {
        git(&self.work, &["checkout", "-q", name]);
        write(&self.work.join(path), content);
        git(&self.work, &["commit", "-qam", "more on another branch"]);
        git(&self.work, &["push", "-q", "origin", name]);
        let commit = self.head();
        git(&self.work, &["checkout", "-q", "main"]);
        commit
    }

    /// When the newest commit was made, in seconds since the epoch.
    pub fn committed_at(&self) -> u64 {
        git(&self.work, &["log", "-1", "--format=%ct"]).parse().unwrap()
    }

    /// The newest commit.
    pub fn head(&self) -> String {
        git(&self.work, &["rev-parse", "HEAD"])
    }

    /// Puts another repository's commit in as a submodule, commits and pushes. Answers the commit.
    pub fn submodule(&self, path: &str, url: &str, commit: &str) -> String {
        let file = self.work.join(".gitmodules");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        write(&file, &format!("{before}[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n"));
        self.link(path, commit);
        self.push(&format!("takes {path} in"))
    }

    /// Puts a commit in as a submodule, without a word in `.gitmodules`; nothing is committed yet.
    pub fn link(&self, path: &str, commit: &str) {
        std::fs::create_dir_all(self.work.join(path)).unwrap();
        self.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
    }

    /// Runs Git in the working copy.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.work, arguments)
    }

    fn push(&self, message: &str) -> String {
        git(&self.work, &["add", "-A"]);
        git(&self.work, &["commit", "-q", "-m", message]);
        git(&self.work, &["push", "-q", "origin", "main"]);
        self.head()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs Git without the settings of whoever runs the tests.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A Tester")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "tester@example.com")))
        .output()
        .expect("git is needed for the tests");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
