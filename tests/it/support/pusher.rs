//! Somebody with a working copy and the real Git, who pushes to Orbitra.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A working copy.
pub struct Pusher {
    work: TempDir,
}

/// How a push ended.
#[derive(Clone, Debug)]
pub struct Pushed {
    pub ok: bool,
    /// What stood in the terminal.
    pub said: String,
}

impl Pushed {
    /// The lines that the server said.
    pub fn remote(&self) -> String {
        let lines = self.said.lines().filter_map(|line| line.strip_prefix("remote: "));
        lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// The push went through.
    pub fn taken(self) -> Self {
        assert!(self.ok, "{}", self.said);
        self
    }

    /// The push was refused with these words.
    pub fn refused(self, words: &str) -> Self {
        assert!(!self.ok && self.said.contains(words), "{words}: {}", self.said);
        self
    }
}

impl Pusher {
    /// A repository with these files as the first commit of `main`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let pusher = Self { work: tempfile::tempdir().unwrap() };
        pusher.git(&["init", "-q", "-b", "main"]);
        for (path, content) in files {
            pusher.write(path, content.as_bytes());
        }
        pusher.save("the first commit");
        pusher
    }

    /// A copy of this one, with Git's own switches for `clone`.
    pub fn cloned(&self, switches: &[&str]) -> Self {
        let copy = Self { work: tempfile::tempdir().unwrap() };
        let from = format!("file://{}", self.work.path().display());
        copy.git(&[&["clone", "-q"], switches, &[from.as_str(), "."]].concat());
        copy
    }

    pub fn path(&self) -> &Path {
        self.work.path()
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.work.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Writes a file and commits it. Answers the commit.
    pub fn commit(&self, path: &str, content: &str) -> String {
        self.write(path, content.as_bytes());
        self.save(&format!("changes {path}"))
    }

    /// Commits everything. Answers the commit.
    pub fn save(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs Git; it succeeds.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("git is needed for the tests");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Pushes to an address.
    pub fn push(&self, address: &str, what: &[&str]) -> Pushed {
        let output = self.command(&[&["push", address], what].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Pushed { ok: output.status.success(), said }
    }

    /// Begins to push.
    pub fn begin(&self, address: &str, what: &[&str]) -> Pushing {
        let mut command = self.command(&[&["push", address], what].concat());
        Pushing(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Git without the settings of whoever runs the tests, and with nobody to be asked.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(self.work.path())
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("GIT_ASKPASS")
            .env_remove("SSH_ASKPASS")
            .env("LC_ALL", "C")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A Tester")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "t@example.com")));
        command
    }
}

/// A push under way; it is killed with the value.
pub struct Pushing(Child);

impl Pushing {
    /// Reads what is said until these words are in it.
    pub fn until(&mut self, words: &str) -> String {
        let mut said = String::new();
        let output = self.0.stderr.as_mut().unwrap();
        let mut part = [0; 1024];
        while !said.contains(words) {
            let read = output.read(&mut part).unwrap();
            assert!(read > 0, "it ended without {words:?}: {said}");
            said.push_str(&String::from_utf8_lossy(&part[..read]));
        }
        said
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Pushed {
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        Pushed { ok: self.0.wait().unwrap().success(), said }
    }
}

impl Drop for Pushing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
