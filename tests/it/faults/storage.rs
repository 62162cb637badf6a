//! The disk answers with errors: nothing is said to be stored that is not, visitors are served, and it goes on as soon
//! as the disk does.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Place;
use crate::support::until::within;

/// Every fsync of a process fails with EIO for as long as this lives.
struct Failing(Child);

impl Failing {
    async fn begin(process: u32) -> Self {
        let tracer = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
            .args(["-e", "inject=fsync,fdatasync:error=EIO", "-p", &process.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs strace");
        let failing = Self(tracer);
        within(Duration::from_secs(10), "every thread is traced", async || {
            let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
            let mut paths = threads.map(|thread| thread.unwrap().path().join("status"));
            paths.all(|path| is_traced(&path)).then_some(())
        })
        .await;
        failing
    }
}

fn is_traced(status: &PathBuf) -> bool {
    let Ok(text) = std::fs::read_to_string(status) else { return false };
    text.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

impl Drop for Failing {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        // It lets go of the process first.
        let _ = pid.map(|pid| kill_process(pid, Signal::INT));
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_not_said_to_be_stored() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    place.live("shop", &repository).await;
    place.sound().await;
    let api = place.orbitra.api.clone();
    let make = async |name: String| {
        let body = json!({"name": name, "region": "local"});
        api.call("POST", "/projects", Some(body)).await
    };
    assert_eq!(make("before".to_owned()).await.0, 201);
    let failing = Failing::begin(place.orbitra.pid()).await;
    for number in 0..20 {
        let (status, answer) = make(format!("during-{number}")).await;
        assert_eq!(status, 503, "{answer}");
        assert_eq!(place.site("shop").await, "one");
    }
    // It says so where it is asked how it is.
    let (status, health) = api.call("GET", "/health", None).await;
    let error = &health["error"];
    assert_eq!((status, &error["details"]["reason"]), (503, &json!("maintenance")), "{health}");
    assert!(error["message"].as_str().unwrap().contains("answers with errors"), "{health}");
    assert_eq!(api.get("/projects").await["pagination"]["total"], 2, "what is there can be read");
    drop(failing);
    // The same process, as soon as the disk takes something.
    assert_eq!(api.get("/health").await["status"], "ok");
    assert_eq!(make("after".to_owned()).await.0, 201);
    place.orbitra.kill9();
    place.orbitra.restart().await;
    let names = api.get("/projects?limit=100").await;
    let names: Vec<_> =
        names["data"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    for name in ["shop", "before", "after"] {
        assert!(names.contains(&json!(name)), "{name} is not in {names:?}");
    }
    let database = place.orbitra.database();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    place.sound_for_good().await;
}
