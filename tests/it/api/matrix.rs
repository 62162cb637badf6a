//! Every operation of the API's description, asked by everybody who may not and by those who may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orbitra::model::scope;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::operations::{OPERATIONS, Operation, Rows, Whose, World, account, document, send};
use crate::support::app::{Client, Reply};

#[tokio::test]
async fn the_table_is_the_description() {
    let world = World::new().await;
    let document = document(&world.app).await;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let table: BTreeSet<_> = OPERATIONS.iter().map(Operation::name).collect();
    assert_eq!(table.len(), OPERATIONS.len(), "an operation stands in the table twice");
    let missing: Vec<_> = described.difference(&table).collect();
    assert!(missing.is_empty(), "add a line to OPERATIONS for {missing:?}");
    let gone: Vec<_> = table.difference(&described).collect();
    assert!(gone.is_empty(), "OPERATIONS has lines for what is not described: {gone:?}");
    for operation in OPERATIONS {
        let security = &operation.described(&document)["security"];
        let expected = match (operation.scope, operation.is_open(&document)) {
            (_, true) => json!([]),
            ("", false) => json!([{ "bearerAuth": [] }]),
            (scope, false) => json!([{ "bearerAuth": [scope] }]),
        };
        assert_eq!(*security, expected, "{}", operation.name());
    }
}

/// Those who are refused, each in its own way.
struct Others {
    invalid: Client,
    expired: Client,
    revoked: Client,
    suspended: Client,
    elsewhere: Client,
    /// By the scope it lacks.
    lacking: BTreeMap<&'static str, Client>,
    read_only: Client,
    /// A key of the owner for another project.
    limited: Client,
    stranger: Client,
    admin: Client,
}

impl Others {
    async fn of(world: &World) -> Self {
        let (app, full) = (&world.app, &world.full);
        let key = async |extra: Value| {
            let mut body = json!({ "name": "key", "scopes": ["full"] });
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            full.post("/api-keys", body).await.expect(201)
        };
        let client = async |extra: Value| app.with_key(&key(extra).await.text("/key"));
        let revoked = key(json!({})).await;
        full.delete(&format!("/api-keys/{}", revoked.text("/id"))).await.expect(204);
        let mut lacking = BTreeMap::new();
        for scope in OPERATIONS.iter().map(|operation| operation.scope).filter(|s| !s.is_empty()) {
            let rest: Vec<_> = scope::ALL.into_iter().filter(|other| *other != scope).collect();
            lacking.insert(scope, app.client_of(&world.owner, &rest).await);
        }
        let culprit = account(app, "suspended@example.com", false).await;
        let suspended = app.client_of(&culprit, &["full"]).await;
        let suspend = "UPDATE users SET suspended = 1 WHERE id = ?1";
        let id = culprit.id.to_string();
        let write = app
            .app
            .db
            .write(move |c| -> Result<_, orbitra::db::DbError> { Ok(c.execute(suspend, [id])?) });
        assert_eq!(write.await.unwrap(), 1);
        let stranger = account(app, "stranger@example.com", false).await;
        let admin = account(app, "admin@example.com", true).await;
        let others = Self {
            invalid: app.with_key("orbu_0123456789ABCDEFGHIJabcdefghij1JixfD"),
            expired: client(json!({ "expires_at": "2026-01-20T17:00:00Z" })).await,
            revoked: app.with_key(&revoked.text("/key")),
            suspended,
            elsewhere: client(json!({ "allowed_ips": ["203.0.113.0/24"] }))
                .await
                .from("198.51.100.1"),
            lacking,
            read_only: client(json!({ "scopes": ["read"] })).await,
            limited: client(json!({ "project_ids": [world.other] })).await,
            stranger: app.client_of(&stranger, &["full"]).await,
            admin: app.client_of(&admin, &["full"]).await,
        };
        app.app.clock.advance(Duration::from_secs(3600));
        others
    }

    /// Who is refused an operation, with the status and the reason; a 404 has none.
    fn refused(&self, world: &World, operation: &Operation) -> Vec<(Client, u16, &'static str)> {
        let mut all = vec![
            (world.app.anonymous(), 401, "missing_credentials"),
            (self.invalid.clone(), 401, "invalid_key"),
            (self.expired.clone(), 401, "key_expired"),
            (self.revoked.clone(), 401, "key_revoked"),
            (self.suspended.clone(), 403, "suspended"),
            (self.elsewhere.clone(), 403, "ip_not_allowed"),
        ];
        if let Some(client) = self.lacking.get(operation.scope) {
            all.push((client.clone(), 403, "missing_scope"));
            if !operation.scope.ends_with(":read") || operation.scope == "audit:read" {
                all.push((self.read_only.clone(), 403, "missing_scope"));
            }
        }
        match operation.whose {
            Whose::Nobodys | Whose::Own | Whose::Seen => {}
            Whose::Account => all.extend([&self.stranger, &self.admin].map(missing)),
            Whose::Project => all.extend([&self.stranger, &self.limited].map(missing)),
            Whose::Others => {
                all.extend([&self.stranger, &self.limited, &world.full].map(missing));
            }
            Whose::Instance => all.push((world.full.clone(), 403, "insufficient_role")),
        }
        all
    }
}

fn missing(client: &Client) -> (Client, u16, &'static str) {
    (client.clone(), 404, "")
}

#[tokio::test]
async fn who_may_not_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let document = document(&world.app).await;
    let others = Others::of(&world).await;
    let before = world.rows().await;
    for operation in OPERATIONS.iter().filter(|operation| !operation.is_open(&document)) {
        let path = world.path(operation.path);
        for (client, status, reason) in others.refused(&world, operation) {
            let name = format!("{} for {status} {reason}", operation.name());
            let reply = operation.ask(&client, &path).await;
            assert_refused(&reply, operation, status, reason, &name);
            if operation.method == "GET" {
                let head = send(&client, "HEAD", &path, "").await;
                assert_eq!((head.status.as_u16(), head.body.len()), (status, 0), "HEAD {name}");
            }
            if status == 404 {
                assert_like_nothing(&world, operation, &client, &reply).await;
            }
            assert_unwritten(&before, &world.rows().await, &name);
        }
    }
}

fn assert_refused(reply: &Reply, operation: &Operation, status: u16, reason: &str, name: &str) {
    let code = match status {
        401 => "unauthorized",
        403 => "forbidden",
        _ => "not_found",
    };
    assert_eq!(reply.status.as_u16(), status, "{name}: {}", reply.body());
    let (_, sent, detail) = reply.error("reason");
    let expected = if reason.is_empty() { Value::Null } else { reason.into() };
    assert_eq!((sent.as_str(), detail), (code, expected), "{name}");
    if reason == "missing_scope" {
        assert_eq!(reply.error("required_scopes").2, json!([operation.scope]), "{name}");
    }
    assert_eq!(reply.header("www-authenticate").is_empty(), status != 401, "{name}");
}

/// Somebody else's thing is answered like one that never was.
async fn assert_like_nothing(world: &World, operation: &Operation, client: &Client, reply: &Reply) {
    let zero = |id: &str| match id.split_once('_') {
        Some((kind, body)) if body.len() == 16 => format!("{kind}_0000000000000000"),
        // The name of a variable is no id.
        _ => id.to_owned(),
    };
    let unknown = world.path_with(operation.path, |_, known| zero(known));
    let nothing = operation.ask(client, &unknown).await.expect(404);
    let mut body = reply.body().to_owned();
    for id in world.ids() {
        body = body.replace(id, &zero(id));
    }
    assert_eq!(body, nothing.body(), "{}", operation.name());
}

fn assert_unwritten(before: &Rows, after: &Rows, name: &str) {
    let changed: Vec<_> = after.iter().filter(|(table, rows)| before[*table] != **rows).collect();
    assert!(changed.is_empty(), "{name} wrote {changed:?}");
}

#[tokio::test]
async fn lists_show_no_more_than_the_caller_sees() {
    let world = World::new().await;
    let document = document(&world.app).await;
    let others = Others::of(&world).await;
    let before = world.rows().await;
    let shared = |operation: &&Operation| {
        operation.method == "GET"
            && matches!(operation.whose, Whose::Nobodys | Whose::Own | Whose::Seen)
            && !operation.is_open(&document)
    };
    for operation in OPERATIONS.iter().filter(shared) {
        let name = operation.name();
        let described = operation.described(&document)["parameters"].as_array();
        let paged = described.into_iter().flatten().any(|parameter| parameter["name"] == "limit");
        let theirs = whole(operation, &others.stranger, paged).await;
        for id in world.ids() {
            assert!(!theirs.contains(id), "{name} shows {id} to a stranger");
        }
        if operation.whose != Whose::Seen || theirs.is_empty() {
            continue;
        }
        let all = whole(operation, &world.full, paged).await;
        let limited = whole(operation, &others.limited, paged).await;
        let admin = whole(operation, &others.admin, paged).await;
        for id in world.project_ids() {
            assert!(!limited.contains(id), "{name} shows {id} to a limited key");
            let seen = (all.contains(id), admin.contains(id));
            assert_eq!(seen.0, seen.1, "{name}: {id} for its owner and for an admin");
        }
        let project = world.path("/{project}");
        assert!(all.contains(&project[1..]), "{name} shows its owner nothing");
    }
    assert_unwritten(&before, &world.rows().await, "reading");
}

/// Everything of a list, page by page, or what else is answered.
async fn whole(operation: &Operation, client: &Client, paged: bool) -> String {
    if !paged {
        return operation.ask(client, operation.path).await.expect(200).body().to_owned();
    }
    let mut all = String::new();
    for page in 1.. {
        let path = format!("{}?limit=100&page={page}", operation.path);
        let reply = operation.ask(client, &path).await.expect(200);
        all.push_str(reply.body());
        if reply.at("/pagination/total").as_u64().unwrap() <= page * 100 {
            break;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_is_not_refused() {
    // Most of the time is spent on the disk, so that several are tried at the same time.
    let places = Arc::new(Semaphore::new(8));
    let mut asked = JoinSet::new();
    // Who may call a hook does not follow from a key: `pushes.rs` looks at them.
    for operation in OPERATIONS.iter().filter(|one| !one.path.starts_with("/hooks/")) {
        let places = places.clone();
        asked.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            may(operation).await;
        });
    }
    asked.join_all().await;
}

/// Asks as everybody who may.
async fn may(operation: &Operation) {
    let world = World::new().await;
    let path = world.path(operation.path);
    // The one scope is enough.
    let scope = if operation.scope.is_empty() { "logs:read" } else { operation.scope };
    if !matches!(operation.whose, Whose::Instance | Whose::Others) {
        let owner = world.app.client_of(&world.owner, &[scope]).await;
        assert_allowed(&operation.ask(&owner, &path).await, operation, "owner");
    }
    if matches!(operation.whose, Whose::Project | Whose::Instance | Whose::Others) {
        let world = World::new().await;
        let admin = account(&world.app, "admin@example.com", true).await;
        let admin = world.app.client_of(&admin, &[scope]).await;
        let path = world.path(operation.path);
        assert_allowed(&operation.ask(&admin, &path).await, operation, "admin");
    }
}

/// It happened, or the state of the thing alone stood in the way.
fn assert_allowed(reply: &Reply, operation: &Operation, who: &str) {
    let allowed = reply.status.is_success() || reply.status == 409;
    assert!(allowed, "{} by {who}: {} {}", operation.name(), reply.status, reply.body());
}
