//! A real registry of images with a password, on a port of this machine, and images to put into it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::api_client::try_visit;
use super::orbitra::{docker, free_port};
use super::until::until;

/// Who may push and pull. The password has what Base64 writes differently for URLs.
pub const USERNAME: &str = "deploy";
pub const PASSWORD: &str = "ORBCANARY-~~~~~~???\u{fe}\u{ff}";

/// The registry; it ends with the value.
pub struct Registry {
    /// `127.0.0.1:port`, which the engine speaks plain HTTP to.
    pub address: String,
    directory: TempDir,
    process: Child,
}

impl Registry {
    /// Starts one.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let hashed = Command::new("htpasswd").args(["-Bbn", USERNAME, PASSWORD]).output();
        let hashed = hashed.expect("htpasswd of apache2-utils is needed");
        std::fs::write(at("htpasswd"), hashed.stdout).unwrap();
        let port = free_port(std::process::id() + 7000);
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"{address}\"}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            at("data").display(),
            at("htpasswd").display(),
        );
        std::fs::write(at("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(at("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is needed");
        until("the registry answers", async || {
            let answer = try_visit(port, "127.0.0.1", "/v2/").await.ok()?;
            (answer.status == 401).then_some(())
        })
        .await;
        let registry = Self { address, directory, process };
        registry.cli(&["login", "-u", USERNAME, "-p", PASSWORD, &registry.address]);
        registry
    }

    /// Builds an image of these files and pushes it. Nothing of it stays on the engine but what its base has.
    pub fn push(&self, name: &str, files: &[(&str, &str)]) -> String {
        let context = tempfile::tempdir_in(self.directory.path()).unwrap();
        for (path, content) in files {
            std::fs::write(context.path().join(path), content).unwrap();
        }
        let image = format!("{}/{name}", self.address);
        self.build(&image, context.path());
        self.cli(&["push", "-q", &image]);
        docker(&["image", "rm", "-f", &image]);
        image
    }

    fn build(&self, image: &str, context: &Path) {
        docker(&["build", "-q", "-t", image, context.to_str().unwrap()]);
    }

    /// The engine's client with the registry's password, which is kept beside the registry.
    fn cli(&self, arguments: &[&str]) {
        let config = self.directory.path().join("client");
        docker(&[&["--config", config.to_str().unwrap()], arguments].concat());
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
