//! Guessing passwords and set-up codes, and what the audit log says of signing in.

use std::time::Duration;

use orbitra::db::audit_log::{self, AuditFilter};
use orbitra::db::page::PageRequest;
use orbitra::model::audit::AuditEntry;

use super::site::{PASSWORD, Site};
use crate::support::until::until;

/// Too long for anybody to have it: it costs no hash, and counts.
fn guess() -> String {
    "x".repeat(300)
}

/// Entries of the audit log with one action, newest first.
async fn entries(site: &Site, action: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter { actions: vec![action.to_owned()], ..AuditFilter::default() };
    let page = PageRequest { page: 1, limit: 100 };
    site.app.db.read(move |c| audit_log::list(c, &filter, page)).await.unwrap().items
}

#[tokio::test]
async fn an_account_takes_a_hundred_wrong_passwords_a_day_from_everywhere() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    let mut answers = Vec::new();
    // Whether there is such an account makes no difference.
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            let mut browser = site.browser();
            for number in 0..10 {
                let email = if number % 2 == 0 { email.to_owned() } else { email.to_uppercase() };
                assert_eq!(browser.log_in(&email, &guess(), "").await.status, 422);
            }
        }
        let refused = site.browser().log_in(email, PASSWORD, "").await;
        assert_eq!(refused.status, 429);
        answers.push((refused.header("retry-after").to_owned(), refused.text(".box")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, "86401");
    site.app.clock.advance(Duration::from_secs(86_399));
    assert_eq!(site.browser().log_in("ada@example.com", PASSWORD, "").await.status, 429);
    site.app.clock.advance(Duration::from_secs(1));
    assert_eq!(site.browser().log_in("ada@example.com", PASSWORD, "").await.status, 303);
}

#[tokio::test]
async fn a_good_password_does_not_undo_the_bad_ones() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    site.user("mallory@example.com", false).await;
    let mut mallory = site.browser();
    for _ in 0..10 {
        assert_eq!(mallory.log_in("ada@example.com", &guess(), "").await.status, 422);
        let mut own = mallory.clone();
        let status = own.log_in("mallory@example.com", PASSWORD, "").await.status.as_u16();
        assert!(matches!(status, 303 | 429), "{status}");
    }
    assert_eq!(mallory.log_in("ada@example.com", &guess(), "").await.status, 429);
}

#[tokio::test]
async fn set_up_codes_are_not_to_be_guessed() {
    let site = Site::plain();
    let code = site.app.new_setup_code().await.unwrap();
    let mut mallory = site.browser();
    let with = |code: &str| {
        let code = code.to_owned();
        [
            ("code", code),
            ("email", "ada@example.com".to_owned()),
            ("name", "Ada".to_owned()),
            ("password", PASSWORD.to_owned()),
        ]
    };
    for _ in 0..10 {
        let fields = with("AAAA-BBBB-CCCC");
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(mallory.submit("/setup", "/setup", &fields).await.status, 422);
    }
    let fields = with(&code);
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = mallory.submit("/setup", "/setup", &fields).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "61"));
    assert_eq!(refused.text("#code-wrong"), "Too many tries. Try again in 61 s.");
    assert!(site.app.needs_set_up().await.unwrap());
    // Others are not held up, and signing in has a count of its own.
    let made = site.browser().submit("/setup", "/setup", &fields).await;
    assert_eq!(made.status, 303);
    assert_eq!(mallory.log_in("ada@example.com", PASSWORD, "").await.status, 303);
}

#[tokio::test]
async fn signing_in_and_out_is_written_down() {
    let site = Site::plain();
    let user = site.user("ada@example.com", true).await;
    let mut ada = site.browser();
    ada.log_in("ada@example.com", &guess(), "").await;
    ada.log_in("nobody@example.com", &guess(), "").await;
    let written = async || entries(&site, "user.login_failed").await.pop();
    until("the failed sign-in", written).await;
    ada.sign_in("ada@example.com").await;
    ada.submit("/dashboard", "/logout", &[]).await;
    for action in ["user.login_failed", "user.logged_in", "user.logged_out"] {
        let found = entries(&site, action).await;
        assert_eq!(found.len(), 1, "{action}");
        let entry = &found[0];
        assert_eq!((&entry.user_id, &entry.team_id), (&user.id, &user.team_id));
        assert_eq!((entry.target.kind.as_str(), &entry.target.id), ("user", &user.id.to_string()));
        assert!(entry.origin.ip.is_some(), "{action}");
        let written = format!("{entry:?}");
        assert!(!written.contains(&guess()) && !written.contains(PASSWORD), "{action}");
    }
    assert_eq!(
        entries(&site, "user.login_failed").await[0].changes,
        serde_json::json!({ "reason": "wrong_password" })
    );
}
