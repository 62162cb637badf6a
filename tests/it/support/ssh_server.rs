//! A real SSH server, `sshd` of OpenSSH, that lets nothing run but Git's own program.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::until::until;

/// The server; it ends with the value.
pub struct SshServer {
    directory: TempDir,
    process: Option<Child>,
    port: u16,
    /// Whether it passes on which version of the protocol is asked for.
    accepts_version: bool,
}

impl SshServer {
    /// Starts a server on a free port that knows nobody's key yet.
    pub async fn start() -> Self {
        Self::start_with(true).await
    }

    /// Starts a server that hides from Git which version of the protocol is asked for, as some forges do.
    pub async fn old() -> Self {
        Self::start_with(false).await
    }

    async fn start_with(accepts_version: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Free when it was asked for; the next one to ask is given another.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { directory, process: None, port, accepts_version };
        server.new_host_key();
        server.accept("");
        server.run().await;
        server
    }

    /// What the server prints for `git-lfs-authenticate`; without it the command fails.
    pub fn authenticate_lfs(&self, answer: &str) {
        fs::write(self.path("lfs.json"), answer).unwrap();
    }

    /// Lets these keys in, one a line, and no others.
    pub fn accept(&self, keys: &str) {
        fs::write(self.path("authorized_keys"), format!("{keys}\n")).unwrap();
    }

    /// The server again, with another host key.
    pub async fn change_host_key(&mut self) {
        self.stop();
        self.new_host_key();
        self.run().await;
    }

    /// The line of `known_hosts` that knows it.
    pub fn known_host(&self) -> String {
        let key = fs::read_to_string(self.path("host_key.pub")).unwrap();
        let key: Vec<_> = key.split_ascii_whitespace().take(2).collect();
        format!("[127.0.0.1]:{} {}\n", self.port, key.join(" "))
    }

    /// The fingerprint of its host key.
    pub fn fingerprint(&self) -> String {
        let shown = run("ssh-keygen", &["-lf", self.path("host_key.pub").to_str().unwrap()]);
        shown.split(' ').nth(1).unwrap().to_owned()
    }

    /// The address of a repository.
    pub fn url(&self, bare: &Path) -> String {
        let user = run("id", &["-un"]);
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, bare.display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn new_host_key(&self) {
        let path = self.path("host_key");
        let _ = fs::remove_file(&path);
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()]);
    }

    async fn run(&mut self) {
        let here = self.directory.path().display();
        let only = self.path("only-git");
        fs::write(
            &only,
            format!(
                "#!/bin/sh\ncase \"$SSH_ORIGINAL_COMMAND\" in\n\
                 git-lfs-authenticate\\ *) exec cat '{here}/lfs.json' ;;\n\
                 *) exec git-shell -c \"$SSH_ORIGINAL_COMMAND\" ;;\nesac\n"
            ),
        )
        .unwrap();
        fs::set_permissions(&only, fs::Permissions::from_mode(0o755)).unwrap();
        let accept = if self.accepts_version { "AcceptEnv GIT_PROTOCOL\n" } else { "" };
        let config = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {here}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {here}/authorized_keys\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nForceCommand {here}/only-git\n{accept}",
            self.port
        );
        fs::write(self.path("sshd_config"), config).unwrap();
        // Where root runs it, it wants this place for its unprivileged part.
        let _ = fs::create_dir_all("/run/sshd");
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("openssh-server is needed for these tests");
        self.process = Some(process);
        let port = self.port;
        until("the SSH server listens", async || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("sshd ended ({status}):\n{}", fs::read_to_string(self.path("log")).unwrap());
            }
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
