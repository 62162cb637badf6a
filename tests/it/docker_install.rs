//! `install.sh` with the program that was built, below a directory of its own and without systemd, on real Docker.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::api_client::{Api, text, try_visit};
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::load::Load;
use crate::support::orbitra::{docker, free_port, inspect, need_image};
use crate::support::until::{until, within};

/// Requests a second, and answers that make it worth something.
const RATE: u32 = 100;
const ENOUGH: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// What was installed; gone when dropped.
struct Installed {
    root: TempDir,
    port: u16,
}

impl Installed {
    fn new() -> Self {
        need_image("node:22-slim");
        Self { root: tempfile::tempdir().unwrap(), port: free_port(std::process::id() + 1301) }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// Runs the script. Answers whether it was content, and what it said.
    fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
        let output = Command::new("bash")
            .arg(script)
            .args(arguments)
            .env_clear()
            .envs(
                ["PATH", "HOME", "DOCKER_HOST"]
                    .iter()
                    .filter_map(|name| std::env::var_os(name).map(|value| (*name, value))),
            )
            .env("ORBITRA_ROOT", self.root.path())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        (output.status.success(), format!("{said}\n{error}"))
    }

    fn install(&self, binary: &Path, settings: &[(&str, &str)]) -> (bool, String) {
        let binary = ("ORBITRA_BINARY", binary.to_str().unwrap());
        self.run(&[], &[&[binary], settings].concat())
    }

    /// The installed program, with these arguments.
    fn admin(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.path("usr/local/bin/orbitra"));
        command.arg("admin").args(arguments).arg("--data").arg(self.path("var/lib/orbitra"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn pid(&self) -> u32 {
        let file = self.path("var/lib/orbitra/orbitra.pid");
        std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    fn settings(&self) -> String {
        std::fs::read_to_string(self.path("etc/orbitra/orbitra.env")).unwrap()
    }

    /// Another build of the program: the same, and a byte that nobody reads.
    fn next_version(&self) -> PathBuf {
        let path = self.path("next-version");
        std::fs::copy(env!("CARGO_BIN_EXE_orbitra"), &path).unwrap();
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(b"\n").unwrap();
        path
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if self.path("etc/orbitra/orbitra.env").exists() {
            self.run(&["--uninstall", "--purge"], &[]);
        }
    }
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_again_it_upgrades_and_nobody_is_failed() {
    let (git, installed) = (GitServer::start(), Installed::new());
    let program = Path::new(env!("CARGO_BIN_EXE_orbitra"));
    let listen = format!("127.0.0.1:{}", installed.port);
    let settings = [
        ("ORBITRA_LISTEN", listen.as_str()),
        ("ORBITRA_EGRESS_ALLOW", "127.0.0.1/32"),
        ("ORBITRA_EGRESS_ALLOW_HTTP", "true"),
        ("ORBITRA_NETWORK_POOL", "10.128.0.0/22"),
    ];
    let (content, said) = installed.install(program, &settings);
    assert!(content && said.contains("/health answers") && said.contains("/setup"), "{said}");
    let first = installed.pid();
    let account = ["create-user", "--email", "a@example.com", "--name", "A"];
    let user = installed.admin(&account);
    let key = ["create-key", "--user", &user, "--name", "tests", "--scopes", "full"];
    let api = Api { port: installed.port, key: installed.admin(&key) };
    let repository = git.repository_of("app", &apps::node(&apps::answering("here")));
    let project = api.project("busy", json!({})).await;
    let live = api.deploy_live(&project, &repository).await;
    let container = || {
        let seen = inspect("container", &format!("orbitra-{}", text(&live, "id")));
        (seen["Id"].to_string(), seen["State"]["StartedAt"].to_string())
    };
    let (before, kept) = (container(), installed.settings());

    // Again, with visitors, a new version and one more setting.
    let load = Load::start(installed.port, "busy.localhost", RATE);
    let came = async |more: usize| {
        let enough = load.seen().requests + more;
        until("visitors come", async || (load.seen().requests >= enough).then_some(())).await;
    };
    came(ENOUGH).await;
    let next = installed.next_version();
    let (content, said) = installed.install(&next, &[("ORBITRA_DRAIN_SECONDS", "3")]);
    assert!(content && said.contains("the new version has taken over"), "{said}");
    came(ENOUGH).await;
    let second = installed.pid();
    assert!(second != first && runs(second));
    within(MINUTE, "the one before has ended", async || (!runs(first)).then_some(())).await;
    let image = std::fs::metadata(format!("/proc/{second}/exe")).unwrap().len();
    assert_eq!(image, std::fs::metadata(&next).unwrap().len(), "it is the new version that serves");
    assert_eq!(installed.settings(), format!("{kept}ORBITRA_DRAIN_SECONDS=\"3\"\n"));

    // One that cannot take over changes nothing, and is not left in the place of what serves.
    let broken = installed.path("broken");
    std::fs::write(&broken, "#!/bin/sh\necho no >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (content, said) = installed.install(&broken, &[]);
    assert!(!content && said.contains("serves on and stays installed"), "{said}");
    came(ENOUGH).await;
    assert_eq!(installed.pid(), second);
    let stays = std::fs::metadata(installed.path("usr/local/bin/orbitra")).unwrap().len();
    assert_eq!(stays, image);

    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(container(), before, "the application ran on");

    // Uninstalled, it leaves the data; purged, nothing.
    let name = std::fs::read_to_string(installed.path("var/lib/orbitra/instance")).unwrap();
    let label = format!("label=orbitra.instance={}", name.trim());
    let owned = |kind: &str, all: &[&str]| {
        docker(&[&[kind, "ls", "--quiet", "--filter", &label], all].concat())
    };
    assert_ne!(owned("container", &["--all"]), "");
    let (content, said) = installed.run(&["--uninstall"], &[]);
    assert!(content, "{said}");
    assert!(!runs(second) && try_visit(installed.port, "busy.localhost", "/").await.is_err());
    for gone in ["usr/local/bin/orbitra", "etc/orbitra"] {
        assert!(!installed.path(gone).exists(), "{gone}");
    }
    for (kind, all) in [("container", &["--all"][..]), ("network", &[]), ("image", &["--all"])] {
        assert_eq!(owned(kind, all), "", "{kind}");
    }
    let database = installed.path("var/lib/orbitra/orbitra.db");
    assert!(database.exists());
    let (content, said) = installed.run(&["--uninstall", "--purge"], &[]);
    assert!(content && !installed.path("var/lib/orbitra").exists(), "{said}");
}
