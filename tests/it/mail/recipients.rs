//! Addresses that webhooks send mail to are asked first, and nothing else is sent there before they have agreed.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{hook, member, set_up};
use crate::dashboard::browser::Browser;
use crate::dashboard::site::PASSWORD;
use crate::support::api_client::text;
use crate::support::mail_server::MailServer;
use crate::whole::Whole;
use crate::whole::webhooks::{SOON, over};

const EVENTS: &[&str] = &["project.created"];

/// Somebody without an account here.
fn stranger(whole: &Whole) -> Browser {
    let router = orbitra::web::router(&whole.app());
    let peer = SocketAddr::from(([198, 51, 100, 7], 40_000));
    Browser::new(router, &whole.app().hosts.dashboard_url(), peer)
}

/// The text of a mail, decoded (RFC 2045 §6.7).
pub(super) fn decoded(mail: &Value) -> String {
    text(mail, "content").replace("=\r\n", "").replace("=3D", "=")
}

/// The path of the link in a mail that asks.
fn link(mail: &Value) -> String {
    let content = decoded(mail);
    let at = content.find("/mail/").unwrap_or_else(|| panic!("no link in {content}"));
    let path: String = content[at..].chars().take("/mail/".len() + 64).collect();
    assert!(path[6..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{path}");
    path
}

async fn status(whole: &Whole, hook: &Value) -> String {
    let shown = whole.api.get(&format!("/webhooks/{}", text(hook, "id"))).await;
    text(&shown["recipient"], "status")
}

/// Makes a call that is refused with a conflict. Answers its reason.
async fn conflict(whole: &Whole, path: &str, body: Option<Value>) -> String {
    let (status, answer) = whole.api.call("POST", path, body).await;
    assert_eq!(status, 409, "{answer}");
    text(&answer["error"]["details"], "reason")
}

async fn deliveries(whole: &Whole, hook: &Value) -> Vec<String> {
    let list = whole.api.get(&format!("/webhooks/{}/deliveries", text(hook, "id"))).await;
    list["data"].as_array().unwrap().iter().map(|one| text(one, "event")).collect()
}

/// As if every mail that asked had been sent so many hours earlier.
fn earlier(whole: &Whole, hours: u32) {
    let sql = "UPDATE mail_questions SET asked_at = asked_at - ?1 * 3600000";
    assert!(whole.change_rows(sql, [&hours.to_string()]) > 0);
}

fn body(to: &str) -> Value {
    json!({ "url": format!("mailto:{to}"), "format": "email", "events": EVENTS })
}

#[tokio::test]
async fn an_address_is_asked_once_and_gets_nothing_before_it_agrees() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let made = hook(&whole, "Ops@example.com", EVENTS).await;
    assert_eq!(made["recipient"]["status"], "pending", "{made}");
    assert!(made["recipient"]["expires_at"].is_string() && made["status"] == "active");
    let asked = server.wait(1).await.remove(0);
    let path = link(&asked);
    assert_eq!(asked["to"], json!(["Ops@example.com"]));
    let content = decoded(&asked);
    assert!(content.contains("a@example.com has an account at http://localhost"), "{content}");
    // A second webhook is no second mail, and what happens is told to neither.
    let second = hook(&whole, "ops@example.com", EVENTS).await;
    whole.api.project("shop", json!({})).await;
    assert_eq!(deliveries(&whole, &made).await, ["webhook.confirmation"]);
    assert_eq!(deliveries(&whole, &second).await, Vec::<String>::new());
    let own = format!("/webhooks/{}", text(&made, "id"));
    assert_eq!(conflict(&whole, &format!("{own}/ping"), None).await, "recipient_pending");
    let replay = json!({ "since": "2020-01-01T00:00:00Z" });
    let replay = (format!("{own}/replay"), Some(replay));
    assert_eq!(conflict(&whole, &replay.0, replay.1.clone()).await, "recipient_pending");
    // Nobody of the team sees the link: not in what was sent, and not in the database.
    let shown = over(&whole, &made).await;
    assert_eq!(
        (&shown["status"], &shown["event"]),
        (&json!("succeeded"), &json!("webhook.confirmation"))
    );
    let sent = text(&shown, "request_body");
    assert!(
        sent.contains("the link, which the mail alone has") && !sent.contains(&path[6..]),
        "{sent}"
    );
    let again = format!("{own}/deliveries/{}/redeliver", text(&shown, "id"));
    assert_eq!(conflict(&whole, &again, None).await, "not_an_event");
    let stored = std::fs::read(whole.directory().join("orbitra.db")).unwrap();
    let log = std::fs::read(whole.directory().join("orbitra.db-wal")).unwrap_or_default();
    let is_in = |bytes: &[u8]| bytes.windows(64).any(|part| part == &path.as_bytes()[6..]);
    assert!(!is_in(&stored) && !is_in(&log));
    // A look alone, as by a program that follows links, is no answer.
    let mut reader = stranger(&whole);
    let page = reader.get(&path).await;
    assert_eq!((page.status.as_u16(), page.text("h1").as_str()), (200, "Do you want this mail?"));
    assert!(page.body.contains("a@example.com") && page.body.contains("ops@example.com"));
    assert_eq!(status(&whole, &made).await, "pending");
    let forged = reader.post(&path, &[("csrf", "x"), ("answer", "yes")]).await;
    assert_eq!((forged.status.as_u16(), status(&whole, &made).await.as_str()), (403, "pending"));
    let agreed = reader.submit(&path, &path, &[("answer", "yes")]).await;
    assert_eq!(
        (agreed.status.as_u16(), agreed.text("h1").as_str()),
        (200, "You get this mail from now on")
    );
    // From now on both are told.
    assert_eq!(
        (status(&whole, &made).await, status(&whole, &second).await),
        ("confirmed".into(), "confirmed".into())
    );
    whole.api.project("blog", json!({})).await;
    let mails = server.wait(3).await;
    assert!(mails[1..].iter().all(|mail| decoded(mail).contains("blog: A project was made")));
    let missed = whole.api.done("POST", &replay.0, replay.1).await;
    assert_eq!(missed["queued"], 1, "{missed}");
    let mails = server.wait(4).await;
    assert!(decoded(&mails[3]).contains("shop: A project was made"));
    let (status_code, refused) = whole.api.call("POST", &format!("{own}/confirmation"), None).await;
    assert_eq!(
        (status_code, &refused["error"]["details"]["reason"]),
        (409, &json!("recipient_confirmed"))
    );
    let audit = whole.api.get("/audit-log?action=mail.answered").await;
    assert_eq!(audit["data"][0]["actor"]["type"], "recipient", "{audit}");
    assert!(!audit.to_string().contains(&path[6..]));
}

#[tokio::test]
async fn a_link_is_good_once_and_stops_the_mail_later() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let made = hook(&whole, "ops@example.com", EVENTS).await;
    let path = link(&server.wait(1).await[0]);
    let mut reader = stranger(&whole);
    let mut twin = reader.clone();
    let (one, two) = tokio::join!(
        reader.submit(&path, &path, &[("answer", "yes")]),
        twin.submit(&path, &path, &[("answer", "yes")]),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410], "of two that race, one answers");
    let used = reader.get(&path).await;
    assert_eq!((used.status.as_u16(), used.text("h1").as_str()), (410, "This link was used"));
    assert_eq!(reader.submit(&path, &path, &[("answer", "yes")]).await.status, 410);
    assert_eq!(status(&whole, &made).await, "confirmed");
    let stopped = reader.submit(&path, &path, &[("answer", "no")]).await;
    assert_eq!((stopped.status.as_u16(), stopped.text("h1").as_str()), (200, "You get no mail"));
    assert_eq!(status(&whole, &made).await, "declined");
    // That stays: for this webhook, for another one, and for one that is led there.
    let used = reader.get(&path).await;
    assert!(used.status == 410 && used.body.contains("has refused mail"), "{}", used.body);
    let own = format!("/webhooks/{}", text(&made, "id"));
    for (path, sent) in [
        (format!("{own}/ping"), None),
        (format!("{own}/confirmation"), None),
        ("/webhooks".to_owned(), Some(body("OPS@example.com"))),
    ] {
        assert_eq!(conflict(&whole, &path, sent).await, "recipient_declined", "{path}");
    }
    member(&whole, "colleague@example.com").await;
    let other = hook(&whole, "colleague@example.com", EVENTS).await;
    let sent = json!({ "url": "mailto:ops@example.com" });
    let (refused, answer) =
        whole.api.call("PATCH", &format!("/webhooks/{}", text(&other, "id")), Some(sent)).await;
    assert_eq!(
        (refused, &answer["error"]["details"]["reason"]),
        (409, &json!("recipient_declined"))
    );
    whole.api.project("shop", json!({})).await;
    let mails = server.wait(2).await;
    assert_eq!(mails[1]["to"], json!(["colleague@example.com"]));
    assert_eq!(deliveries(&whole, &made).await, ["webhook.confirmation"]);
}

#[tokio::test]
async fn links_that_do_not_work_say_so_and_another_mail_has_another() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let made = hook(&whole, "ops@example.com", EVENTS).await;
    let first = link(&server.wait(1).await[0]);
    let mut reader = stranger(&whole);
    for unknown in
        [format!("/mail/{}", "0".repeat(64)), first[..40].to_owned(), "/mail/x".to_owned()]
    {
        let page = reader.get(&unknown).await;
        assert_eq!(
            (page.status.as_u16(), page.text("h1").as_str()),
            (404, "This link does not work")
        );
    }
    let token = reader.get(&first).await.token(&first);
    assert_eq!(whole.change_rows("UPDATE mail_recipients SET expires_at = 1", []), 1);
    let late = reader.get(&first).await;
    assert_eq!((late.status.as_u16(), late.text("h1").as_str()), (410, "This link has expired"));
    assert_eq!(reader.post(&first, &[("csrf", &token), ("answer", "yes")]).await.status, 410);
    assert_eq!(status(&whole, &made).await, "pending");
    earlier(&whole, 1);
    let asking = format!("/webhooks/{}/confirmation", text(&made, "id"));
    let asked = whole.api.done("POST", &asking, None).await;
    assert_eq!(asked["recipient"]["status"], "pending");
    let second = link(&server.wait(2).await[1]);
    assert_ne!(first, second);
    assert_eq!(reader.get(&first).await.status, 404);
    let refused = reader.submit(&second, &second, &[("answer", "no")]).await;
    assert_eq!((refused.status.as_u16(), refused.text("h1").as_str()), (200, "You get no mail"));
    assert_eq!(status(&whole, &made).await, "declined");
    assert_eq!(conflict(&whole, &asking, None).await, "recipient_declined");
}

#[tokio::test]
async fn nobody_is_asked_often() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let made = hook(&whole, "ops@example.com", EVENTS).await;
    let asking = format!("/webhooks/{}/confirmation", text(&made, "id"));
    let too_often = async |path: &str, sent: Option<Value>| {
        let (status, answer) = whole.api.call("POST", path, sent).await;
        assert_eq!(status, 429, "{answer}");
    };
    // Not within ten minutes, and three times in a day, also when the webhook is made anew.
    too_often(&asking, None).await;
    for _ in 0..2 {
        earlier(&whole, 1);
        whole.api.done("POST", &asking, None).await;
    }
    earlier(&whole, 1);
    too_often(&asking, None).await;
    server.wait(3).await;
    whole.api.done("DELETE", &format!("/webhooks/{}", text(&made, "id")), None).await;
    assert_eq!(whole.change_rows("UPDATE mail_recipients SET expires_at = 1", []), 1);
    too_often("/webhooks", Some(body("ops@example.com"))).await;
    // A team asks twenty addresses in a day.
    for number in 3..20 {
        hook(&whole, &format!("ops{number}@example.com"), EVENTS).await;
    }
    too_often("/webhooks", Some(body("ops20@example.com"))).await;
    server.wait(20).await;
    assert_eq!(server.taken().len(), 20);
    earlier(&whole, 24);
    hook(&whole, "ops20@example.com", EVENTS).await;
    server.wait(21).await;
}

#[tokio::test]
async fn an_address_of_an_account_needs_no_question_and_another_one_is_asked() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let made = hook(&whole, "A@EXAMPLE.com", EVENTS).await;
    assert_eq!(
        made["recipient"],
        json!({ "status": "confirmed", "asked_at": null, "expires_at": null })
    );
    whole.api.project("shop", json!({})).await;
    assert_eq!(server.wait(1).await[0]["to"], json!(["A@EXAMPLE.com"]));
    // What was read may be sent back, but nobody says for somebody else that he agrees.
    let path = format!("/webhooks/{}", text(&made, "id"));
    let shown = whole.api.get(&path).await;
    let same = json!({ "recipient": shown["recipient"], "description": "x" });
    whole.api.done("PATCH", &path, Some(same)).await;
    let moved = json!({ "url": "mailto:ops@example.com" });
    let moved = whole.api.done("PATCH", &path, Some(moved)).await;
    assert_eq!(moved["recipient"]["status"], "pending");
    let forged = json!({ "recipient": { "status": "confirmed" } });
    let (status_code, answer) = whole.api.call("PATCH", &path, Some(forged)).await;
    assert_eq!(
        (status_code, &answer["error"]["details"]["invalid_fields"][0]["code"]),
        (400, &json!("read_only"))
    );
    let mails = server.wait(2).await;
    assert_eq!(mails[1]["to"], json!(["ops@example.com"]));
    link(&mails[1]);
    // Whoever loses the account is asked like everybody else.
    member(&whole, "leaving@example.com").await;
    let leaving = hook(&whole, "leaving@example.com", EVENTS).await;
    let suspend = "UPDATE users SET suspended = 1 WHERE email = 'leaving@example.com'";
    assert_eq!(whole.change_rows(suspend, []), 1);
    assert_eq!(status(&whole, &leaving).await, "pending");
    whole.api.project("blog", json!({})).await;
    assert_eq!(deliveries(&whole, &leaving).await, Vec::<String>::new());
    // A receiver of another kind is asked nothing.
    let receiver = crate::support::receiver::Receiver::start().await;
    let plain = crate::whole::webhooks::hook(&whole, &receiver, EVENTS).await;
    assert_eq!(plain["recipient"], Value::Null);
    let asking = format!("/webhooks/{}/confirmation", text(&plain, "id"));
    assert_eq!(conflict(&whole, &asking, None).await, "no_recipient");
}

#[tokio::test]
async fn the_dashboard_shows_who_was_asked_and_asks_again() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    let user = orbitra::app::users::NewUser {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        plan: orbitra::model::user::Plan::Enterprise,
        instance_admin: false,
        password: Some(PASSWORD.to_owned()),
    };
    whole.app().create_user(user).await.unwrap();
    let mut ada = stranger(&whole);
    ada.sign_in("ada@example.com").await;
    let list = "/dashboard/team/webhooks";
    let fields = [("format", "email"), ("url", "mailto:ops@example.com"), ("event", "*")];
    let made = ada.submit(list, list, &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let own = made.location().to_owned();
    let page = ada.get(&own).await;
    assert!(page.body.contains("A mail asks whoever reads this address."), "{}", page.body);
    assert!(page.text("#asked").starts_with("Asked "), "{}", page.body);
    assert!(page.body.contains("Not confirmed") && !page.body.contains("id=\"ping\""));
    let asking = format!("{own}/confirmation");
    let soon = ada.submit(&own, &asking, &[]).await;
    assert_eq!(soon.status, 303);
    assert!(ada.get(&own).await.body.contains("Ask again in 10 min."));
    earlier(&whole, 1);
    ada.submit(&own, &asking, &[]).await;
    assert!(ada.get(&own).await.body.contains("One more mail asks."));
    let path = link(&server.wait(2).await[1]);
    assert!(ada.get(list).await.body.contains("Not confirmed"));
    stranger(&whole).submit(&path, &path, &[("answer", "yes")]).await;
    let page = ada.get(&own).await;
    assert!(page.body.contains("id=\"ping\"") && !page.body.contains("Not confirmed"));
    stranger(&whole).submit(&path, &path, &[("answer", "no")]).await;
    assert!(ada.get(&own).await.body.contains("wants no mail"));
}
