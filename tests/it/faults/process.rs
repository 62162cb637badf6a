//! The process as a whole: stood still, asked to stop, started where it cannot run.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::held::Held;
use super::{Place, change};
use crate::support::api_client::{send, try_visit};
use crate::support::until::{until, within};

#[tokio::test]
async fn a_process_that_stood_still_goes_on_as_if_nothing_had_been() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, first) = place.live("shop", &repository).await;
    place.sound().await;
    let before = Held::by(place.orbitra.pid());
    // One is being checked and would be healthy long before its deadline.
    change(&repository, &json!({"body": "two", "delay": 1500}));
    let second = place.deploy(&project, &repository).await;
    until("it is checked", async || {
        let shown = place.orbitra.api.get(&format!("/deployments/{second}")).await;
        (shown["phase"] == "checking").then_some(())
    })
    .await;
    place.orbitra.signal(Signal::STOP);
    // Longer than the health check's deadline.
    tokio::time::sleep(Duration::from_secs(6)).await;
    place.orbitra.signal(Signal::CONT);
    assert_eq!(place.site("shop").await, "one");
    place.orbitra.api.live(&second).await;
    assert_eq!(place.site("shop").await, "two");
    assert_eq!(place.engine.starts(&first), Some(1), "nothing was started a second time");
    assert_eq!(place.engine.starts(&second), Some(1));
    place.sound().await;
    within(Duration::from_secs(60), "nothing more is held than before", async || {
        let now = Held::by(place.orbitra.pid());
        (now.files <= before.files + 8 && now.threads <= before.threads + 2).then_some(())
    })
    .await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn sigterm_finishes_what_was_asked_and_a_second_one_does_not_wait() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "slow", "think": 3000}));
    place.live("shop", &repository).await;
    for second in [false, true] {
        let (port, before) = (place.orbitra.port, place.engine.thinking());
        let mut slow = tokio::task::JoinSet::new();
        for _ in 0..20 {
            slow.spawn(async move { try_visit(port, "shop.localhost", "/slow").await });
        }
        until("all are under way", async || (place.engine.thinking() == before + 20).then_some(()))
            .await;
        let begin = Instant::now();
        place.orbitra.ask_to_stop();
        if second {
            let stopping = "stopping: running requests finish first";
            until("it stops", async || {
                (place.orbitra.log().matches(stopping).count() == 2).then_some(())
            })
            .await;
            place.orbitra.ask_to_stop();
            place.orbitra.ended().await;
            assert!(begin.elapsed() < Duration::from_millis(2500), "{:?}", begin.elapsed());
            slow.shutdown().await;
        } else {
            within(Duration::from_secs(2), "nobody new is let in", async || {
                try_visit(port, "shop.localhost", "/").await.is_err().then_some(())
            })
            .await;
            while let Some(answer) = slow.join_next().await {
                let answer = answer.unwrap().unwrap();
                assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "slow"));
            }
            let status = place.orbitra.ended().await;
            assert!(status.success(), "{status}");
            assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        }
        place.orbitra.restart().await;
        assert_eq!(place.site("shop").await, "slow");
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn what_cannot_start_says_which_setting_and_changes_nothing() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    place.live("shop", &repository).await;
    place.sound().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    place.orbitra.kill9();
    let key = place.orbitra.data().join("orbitra.key");
    let (right, files) = (std::fs::read(&key).unwrap(), place.orbitra.files());
    let refused = |more: &[(&str, &str)], said: &str| {
        let mut command = place.orbitra.command();
        let output = command.envs(more.iter().copied()).arg("serve").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{more:?}: {error}");
    };
    refused(&[("ORBITRA_LISTEN", &taken)], &taken);
    refused(&[("ORBITRA_LISTEN", "nonsense")], "ORBITRA_LISTEN");
    refused(&[("ORBITRA_NETWORK_POOL", "8.0.0.0/8")], "ORBITRA_NETWORK_POOL");
    refused(&[("ORBITRA_DOCKER_HOST", "ssh://elsewhere")], "ORBITRA_DOCKER_HOST");
    refused(&[("ORBITRA_EGRESS_ALLOW", "10.0.0.0/99")], "ORBITRA_EGRESS_ALLOW");
    refused(&[("ORBITRA_DATA", "/proc/no/such/place")], "/proc/no/such/place");
    std::fs::write(&key, [7; 32]).unwrap();
    refused(&[], "orbitra.key");
    std::fs::write(&key, b"short").unwrap();
    refused(&[], "orbitra.key");
    std::fs::write(&key, right).unwrap();
    assert_eq!(place.orbitra.files(), files, "a start that was refused changes nothing");
    place.orbitra.restart().await;
    assert_eq!(place.site("shop").await, "one");
    let request = http::Request::get("/api/v1/health").header("host", "127.0.0.1");
    let request = request.body(http_body_util::Full::default()).unwrap();
    assert_eq!(send(place.orbitra.port, request).await.unwrap().status, 200);
    place.sound_for_good().await;
}
