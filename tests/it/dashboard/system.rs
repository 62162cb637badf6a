//! The page about the disk.

use std::sync::Arc;

use orbitra::db::issuance::FailedOrder;
use orbitra::db::{self, Connection};
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
    assert_eq!(page.text("form[action='/dashboard/system/gc']"), "");
    site.app.measured.send_replace(Some(Arc::new(measure())));
    let text = ada.get("/dashboard/system").await.text("main");
    for part in
        ["Orbitra keeps 9.0 GB; its budget is 48.0 GB", "This goes, about 90 MB", "1 record"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(text.contains("None yet. What is ordered"), "{text}");
    let failed = FailedOrder {
        failures: 1,
        next_at: START,
        error: "the <b>authority</b> says no".to_owned(),
    };
    let write = move |c: &Connection| db::issuance::fail(c, "www.example.org", &failed);
    site.app.db.write(write).await.unwrap();
    let text = ada.get("/dashboard/system").await.text("main");
    for part in ["www.example.org", "the <b>authority</b> says no", "0 of 40"] {
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

#[tokio::test]
async fn an_admin_sets_mail_up_and_reads_what_came_of_a_test() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let page = ada.get("/dashboard/system").await;
    assert!(page.text("#mail").contains("No mail is sent yet"), "{}", page.text("#mail"));
    let form = |host: &'static str, sender: &'static str| {
        [
            ("host", host),
            ("port", "587"),
            ("security", "starttls"),
            ("user", "orbitra"),
            ("password", "correct horse"),
            ("sender", sender),
        ]
    };
    let post = "/dashboard/system/mail";
    for (host, sender, field) in [
        ("10.0.0.1", "orbitra@example.com", "host"),
        ("mail.example.com", "Orbitra", "sender"),
        ("mail.example.com", "a@b.de\r\nBcc: c@d.de", "sender"),
    ] {
        let refused = ada.submit("/dashboard/system", post, &form(host, sender)).await;
        assert_eq!(refused.status, 422, "{host}");
        assert_ne!(refused.text(&format!("#{field}-wrong")), "", "{host} {sender}");
        assert_eq!(refused.value("#user"), "orbitra");
        assert!(!refused.body.contains("correct horse"));
    }
    let good = form("mail.invalid-name.example", "Orbitra <orbitra@example.com>");
    let saved = ada.submit("/dashboard/system", post, &good).await;
    assert_eq!((saved.status.as_u16(), saved.location()), (303, "/dashboard/system#mail"));
    let page = ada.get("/dashboard/system").await;
    assert_eq!(page.value("#host"), "mail.invalid-name.example");
    assert!(page.text("#password-hint").contains("stays as it is"));
    assert_eq!(page.value("#to"), "ada@example.com");
    // The password stays with its server, and is wanted anew for another one.
    let mut other = good;
    other[4] = ("password", "");
    let same = ada.submit("/dashboard/system", post, &other).await;
    assert_eq!(same.status, 303);
    other[0] = ("host", "other.example.com");
    let refused = ada.submit("/dashboard/system", post, &other).await;
    assert_eq!((refused.status.as_u16(), refused.text("#password-wrong").is_empty()), (422, false));
    // Nobody is there under this name, and the page says so.
    let test = "/dashboard/system/mail/test";
    ada.submit("/dashboard/system", test, &[("to", "ada@example.com")]).await;
    let text = ada.get("/dashboard/system").await.text("main");
    assert!(text.contains("The mail was not sent."), "{text}");
    ada.submit("/dashboard/system", test, &[("to", "ada")]).await;
    let text = ada.get("/dashboard/system").await.text("main");
    assert!(text.contains("One plain address"), "{text}");
    ada.submit("/dashboard/system", "/dashboard/system/mail/delete", &[]).await;
    assert!(ada.get("/dashboard/system").await.text("#mail").contains("No mail is sent yet"));
}
