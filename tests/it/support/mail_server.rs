//! A real mail server, aiosmtpd, that keeps what it takes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::tls::Authority;
use super::until::until;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/mail_server.py");
/// The distribution's own, for which aiosmtpd is a package.
const PYTHON: &str = "/usr/bin/python3";

/// A running server; ends when dropped.
pub struct MailServer {
    pub port: u16,
    process: Child,
    directory: TempDir,
}

impl MailServer {
    /// One that speaks without TLS and asks nobody to sign in.
    pub fn plain() -> Self {
        Self::start("none", tempfile::tempdir().unwrap())
    }

    /// One with `starttls` or `tls` and a certificate of this authority, where the user `orbitra` has to sign in.
    pub fn secured(mode: &str, authority: &Authority, name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = authority.issue(&[name]);
        std::fs::write(directory.path().join("chain.pem"), issued.chain).unwrap();
        std::fs::write(directory.path().join("key.pem"), issued.key).unwrap();
        Self::start(mode, directory)
    }

    fn start(mode: &str, directory: TempDir) -> Self {
        let path = |name: &str| directory.path().join(name);
        let log = std::fs::File::create(path("log")).unwrap();
        let mut process = Command::new(PYTHON)
            .args([SCRIPT, mode])
            .args([path("taken"), path("chain.pem"), path("key.pem")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("aiosmtpd is needed: apt-get install python3-aiosmtpd, or ./test.sh");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse();
        let port = port.unwrap_or_else(|_| panic!("{:?}", std::fs::read_to_string(path("log"))));
        Self { port, process, directory }
    }

    /// What it took so far.
    pub fn taken(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("taken"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until it has taken this much.
    pub async fn wait(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} mails"), async || {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
        .await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
