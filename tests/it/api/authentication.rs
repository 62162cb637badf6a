//! Keys at the door: answered from memory, and never by yesterday's rights.

use orbitra::db::{self, Db, DbError};
use orbitra::model::ids::{KeyId, UserId};
use orbitra::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::until::within;

#[tokio::test]
async fn what_changes_here_counts_for_the_next_request() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    for _ in 0..20 {
        let made = owner.post("/api-keys", json!({ "name": "ci", "scopes": ["full"] })).await;
        let key = app.with_key(&made.expect(201).text("/key"));
        let id = key.get("/api-keys/current").await.expect(200).text("/id");
        owner.delete(&format!("/api-keys/{id}")).await.expect(204);
        assert_eq!(key.get("/users/me").await.error("reason").2, "key_revoked");
    }
    // The name of the account is part of what it does.
    owner.patch("/users/me", json!({ "name": "Jane Doe" })).await.expect(200);
    let actor = app.app.authenticate(owner.key(), Default::default()).await.unwrap();
    assert_eq!(actor.user_name, "Jane Doe");
}

#[tokio::test]
async fn what_another_process_changes_counts_within_a_second() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let (owner, other) =
        (app.client_of(&user, &["full"]).await, app.client_of(&user, &["full"]).await);
    let id = owner.get("/api-keys/current").await.expect(200).text("/id");
    let elsewhere = Db::open(&app.data().join("orbitra.db")).unwrap();
    let revoked = elsewhere.write(move |c| -> Result<(), DbError> {
        db::api_keys::revoke(c, &KeyId::parse(&id).unwrap(), Timestamp(1))
    });
    revoked.await.unwrap();
    let limit = std::time::Duration::from_secs(5);
    let reason = within(limit, "the revoked key is refused", async || {
        let reply = owner.get("/users/me").await;
        (reply.status == 401).then(|| reply.error("reason").2)
    });
    assert_eq!(reason.await, "key_revoked");
    other.get("/users/me").await.expect(200);
}

#[tokio::test]
async fn a_known_key_reads_and_writes_nothing() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    owner.get("/users/me").await.expect(200);
    let before = *app.app.db.commits().borrow();
    for _ in 0..200 {
        app.app.authenticate(owner.key(), Default::default()).await.unwrap();
    }
    assert_eq!(*app.app.db.commits().borrow(), before);
    app.app.store_key_uses().await;
    assert_eq!(*app.app.db.commits().borrow(), before + 1);
    let used = owner.get("/api-keys/current").await;
    assert_eq!(used.at("/last_used_at"), "2026-01-20T16:30:00Z");
}

#[tokio::test]
async fn keys_that_are_none_say_nothing_more() {
    let app = TestApp::new();
    app.client("user@example.com", &["full"]).await;
    let invalid = (401, "unauthorized".to_owned(), Value::from("invalid_key"));
    for key in [
        // The published vectors: well-formed, but nobody's.
        "orbu_0123456789ABCDEFGHIJabcdefghij1JixfD",
        "orbp_0123456789ABCDEFGHIJabcdefghij3ehYFb",
        // The same with a wrong checksum, another kind, a character less or more.
        "orbu_0123456789ABCDEFGHIJabcdefghij1JixfE",
        "orbp_0123456789ABCDEFGHIJabcdefghij1JixfD",
        "orbu_0123456789ABCDEFGHIJabcdefghij1Jixf",
        "orbu_0123456789ABCDEFGHIJabcdefghij1JixfDD",
        "orbu_",
        "x",
    ] {
        let reply = app.with_key(key).get("/users/me").await;
        assert_eq!(reply.error("reason"), invalid, "{key}");
        assert!(!reply.body().contains(key) || key == "x", "a key is not echoed");
    }
}

#[tokio::test]
async fn commits_that_touch_accounts_and_keys_are_counted_and_no_others() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let before = app.app.db.identities();
    owner.project("my-app").await;
    owner.deployment("my-app").await;
    assert_eq!(app.app.db.identities(), before);
    let user = UserId::parse(&owner.get("/users/me").await.text("/id")).unwrap();
    let changed = app.app.db.write(move |c| -> Result<(), DbError> {
        db::users::update_profile(c, &user, "Ada", None, Timestamp(1))
    });
    changed.await.unwrap();
    assert_eq!(app.app.db.identities(), before + 1);
}
