//! Previews that only people see who are signed in to the dashboard: the whole way there and back.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use orbitra::app::users::NewUser;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::dashboard::browser::Browser;
use crate::dashboard::site::PASSWORD;
use crate::support::api_client::{Answer, Api, host_of, send, text};
use crate::support::git_server::Repository;
use crate::support::until::until;

/// Somebody with a password.
async fn account(whole: &Whole, email: &str, instance_admin: bool) -> (String, Browser) {
    let new = NewUser {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        plan: Plan::Enterprise,
        instance_admin,
        password: Some(PASSWORD.to_owned()),
    };
    let user = whole.app().create_user(new).await.unwrap();
    let router = orbitra::web::router(&whole.app());
    let origin = whole.app().hosts.dashboard_url();
    let peer = SocketAddr::from(([198, 51, 100, 7], 40_000));
    (user.id.to_string(), Browser::new(router, &origin, peer))
}

/// What a browser without a session at the dashboard gets at a host.
async fn visit(whole: &Whole, host: &str, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path)
        .header("host", host)
        .header("accept", "text/html")
        .header("cookie", cookie)
        .body(Full::<Bytes>::default());
    send(whole.api.port, request.unwrap()).await.unwrap()
}

/// A preview behind its wall: its project, its host and the repository.
async fn walled(whole: &Whole) -> (String, String, Repository) {
    let project = whole.project("shop").await;
    let repository = whole.repository(&json!({ "body": "one" }));
    let live = whole.api.deploy_live(&project, &repository).await;
    let host = host_of(&text(&live, "url"));
    let set = json!({ "proxy": { "sign_in": "previews" } });
    let shown = whole.api.done("PATCH", &format!("/projects/{project}"), Some(set)).await;
    assert_eq!(shown["proxy"]["sign_in"], "previews");
    until("the wall stands", async || {
        (visit(whole, &host, "/", "").await.status == 302).then_some(())
    })
    .await;
    (project, host, repository)
}

/// The path at the dashboard that an answer leads to.
fn dashboard_path(answer: &Answer) -> String {
    let location = answer.headers["location"].to_str().unwrap();
    let url = url::Url::parse(location).unwrap();
    assert_eq!(url.host_str(), Some("localhost"), "{location}");
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// The way in from a page of the dashboard: the cookie of the host, and where it goes on.
async fn go_on(whole: &Whole, browser: &mut Browser, host: &str, path: &str) -> (String, String) {
    let page = browser.get(path).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let address = page.attribute("#go-on", "href");
    assert_eq!(page.attribute("meta[http-equiv=refresh]", "content"), format!("0;url={address}"));
    let url = url::Url::parse(&address).unwrap();
    assert_eq!(url.host_str(), Some(host));
    let token = format!("{}?{}", url.path(), url.query().unwrap());
    let entered = visit(whole, host, &token, "").await;
    assert_eq!(entered.status, 302, "{entered:?}");
    let cookie = entered.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    assert_eq!(visit(whole, host, &token, "").await.status, 401, "a token is good once");
    (cookie.to_owned(), entered.headers["location"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_browser_signs_in_and_comes_back_and_is_out_with_its_session() {
    let whole = Whole::start().await;
    let (_, host, repository) = walled(&whole).await;
    let (_, mut browser) = account(&whole, "ada@example.com", true).await;
    // The production address needs nobody to sign in.
    assert_eq!(visit(&whole, "shop.localhost", "/", "").await.status, 200);
    let led = visit(&whole, &host, "/a?b=c", "").await;
    let path = dashboard_path(&led);
    // Not signed in yet: to the sign-in, and back to this very page.
    let to_login = browser.get(&path).await;
    assert_eq!(to_login.status, 303);
    let next = url::Url::parse("http://localhost").unwrap().join(to_login.location()).unwrap();
    let next = next.query_pairs().find(|(name, _)| name == "next").unwrap().1.into_owned();
    assert_eq!(next, path);
    let signed_in = browser.log_in("ada@example.com", PASSWORD, &next).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.location()), (303, path.as_str()));
    let (cookie, back) = go_on(&whole, &mut browser, &host, &path).await;
    assert_eq!(back, "/a?b=c");
    assert_eq!(visit(&whole, &host, "/", &cookie).await.body, "one");
    // Stolen, it opens no other preview of the project.
    change(&repository, &json!({ "body": "two" }));
    let second = whole.api.deploy_live("shop", &repository).await;
    let other = host_of(&text(&second, "url"));
    until("the second one has a wall too", async || {
        (visit(&whole, &other, "/", "").await.status == 302).then_some(())
    })
    .await;
    assert_eq!(visit(&whole, &other, "/", &cookie).await.status, 302);
    assert_eq!(visit(&whole, &host, "/", &cookie).await.body, "one");
    let out = browser.submit("/dashboard", "/logout", &[]).await;
    assert_eq!(out.status, 303);
    assert_eq!(visit(&whole, &host, "/", &cookie).await.status, 302);
    // Without the wall everybody comes in.
    let set = json!({ "proxy": { "sign_in": "none" } });
    whole.api.done("PATCH", "/projects/shop", Some(set)).await;
    until("the wall is gone", async || {
        (visit(&whole, &host, "/", "").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_was_let_in_stays_in_over_a_restart_and_no_longer_than_the_session() {
    let mut whole = Whole::start().await;
    let (_, host, _) = walled(&whole).await;
    let (_, mut ada) = account(&whole, "ada@example.com", true).await;
    let (_, mut bob) = account(&whole, "bob@example.com", true).await;
    ada.sign_in("ada@example.com").await;
    bob.sign_in("bob@example.com").await;
    let path = dashboard_path(&visit(&whole, &host, "/", "").await);
    let (hers, _) = go_on(&whole, &mut ada, &host, &path).await;
    let (his, _) = go_on(&whole, &mut bob, &host, &path).await;
    let secret = hers.split_once('=').unwrap().1.to_owned();
    until("both are written down", async || {
        let count = "UPDATE visits SET host = host";
        (whole.change_rows(count, []) == 2).then_some(())
    })
    .await;
    let stored = whole.directory().join("orbitra.db");
    for file in [stored.clone(), stored.with_extension("db-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
    whole.cut_off();
    // Bob was signed out while nobody served.
    let ended = "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = 'bob@example.com')";
    let database = rusqlite::Connection::open(&stored).unwrap();
    database.pragma_update(None, "foreign_keys", true).unwrap();
    assert_eq!(database.execute(ended, []).unwrap(), 1);
    drop(database);
    whole.run().await;
    assert_eq!(visit(&whole, &host, "/", &hers).await.body, "one");
    assert_eq!(visit(&whole, &host, "/", &his).await.status, 302);
    // Not at another host of it, and not after the visit's own end.
    assert_eq!(visit(&whole, "shop.localhost", "/", "").await.status, 200);
    whole.cut_off();
    assert_eq!(whole.change_rows("UPDATE visits SET expires_at = 1", []), 1);
    whole.run().await;
    assert_eq!(visit(&whole, &host, "/", &hers).await.status, 302);
}

#[tokio::test]
async fn who_may_not_see_the_project_any_more_is_out() {
    let whole = Whole::start().await;
    let (_, host, _) = walled(&whole).await;
    let (id, mut browser) = account(&whole, "ada@example.com", true).await;
    let (boss, _) = account(&whole, "boss@example.com", true).await;
    let full = ["full".to_owned()];
    let key = whole.app().create_key_for(&boss, "admin", &full).await.unwrap().1;
    let boss = Api { port: whole.api.port, key };
    browser.sign_in("ada@example.com").await;
    let path = dashboard_path(&visit(&whole, &host, "/", "").await);
    let (cookie, _) = go_on(&whole, &mut browser, &host, &path).await;
    assert_eq!(visit(&whole, &host, "/", &cookie).await.status, 200);
    boss.done("PATCH", &format!("/users/{id}"), Some(json!({ "instance_admin": false }))).await;
    until("the visit is over", async || {
        (visit(&whole, &host, "/", &cookie).await.status == 302).then_some(())
    })
    .await;
    // Still signed in, and nothing to see.
    assert_eq!(browser.get(&path).await.status, 404);
    // The same for whoever never could.
    let (_, mut bob) = account(&whole, "bob@example.com", false).await;
    bob.sign_in("bob@example.com").await;
    assert_eq!(bob.get(&path).await.status, 404);
}

#[tokio::test]
async fn nothing_leads_anywhere_else() {
    let whole = Whole::start().await;
    let (project, host, _) = walled(&whole).await;
    let (_, mut browser) = account(&whole, "ada@example.com", true).await;
    browser.sign_in("ada@example.com").await;
    for bad in [
        "evil.test",
        "",
        "localhost",
        "127.0.0.1",
        "evil.test%23.localhost",
        "evil.test%2f.localhost",
        "user@evil.test",
    ] {
        let page = browser.get(&format!("/dashboard/visit?host={bad}&path=%2F")).await;
        assert_eq!(page.status, 404, "{bad}");
    }
    for bad in
        ["%2F%2Fevil.test", "https%3A%2F%2Fevil.test", "%2F%5Cevil.test", "", "%0d%0aX%3A%20y"]
    {
        let path = format!("/dashboard/visit?host={host}&path={bad}");
        let (_, back) = go_on(&whole, &mut browser, &host, &path).await;
        assert_eq!(back, "/", "{bad}");
    }
    // At all addresses, the production one among them; a program is told so in JSON.
    let set = json!({ "proxy": { "sign_in": "all" } });
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(set)).await;
    until("production is behind the wall", async || {
        (visit(&whole, "shop.localhost", "/", "").await.status == 302).then_some(())
    })
    .await;
    let refused = whole.visit("shop.localhost").await;
    let body: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(
        (refused.status.as_u16(), &body["error"]["code"]),
        (401, &json!("sign_in_required"))
    );
    let path = dashboard_path(&visit(&whole, "shop.localhost", "/", "").await);
    let (cookie, _) = go_on(&whole, &mut browser, "shop.localhost", &path).await;
    assert_eq!(visit(&whole, "shop.localhost", "/", &cookie).await.body, "one");
    let wrong = json!({ "proxy": { "sign_in": "some" } });
    let (status, answer) =
        whole.api.call("PATCH", &format!("/projects/{project}"), Some(wrong)).await;
    assert_eq!(
        (status, answer["error"]["details"]["invalid_fields"][0]["code"].as_str()),
        (400, Some("unknown_value"))
    );
}
