//! A Docker daemon that another user than root runs, in namespaces of that user's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::own_dockerd::copy_image;
use super::until::within;

/// Who runs it. Made when it is missing, with the ids that `useradd` sets aside for every user.
const USER: &str = "orbitra-test";
/// Docker's own script.
const SCRIPTS: [&str; 2] =
    ["/usr/share/docker.io/contrib/dockerd-rootless.sh", "/usr/bin/dockerd-rootless.sh"];

/// The daemon. Dropping it ends it and removes what it had.
pub struct RootlessDockerd {
    home: TempDir,
    process: Child,
    _user: User,
}

/// The user, removed again by whoever made it.
struct User {
    made: bool,
}

impl User {
    fn find_or_make() -> Self {
        let made = id("-u").is_none();
        if made {
            let done = Command::new("useradd").args(["--no-create-home", USER]).status();
            assert!(done.is_ok_and(|status| status.success()), "this test needs to be root");
        }
        Self { made }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // What the daemon leaves behind ends with its namespaces, a moment after it.
        let end = Instant::now() + Duration::from_secs(10);
        while self.made && Instant::now() < end {
            let removed = Command::new("userdel").arg(USER).stderr(Stdio::null()).status();
            self.made = !removed.is_ok_and(|status| status.success());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl RootlessDockerd {
    /// Starts it with these images of the machine's own daemon.
    pub async fn start(images: &[&str]) -> Self {
        let user = User::find_or_make();
        let home = tempfile::tempdir_in("/tmp").unwrap();
        std::os::unix::fs::chown(home.path(), id("-u"), id("-g")).unwrap();
        let script = SCRIPTS.into_iter().find(|script| Path::new(script).exists());
        let script = script.expect("this test needs dockerd-rootless.sh");
        let log = File::create(home.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--init-groups", script]);
        // The namespaces are its own; rules of a firewall are not needed there.
        command.arg("--iptables=false").env_clear();
        command.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
        command.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().expect("this test needs setpriv");
        let mut dockerd = Self { home, process, _user: user };
        let host = dockerd.host();
        let log = dockerd.home.path().join("log");
        within(Duration::from_secs(60), "the daemon answers", async || {
            if let Some(status) = dockerd.process.try_wait().unwrap() {
                panic!("it ended ({status}):\n{}", std::fs::read_to_string(&log).unwrap());
            }
            let asked = Command::new("docker").args(["--host", &host, "version"]).output().unwrap();
            asked.status.success().then_some(())
        })
        .await;
        images.iter().for_each(|image| copy_image(image, &dockerd.host()));
        dockerd
    }

    /// What `ORBITRA_DOCKER_HOST` is to be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("docker.sock")
    }
}

impl Drop for RootlessDockerd {
    fn drop(&mut self) {
        let host = self.host();
        let docker = |arguments: &[&str]| {
            Command::new("docker").args(["--host", &host]).args(arguments).output()
        };
        if let Ok(ids) = docker(&["ps", "-aq"]) {
            let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
            let _ =
                docker(&[&["rm", "-f"][..], &ids.split_whitespace().collect::<Vec<_>>()].concat());
        }
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.process.wait();
    }
}

/// A number of the user's; `None` when there is no such user.
fn id(which: &str) -> Option<u32> {
    let output = Command::new("id").args([which, USER]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().ok()
}
