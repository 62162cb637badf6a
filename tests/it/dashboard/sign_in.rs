//! Setting up, signing in and out, and what becomes of sessions.

use std::time::Duration;

use super::browser::Browser;
use super::site::{PASSWORD, Site};

async fn set_up(
    browser: &mut Browser,
    code: &str,
    email: &str,
    password: &str,
) -> super::browser::Page {
    let fields = [("code", code), ("email", email), ("name", "Ada"), ("password", password)];
    browser.submit("/setup", "/setup", &fields).await
}

#[tokio::test]
async fn whoever_has_the_code_becomes_the_admin_once() {
    let site = Site::plain();
    let mut ada = site.browser();
    assert_eq!(ada.get("/").await.location(), "/setup");
    assert_eq!(ada.get("/login").await.location(), "/setup");
    let code = site.app.new_setup_code().await.unwrap();

    let wrong = set_up(&mut ada, "AAAA-BBBB-CCCC", "ada@example.com", PASSWORD).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text("#code-wrong").starts_with("That code is not valid. On the server run"));
    assert_eq!(wrong.attribute("#email", "value"), "ada@example.com");
    assert!(!wrong.body.contains(PASSWORD), "a password is never sent back");

    let weak = set_up(&mut ada, &code, "ada@example.com", "short").await;
    assert_eq!(weak.status, 422);
    assert!(!weak.text("#password-wrong").is_empty());
    assert_eq!(site.sessions().await, 0, "visitors cost no row");

    let made = set_up(&mut ada, &code.to_lowercase(), "ada@example.com", PASSWORD).await;
    assert_eq!((made.status.as_u16(), made.location()), (303, "/dashboard"));
    let home = ada.get("/dashboard").await;
    assert_eq!(home.text("h1"), "Projects");
    assert_eq!(ada.get("/setup").await.status, 404);
    assert_eq!(ada.get("/").await.location(), "/dashboard");
    assert_eq!(site.browser().get("/").await.location(), "/login");
}

#[tokio::test]
async fn of_two_that_race_one_becomes_the_admin() {
    let site = Site::plain();
    let code = site.app.new_setup_code().await.unwrap();
    let (mut one, mut two) = (site.browser(), site.browser());
    let (first, second) = tokio::join!(
        set_up(&mut one, &code, "ada@example.com", PASSWORD),
        set_up(&mut two, &code, "bob@example.com", PASSWORD),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn every_refusal_says_the_same() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    let long = "x".repeat(100_000);
    for (email, password) in [
        ("ada@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("ada@example.com", &long),
        ("", ""),
    ] {
        let mut browser = site.browser();
        let refused = browser.log_in(email, password, "/dashboard/new").await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.text(".box"), "That e-mail and password do not match.");
        assert_eq!(refused.attribute("#email", "value"), email);
        assert_eq!(refused.attribute("[name=next]", "value"), "/dashboard/new");
        assert!(browser.cookies.keys().all(|name| name == "orbitra-form"));
    }
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn guessing_is_slowed_down_for_one_address_only() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    let (mut mallory, mut ada) = (site.browser(), site.browser());
    for _ in 0..10 {
        assert_eq!(mallory.log_in("ada@example.com", "guess", "").await.status, 422);
    }
    let refused = mallory.log_in("ada@example.com", PASSWORD, "").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "61"));
    assert_eq!(refused.attribute("[data-wait]", "data-wait"), "61");
    assert_eq!(ada.log_in("ada@example.com", PASSWORD, "").await.status, 303);
    site.app.clock.advance(Duration::from_secs(61));
    assert_eq!(mallory.log_in("ada@example.com", PASSWORD, "").await.status, 303);
}

#[tokio::test]
async fn guesses_at_the_same_time_count_one_by_one() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    let mut first = site.browser();
    let token = first.get("/login").await.token("/login");
    let tries = (0..30).map(|_| {
        let (mut browser, token) = (first.clone(), token.clone());
        async move {
            let fields =
                [("csrf", token.as_str()), ("email", "ada@example.com"), ("password", "x")];
            browser.post("/login", &fields).await.status.as_u16()
        }
    });
    let statuses = futures_util::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
}

#[tokio::test]
async fn a_session_is_new_at_every_sign_in() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    let mut browser = site.browser();
    let planted = "AAAAAAAAAAAAAAAAAAAAAA";
    browser.cookies.insert("orbitra".to_owned(), planted.to_owned());
    browser.sign_in("ada@example.com").await;
    let first = browser.clone();
    assert_ne!(first.cookies["orbitra"], planted);
    // The page leads on when somebody is signed in; the form itself still works from another tab.
    let mut other = browser.clone();
    other.cookies.remove("orbitra");
    let token = other.get("/login").await.token("/login");
    browser.cookies = other.cookies.clone();
    browser.cookies.insert("orbitra".to_owned(), first.cookies["orbitra"].clone());
    let fields = [("csrf", token.as_str()), ("email", "ada@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.post("/login", &fields).await.status, 303);
    assert_ne!(browser.cookies["orbitra"], first.cookies["orbitra"]);
    assert_eq!(first.clone().get("/dashboard").await.location(), "/login");
    assert_eq!(browser.get("/dashboard").await.status, 200);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_for_good() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let mut stolen = ada.clone();
    let out = ada.submit("/dashboard", "/logout", &[]).await;
    assert_eq!(out.location(), "/login?out=1");
    assert!(!ada.cookies.contains_key("orbitra"));
    assert_eq!(ada.get("/login?out=1").await.text(".notice"), "You are signed out.");
    assert_eq!(stolen.get("/dashboard/new").await.location(), "/login?next=%2Fdashboard%2Fnew");
    assert_eq!(stolen.get("/dashboard?part=project-x").await.status, 401);
    assert_eq!(stolen.get("/dashboard/live").await.status, 401);
    assert_eq!(stolen.post("/dashboard/new", &[]).await.status, 401);
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    site.app.reset_password("ada@example.com", "another long password".to_owned()).await.unwrap();
    assert_eq!(ada.get("/dashboard").await.location(), "/login");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_after_ninety_days() {
    const DAY: Duration = Duration::from_secs(86_400);
    let site = Site::plain();
    let mut ada = site.ada().await;
    let mut idle = ada.clone();
    idle.cookies.clear();
    idle.sign_in("ada@example.com").await;
    for _ in 0..4 {
        site.app.clock.advance(20 * DAY);
        assert_eq!(ada.get("/dashboard").await.status, 200, "moved on by every visit");
    }
    assert_eq!(idle.get("/dashboard").await.location(), "/login");
    site.app.clock.advance(11 * DAY);
    assert_eq!(ada.get("/dashboard").await.location(), "/login");
}

#[tokio::test]
async fn sign_in_leads_to_pages_of_ours_only() {
    let site = Site::plain();
    site.user("ada@example.com", true).await;
    for (next, leads_to) in [
        ("/dashboard/projects/web?part=x", "/dashboard/projects/web?part=x"),
        ("//evil.test", "/dashboard"),
        ("https:evil.test", "/dashboard"),
        ("/\\evil.test", "/dashboard"),
        ("/%09/evil.test", "/dashboard"),
        ("/%5cevil.test", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("http://orbitra.test@evil.test", "/dashboard"),
        ("/..//evil.test", "/dashboard"),
        ("/dashboard/..//evil.test", "/dashboard"),
    ] {
        let mut browser = site.browser();
        let to = browser.log_in("ada@example.com", PASSWORD, next).await;
        assert_eq!(to.location(), leads_to, "{next}");
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let on = browser.get(&format!("/login?next={query}")).await;
        assert_eq!(on.location(), leads_to, "{next}");
    }
}

#[tokio::test]
async fn over_https_the_cookies_belong_to_this_host_alone() {
    let site = Site::secure();
    site.user("ada@example.com", true).await;
    let mut browser = site.browser();
    let form = browser.get("/login").await;
    let cookie = form.header("set-cookie");
    assert!(cookie.starts_with("__Host-orbitra-form="), "{cookie}");
    let page = browser.log_in("ada@example.com", PASSWORD, "").await;
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("__Host-orbitra="), "{cookie}");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(browser.get("/dashboard").await.status, 200);
}
