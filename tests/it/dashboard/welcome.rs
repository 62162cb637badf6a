//! The page on which the owner of a new account chooses a password.

use std::time::Duration;

use orbitra::app::accounts::AccountPatch;
use orbitra::app::terms::Terms;
use orbitra::model::actor::Actor;
use orbitra::model::problems::Problems;
use orbitra::model::user::User;

use super::site::{PASSWORD, Site};

/// A new account of Bob's, made by Ada, and the path of its link.
async fn invite(site: &Site) -> (User, User, String) {
    let ada = site.user("ada@example.com", true).await;
    let new = AccountPatch { name: Some("Bob".to_owned()), ..AccountPatch::default() };
    let (actor, email) = (Actor::operator_for(&ada), Some("bob@example.com".to_owned()));
    let made =
        site.app.create_account(&actor, email, new, Problems::default(), &Terms::none()).await;
    let (bob, url) = made.unwrap();
    let path = url.strip_prefix("http://localhost:8080").unwrap().to_owned();
    (ada, bob, path)
}

async fn suspend(site: &Site, admin: &User, user: &User) {
    let patch = AccountPatch { suspended: Some(true), ..AccountPatch::default() };
    let (actor, id) = (Actor::operator_for(admin), user.id.as_str());
    site.app.update_account(&actor, id, patch, Problems::default(), &Terms::none()).await.unwrap();
}

#[tokio::test]
async fn a_link_leads_to_a_password_and_works_once() {
    let site = Site::plain();
    let (_, bob, path) = invite(&site).await;
    let mut browser = site.browser();
    assert_eq!(browser.log_in("bob@example.com", "", "").await.status, 422);
    let page = browser.get(&path).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.text("h1"), "Welcome, Bob");
    assert_eq!(page.attribute("#email", "value"), "bob@example.com");
    let weak = browser.submit(&path, &path, &[("password", "short")]).await;
    assert_eq!(weak.status, 422);
    assert_eq!(weak.text("#password-wrong"), "Use 15 characters or more.");
    let forged = browser.post(&path, &[("csrf", "x"), ("password", PASSWORD)]).await;
    assert_eq!(forged.status, 403);
    assert_eq!(site.sessions().await, 0);

    let mut twin = browser.clone();
    let (one, two) = tokio::join!(
        browser.submit(&path, &path, &[("password", PASSWORD)]),
        twin.submit(&path, &path, &[("password", "another long password")]),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410], "of two that race, one chooses");
    let mut winner = if one.status == 303 { browser } else { twin };
    assert_eq!(winner.get("/dashboard").await.text("h1"), "Projects");
    let used = site.browser().get(&path).await;
    assert_eq!(
        (used.status.as_u16(), used.text("h1")),
        (410, "This link does not work".to_owned())
    );

    // The log says that it happened, and not how.
    let secret = path.rsplit('/').next().unwrap().to_owned();
    let found = site.app.db.read(move |c| -> Result<(i64, i64), orbitra::db::DbError> {
        let count = |sql: &str| c.query_row(sql, [&secret], |row| row.get::<_, i64>(0));
        Ok((
            count("SELECT count(*) FROM audit_log WHERE action = 'user.welcomed' AND ?1 != ''")?,
            count("SELECT count(*) FROM audit_log WHERE instr(changes || target_id || target_name, ?1)")?,
        ))
    });
    assert_eq!(found.await.unwrap(), (1, 0));
    drop(bob);
}

#[tokio::test]
async fn links_that_do_not_work_say_so() {
    let site = Site::plain();
    let (ada, bob, path) = invite(&site).await;
    let mut browser = site.browser();
    let unknown = browser.get(&format!("/welcome/{}", "0".repeat(64))).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.text("h1"), "This link does not work");
    let token = browser.get(&path).await.token(&path);
    site.app.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(browser.get(&path).await.status, 410);
    let late = browser.post(&path, &[("csrf", token.as_str()), ("password", PASSWORD)]).await;
    assert_eq!(late.status, 410);
    assert_eq!(site.sessions().await, 0);
    drop((ada, bob));
}

#[tokio::test]
async fn a_suspended_account_is_signed_out_at_once_and_its_link_is_closed() {
    let site = Site::plain();
    let (ada, bob, path) = invite(&site).await;
    let carl = site.user("carl@example.com", false).await;
    let mut browser = site.browser();
    browser.sign_in("carl@example.com").await;
    assert_eq!(site.sessions().await, 1);
    suspend(&site, &ada, &carl).await;
    assert_eq!(site.sessions().await, 0);
    assert_eq!(browser.get("/dashboard").await.status, 303);
    suspend(&site, &ada, &bob).await;
    assert_eq!(browser.get(&path).await.status, 410);
}

#[tokio::test]
async fn a_password_from_the_operator_closes_the_link() {
    let site = Site::plain();
    let (_, bob, path) = invite(&site).await;
    site.app.reset_password(bob.id.as_str(), PASSWORD.to_owned()).await.unwrap();
    assert_eq!(site.browser().get(&path).await.status, 410);
}
