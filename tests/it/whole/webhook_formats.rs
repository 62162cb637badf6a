//! Messages for chats: what their documented endpoints take, and nothing that a stranger could make of them.

use serde_json::{Value, json};

use super::Whole;
use super::webhooks::{SOON, over};
use crate::support::api_client::text;
use crate::support::receiver::{Act, Receiver};
use crate::support::until::until;

/// What somebody writes who wants to be read as something else.
const HOSTILE: &str =
    "Mend <!channel> <https://evil.test|here> @everyone *b* `c` [d](https://evil.test) & _e_";

async fn hook(whole: &Whole, receiver: &Receiver, format: &str, events: &[&str]) -> Value {
    let body = json!({ "url": receiver.url(), "format": format, "events": events });
    whole.api.done("POST", "/webhooks", Some(body)).await
}

/// Deploys a commit with this message.
async fn deploy(whole: &Whole, message: &str) {
    let project = whole.api.project("shop", json!({})).await;
    let repository = whole.repository(&json!({ "body": "one" }));
    repository.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    repository.git(&["push", "-q", "origin", "main"]);
    whole.api.deploy_live(&project, &repository).await;
}

#[tokio::test]
async fn slack_gets_text_and_blocks_that_mention_nobody() {
    let whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, "slack", &["deployment.succeeded"]).await;
    // As Slack answers.
    receiver.always(Act::Answer(200, "content-type: text/html\r\n", "ok"));
    deploy(&whole, HOSTILE).await;
    let got = &receiver.wait(1).await[0];
    assert_eq!(got.header("content-type"), "application/json");
    let body = got.json();
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["blocks", "text"]);
    assert_eq!(body["text"], "shop: Deployment succeeded");
    let blocks = body["blocks"].as_array().unwrap();
    let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "section", "context"]);
    assert_eq!(blocks[0]["text"]["type"], "plain_text");
    let section = blocks[1]["text"]["text"].as_str().unwrap();
    assert!(section.contains("Mend &lt;!channel&gt;") && section.contains("'c'"), "{section}");
    // The one link is the deployment's own.
    assert_eq!(section.matches('<').count(), 1, "{section}");
    assert!(section.contains("<http://shop-"), "{section}");
    let shown = over(&whole, &hook).await;
    assert_eq!(shown["request_body"], got.body);
    assert_eq!(shown["event_id"], got.event_id());
    // An attempt more has the same bytes.
    receiver.next(&[Act::Answer(429, "retry-after: 0\r\n", "rate_limited")]);
    let path = format!("/webhooks/{}", text(&hook, "id"));
    let again = format!("{path}/deliveries/{}/redeliver", text(&shown, "id"));
    whole.api.done("POST", &again, None).await;
    let got = receiver.wait(3).await;
    assert!(got.iter().all(|one| one.body == got[0].body));
    // Whoever has the path can write to the channel.
    let listed = whole.api.get("/webhooks").await;
    assert_eq!(listed["data"][0]["url"], format!("http://127.0.0.1:{}/***", receiver.port));
    assert_eq!(whole.api.get(&path).await["url"], receiver.url());
    // 404 is what Slack says of a channel or app that is gone: a failure as any other.
    receiver.always(Act::Answer(404, "", "no_service"));
    let pinged = whole.api.done("POST", &format!("{path}/ping"), None).await;
    assert_eq!(
        (&pinged["status"], &pinged["attempts"][0]["response_status"]),
        (&json!("failed"), &json!(404))
    );
    assert_eq!(receiver.got().last().unwrap().json()["text"], "Hello from Orbitra");
}

#[tokio::test]
async fn discord_gets_an_embed_in_which_nothing_is_marked_up() {
    let whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    hook(&whole, &receiver, "discord", &["deployment.succeeded", "project.created"]).await;
    // As Discord answers.
    receiver.always(Act::Answer(204, "", ""));
    deploy(&whole, HOSTILE).await;
    let got = receiver.wait(2).await;
    let body = got.iter().map(|one| one.json()).find(|body| body.to_string().contains("succeeded"));
    let body = body.unwrap();
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["allowed_mentions", "content", "embeds"]);
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    let embed = &body["embeds"][0];
    assert_eq!(embed["title"], "shop\\: Deployment succeeded");
    assert!(embed["url"].as_str().unwrap().starts_with("http://shop-"));
    let fields = embed["fields"].as_array().unwrap();
    let commit = fields.iter().find(|field| field["name"] == "Commit").unwrap();
    let value = commit["value"].as_str().unwrap();
    for mark in ["\\<\\!channel\\>", "\\@everyone", "\\*b\\*", "\\`c\\`", "\\[d\\]\\(https\\:"] {
        assert!(value.contains(mark), "no {mark} in {value}");
    }
    assert_eq!(embed["timestamp"].as_str().unwrap().len(), 20);
}

#[tokio::test]
async fn what_is_wrong_with_a_format_is_named_and_it_never_changes() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let refused = async |body: Value| {
        let (status, answer) = whole.api.call("POST", "/webhooks", Some(body)).await;
        assert_eq!(status, 400, "{answer}");
        let field = &answer["error"]["details"]["invalid_fields"][0];
        format!("{} {}", text(field, "field"), text(field, "code"))
    };
    let body = |format: Value, url: &str| json!({ "url": url, "format": format, "events": ["*"] });
    let url = receiver.url();
    assert_eq!(refused(body(json!("teams"), &url)).await, "format unknown_value");
    assert_eq!(refused(body(json!(1), &url)).await, "format type");
    assert_eq!(refused(body(json!("slack"), "mailto:a@example.com")).await, "url url_not_allowed");
    for url in [
        "mailto:a",
        "a@example.com",
        &url,
        "mailto:a@example.com,b@example.com",
        "mailto:a@example.com?cc=b@example.com",
    ] {
        assert_eq!(refused(body(json!("email"), url)).await, "url format", "{url}");
    }
    let made = hook(&whole, &receiver, "discord", &["project.created"]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    let (status, answer) = whole.api.call("PATCH", &path, Some(json!({ "format": "slack" }))).await;
    assert_eq!(
        (status, &answer["error"]["details"]["invalid_fields"][0]["code"]),
        (400, &json!("read_only"))
    );
    // What was read may be sent back, and a hook without a word about it is what it always was.
    whole.api.done("PATCH", &path, Some(json!({ "format": "discord", "description": "x" }))).await;
    let plain = super::webhooks::hook(&whole, &receiver, &["project.created"]).await;
    assert_eq!(plain["format"], "orbitra");
    whole.api.project("shop", json!({})).await;
    receiver.wait(2).await;
    until("both are stored", async || {
        let list = whole.api.get("/webhooks").await;
        let done = |one: &Value| one["last_delivery"]["status"] == "succeeded";
        list["data"].as_array().unwrap().iter().all(done).then_some(())
    })
    .await;
    let own: Vec<_> = receiver
        .got()
        .iter()
        .map(|one| one.json())
        .filter(|body| body["event"].is_string())
        .collect();
    assert_eq!(own.len(), 1);
}
