//! A hundred people look at the log of one build while it runs. Half of them take nothing for as long as it does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use orbitra::model::deployment::Status;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Whole;
use crate::support::until::within;

const VIEWERS: usize = 100;
/// Streams that one key may have.
const PER_KEY: usize = 5;
/// Lines of 4 kB that the build writes as fast as they are taken.
const LINES: u64 = 1000;
/// The most memory that all of it may take in this process, clients included. What every viewer has to be sent would be
/// 400 MB.
const MEMORY: u64 = 150 << 20;

/// Bytes of memory that are this process's own.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    own.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Somebody who looks at a log.
struct Viewer {
    port: u16,
    key: String,
    path: String,
}

/// What a viewer has seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    lines: u64,
    digest: u64,
}

impl Viewer {
    /// Follows the log to its end, from `begin` on. Who is let go comes again and goes on where they were.
    async fn follow(self, begin: CancellationToken) -> Seen {
        let (mut last, mut hasher) = (0, DefaultHasher::new());
        loop {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(16 * 1024).unwrap();
            let stream = socket.connect(([127, 0, 0, 1], self.port).into()).await.unwrap();
            let connection = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, driver) = connection.unwrap();
            let driver = tokio::spawn(driver);
            let mut request = Request::get(&self.path)
                .header("host", "127.0.0.1")
                .header("authorization", format!("Bearer {}", self.key));
            if last > 0 {
                request = request.header("last-event-id", last);
            }
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            if answer.status() == StatusCode::NO_CONTENT {
                return Seen { lines: last, digest: hasher.finish() };
            }
            assert_eq!(answer.status(), StatusCode::OK);
            begin.cancelled().await;
            let mut body = answer.into_body();
            let mut rest = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                rest.extend_from_slice(&frame.into_data().unwrap_or_default());
                while let Some(end) = memchr::memmem::find(&rest, b"\n\n") {
                    let event: Vec<u8> = rest.drain(..end + 2).collect();
                    let event = String::from_utf8(event).unwrap();
                    let field =
                        |name: &'static str| event.lines().find_map(|line| line.strip_prefix(name));
                    match field("event: ") {
                        Some("log") => {
                            let number: u64 = field("id: ").unwrap().parse().unwrap();
                            assert_eq!(number, last + 1, "no line is missing and none comes twice");
                            last = number;
                            field("data: ").unwrap().hash(&mut hasher);
                        }
                        Some("end") => {
                            driver.abort();
                            return Seen { lines: last, digest: hasher.finish() };
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_look_at_a_log_hold_up_neither_its_build_nor_each_other() {
    let whole = Whole::start().await;
    let behaviour = json!({"body": "built", "build_takes": 2000, "build_lines": LINES});
    let repository = whole.repository(&behaviour);
    let project = whole.project("shop").await;
    let (app, full) = (whole.app(), ["full".to_owned()]);
    let mut keys = Vec::new();
    for number in 0..VIEWERS / PER_KEY {
        let name = format!("viewers-{number}");
        keys.push(app.create_key_for("a@example.com", &name, &full).await.unwrap().1);
    }
    let before = memory();
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "building").await;
    let (now, later) = (CancellationToken::new(), CancellationToken::new());
    now.cancel();
    let (mut quick, mut slow) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());
    for number in 0..VIEWERS {
        let viewer = Viewer {
            port: whole.api.port,
            key: keys[number / PER_KEY].clone(),
            path: format!("/api/v1/deployments/{id}/logs?follow=true"),
        };
        if number % 2 == 0 {
            quick.spawn(viewer.follow(now.clone()));
        } else {
            slow.spawn(viewer.follow(later.clone()));
        }
    }
    let mut most = 0;
    let limit = Duration::from_secs(180);
    within(limit, "it is live while half of them have taken nothing", async || {
        most = memory().max(most);
        let stored = whole.stored(&id).await;
        assert!(stored.failure.is_none(), "{:?}", stored.failure);
        (stored.status() == Status::Live).then_some(())
    })
    .await;
    let first = within(limit, "the quick ones have seen the end", async || {
        most = memory().max(most);
        quick.try_join_next()
    })
    .await
    .unwrap();
    assert!(first.lines > LINES, "{first:?}");
    while let Some(seen) = quick.join_next().await {
        most = memory().max(most);
        assert_eq!(seen.unwrap(), first);
    }
    later.cancel();
    while let Some(seen) = slow.join_next().await {
        most = memory().max(most);
        assert_eq!(seen.unwrap(), first, "who comes late sees the same");
    }
    let grown = most.saturating_sub(before);
    println!("{} lines for each of {VIEWERS}; {} MiB more at most", first.lines, grown >> 20);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
}
