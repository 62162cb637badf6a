//! Streams: what changed, and a log as it grows.

use std::time::Duration;

use orbitra::logs::LogName;
use orbitra::model::transition::State;
use serde_json::Value;

use super::site::Site;

const LONG: Duration = Duration::from_secs(20);

/// The data of a frame with one event.
fn data(frame: &str) -> Value {
    let line = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn a_page_is_told_what_changed_since_it_was_made() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let position = ada.get("/dashboard").await.attribute(".bar", "data-position");
    // Between the page and its stream.
    site.advance(&id, State::Cloning).await;
    let mut live = ada.stream(&format!("/dashboard/live?after={position}")).await;
    assert_eq!(live.headers["content-type"], "text/event-stream");
    assert_eq!(live.headers["cache-control"], "no-cache, no-transform");
    assert!(!live.headers.contains_key("content-encoding"));
    let hello = live.next().await.unwrap();
    assert!(hello.starts_with("retry: 2000\nevent: hello\ndata: {\"build\":\""), "{hello}");
    assert!(hello.contains(&format!("\"deployment:{id}\"")), "{hello}");
    assert!(hello.contains("\"project:prj_"), "{hello}");

    site.advance(&id, State::Detecting).await;
    let told = live.next().await.unwrap();
    assert_eq!(told.matches("data:").count(), 2, "{told}");
    let last: u64 = told.lines().find_map(|l| l.strip_prefix("id: ")).unwrap().parse().unwrap();
    drop(live);

    let mut again = ada.stream(&format!("/dashboard/live?after={last}")).await;
    assert!(!again.next().await.unwrap().contains("topic"), "nothing was missed");
    let mut old = ada.stream("/dashboard/live?after=1").await;
    assert!(old.next().await.unwrap().contains("{\"topic\":\"*\"}"));
}

#[tokio::test]
async fn nobody_is_told_of_what_others_own() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let of_ada = ada.project("web").await;
    let of_bob = bob.project("shop").await;
    let mut live = bob.stream("/dashboard/live").await;
    live.next().await.unwrap();
    site.advance(&of_ada, State::Cloning).await;
    site.advance(&of_bob, State::Cloning).await;
    let told = live.next().await.unwrap();
    assert!(told.contains(&of_bob) && !told.contains(&of_ada), "{told}");
}

#[tokio::test]
async fn streams_end_with_the_session_and_with_the_process() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let mut live = ada.stream("/dashboard/live").await;
    live.next().await.unwrap();
    let mut log = ada.stream(&format!("/dashboard/deployments/{id}/log/stream")).await;
    log.next().await.unwrap();
    let mut other = ada.clone();
    other.cookies.clear();
    other.sign_in("ada@example.com").await;
    ada.submit("/dashboard", "/logout", &[]).await;
    site.advance(&id, State::Cloning).await;
    assert_eq!(live.next().await, None);
    assert_eq!(tokio::time::timeout(LONG, log.next()).await.unwrap(), None);

    let mut live = other.stream("/dashboard/live").await;
    live.next().await.unwrap();
    site.app.stopping.cancel();
    let last = live.next().await.unwrap();
    let wait: u32 = last.trim().strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((1000..5000).contains(&wait));
    assert_eq!(live.next().await, None);
}

#[tokio::test]
async fn a_session_holds_eight_streams() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(ada.stream("/dashboard/live").await);
    }
    assert!(open.iter().all(|stream| stream.status == 200));
    // One of a page that was left may still be open: it makes room.
    open[0].next().await.unwrap();
    assert_eq!(ada.stream("/dashboard/live").await.status, 200);
    assert_eq!(open[0].next().await, None);
}

#[tokio::test]
async fn a_log_comes_in_frames_and_ends() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    site.write(&id, &["one", "two <script>", "\u{1b}[32mthree"]).await;
    let path = format!("/dashboard/deployments/{id}/log/stream");
    let mut log = ada.stream(&format!("{path}?after=1")).await;
    assert_eq!(log.next().await.unwrap(), "retry: 2000\n\n");
    let frame = log.next().await.unwrap();
    assert!(frame.starts_with("id: 3\ndata: {"), "{frame}");
    let frame = data(&frame);
    assert_eq!((frame["from"].as_u64(), frame["to"].as_u64()), (Some(2), Some(3)));
    let html = frame["html"].as_str().unwrap();
    assert!(html.contains("<li id=\"L2\"") && html.contains("two &lt;script&gt;"), "{html}");
    assert!(html.contains("three") && !html.contains('\u{1b}'), "{html}");
    site.write(&id, &["four"]).await;
    assert_eq!(data(&log.next().await.unwrap())["from"], 4);
    let name = LogName::Build(site.deployment(&id).await.id);
    site.app.logs.finish(name).await.unwrap();
    assert_eq!(log.next().await.unwrap(), "event: end\ndata: {}\n\n");
    assert_eq!(log.next().await, None);
    assert_eq!(ada.stream(&format!("{path}?after=4")).await.status, 204);
}
