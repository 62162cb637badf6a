//! Orbitra itself has more than it may: the kernel ends it, what runs goes on, and the next start says what happened.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Place;

const LIMIT: &str = "8388608";

/// A control group with a limit of memory, of either version. Removed when it is dropped.
struct Group {
    directory: PathBuf,
    limit: PathBuf,
}

impl Group {
    /// `None`, with the reason on the screen, where none can be made.
    fn new() -> Option<Self> {
        let name = format!("orbitra-test-{}", std::process::id());
        for (root, limit) in
            [("memory", "memory.limit_in_bytes"), ("unified", "memory.max"), ("", "memory.max")]
        {
            let directory = PathBuf::from("/sys/fs/cgroup").join(root).join(&name);
            if std::fs::create_dir(&directory).is_err() {
                continue;
            }
            let group = Self { limit: directory.join(limit), directory };
            if group.limit.exists() {
                return Some(group);
            }
        }
        eprintln!("skipped: no control group with a limit of memory can be made here");
        None
    }

    /// Moves a process in; what it has stays with the group it had it in.
    fn take(&self, process: u32) {
        std::fs::write(self.directory.join("cgroup.procs"), process.to_string()).unwrap();
        std::fs::write(&self.limit, LIMIT).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.directory);
    }
}

#[tokio::test]
async fn one_that_is_killed_for_memory_says_so_and_serves_at_once() {
    let Some(group) = Group::new() else { return };
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    place.sound().await;
    group.take(place.orbitra.pid());
    // Bodies that are within every limit and never end.
    let (port, key) = (place.orbitra.port, place.orbitra.api.key.clone());
    let mut open = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let head = format!(
            "POST /api/v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        );
        open.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&vec![b' '; 999_000]).await;
            std::future::pending::<()>().await;
        });
    }
    place.orbitra.killed().await;
    open.shutdown().await;
    let ready = place.orbitra.restart().await;
    assert!(ready < Duration::from_secs(2), "{ready:?}");
    assert_eq!(place.site("shop").await, "one");
    assert_eq!(place.engine.starts(&id), Some(1), "the application was left alone");
    let log = place.orbitra.log();
    assert!(log.contains("the last run did not end in order"), "{log}");
    if std::fs::File::open("/dev/kmsg").is_ok() {
        assert!(log.contains("the kernel killed it for lack of memory"), "{log}");
    }
    // A start after an ordered stop has nothing to say.
    place.orbitra.ask_to_stop();
    assert!(place.orbitra.ended().await.success());
    place.orbitra.restart().await;
    let said = place.orbitra.log().matches("the last run did not end in order").count();
    assert_eq!(said, 1, "{}", place.orbitra.log());
    place.sound_for_good().await;
}
