//! Webhooks of the format `email`, and mails to try the settings, against a real mail server.

mod recipients;

use std::time::Duration;

use orbitra::app::users::NewUser;
use orbitra::model::user::Plan;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::api_client::{Api, text};
use crate::support::docker_api::DockerApi;
use crate::support::engine::Engine;
use crate::support::mail_server::MailServer;
use crate::support::orbitra::Orbitra;
use crate::support::receiver::{Act, Receiver};
use crate::support::tls::Authority;
use crate::support::until::until;
use crate::whole::Whole;
use crate::whole::webhooks::{SOON, over};

/// Somebody who may change the settings.
async fn admin(whole: &Whole) -> Api {
    let app = &whole.program.as_ref().unwrap().1.app;
    let user = NewUser {
        email: "admin@example.com".to_owned(),
        name: "Admin".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    let user = app.create_user(user).await.unwrap();
    let full = ["full".to_owned()];
    let key = app.create_key_for(user.id.as_str(), "admin", &full).await.unwrap().1;
    Api { port: whole.api.port, key }
}

fn settings(port: u16) -> Value {
    json!({ "mail": {
        "host": "127.0.0.1", "port": port, "security": "none", "sender": "Orbitra <orbitra@example.com>",
    }})
}

async fn set_up(whole: &Whole, port: u16) -> Api {
    let admin = admin(whole).await;
    admin.done("PATCH", "/system/settings", Some(settings(port))).await;
    admin
}

/// Somebody with an account, whose own address needs not be asked.
async fn member(whole: &Whole, email: &str) {
    let user = NewUser {
        email: email.to_owned(),
        name: "Member".to_owned(),
        plan: Plan::Free,
        instance_admin: false,
        password: None,
    };
    whole.app().create_user(user).await.unwrap();
}

async fn hook(whole: &Whole, to: &str, events: &[&str]) -> Value {
    let body = json!({ "url": format!("mailto:{to}"), "format": "email", "events": events });
    whole.api.done("POST", "/webhooks", Some(body)).await
}

/// Header fields of a mail, unfolded.
fn fields(mail: &Value) -> Vec<(String, String)> {
    let content = mail["content"].as_str().unwrap();
    let head = content.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    head.split("\r\n").map(line).collect()
}

fn field(mail: &Value, name: &str) -> String {
    let all: Vec<_> = fields(mail).into_iter().filter(|(known, _)| known == name).collect();
    assert_eq!(all.len(), 1, "{name}: {mail}");
    all[0].1.clone()
}

#[tokio::test]
async fn an_event_arrives_as_a_mail_and_the_answer_is_shown() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    member(&whole, "ops@example.com").await;
    let hook = hook(&whole, "ops@example.com", &["project.created", "deployment.*"]).await;
    assert_eq!(hook["recipient"]["status"], "confirmed", "{hook}");
    assert_eq!(
        (&hook["format"], &hook["url"]),
        (&json!("email"), &json!("mailto:ops@example.com"))
    );
    let project = whole.api.project("shop", json!({})).await;
    let mail = &server.wait(1).await[0];
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("orbitra@example.com"), &json!(["ops@example.com"]))
    );
    assert_eq!(field(mail, "Subject"), "[Orbitra] shop: A project was made");
    assert_eq!(field(mail, "From"), "Orbitra <orbitra@example.com>");
    assert_eq!(field(mail, "Auto-Submitted"), "auto-generated");
    assert!(mail["content"].as_str().unwrap().contains("Region: "), "{mail}");
    let shown = over(&whole, &hook).await;
    assert_eq!((&shown["status"], &shown["attempt_count"]), (&json!("succeeded"), &json!(1)));
    let attempt = &shown["attempts"][0];
    assert_eq!(
        (&attempt["response_status"], &attempt["response_body"], &attempt["request_headers"]),
        (&json!(250), &json!("2.0.0 Queued as 4711"), &json!({}))
    );
    // What people write in a repository stays what they wrote.
    let repository = whole.repository(&json!({ "body": "one" }));
    let message = "Mend\r\nBcc: all@example.com\r\n\r\n.\r\nQUIT\r\n<b>\u{202e}";
    repository.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    repository.git(&["push", "-q", "origin", "main"]);
    whole.api.deploy_live(&project, &repository).await;
    let mails = server.wait(3).await;
    let names = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    for mail in &mails {
        let mut found: Vec<_> = fields(mail).into_iter().map(|(name, _)| name).collect();
        let mut wanted = names.map(str::to_owned).to_vec();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{mail}");
        assert_eq!(mail["to"], json!(["ops@example.com"]));
        assert!(!mail["content"].as_str().unwrap().contains("\r\nBcc"), "{mail}");
    }
    let said = |mail: &Value| mail["content"].as_str().unwrap().contains("Mend");
    assert!(mails.iter().any(said), "{mails:?}");
}

#[tokio::test]
async fn a_webhook_that_is_disabled_by_itself_is_told_of_by_mail_to_its_owner_and_to_whoever_agreed()
 {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    member(&whole, "ops@example.com").await;
    let agreed = hook(&whole, "ops@example.com", &["webhook.*"]).await;
    // The address of somebody who has not answered gets the mail that asks and no other.
    let stranger = hook(&whole, "stranger@example.net", &["webhook.*"]).await;
    assert_eq!(stranger["recipient"]["status"], "pending");
    server.wait(1).await;
    let receiver = Receiver::start().await;
    receiver.next(&[Act::Answer(410, "", "gone")]);
    let gone = crate::whole::webhooks::hook(&whole, &receiver, &["project.created"]).await;
    whole.api.project("shop", json!({})).await;
    over(&whole, &agreed).await;
    let mails = server.wait(3).await;
    let told: Vec<_> =
        mails.iter().filter(|mail| mail["to"] == json!(["ops@example.com"])).collect();
    assert_eq!(told.len(), 1, "{mails:?}");
    assert_eq!(field(told[0], "Subject"), "[Orbitra] Webhook disabled");
    let content = told[0]["content"].as_str().unwrap();
    assert!(content.contains(&text(&gone, "id")) && content.contains("Reason: gone"), "{content}");
    // The owner made no webhook for that.
    let owner: Vec<_> =
        mails.iter().filter(|mail| mail["to"] == json!(["a@example.com"])).collect();
    assert_eq!((owner.len(), mails.len()), (1, 3), "{mails:?}");
    assert_eq!(field(owner[0], "Subject"), "[Orbitra] Your webhook is disabled");
    let content = recipients::decoded(owner[0]);
    let page =
        format!("{}/dashboard/webhooks/{}", whole.app().hosts.dashboard_url(), text(&gone, "id"));
    assert!(content.contains(&page) && content.contains("answered 410"), "{content}");
    let shown = whole.api.get(&format!("/webhooks/{}", text(&gone, "id"))).await;
    assert_eq!((&shown["status"], &shown["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    let path = format!("/webhooks/{}/deliveries?event=webhook.disabled", text(&stranger, "id"));
    assert_eq!(whole.api.get(&path).await["pagination"]["total"], 0);
}

/// A webhook whose receiver answers that it is gone.
async fn gone(whole: &Whole) -> String {
    let receiver = Receiver::start().await;
    receiver.always(Act::Answer(410, "", ""));
    let made = crate::whole::webhooks::hook(whole, &receiver, &["webhook.ping"]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    whole.api.done("POST", &format!("{path}/ping"), None).await;
    let shown = whole.api.get(&path).await;
    assert_eq!(shown["disabled_reason"], "gone", "{shown}");
    text(&made, "id")
}

#[tokio::test]
async fn a_mail_to_an_owner_waits_for_a_server_that_is_away_and_comes_once() {
    let mut whole = Whole::start_with(&[("ORBITRA_WEBHOOK_SCHEDULE", "3600")]).await;
    // Nobody takes mail yet: what happens now is not told later.
    gone(&whole).await;
    let server = MailServer::plain();
    let admin = set_up(&whole, server.port).await;
    // A webhook of mail tells the owner already.
    let own = hook(&whole, "a@example.com", &["webhook.disabled"]).await;
    let first = gone(&whole).await;
    let mails = server.wait(1).await;
    assert_eq!(field(&mails[0], "Subject"), "[Orbitra] Webhook disabled");
    whole.api.done("DELETE", &format!("/webhooks/{}", text(&own, "id")), None).await;
    // Nobody listens there. The process ends before anybody does, and the mail is still sent.
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = away.local_addr().unwrap().port();
    drop(away);
    admin.done("PATCH", "/system/settings", Some(settings(port))).await;
    let second = gone(&whole).await;
    admin.done("PATCH", "/system/settings", Some(settings(server.port))).await;
    // An hour later.
    let tried = "UPDATE account_mails SET next_at = next_at - 4000000 WHERE attempts = 1";
    until("an attempt found nobody", async || (whole.change_rows(tried, []) == 1).then_some(()))
        .await;
    whole.cut_off();
    whole.run().await;
    let mails = server.wait(2).await;
    let content = recipients::decoded(&mails[1]);
    assert!(content.contains(&second) && !content.contains(&first), "{content}");
    let waits = "UPDATE account_mails SET attempts = attempts";
    until("nothing waits", async || (whole.change_rows(waits, []) == 0).then_some(())).await;
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test]
async fn what_a_mail_server_refuses_for_good_is_final_and_the_rest_is_tried_again() {
    let whole = Whole::start_with(SOON).await;
    let server = MailServer::plain();
    set_up(&whole, server.port).await;
    for name in ["unknown", "spam", "grey"] {
        member(&whole, &format!("{name}@example.com")).await;
    }
    let unknown = hook(&whole, "unknown@example.com", &["project.created"]).await;
    let spam = hook(&whole, "spam@example.com", &["project.created"]).await;
    let grey = hook(&whole, "grey@example.com", &["project.created"]).await;
    whole.api.project("shop", json!({})).await;
    for (hook, status, text) in [(&unknown, 550, "No such user"), (&spam, 554, "looks like spam")] {
        let shown = over(&whole, hook).await;
        assert_eq!(
            (&shown["status"], &shown["attempt_count"]),
            (&json!("failed"), &json!(1)),
            "{shown}"
        );
        let attempt = &shown["attempts"][0];
        assert_eq!(attempt["response_status"], status);
        assert!(attempt["response_body"].as_str().unwrap().contains(text), "{attempt}");
    }
    let hook = whole.api.get(&format!("/webhooks/{}", text(&unknown, "id"))).await;
    assert_eq!((&hook["status"], &hook["enabled"]), (&json!("failing"), &json!(true)));
    let shown = over(&whole, &grey).await;
    assert_eq!((&shown["status"], &shown["attempt_count"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(shown["attempts"][0]["response_status"], 451);
    let taken = server.wait(1).await;
    assert_eq!((taken.len(), &taken[0]["to"]), (1, &json!(["grey@example.com"])));
    // It is sent again when somebody wants it, as another mail.
    let path =
        format!("/webhooks/{}/deliveries/{}/redeliver", text(&grey, "id"), text(&shown, "id"));
    whole.api.done("POST", &path, None).await;
    let taken = server.wait(2).await;
    assert_eq!(field(&taken[0], "Subject"), field(&taken[1], "Subject"));
    assert_ne!(field(&taken[0], "Message-ID"), field(&taken[1], "Message-ID"));
}

#[tokio::test]
async fn a_mail_server_that_is_away_or_hangs_delays_nobody_else() {
    let whole = Whole::start_with(SOON).await;
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let admin = set_up(&whole, port).await;
    member(&whole, "ops@example.com").await;
    let mails = hook(&whole, "ops@example.com", &["project.*"]).await;
    let receiver = Receiver::start().await;
    crate::whole::webhooks::hook(&whole, &receiver, &["project.*"]).await;
    let project = whole.api.project("shop", json!({})).await;
    for number in 0..5 {
        let body = json!({ "description": format!("number {number}") });
        whole.api.done("PATCH", &format!("/projects/{project}"), Some(body)).await;
    }
    let begin = std::time::Instant::now();
    receiver.wait(6).await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let path = format!("/webhooks/{}/deliveries", text(&mails, "id"));
    until("an attempt timed out", async || {
        let list = whole.api.get(&path).await;
        let mut attempts = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| one["attempts"].as_array().unwrap());
        attempts.any(|attempt| attempt["error"] == "timeout").then_some(())
    })
    .await;
    drop(silent);
    until("an attempt found nobody", async || {
        let list = whole.api.get(&path).await;
        let mut attempts = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| one["attempts"].as_array().unwrap());
        attempts.any(|attempt| attempt["error"] == "connect_failed").then_some(())
    })
    .await;
    // Without any server it says so.
    admin.done("PATCH", "/system/settings", Some(json!({ "mail": null }))).await;
    let pinged =
        whole.api.done("POST", &format!("/webhooks/{}/ping", text(&mails, "id")), None).await;
    assert_eq!(pinged["attempts"][0]["error"], "not_configured", "{pinged}");
    let body = json!({ "url": "mailto:a@example.com", "format": "email", "events": ["*"] });
    let (status, refused) = whole.api.call("POST", "/webhooks", Some(body)).await;
    assert_eq!(
        (status, &refused["error"]["details"]["reason"]),
        (409, &json!("mail_not_configured"))
    );
}

/// The real program, which trusts this authority alone, and an admin of it.
async fn trusting(authority: &Authority, directory: &tempfile::TempDir) -> (Orbitra, DockerApi) {
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    let socket = DockerApi::serve(Engine::new());
    let more = [
        ("SSL_CERT_FILE", roots.to_str().unwrap()),
        ("ORBITRA_EGRESS_ALLOW", "127.0.0.1/32, localhost"),
        ("ORBITRA_WEBHOOK_TIMEOUT", "3"),
    ];
    let mut orbitra = Orbitra::start_on(&socket.host(), &more).await;
    let account = [
        "create-user",
        "--email",
        "admin@example.com",
        "--name",
        "A",
        "--plan",
        "enterprise",
        "--instance-admin",
    ];
    let user = orbitra.admin(&account);
    orbitra.api.key =
        orbitra.admin(&["create-key", "--user", &user, "--name", "t", "--scopes", "full"]);
    (orbitra, socket)
}

#[tokio::test]
async fn mail_goes_over_tls_to_servers_whose_certificate_is_right_and_to_no_others() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let directory = tempfile::tempdir().unwrap();
    let (orbitra, _socket) = trusting(&authority, &directory).await;
    let servers = [
        ("starttls", MailServer::secured("starttls", &authority, "localhost")),
        ("tls", MailServer::secured("tls", &authority, "localhost")),
    ];
    let wanted = |port: u16, security: &str, password: &str| {
        json!({ "mail": {
            "host": "localhost", "port": port, "security": security, "user": "orbitra", "password": password,
            "sender": "orbitra@example.com",
        }})
    };
    let to = |to: &str| Some(json!({ "to": to }));
    for (security, server) in &servers {
        let sent = wanted(server.port, security, "correct horse");
        let shown = orbitra.api.done("PATCH", "/system/settings", Some(sent)).await;
        assert_eq!(shown["mail"]["has_password"], true);
        assert!(!shown.to_string().contains("correct horse"));
        let tried = orbitra.api.done("POST", "/system/mail/test", to("ada@example.com")).await;
        assert_eq!((&tried["taken"], &tried["status"]), (&json!(true), &json!(250)), "{tried}");
        assert_eq!(tried["answer"], "2.0.0 Queued as 4711");
        let mail = &server.wait(1).await[0];
        assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("orbitra")));
        // What the server refuses is shown as it says it.
        let tried = orbitra.api.done("POST", "/system/mail/test", to("unknown@example.com")).await;
        assert_eq!((&tried["taken"], &tried["status"]), (&json!(false), &json!(550)), "{tried}");
        let sent = wanted(server.port, security, "wrong");
        orbitra.api.done("PATCH", "/system/settings", Some(sent)).await;
        let tried = orbitra.api.done("POST", "/system/mail/test", to("ada@example.com")).await;
        assert_eq!((&tried["taken"], &tried["status"]), (&json!(false), &json!(535)), "{tried}");
        assert_eq!(server.taken().len(), 1);
    }
    let other_name = MailServer::secured("starttls", &authority, "mail.example.com");
    let unknown = MailServer::secured("tls", &stranger, "localhost");
    let plain = MailServer::plain();
    for (server, security) in
        [(&other_name, "starttls"), (&unknown, "tls"), (&plain, "starttls"), (&plain, "tls")]
    {
        let sent = wanted(server.port, security, "correct horse");
        orbitra.api.done("PATCH", "/system/settings", Some(sent)).await;
        let tried = orbitra.api.done("POST", "/system/mail/test", to("ada@example.com")).await;
        assert_eq!(
            (&tried["taken"], &tried["error"]),
            (&json!(false), &json!("tls_failed")),
            "{tried}"
        );
        assert_eq!(server.taken().len(), 0);
    }
    // The password went nowhere else: not into the log, the audit log or the database.
    let audit = orbitra.api.get("/audit-log?action=system.*").await.to_string();
    assert!(audit.contains("system.mail.tested") && !audit.contains("correct horse"), "{audit}");
    assert!(!orbitra.log().contains("correct horse"));
}
