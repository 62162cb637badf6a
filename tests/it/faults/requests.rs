//! kill -9 in the middle of a change over the API: it happened whole or not at all, and its repetition is safe.

use serde_json::{Value, json};

use super::{Place, change};
use crate::support::api_client::text;

/// Before the commit, and between the commit and the answer.
const BEFORE: &str = "change.before_commit=kill";
const AFTER: &str = "change.before_commit=commit-then-kill";

#[tokio::test]
async fn a_deployment_that_was_not_stored_is_made_once_by_the_repetition() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let project = place.project("shop").await;
    let path = format!("/projects/{project}/deployments");
    let body = json!({"git_url": repository.url});
    for (point, key, rows) in [(BEFORE, "first", 0), (AFTER, "second", 2)] {
        place.rearm(point).await;
        let once = Some(key);
        let lost = place.orbitra.api.try_call("POST", &path, Some(body.clone()), once).await;
        assert!(lost.is_err(), "{point}: {lost:?}");
        place.orbitra.killed().await;
        place.orbitra.restart().await;
        assert_eq!(place.orbitra.api.statuses(&project).await.len(), rows, "{point}");
        let again = place.orbitra.api.try_call("POST", &path, Some(body.clone()), once).await;
        let (status, first) = again.unwrap();
        assert_eq!(status, 201, "{point}: {first}");
        let second = place.orbitra.api.try_call("POST", &path, Some(body.clone()), once).await;
        assert_eq!(second.unwrap().1["id"], first["id"], "{point}");
        place.orbitra.api.live(&text(&first, "id")).await;
        place.sound().await;
    }
    assert_eq!(place.orbitra.api.statuses(&project).await.len(), 2);
    place.sound_for_good().await;
}

/// A change, and how it shows whether it was made.
struct Change {
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// Where to look, and the field.
    shows: (String, &'static str),
    before: Value,
    after: Value,
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, one) = place.live("shop", &repository).await;
    change(&repository, &json!({"body": "two"}));
    let two = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&two).await;
    let at = |path: &str| format!("/projects/{project}{path}");
    let domain = json!({"hostname": "shop.example.org"});
    let domain = place.orbitra.api.done("POST", &at("/domains"), Some(domain)).await;
    let domain = text(&domain, "id");
    let changes = [
        Change {
            method: "PATCH",
            path: at(""),
            body: Some(json!({"name": "store", "description": "renamed"})),
            shows: (at(""), "name"),
            before: json!("shop"),
            after: json!("store"),
        },
        Change {
            method: "PUT",
            path: at("/env/PLAIN"),
            body: Some(json!({"value": "two"})),
            shows: (at("/env/PLAIN"), "key"),
            before: Value::Null,
            after: json!("PLAIN"),
        },
        Change {
            method: "PATCH",
            path: format!("/domains/{domain}"),
            body: Some(json!({"redirect_to": "example.net", "redirect_code": 301})),
            shows: (format!("/domains/{domain}"), "redirect_to"),
            before: Value::Null,
            after: json!("example.net"),
        },
        Change {
            method: "DELETE",
            path: format!("/domains/{domain}"),
            body: None,
            shows: (format!("/domains/{domain}"), "id"),
            before: json!(domain),
            after: Value::Null,
        },
        Change {
            method: "POST",
            path: at("/pause"),
            body: Some(json!({})),
            shows: (at(""), "status"),
            before: json!("active"),
            after: json!("paused"),
        },
        Change {
            method: "POST",
            path: at("/resume"),
            body: Some(json!({})),
            shows: (at(""), "status"),
            before: json!("paused"),
            after: json!("active"),
        },
        Change {
            method: "DELETE",
            path: format!("/deployments/{one}"),
            body: None,
            shows: (format!("/deployments/{one}"), "id"),
            before: json!(one),
            after: Value::Null,
        },
        Change {
            method: "DELETE",
            path: at(""),
            body: None,
            shows: (at(""), "name"),
            before: json!("store"),
            after: Value::Null,
        },
    ];
    for change in &changes {
        for (point, expected) in [(BEFORE, &change.before), (AFTER, &change.after)] {
            let what = format!("{} {} with {point}", change.method, change.path);
            place.quiet().await;
            place.rearm(point).await;
            let api = place.orbitra.api.clone();
            let lost = api.try_call(change.method, &change.path, change.body.clone(), None).await;
            assert!(lost.is_err(), "{what}: {lost:?}");
            place.orbitra.killed().await;
            place.orbitra.restart().await;
            let (_, shown) = place.orbitra.api.call("GET", &change.shows.0, None).await;
            assert_eq!(&shown[change.shows.1], expected, "{what}");
            place.sound().await;
        }
    }
    assert_eq!(place.engine.count().0, 0, "nothing is left of the project");
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_secret_is_changed_whole_or_not_at_all() {
    let mut place = Place::start().await;
    let api = place.orbitra.api.clone();
    for (point, done) in [(BEFORE, false), (AFTER, true)] {
        let hook = json!({"url": "http://127.0.0.1:9/hook", "events": ["deployment.failed"]});
        let hook = text(&api.done("POST", "/webhooks", Some(hook)).await, "id");
        let key = json!({"name": "ci", "scopes": ["read"]});
        let key = text(&api.done("POST", "/api-keys", Some(key)).await, "id");
        // What is asked, and what shows that it was done.
        let secret = (format!("/webhooks/{hook}"), "/secret_hint");
        let keys = ("/api-keys".to_owned(), "/pagination/total");
        for (path, body, (shown, field)) in [
            (format!("/webhooks/{hook}/rotate-secret"), None, secret),
            (format!("/api-keys/{key}/rotate"), Some(json!({"grace_seconds": 60})), keys),
        ] {
            let look = async || api.get(&shown).await.pointer(field).cloned().unwrap();
            let before = look().await;
            place.rearm(point).await;
            let once = format!("{path} {point}");
            let lost = api.try_call("POST", &path, body.clone(), Some(&once)).await;
            assert!(lost.is_err(), "{once}: {lost:?}");
            place.orbitra.killed().await;
            place.orbitra.restart().await;
            let after = look().await;
            assert_eq!(after != before, done, "{once}: {before}, then {after}");
            // The repetition has the secret, and there is one of them.
            let again = api.try_call("POST", &path, body, Some(&once)).await;
            let (status, answer) = again.unwrap();
            assert!(matches!(status, 200 | 201), "{once}: {status} {answer}");
            let now = look().await;
            assert!(now != before && (now == after || !done), "{once}: {after}, then {now}");
        }
        place.sound().await;
    }
    place.sound_for_good().await;
}
