//! The page about the disk.

use std::sync::Arc;

use orbitra::model::build_cache::{Entry, Record, Whose};
use orbitra::model::disk::{Measure, Used};
use orbitra::model::timestamp::Timestamp;

use super::site::{START, Site};

/// What a sweep found: nine gigabytes of which ninety megabytes are build cache that may go.
fn measure() -> Measure {
    let record = Record {
        id: "record".to_owned(),
        parents: Vec::new(),
        description: "fileop target".to_owned(),
        bytes: 90_000_000,
        in_use: false,
        shared: false,
        created_at: Timestamp(0),
        last_used_at: Timestamp(0),
    };
    let whose = Whose { project: None, ours: true, counts: true };
    Measure {
        at: START,
        cache: vec![Entry { record, whose }],
        used: Used { images: 8_910_000_000, build_cache: 90_000_000, ..Used::default() },
        budget: 48_000_000_000,
        ..Measure::default()
    }
}

#[tokio::test]
async fn an_admin_sees_what_is_kept_what_may_go_and_what_has_gone() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let page = ada.get("/dashboard/system").await;
    assert_eq!(page.status, 200);
    let text = page.text("main");
    assert!(
        text.contains("Not measured yet") && text.contains("Nothing was removed yet"),
        "{text}"
    );
    assert_eq!(page.text("main form"), "");
    site.app.measured.send_replace(Some(Arc::new(measure())));
    let text = ada.get("/dashboard/system").await.text("main");
    for part in
        ["Orbitra keeps 9.0 GB; its budget is 48.0 GB", "This goes, about 90 MB", "1 record"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // Without the engine nothing can be removed, and the page says so.
    let answer = ada.submit("/dashboard/system", "/dashboard/system/gc", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/dashboard/system"));
    let text = ada.get("/dashboard/system").await.text("main");
    assert!(text.contains("Docker does not answer"), "{text}");
}

#[tokio::test]
async fn nobody_else_sees_the_page_or_the_way_to_it() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let tabs = ada.get("/dashboard").await.text("nav.tabs");
    assert!(tabs.contains("System"), "{tabs}");
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let tabs = bob.get("/dashboard").await.text("nav.tabs");
    assert!(tabs.contains("API keys") && !tabs.contains("System"), "{tabs}");
    assert_eq!(bob.get("/dashboard/system").await.status, 403);
    let token = bob.get("/dashboard").await.token("/logout");
    let refused = bob.post("/dashboard/system/gc", &[("csrf", &token)]).await;
    assert_eq!(refused.status, 403);
}
