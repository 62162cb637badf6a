use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tempfile::TempDir;

use super::line;
use crate::logs::{LogName, LogPage, LogStore, Order, Redactor, Retention};
use crate::model::ids::{DeploymentId, ProjectId};

const KEPT: Retention = Retention { age: Duration::ZERO, bytes: 16 * 4 * 1024 * 1024 };

struct Fixture {
    directory: TempDir,
    store: LogStore,
}

impl Fixture {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = LogStore::open(directory.path().join("logs"), KEPT).unwrap();
        Self { directory, store }
    }

    /// The same files as another process would find them.
    fn reopened(&self) -> LogStore {
        LogStore::open(self.directory.path().join("logs"), KEPT).unwrap()
    }

    /// The segment files of the build log, in order.
    fn segments(&self) -> Vec<PathBuf> {
        let directory = self.directory.path().join("logs/build/dep_0000000000000000");
        let mut files: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn build() -> LogName {
    LogName::Build(DeploymentId::from_random([0; 10]))
}

fn runtime() -> LogName {
    LogName::Runtime(ProjectId::from_random([0; 10]))
}

async fn page(store: &LogStore, after: u64, limit: usize) -> LogPage {
    store.read(build(), after, limit, Order::Ascending).await.unwrap()
}

fn messages(page: &LogPage) -> Vec<&str> {
    page.lines.iter().map(|line| line.message.as_str()).collect()
}

#[tokio::test]
async fn lines_are_numbered_paged_and_ended() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let writer = store.writer(build(), Redactor::new(["hunter2"])).await.unwrap();
    for number in 1..=5 {
        writer.append(line(format!("{number} hunter2")));
    }
    store.flush().await;
    let first = page(store, 0, 3).await;
    assert_eq!(messages(&first), ["1 ***", "2 ***", "3 ***"]);
    assert_eq!((first.next_after_seq, first.complete), (3, false));
    writer.finish().await.unwrap();
    writer.append(line("too late"));
    let rest = page(store, 3, 3).await;
    assert_eq!(messages(&rest), ["4 ***", "5 ***"]);
    assert_eq!((rest.next_after_seq, rest.complete), (5, true));
    assert!(!page(store, 0, 3).await.complete);
    let last = store.read(build(), 0, 2, Order::Descending).await.unwrap();
    assert_eq!(messages(&last), ["5 ***", "4 ***"]);
    let json = serde_json::to_value(&rest.lines[0]).unwrap();
    let expected = serde_json::json!({
        "seq": 4, "ts": "2024-01-20T16:29:15.123Z", "source": "build", "stream": "stdout",
        "level": "info", "phase": "building", "message": "4 ***",
        "deployment_id": "dep_0000000000000000", "instance": null
    });
    assert_eq!(json, expected);

    // Another process knows that it ended.
    drop(writer);
    let again = fixture.reopened();
    let rest = page(&again, 3, 3).await;
    assert_eq!((messages(&rest), rest.complete), (vec!["4 ***", "5 ***"], true));
    assert_eq!(again.follow(build(), 4).map(|line| line.seq).collect::<Vec<_>>().await, [5]);
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("x"));
    writer.finish().await.unwrap();
    let mode = |path: &str| {
        let metadata = fs::metadata(fixture.directory.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("logs"), 0o700);
    assert_eq!(mode("logs/build"), 0o700);
    assert_eq!(mode("logs/build/dep_0000000000000000"), 0o700);
    assert_eq!(mode("logs/build/dep_0000000000000000/00000001.ndjson"), 0o600);
}

#[tokio::test]
async fn a_log_that_does_not_exist_is_empty() {
    let fixture = Fixture::new();
    let empty = page(&fixture.store, 7, 10).await;
    assert_eq!(empty, LogPage { lines: Vec::new(), next_after_seq: 7, complete: false });
    fixture.store.remove(build()).await.unwrap();
    assert!(!fixture.directory.path().join("logs/build").exists());
}

#[tokio::test]
async fn readers_see_a_line_soon_and_each_line_once() {
    let fixture = Fixture::new();
    let store = fixture.store.clone();
    // Before the log exists, and many at once.
    let readers: Vec<_> = (0..20)
        .map(|reader| {
            let lines = store.follow(build(), reader);
            tokio::spawn(lines.map(|line| line.seq).collect::<Vec<_>>())
        })
        .collect();
    let mut live = store.follow(build(), 0);
    let writer = store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("first"));
    let seen = tokio::time::timeout(Duration::from_secs(5), live.next()).await.unwrap().unwrap();
    assert_eq!(seen.message, "first");
    drop(live);
    let second = writer.clone();
    let half = tokio::spawn(async move {
        for number in 0..1500 {
            second.append(line(format!("{number} {}", "x".repeat(3000))));
            if number % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    half.await.unwrap();
    writer.finish().await.unwrap();
    assert!(fixture.segments().len() > 1);
    for (after, reader) in (0u64..).zip(readers) {
        assert_eq!(reader.await.unwrap(), (after + 1..=1501).collect::<Vec<u64>>());
    }
    // A page from the middle of a later segment.
    assert_eq!(page(&store, 1400, 2).await.lines[0].seq, 1401);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_line_is_repaired() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("whole"));
    fixture.store.flush().await;
    let segment = fixture.segments().remove(0);
    let mut file = fs::OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(b"{\"seq\":2,\"ts\":\"2024-01-2").unwrap();

    let store = fixture.reopened();
    assert_eq!(messages(&page(&store, 0, 10).await), ["whole"]);
    let writer = store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("after"));
    writer.finish().await.unwrap();
    let all = page(&store, 0, 10).await;
    assert_eq!(messages(&all), ["whole", "log interrupted", "after"]);
    assert_eq!(all.lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_long_log_goes_on_where_it_stood_whatever_its_end_looks_like() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    for number in 1..=40 {
        writer.append(line(format!("{number} {}", "x".repeat(8_000))));
    }
    fixture.store.flush().await;
    let file = fixture.segments().pop().unwrap();
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() > 300_000);
    // The end of a line, and some of it: the number of whole lines before it.
    let borders: Vec<_> = whole
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    let (last, before) = (borders[39], borders[38]);
    for (length, lines, cut) in
        [(last, 40, false), (last - 1, 39, true), (before + 1, 39, true), (before, 39, false)]
    {
        fs::write(&file, &whole[..length]).unwrap();
        let store = fixture.reopened();
        let writer = store.writer(build(), Redactor::default()).await.unwrap();
        writer.append(line("next"));
        store.flush().await;
        let page = page(&store, lines, 10).await;
        let expected = if cut { vec!["log interrupted", "next"] } else { vec!["next"] };
        assert_eq!(messages(&page), expected, "{length}");
        assert_eq!(page.lines[0].seq, lines + 1, "{length}");
    }
    // A line that fills more than the end alone.
    let mut giant = whole[..before].to_vec();
    giant.extend(std::iter::repeat_n(b'y', 100_000));
    fs::write(&file, &giant).unwrap();
    let page = page(&fixture.reopened(), 38, 10).await;
    assert_eq!(page.lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [39]);
}

#[tokio::test]
async fn a_build_log_has_a_limit_and_room_for_the_verdict() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    for _ in 0..1200 {
        writer.append(line("x".repeat(20_000)));
    }
    writer.append_important(line("the build failed"));
    writer.finish().await.unwrap();
    let bytes: u64 = fixture.segments().iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!((10 << 20..11 << 20).contains(&bytes), "{bytes}");
    let last = fixture.store.read(build(), 0, 3, Order::Descending).await.unwrap();
    assert_eq!(messages(&last)[..2], ["the build failed", "log limit reached"]);
    let long = &last.lines[2].message;
    assert!(long.ends_with(" … [line cut]") && long.len() < 16_500);

    // A restart does not announce the limit twice.
    let store = fixture.reopened();
    let count = store
        .follow(build(), 0)
        .filter(|line| std::future::ready(line.message == "log limit reached"));
    assert_eq!(count.count().await, 1);
}

#[tokio::test]
async fn a_runtime_log_keeps_its_newest_part() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(runtime(), Redactor::default()).await.unwrap();
    for _ in 0..6000 {
        writer.append(line("x".repeat(15_000)));
    }
    writer.finish().await.unwrap();
    let directory = fixture.directory.path().join("logs/runtime/prj_0000000000000000");
    let count = || fs::read_dir(&directory).unwrap().count();
    assert_eq!(count(), 16);
    let oldest = fixture.store.read(runtime(), 0, 1, Order::Ascending).await.unwrap();
    assert!(oldest.lines[0].seq > 1);
    let newest = fixture.store.read(runtime(), 0, 1, Order::Descending).await.unwrap();
    assert_eq!(newest.lines[0].seq, 6000);
    // All of it is too old; the newest part may be written to and stays.
    fixture.store.delete_old().await.unwrap();
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn removing_a_log_ends_its_readers() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("x"));
    let reader = tokio::spawn(fixture.store.follow(build(), 1).count());
    tokio::task::yield_now().await;
    fixture.store.remove(build()).await.unwrap();
    assert_eq!(reader.await.unwrap(), 0);
    writer.append(line("y"));
    fixture.store.flush().await;
    assert!(!fixture.directory.path().join("logs/build/dep_0000000000000000").exists());
    // The name is free again.
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("new"));
    writer.finish().await.unwrap();
    assert_eq!(messages(&page(&fixture.store, 0, 10).await), ["new"]);
}

#[tokio::test]
async fn a_line_stays_one_line() {
    let fixture = Fixture::new();
    let writer = fixture.store.writer(build(), Redactor::default()).await.unwrap();
    writer.append(line("x\n\nevent: status\rdata"));
    writer.finish().await.unwrap();
    assert_eq!(messages(&page(&fixture.store, 0, 10).await), ["x  event: status data"]);
}
