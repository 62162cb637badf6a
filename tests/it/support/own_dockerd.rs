//! A second Docker daemon, of this test alone: it may be stopped, restarted and stood still. Its images stay in
//! the target directory, so that they are copied once and not for every test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::until::within;

/// Its default bridge. One daemon at a time has it.
const BRIDGE: &str = "orbitra-test";

/// Makes the bridge anew; what an earlier test left of it goes.
fn make_bridge() {
    let ip = |words: &[&str]| Command::new("ip").args(words).output().unwrap();
    ip(&["link", "delete", BRIDGE]);
    for words in [
        &["link", "add", BRIDGE, "type", "bridge"][..],
        &["address", "add", "172.31.253.1/24", "dev", BRIDGE],
    ] {
        let made = ip(words);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// The daemon. Dropping it removes what is on it and ends it.
pub struct OwnDockerd {
    /// Images and containers; kept from test to test.
    root: PathBuf,
    /// Socket, pid file and what runs.
    run: TempDir,
    live_restore: bool,
    process: Option<Child>,
    /// Whether its images and containers lie on a small file system that goes with it.
    mounted: bool,
    /// One test at a time has the directory.
    _turn: File,
}

impl OwnDockerd {
    /// Starts it with these images of the machine's own daemon. With `live_restore`, containers outlive the daemon.
    pub async fn start(live_restore: bool, images: &[&str]) -> Self {
        Self::make(live_restore, images, None).await
    }

    /// Starts one whose images and containers have this many MiB in all.
    pub async fn start_with_room_for(size: u32, images: &[&str]) -> Self {
        Self::make(false, images, Some(size)).await
    }

    async fn make(live_restore: bool, images: &[&str], size: Option<u32>) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-dockerd");
        std::fs::create_dir_all(&root).unwrap();
        let turn = File::create(root.join("turn")).unwrap();
        let waiting = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn));
        let turn = waiting.await.unwrap().unwrap();
        let run = tempfile::tempdir().unwrap();
        let mounted = size.is_some();
        let mut dockerd = Self { root, run, live_restore, process: None, mounted, _turn: turn };
        if let Some(size) = size {
            dockerd.root = dockerd.run.path().to_owned();
            std::fs::create_dir(dockerd.data()).unwrap();
            let options = format!("size={size}m");
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &options, "orbitra-test"]).arg(dockerd.data());
            assert!(mount.status().unwrap().success(), "this test needs to mount a file system");
        }
        dockerd.launch().await;
        dockerd.clear();
        for image in images {
            dockerd.copy(image);
        }
        dockerd
    }

    fn file(&self, name: &str) -> String {
        self.run.path().join(name).to_str().unwrap().to_owned()
    }

    /// Where images and containers lie.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What `ORBITRA_DOCKER_HOST` is to be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.file("docker.sock"))
    }

    /// Starts the daemon and waits until it answers.
    pub async fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.file("log")).unwrap();
        let mut command = Command::new("dockerd");
        command.arg("--data-root").arg(self.data());
        command.args(["--exec-root", &self.file("exec"), "--pidfile", &self.file("pid")]);
        // A bridge of its own and no firewall rules: a daemon without a bridge removes the machine's `docker0`.
        make_bridge();
        command.args(["--host", &self.host(), "--bridge", BRIDGE, "--iptables=false"]);
        if self.live_restore {
            command.arg("--live-restore");
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.process = Some(process.expect("these tests need dockerd and to be root"));
        let process = self.process.as_mut().unwrap();
        let (host, log) = (
            format!("unix://{}/docker.sock", self.run.path().display()),
            self.run.path().join("log"),
        );
        within(Duration::from_secs(60), "the daemon answers", async || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("dockerd ended ({status}):\n{}", std::fs::read_to_string(&log).unwrap());
            }
            let asked = Command::new("docker").args(["--host", &host, "version"]).output().unwrap();
            asked.status.success().then_some(())
        })
        .await;
    }

    /// Ends the daemon as a service manager does.
    pub async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        within(Duration::from_secs(60), "the daemon ends", async || process.try_wait().unwrap())
            .await;
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.as_ref().unwrap().id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Runs Docker's own client.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let host = self.host();
        let output =
            Command::new("docker").args(["--host", &host]).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// One value of a container, as a Go template says.
    pub fn inspect(&self, container: &str, template: &str) -> String {
        self.docker(&["container", "inspect", "--format", template, container])
    }

    /// Takes an image over from the machine's own daemon, unless it is there.
    fn copy(&self, image: &str) {
        if !self.docker(&["image", "ls", "-q", image]).is_empty() {
            return;
        }
        copy_image(image, &self.host());
    }

    /// Removes what a test made.
    fn clear(&self) {
        for (list, remove) in [
            (&["ps", "-aq"][..], &["rm", "-f", "-v"][..]),
            (&["network", "ls", "-q", "--filter", "type=custom"], &["network", "rm"]),
            (&["image", "ls", "-q", "--filter", "label=orbitra.instance"], &["image", "rm", "-f"]),
        ] {
            let ids = self.docker(list);
            if !ids.is_empty() {
                self.docker(
                    &remove.iter().copied().chain(ids.split_whitespace()).collect::<Vec<_>>(),
                );
            }
        }
    }
}

impl Drop for OwnDockerd {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::CONT);
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.file("log")).unwrap_or_default();
            let end: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("--- the end of dockerd's log, newest first\n{}", end.join("\n"));
        }
        let host = self.host();
        let docker = |arguments: &[&str]| {
            Command::new("docker").args(["--host", &host]).args(arguments).output()
        };
        if let Ok(ids) = docker(&["ps", "-aq"]) {
            let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
            let ids: Vec<_> = ids.split_whitespace().collect();
            let _ = docker(&[&["rm", "-f", "-v"][..], &ids].concat());
            let _ = docker(&["network", "prune", "-f"]);
        }
        let _ = kill_process(pid, Signal::TERM);
        let _ = process.wait();
        let _ = Command::new("ip").args(["link", "delete", BRIDGE]).output();
        if self.mounted {
            // Lazily: what the daemon mounted on it may still be there.
            let _ = Command::new("umount").arg("-l").arg(self.data()).status();
        }
    }
}

/// Takes an image over from the machine's own daemon to another one.
pub(super) fn copy_image(image: &str, host: &str) {
    let mut save =
        Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let load = Command::new("docker")
        .args(["--host", host, "load"])
        .stdin(save.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
    assert!(save.wait().unwrap().success(), "{image} is missing: run tests/base-images.sh");
}
