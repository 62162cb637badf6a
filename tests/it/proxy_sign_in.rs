//! The wall before a host as visitors meet it: who is let in, and what the application sees of it.

use std::net::SocketAddr;
use std::sync::Arc;

use orbitra::crypto::token;
use orbitra::model::ids::{ProjectId, UserId};
use orbitra::model::proxy_settings::{ProxySettings, SignIn};
use orbitra::routing::policy::Policy;
use orbitra::routing::visits::{PATH, Visit, Wall};

use crate::support::front::{Front, HOST, table, to};
use crate::support::toy::Toy;
use crate::support::wire::{Answer, ask};

const PAGE: &str = "Accept: text/html,*/*\r\n";

fn project() -> ProjectId {
    ProjectId::from_random([1; 10])
}

fn wall(secure: bool) -> Wall {
    Wall { project: project(), page: "https://orbitra.test/dashboard/visit".into(), secure }
}

/// A server with two hosts behind the wall of one project.
fn front(toy: &Toy, secure: bool) -> Front {
    let front = Front::start(to(toy.address));
    let settings = ProxySettings { sign_in: SignIn::Previews, ..ProxySettings::default() };
    let policy = Arc::new(Policy::of(&settings).unwrap().behind(Some(wall(secure))));
    let mut table = table(to(toy.address));
    table.hosts.get_mut(HOST).unwrap().policy = Some(policy);
    let other = table.hosts[HOST].clone();
    table.hosts.insert("other.test".into(), other);
    front.routes.publish(table);
    front
}

async fn get(address: SocketAddr, host: &str, path: &str, fields: &str) -> Answer {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).await
}

fn expect(front: &Front, secret: &str, host: &str) {
    let visit = Visit {
        host: host.to_owned(),
        project: project(),
        user: UserId::from_random([1; 10]),
        session: [7; 32],
    };
    assert!(front.routes.visits().expect(token::hash(secret), visit, "/a?b=c".to_owned()));
}

/// Comes in with a token; answers the cookie.
async fn enter(front: &Front, secret: &str) -> String {
    expect(front, secret, HOST);
    let answer = get(front.address, HOST, &format!("{PATH}?token={secret}"), PAGE).await;
    assert_eq!((answer.status, answer.header("location").as_deref()), (302, Some("/a?b=c")));
    answer.header("set-cookie").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_led_to_the_dashboard_and_programs_are_refused() {
    let toy = Toy::saying("in").await;
    let front = front(&toy, true);
    let led = get(front.address, HOST, "/a?b=c&d", PAGE).await;
    assert_eq!(led.status, 302);
    let location = "https://orbitra.test/dashboard/visit?host=app%2Etest&path=%2Fa%3Fb%3Dc%26d";
    assert_eq!(led.header("location").as_deref(), Some(location));
    assert_eq!(led.header("cache-control").as_deref(), Some("no-store"));
    let long = get(front.address, HOST, &format!("/{}", "a".repeat(500)), PAGE).await;
    assert!(long.header("location").unwrap().ends_with("path=%2F"));
    for fields in [
        "",
        "Accept: */*\r\n",
        "Accept: application/json\r\n",
        "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n",
        "Accept: text/html\r\nSec-Fetch-Mode: no-cors\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n",
    ] {
        let refused = get(front.address, HOST, "/", fields).await;
        assert_eq!(refused.status, 401, "{fields}");
        assert!(refused.header("www-authenticate").is_some());
        if !fields.contains("text/html") {
            let body: serde_json::Value = serde_json::from_str(&refused.text()).unwrap();
            assert_eq!(body["error"]["code"], "sign_in_required");
        }
    }
    let posted = ask(
        front.address,
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{PAGE}Content-Length: 0\r\n\r\n"),
    );
    assert_eq!(posted.await.status, 401);
    assert_eq!(toy.count(), 0, "nothing has reached the application");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_changed_once_for_a_cookie_that_the_application_never_sees() {
    let toy = Toy::saying("in").await;
    let front = front(&toy, true);
    let cookie = enter(&front, "secret").await;
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=14400; HttpOnly; SameSite=Lax; Secure");
    assert!(pair.starts_with("__Host-orbitra-visit="), "{pair}");
    // Used, unknown, none, and asked for with HEAD.
    for path in [format!("{PATH}?token=secret"), format!("{PATH}?token=x"), PATH.to_owned()] {
        let again = get(front.address, HOST, &path, PAGE).await;
        assert_eq!((again.status, again.header("set-cookie")), (401, None), "{path}");
    }
    expect(&front, "ahead", HOST);
    let head =
        format!("HEAD {PATH}?token=ahead HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let mut wire = crate::support::wire::Wire::connect(front.address).await;
    wire.send(head).await;
    assert_eq!(wire.answer(true).await.unwrap().status, 401);
    assert_eq!(get(front.address, HOST, &format!("{PATH}?token=ahead"), PAGE).await.status, 302);
    for fields in [
        format!("Cookie: {pair}\r\n"),
        format!("Cookie: a=1; {pair}; b=2\r\n"),
        format!("Cookie: a=1\r\nCookie: {pair}\r\nCookie: b=2\r\n"),
    ] {
        assert_eq!(get(front.address, HOST, "/", &fields).await.text(), "in", "{fields}");
    }
    let seen = toy.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|one| !one.head.contains("orbitra-visit")), "{seen:?}");
    assert_eq!(seen[1].header("cookie").as_deref(), Some("a=1; b=2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_good_at_its_host_while_its_session_lasts() {
    let toy = Toy::saying("in").await;
    let front = front(&toy, false);
    let cookie = enter(&front, "secret").await;
    let pair = cookie.split(';').next().unwrap();
    assert!(pair.starts_with("orbitra-visit=") && !cookie.contains("Secure"), "{cookie}");
    let field = format!("Cookie: {pair}\r\n");
    assert_eq!(get(front.address, HOST, "/", &field).await.status, 200);
    // Stolen, and shown at another host of the same project.
    assert_eq!(get(front.address, "other.test", "/", &field).await.status, 401);
    // A token for one host, shown at another, is used up.
    expect(&front, "stray", HOST);
    let path = format!("{PATH}?token=stray");
    assert_eq!(get(front.address, "other.test", &path, PAGE).await.status, 401);
    assert_eq!(get(front.address, HOST, &path, PAGE).await.status, 401);
    for forged in ["orbitra-visit=", "orbitra-visit=x", "orbitra-visit"] {
        let field = format!("Cookie: {forged}\r\n");
        assert_eq!(get(front.address, HOST, "/", &field).await.status, 401, "{forged}");
    }
    front.routes.visits().retain(|visit| visit.session != [7; 32]);
    assert_eq!(get(front.address, HOST, "/", &field).await.status, 401);
    assert_eq!(toy.count(), 1);
}
