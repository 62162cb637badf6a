//! The file system of the data directory becomes read-only, as the kernel makes one that it finds broken: changes are refused
//! with the reason, visitors are served, and after a repair everything is there. On a file system of its own, which only root
//! can mount.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::Whole;
use crate::support::until::until;

/// Bytes of the file system.
const SIZE: u64 = 64 * 1024 * 1024;

/// A file system in a file; unmounted when it is dropped.
struct Mount {
    image: PathBuf,
    at: PathBuf,
}

impl Mount {
    /// `None`, with the reason on the screen, where mounting is not allowed.
    fn new(around: &Path) -> Option<Self> {
        let (image, at) = (around.join("image"), around.join("data"));
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        std::fs::create_dir(&at).unwrap();
        run("mkfs.ext4", &["-q", image.to_str().unwrap()]).unwrap();
        let mount = Self { image, at };
        match mount.mount() {
            Ok(()) => Some(mount),
            Err(said) => {
                eprintln!("skipped: no file system can be mounted here: {said}");
                None
            }
        }
    }

    fn mount(&self) -> Result<(), String> {
        let (image, at) = (self.image.to_str().unwrap(), self.at.to_str().unwrap());
        run("mount", &["-t", "ext4", "-o", "loop,errors=remount-ro", image, at]).map(drop)
    }

    /// Lets the kernel find it broken. `false` where the kernel does not offer that.
    fn break_it(&self) -> bool {
        let device = run("findmnt", &["-no", "SOURCE", self.at.to_str().unwrap()]).unwrap();
        let device = Path::new(device.trim()).file_name().unwrap().to_owned();
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        std::fs::write(trigger, "1").is_ok()
    }

    /// Repairs it, once nobody uses it any more.
    async fn repair(&self) {
        let at = self.at.to_str().unwrap();
        until("nobody uses it", async || run("umount", &[at]).ok()).await;
        let repaired = Command::new("e2fsck").args(["-fp", self.image.to_str().unwrap()]).output();
        // 1: errors were corrected.
        assert!(matches!(repaired.unwrap().status.code(), Some(0 | 1)));
        self.mount().unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: files may still be open.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_data_directory_that_becomes_read_only_is_said_and_visitors_are_served() {
    let around = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(around.path()) else { return };
    let directory = TempDir::new_in(&mount.at).unwrap();
    let mut whole = Whole::stopped(&[("ORBITRA_DISK_FLOOR", "0")], directory);
    whole.begin().await;
    let repository = whole.repository(&json!({ "body": "served" }));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    if !mount.break_it() {
        eprintln!("skipped: this kernel breaks no file system");
        return;
    }
    for number in 0..5 {
        let body = json!({ "name": format!("project-{number}"), "region": "local" });
        let (status, answer) = whole.api.call("POST", "/projects", Some(body)).await;
        let error = &answer["error"];
        assert_eq!((status, &error["details"]["reason"]), (503, &json!("maintenance")), "{answer}");
        assert!(error["message"].as_str().unwrap().contains("read-only"), "{answer}");
        assert_eq!(whole.site("shop").await, "served");
    }
    let (status, health) = whole.api.call("GET", "/health", None).await;
    assert_eq!((status, &health["error"]["details"]["reason"]), (503, &json!("maintenance")));
    let (status, answer) =
        whole.api.call("POST", &format!("/projects/{project}/deployments"), Some(json!({}))).await;
    assert_eq!(status, 503, "{answer}");
    // What is there can be read, in the API and by visitors of its own URL.
    assert_eq!(whole.api.get("/projects").await["pagination"]["total"], 1);
    assert_eq!(whole.own_url(live["id"].as_str().unwrap()).await.body, "served");

    whole.cut_off();
    mount.repair().await;
    whole.run().await;
    assert_eq!(whole.api.get("/health").await["status"], "ok");
    assert_eq!(whole.site("shop").await, "served");
    whole.api.deploy_live(&project, &repository).await;
    whole.stop().await;
}
