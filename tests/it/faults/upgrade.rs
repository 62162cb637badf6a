//! Another version takes over from the one that runs: without a request that fails, and without a trace when it cannot.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Gate, POINTS, Place, change};
use crate::support::api_client::{Api, host_of, text, try_visit};
use crate::support::load::Load;
use crate::support::until::until;
use crate::support::wire::Wire;

/// Somebody who uses the API all the time: reads on a kept connection, and changes on fresh ones.
struct Caller {
    stop: Arc<AtomicBool>,
    reading: JoinHandle<usize>,
    /// Names of the projects that were answered.
    writing: JoinHandle<Vec<String>>,
}

impl Caller {
    fn start(place: &Place, prefix: &'static str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (api, stopped) = (place.orbitra.api.clone(), stop.clone());
        let reading = tokio::spawn(async move {
            let (mut wire, mut count) = (None, 0);
            while !stopped.load(Ordering::Relaxed) {
                read(&api, &mut wire).await;
                count += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            count
        });
        let (api, stopped) = (place.orbitra.api.clone(), stop.clone());
        let writing = tokio::spawn(async move {
            let mut names = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let name = format!("{prefix}-{}", names.len());
                let body = json!({"name": name, "region": "local"});
                let (status, answer) = api.call("POST", "/projects", Some(body)).await;
                assert_eq!(status, 201, "{answer}");
                names.push(name);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            names
        });
        Self { stop, reading, writing }
    }

    /// Ends it; everything was answered, and what was answered is there.
    async fn stop(self, api: &Api) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.reading.await.unwrap() > 0);
        for name in self.writing.await.unwrap() {
            let (status, _) = api.call("GET", &format!("/projects/{name}"), None).await;
            assert_eq!(status, 200, "{name} was answered and is lost");
        }
    }
}

async fn read(api: &Api, kept: &mut Option<Wire>) {
    let mut wire = match kept.take() {
        Some(wire) => wire,
        None => Wire::connect(([127, 0, 0, 1], api.port).into()).await,
    };
    let request = format!(
        "GET /api/v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\r\n",
        api.key
    );
    wire.send(request).await;
    let answer = wire.answer(false).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    if answer.header("connection").as_deref() != Some("close") {
        *kept = Some(wire);
    }
}

impl Place {
    /// The program itself, which tells its version like another one would.
    pub(super) fn newer(&self, points: &str) -> PathBuf {
        let name = format!("newer-{}", points.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        self.orbitra.program(&name, &[(POINTS, points)])
    }

    fn schema(&self) -> i64 {
        let database = self.orbitra.database();
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    /// Copies of the database from before an upgrade.
    fn snapshots(&self) -> usize {
        let entries = std::fs::read_dir(self.orbitra.data()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("orbitra.db.before-")).count()
    }
}

/// The niceness of a thread of the process whose name begins like this: how far it stands behind others.
fn niceness(process: u32, name: &str) -> i32 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let stats = threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).ok());
    let mut named = stats.filter_map(|stat| {
        // proc_pid_stat(5): the second field is the name, in parentheses, and the nineteenth is this.
        let (start, rest) = stat.rsplit_once(')')?;
        let is_it = start.split_once('(')?.1.starts_with(name);
        is_it.then(|| rest.split_whitespace().nth(16).unwrap().parse().unwrap())
    });
    named.next().unwrap_or_else(|| panic!("no thread is named {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_takes_over_and_no_request_fails() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, id) = place.live("shop", &repository).await;
    let slow = place.repository("slow", &json!({"body": "slow", "think": 2000}));
    place.live("slow", &slow).await;
    let load = Load::start(place.orbitra.port, "shop.localhost", 400);
    let caller = Caller::start(&place, "made");
    for turn in 1..=3 {
        let (before, port, thinking) =
            (place.orbitra.pid(), place.orbitra.port, place.engine.thinking());
        let waiting = tokio::spawn(async move { try_visit(port, "slow.localhost", "/slow").await });
        until("it is under way", async || (place.engine.thinking() > thinking).then_some(())).await;
        let said = place.orbitra.upgrade(&place.newer(""), 60).await.unwrap();
        assert!(said.contains("can run on this data"), "{said}");
        assert_ne!(place.orbitra.pid(), before);
        // What was asked of the one before is finished there.
        assert_eq!(waiting.await.unwrap().unwrap().body, "slow");
        assert_eq!(place.snapshots(), turn.min(3));
        let own = niceness(place.orbitra.pid(), "orbitra");
        assert_eq!(niceness(place.orbitra.pid(), "proxy-0"), own, "visitors come first");
        for behind in ["tokio-", "orbitra-db"] {
            assert!(niceness(place.orbitra.pid(), behind) > own, "{behind} gives way");
        }
        if turn == 1 {
            let status = place.orbitra.relieved().await;
            assert!(status.success(), "{status}\n{}", place.orbitra.log());
        }
    }
    caller.stop(&place.orbitra.api).await;
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(place.engine.starts(&id), Some(1), "containers are not touched");
    // It is a whole Orbitra.
    change(&repository, &json!({"body": "two"}));
    let second = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&second).await;
    assert_eq!(place.site("shop").await, "two");
    place.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_take_over_changes_nothing() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    let (pid, schema) = (place.orbitra.pid(), place.schema());
    let load = Load::start(place.orbitra.port, "shop.localhost", 200);
    let caller = Caller::start(&place, "made");
    let version = "if [ \"$1\" = --version ]; then echo orbitra 9.9.9; exit; fi\n";
    let script =
        |name: &str, lines: &str| place.orbitra.script(name, &format!("{version}{lines}\n"));
    let text = place.orbitra.data().with_file_name("text");
    std::fs::write(&text, "no program").unwrap();
    for (program, reason) in [
        (text, "ermission denied"),
        (PathBuf::from("/bin/true"), "it is not an Orbitra"),
        (script("ends", "exit 3"), "it ended without a word"),
        (script("hangs", "exec sleep 600"), "not ready in time"),
        (place.newer("upgrade.check=error"), "the failpoint upgrade.check fails"),
        (place.newer("upgrade.check=kill"), "it ended without a word"),
        (place.newer("upgrade.take=error"), "the failpoint upgrade.take fails"),
        (place.newer("upgrade.take=kill"), "it ended without a word"),
        (place.newer("upgrade.take=sleep(60000)"), "not ready in time"),
        (place.newer("migrate.newer=error;migrate.done=error"), "the failpoint migrate.done fails"),
        // The copy was fine and the database is not.
        (
            place.newer("migrate.newer=error;migrate.done=error@2"),
            "the failpoint migrate.done fails",
        ),
        (place.newer("upgrade.ready=error"), "the failpoint upgrade.ready fails"),
        // It has changed the database already.
        (place.newer("migrate.newer=error;upgrade.ready=kill"), "it ended without a word"),
        (place.newer("migrate.newer=error;upgrade.ready=sleep(60000)"), "not ready in time"),
        (place.newer("migrate.newer=error;upgrade.serve=kill"), "it ended without a word"),
    ] {
        let said = place.orbitra.upgrade(&program, 3).await.unwrap_err();
        assert!(said.contains(reason), "{}: {said}", program.display());
        assert!(said.contains("Nothing has changed"), "{}: {said}", program.display());
        assert_eq!(place.orbitra.adopt(), pid, "{}", program.display());
        assert_eq!(place.schema(), schema, "{}", program.display());
        assert_eq!(place.site("shop").await, "one", "{}", program.display());
    }
    caller.stop(&place.orbitra.api).await;
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert!(place.snapshots() <= 3);
    assert_eq!(place.engine.starts(&id), Some(1));
    // After all of this one can.
    place.orbitra.upgrade(&place.newer(""), 60).await.unwrap();
    assert_eq!(place.site("shop").await, "one");
    place.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_stays_and_the_copy_is_of_the_one_before() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    place.live("shop", &repository).await;
    let schema = place.schema();
    place.orbitra.upgrade(&place.newer("migrate.newer=error"), 60).await.unwrap();
    assert_eq!(place.schema(), schema + 1);
    assert_eq!(place.snapshots(), 1);
    assert_eq!(place.site("shop").await, "one");
    // The one before does not understand it, and says so before anything stops.
    let said = place.orbitra.upgrade(&place.newer(""), 60).await.unwrap_err();
    assert!(said.contains("use the newer one"), "{said}");
    assert_eq!(place.site("shop").await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_one_before_is_killed_the_other_one_serves() {
    for point in ["upgrade.copied=kill", "upgrade.before_serve=kill"] {
        let mut place = Place::start().await;
        let repository = place.repository("shop", &json!({"body": "one"}));
        let (_, id) = place.live("shop", &repository).await;
        place.rearm(point).await;
        let before = place.orbitra.pid();
        place.orbitra.upgrade(&place.newer(""), 30).await.unwrap_err();
        place.orbitra.killed().await;
        until("the other one serves", async || {
            (place.site("shop").await == "one" && place.orbitra.adopt() != before).then_some(())
        })
        .await;
        until("it has an API", async || {
            let called = place.orbitra.api.try_call("GET", "/projects/shop", None, None).await;
            called.is_ok_and(|(status, _)| status == 200).then_some(())
        })
        .await;
        assert_eq!(place.engine.starts(&id), Some(1));
        place.sound_for_good().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_other_one_is_killed_right_away_the_one_before_brings_it_back() {
    let mut place = Place::start().await;
    let slow = place.repository("slow", &json!({"body": "slow", "think": 5000}));
    place.live("slow", &slow).await;
    let port = place.orbitra.port;
    let waiting = tokio::spawn(async move { try_visit(port, "slow.localhost", "/slow").await });
    until("it is under way", async || (place.engine.thinking() > 0).then_some(())).await;
    place.orbitra.upgrade(&place.newer("upgrade.serving=kill"), 30).await.unwrap();
    let first = place.orbitra.pid();
    until("another one serves", async || {
        if place.orbitra.adopt() == first {
            return None;
        }
        let called = place.orbitra.api.try_call("GET", "/projects/slow", None, None).await;
        called.is_ok_and(|(status, _)| status == 200).then_some(())
    })
    .await;
    assert_eq!(waiting.await.unwrap().unwrap().body, "slow");
    place.orbitra.relieved().await;
    place.orbitra.adopt();
    until("it stays", async || (place.site("slow").await == "slow").then_some(())).await;
    place.sound_for_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_gap_between_two_owners_visitors_are_served_and_everybody_else_waits() {
    let mut place =
        Place::start_with(&[("ORBITRA_SLEEP_AFTER", "1"), ("ORBITRA_STOP_AFTER", "3600")]).await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, first) = place.live("shop", &repository).await;
    change(&repository, &json!({"body": "two"}));
    let second = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&second).await;
    let own = place.orbitra.api.get(&format!("/deployments/{first}")).await;
    let own = host_of(&text(&own, "url"));
    until("the one before sleeps", async || place.engine.pauses(&first).0.then_some(())).await;
    let gate = Gate::new();
    place.rearm(&gate.at("upgrade.copied")).await;
    let (port, api) = (place.orbitra.port, place.orbitra.api.clone());
    let (newer, data) = (place.newer(""), place.orbitra.data());
    let log = place.orbitra.log().len();
    let upgrading = async { place.orbitra.upgrade(&newer, 30).await };
    let in_the_gap = async {
        until("the gap", async || {
            let visited = try_visit(port, "shop.localhost", "/").await.unwrap();
            assert_eq!(visited.body, "two");
            let mut names = std::fs::read_dir(&data).unwrap().flatten().map(|one| one.file_name());
            names.any(|name| name.to_str().unwrap().starts_with("orbitra.db.before-")).then_some(())
        })
        .await;
        let calling = tokio::spawn({
            let api = api.clone();
            async move {
                let body = json!({"name": "late", "region": "local"});
                api.call("POST", "/projects", Some(body)).await
            }
        });
        let waking = tokio::spawn(async move { try_visit(port, &own, "/").await });
        // All of these are answered while nobody owns the database.
        for _ in 0..100 {
            assert_eq!(try_visit(port, "shop.localhost", "/").await.unwrap().body, "two");
        }
        assert!(!calling.is_finished() && !waking.is_finished(), "they wait");
        gate.open();
        let (status, answer): (u16, Value) = calling.await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let woken = waking.await.unwrap().unwrap();
        assert_eq!((woken.status.as_u16(), woken.body.as_str()), (200, "one"));
    };
    let (upgraded, ()) = tokio::join!(upgrading, in_the_gap);
    upgraded.unwrap();
    assert!(place.orbitra.log()[log..].contains("another process serves"));
    let (status, _) = place.orbitra.api.call("GET", "/projects/late", None).await;
    assert_eq!(status, 200);
    place.sound().await;
}

/// The number of a process's parent (`proc_pid_stat(5)`).
fn parent_of(process: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let behind_the_name = stat.rsplit(") ").next().unwrap();
    behind_the_name.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A process that a service manager started; ends with the test, however that ends.
struct Managed(std::process::Child);

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_keeps_the_socket_and_hears_who_serves() {
    use std::os::fd::OwnedFd;
    use std::process::Stdio;
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    place.live("shop", &repository).await;
    let port = place.orbitra.port;
    place.orbitra.kill9();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let notify = place.orbitra.data().join("notify");
    let heard = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let next = || {
        let mut buffer = [0; 64];
        let length = heard.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let start = |place: &Place| {
        // As the manager does it: the socket is descriptor 3, and the number of the process is its own.
        let mut command = std::process::Command::new("/bin/sh");
        let own = place.orbitra.command();
        command.arg("-c").arg("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve");
        command.arg(own.get_program()).env_clear();
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("NOTIFY_SOCKET", &notify);
        let listener = OwnedFd::from(listener.try_clone().unwrap());
        Managed(command.stdin(Stdio::from(listener)).spawn().unwrap())
    };
    let mut process = start(&place);
    assert_eq!(next(), "READY=1");
    let load = Load::start(port, "shop.localhost", 200);
    for _ in 0..3 {
        let pid = i32::try_from(process.0.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let before = load.seen().requests;
        until("visitors come", async || (load.seen().requests > before + 50).then_some(())).await;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(next(), "STOPPING=1");
        assert!(tokio::task::block_in_place(|| process.0.wait()).unwrap().success());
        process = start(&place);
        assert_eq!(tokio::task::block_in_place(next), "READY=1");
    }
    // One that takes over gets the socket from the process before. The manager is the one whose child it is: only so
    // does it wait for its end.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    place.orbitra.upgrade(&place.newer(""), 30).await.unwrap();
    let mut told = [next(), next()];
    told.sort();
    assert_eq!(told, [format!("MAINPID={}", place.orbitra.pid()), "READY=1".to_owned()]);
    assert_eq!(parent_of(place.orbitra.pid()), std::process::id());
    tokio::task::block_in_place(|| process.0.wait()).unwrap();
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    let pid = i32::try_from(place.orbitra.pid()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    place.orbitra.ask_to_stop();
    assert_eq!(tokio::task::block_in_place(next), "STOPPING=1");
    let options = rustix::process::WaitOptions::empty();
    let ended = tokio::task::block_in_place(|| rustix::process::waitpid(Some(pid), options));
    assert_eq!(ended.unwrap().unwrap().1.exit_status(), Some(0), "its end is heard");
}
