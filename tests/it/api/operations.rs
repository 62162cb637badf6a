//! Every operation of the API, one line each: the scope it needs, whose things it is about, and a body it takes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use orbitra::app::users::NewUser;
use orbitra::db::DbError;
use orbitra::model::user::{Plan, User};
use serde_json::{Value, json};

use crate::support::app::{Client, Reply, TestApp};
use crate::support::archive;

/// Whose things an operation is about: who else is told that there is no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's: everybody sees the same.
    Nobodys,
    /// The caller's own account, or something it is about to make.
    Own,
    /// A list of what the caller sees; an instance admin sees all of it.
    Seen,
    /// Something of one account, which not even an instance admin reaches.
    Account,
    /// A project or something in it; an instance admin reaches it.
    Project,
    /// The instance itself: its admins only.
    Instance,
    /// Somebody else's account, which only instance admins reach.
    Others,
}
use Whose::{Account, Instance, Nobodys, Others, Own, Project, Seen};

/// Stands for an archive, which is no text.
pub const TARBALL: &str = "(a gzipped tar)";

/// A certificate for `www.example.org` until 2126, made for the tests, with its key.
pub const CERTIFICATE: &str = include_str!("certificate.json");

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub method: &'static str,
    /// As the API's description writes it.
    pub path: &'static str,
    /// Empty when any key will do, or none.
    pub scope: &'static str,
    pub whose: Whose,
    /// A body that is taken; empty for none. It needs no scope but the operation's own.
    pub body: &'static str,
}

const fn op(
    method: &'static str,
    path: &'static str,
    scope: &'static str,
    whose: Whose,
    body: &'static str,
) -> Operation {
    Operation { method, path, scope, whose, body }
}

/// What stands in the braces of a path is found in [`World::named`].
#[rustfmt::skip] // A table is read by its columns.
pub const OPERATIONS: &[Operation] = &[
    op("GET", "/health", "", Nobodys, ""),
    op("GET", "/openapi.json", "", Nobodys, ""),
    op("GET", "/openapi-3.2.json", "", Nobodys, ""),
    op("GET", "/rate-limit", "", Nobodys, ""),
    op("GET", "/regions", "", Nobodys, ""),
    op("GET", "/frameworks", "", Nobodys, ""),
    op("GET", "/users/me", "account:read", Own, ""),
    op("PATCH", "/users/me", "account:write", Own, r#"{"name":"Jane Doe","company":"Acme"}"#),
    op("PUT", "/users/me", "account:write", Own, r#"{"name":"Jane Doe","company":"Acme"}"#),
    op("GET", "/api-keys", "keys:read", Own, ""),
    op("POST", "/api-keys", "keys:write", Own, r#"{"name":"ci","scopes":["keys:write"],"allowed_ips":["10.0.0.0/8"]}"#),
    op("GET", "/api-keys/current", "keys:read", Own, ""),
    op("GET", "/api-keys/{id}", "keys:read", Account, ""),
    op("DELETE", "/api-keys/{id}", "keys:write", Account, ""),
    op("PATCH", "/api-keys/{id}", "keys:write", Account, r#"{"name":"renamed"}"#),
    op("POST", "/api-keys/{id}/rotate", "keys:write", Account, r#"{"grace_seconds":60}"#),
    op("GET", "/users", "account:read", Instance, ""),
    op("POST", "/users", "account:write", Instance, r#"{"email":"new@example.com","name":"New"}"#),
    op("GET", "/users/{id}", "account:read", Others, ""),
    op("PATCH", "/users/{id}", "account:write", Others, r#"{"plan":"free"}"#),
    op("DELETE", "/users/{id}", "account:write", Others, ""),
    op("GET", "/system", "system:read", Instance, ""),
    op("GET", "/system/certificates", "system:read", Instance, ""),
    op("GET", "/system/gc", "system:read", Instance, ""),
    op("POST", "/system/gc", "system:write", Instance, r#"{"dry_run":true}"#),
    op("GET", "/system/settings", "system:read", Instance, ""),
    op("PATCH", "/system/settings", "system:write", Instance, r#"{"rate_free":1000}"#),
    op("POST", "/system/mail/test", "system:write", Instance, r#"{"to":"ada@example.com"}"#),
    op("GET", "/projects", "projects:read", Seen, ""),
    op("POST", "/projects", "projects:write", Own, r#"{"name":"more","region":"local"}"#),
    op("GET", "/projects/{project}", "projects:read", Project, ""),
    op("PATCH", "/projects/{project}", "projects:write", Project, r#"{"description":"changed","build":{"timeout_seconds":600}}"#),
    op("DELETE", "/projects/{project}", "projects:write", Project, ""),
    op("POST", "/projects/{project}/pause", "deployments:write", Project, "{}"),
    op("POST", "/projects/{project}/resume", "deployments:write", Project, "{}"),
    op("POST", "/projects/{project}/restart", "deployments:write", Project, "{}"),
    op("POST", "/projects/{project}/rollback", "deployments:write", Project, r#"{"auto_deploy":false}"#),
    op("GET", "/projects/{project}/env", "env:read", Project, ""),
    op("POST", "/projects/{project}/env", "env:write", Project, r#"{"key":"ANOTHER","value":"x"}"#),
    op("PUT", "/projects/{project}/env", "env:write", Project, r#"{"variables":{"MORE":"x"}}"#),
    op("GET", "/projects/{project}/env/{key}", "env:read", Project, ""),
    op("PUT", "/projects/{project}/env/{key}", "env:write", Project, r#"{"value":"debug"}"#),
    op("DELETE", "/projects/{project}/env/{key}", "env:write", Project, ""),
    op("PUT", "/projects/{project}/source", "projects:write", Project, r#"{"git_url":"https://github.com/user/repo.git","auth":"token","token":"user:secret"}"#),
    op("GET", "/projects/{project}/source/deploy-key", "projects:read", Project, ""),
    op("POST", "/projects/{project}/source/deploy-key/rotate", "projects:write", Project, "{}"),
    op("GET", "/projects/{project}/source/forge", "projects:read", Project, ""),
    op("PUT", "/projects/{project}/source/forge", "projects:write", Project, r#"{"kind":"gitea","api_url":"https://git.example.com/api/v1","token":"t"}"#),
    op("DELETE", "/projects/{project}/source/forge", "projects:write", Project, ""),
    op("GET", "/projects/{project}/tokens", "projects:write", Project, ""),
    op("POST", "/projects/{project}/tokens", "projects:write", Project, r#"{"name":"t","scopes":["projects:write"]}"#),
    op("DELETE", "/projects/{project}/tokens/{id}", "projects:write", Project, ""),
    op("GET", "/projects/{project}/deployments", "deployments:read", Project, ""),
    op("POST", "/projects/{project}/deployments", "deployments:write", Project, r#"{"git_url":"https://github.com/user/repo.git"}"#),
    op("POST", "/projects/{project}/uploads", "deployments:write", Project, TARBALL),
    op("GET", "/projects/{project}/hooks", "projects:write", Project, ""),
    op("POST", "/projects/{project}/hooks", "projects:write", Project, r#"{"kind":"git","provider":"github"}"#),
    op("DELETE", "/projects/{project}/hooks/{id}", "projects:write", Project, ""),
    op("POST", "/projects/{project}/hooks/{id}/rotate", "projects:write", Project, "{}"),
    op("POST", "/hooks/git/{token}", "", Nobodys, ""),
    op("POST", "/hooks/deploy/{token}", "", Nobodys, "{}"),
    op("GET", "/domains", "domains:read", Seen, ""),
    op("GET", "/projects/{project}/domains", "domains:read", Project, ""),
    op("POST", "/projects/{project}/domains", "domains:write", Project, r#"{"hostname":"more.example.org","redirect_to":null}"#),
    op("GET", "/domains/{id}", "domains:read", Project, ""),
    op("PATCH", "/domains/{id}", "domains:write", Project, r#"{"redirect_to":"example.net","redirect_code":301}"#),
    op("DELETE", "/domains/{id}", "domains:write", Project, ""),
    op("POST", "/domains/{id}/verify", "domains:write", Project, "{}"),
    op("PUT", "/domains/{id}/certificate", "domains:write", Project, CERTIFICATE),
    op("DELETE", "/domains/{id}/certificate", "domains:write", Project, ""),
    op("GET", "/registries", "projects:read", Own, ""),
    op("POST", "/registries", "projects:write", Own, r#"{"host":"ghcr.io","username":"u","password":"p"}"#),
    op("DELETE", "/registries/{id}", "projects:write", Account, ""),
    op("GET", "/deployments", "deployments:read", Seen, ""),
    op("GET", "/deployments/{id}", "deployments:read", Project, ""),
    op("DELETE", "/deployments/{id}", "deployments:write", Project, ""),
    op("GET", "/deployments/{id}/receipt", "deployments:read", Project, ""),
    op("GET", "/deployments/{id}/diff/{other}", "deployments:read", Project, ""),
    op("POST", "/deployments/{id}/redeploy", "deployments:write", Project, r#"{"clear_cache":true}"#),
    op("POST", "/deployments/{id}/promote", "deployments:write", Project, "{}"),
    op("POST", "/deployments/{id}/cancel", "deployments:write", Project, "{}"),
    op("GET", "/deployments/{id}/logs", "logs:read", Project, ""),
    op("GET", "/deployments/{id}/runtime-logs", "logs:read", Project, ""),
    op("GET", "/projects/{project}/logs", "logs:read", Project, ""),
    op("GET", "/projects/{project}/metrics", "metrics:read", Project, ""),
    op("GET", "/deployments/{id}/metrics", "metrics:read", Project, ""),
    op("GET", "/event-types", "", Nobodys, ""),
    op("GET", "/webhooks", "webhooks:read", Seen, ""),
    op("POST", "/webhooks", "webhooks:write", Own, r#"{"url":"https://hooks.acme.test/new","events":["deployment.failed"]}"#),
    op("GET", "/webhooks/{id}", "webhooks:read", Project, ""),
    op("PATCH", "/webhooks/{id}", "webhooks:write", Project, r#"{"description":"of the shop"}"#),
    op("DELETE", "/webhooks/{id}", "webhooks:write", Project, ""),
    op("POST", "/webhooks/{id}/confirmation", "webhooks:write", Project, ""),
    op("POST", "/webhooks/{id}/ping", "webhooks:write", Project, ""),
    op("POST", "/webhooks/{id}/replay", "webhooks:write", Project, r#"{"since":"2026-01-20T16:00:00Z"}"#),
    op("POST", "/webhooks/{id}/rotate-secret", "webhooks:write", Project, ""),
    op("GET", "/webhooks/{id}/deliveries", "webhooks:read", Project, ""),
    op("GET", "/webhooks/{id}/deliveries/{delivery}", "webhooks:read", Project, ""),
    op("POST", "/webhooks/{id}/deliveries/{delivery}/redeliver", "webhooks:write", Project, ""),
    op("GET", "/events", "events:read", Seen, ""),
    op("GET", "/events/stream", "events:read", Seen, ""),
    op("GET", "/events/{id}", "events:read", Project, ""),
    op("GET", "/audit-log", "audit:read", Seen, ""),
];

impl Operation {
    /// For messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its entry in the description.
    #[track_caller]
    pub fn described<'a>(&self, document: &'a Value) -> &'a Value {
        let found = &document["paths"][self.path][self.method.to_lowercase()];
        assert!(found.is_object(), "{} is not in the description", self.name());
        found
    }

    /// Whether it is for everybody, without a key.
    pub fn is_open(&self, document: &Value) -> bool {
        self.described(document)["security"] == json!([])
    }

    /// Asks with its own body.
    pub async fn ask(&self, client: &Client, path: &str) -> Reply {
        if self.body == TARBALL {
            let request = Request::post(path).header(CONTENT_TYPE, "application/gzip");
            let body = Body::from(archive::of(&[("index.html", "x")]));
            return begun(client, request.body(body).unwrap()).await;
        }
        send(client, self.method, path, self.body).await
    }
}

/// Asks with a body.
pub async fn send(client: &Client, method: &str, path: &str, body: impl Into<Body>) -> Reply {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(CONTENT_TYPE, "application/json").body(body.into()).unwrap();
    begun(client, request).await
}

/// Asks. Of a stream only the beginning is waited for.
pub async fn begun(client: &Client, request: Request<Body>) -> Reply {
    let (parts, body) = client.send(request).await.into_parts();
    let mut reply = Reply { status: parts.status, headers: parts.headers, body: Bytes::new() };
    if reply.header("content-type") != "text/event-stream" {
        reply.body = body.collect().await.unwrap().to_bytes();
    }
    reply
}

/// The API's own description, as it is served.
pub async fn document(app: &TestApp) -> Value {
    app.anonymous().get("/openapi.json").await.expect(200).json()
}

/// What all tables hold: how many rows, and a sum of what is in them. Refusals that were written down do not count.
pub type Rows = BTreeMap<String, (u64, u64)>;

/// An owner with one of each thing.
pub struct World {
    pub app: TestApp,
    pub owner: User,
    pub full: Client,
    /// A project of the owner that nothing is done to.
    pub other: String,
    named: Vec<(&'static str, String)>,
}

impl World {
    /// A fresh one. Nobody makes deliveries in it, and a ping does not wait for one.
    pub async fn new() -> Self {
        let app = TestApp::new();
        app.app.stopping.cancel();
        let owner = account(&app, "owner@example.com", false).await;
        let full = app.client_of(&owner, &["full"]).await;
        let (project, other) = (full.project("web").await, full.project("other").await);
        // Before there is something to tell of.
        let webhook = json!({
            "url": "https://hooks.acme.test/orbitra", "events": ["deployment.created"], "project_id": project,
        });
        let webhook = full.post("/webhooks", webhook).await.expect(201).text("/id");
        // The first has served and can be gone back to, the second is live.
        let deployment = full.deployment(&project).await;
        app.make_live(&deployment).await;
        let second = full.deployment(&project).await;
        app.make_live(&second).await;
        let event = full.get("/events?event=deployment.created").await.text("/data/0/id");
        let key = json!({ "name": "spare", "scopes": ["keys:write"] });
        let key = full.post("/api-keys", key).await.expect(201).text("/id");
        let variable = json!({ "key": "LOG_LEVEL", "value": "info" });
        full.post(&format!("/projects/{project}/env"), variable).await.expect(201);
        let token = json!({ "name": "token", "scopes": ["read"] });
        let token = full.post(&format!("/projects/{project}/tokens"), token).await;
        let token = token.expect(201).text("/id");
        let forge = json!({ "kind": "github", "api_url": "https://api.github.com", "token": "t" });
        full.with("PUT", &format!("/projects/{project}/source/forge"), forge).await.expect(200);
        let hook = json!({ "kind": "deploy" });
        let hook = full.post(&format!("/projects/{project}/hooks"), hook).await.expect(201);
        let called = hook.text("/url").rsplit('/').next().unwrap().to_owned();
        let hook = hook.text("/id");
        let registry = json!({ "host": "registry.example.com", "username": "u", "password": "p" });
        let registry = full.post("/registries", registry).await.expect(201).text("/id");
        let domain = json!({ "hostname": "www.example.org" });
        let domain = full.post(&format!("/projects/{project}/domains"), domain).await;
        let domain = domain.expect(201).text("/id");
        let certificate: Value = serde_json::from_str(CERTIFICATE).unwrap();
        full.with("PUT", &format!("/domains/{domain}/certificate"), certificate).await.expect(200);
        let sent = full.get(&format!("/webhooks/{webhook}/deliveries")).await.expect(200);
        let delivery = sent.text("/data/0/id");
        let third = account(&app, "third@example.com", false).await;
        let named = vec![
            ("{key}", "LOG_LEVEL".to_owned()),
            ("{other}", second),
            ("tokens/{id}", token),
            ("hooks/{id}", hook),
            ("{token}", called),
            ("webhooks/{id}", webhook),
            ("{delivery}", delivery),
            ("users/{id}", third.id.to_string()),
            ("{project}", project),
            ("deployments/{id}", deployment),
            ("events/{id}", event),
            ("domains/{id}", domain),
            ("registries/{id}", registry),
            ("api-keys/{id}", key),
        ];
        Self { app, owner, full, other, named }
    }

    /// A path with the owner's things in it. `{id}` is known by the part before it.
    #[track_caller]
    pub fn path(&self, template: &str) -> String {
        self.path_with(template, |_, known| known.to_owned())
    }

    /// A path with something in each brace, made from what it is called and the owner's own.
    #[track_caller]
    pub fn path_with(&self, template: &str, with: impl Fn(&str, &str) -> String) -> String {
        let mut path = String::new();
        let mut before = "";
        for part in template.split('/').skip(1) {
            path.push('/');
            if !part.starts_with('{') {
                path.push_str(part);
                before = part;
                continue;
            }
            let name = if part == "{id}" { format!("{before}/{part}") } else { part.to_owned() };
            let known = self.named.iter().find(|(named, _)| *named == name);
            let (_, known) = known.unwrap_or_else(|| panic!("what is {name} of {template}?"));
            path.push_str(&with(&name, known));
        }
        path
    }

    /// Whether what stands in a brace is an id of ours, and not a name the caller chooses.
    pub fn is_id(&self, brace: &str, operation: &Operation) -> bool {
        let is_id = std::cell::Cell::new(false);
        self.path_with(operation.path, |name, known| {
            if name.ends_with(brace) {
                is_id.set(known.len() == 20);
            }
            String::new()
        });
        is_id.get()
    }

    /// Ids of things of the owner's project.
    pub fn project_ids(&self) -> Vec<&str> {
        let accounts = ["api-keys/{id}", "users/{id}", "registries/{id}"];
        let things = self.named.iter().filter(|(name, _)| !accounts.contains(name));
        things.map(|(_, id)| id.as_str()).filter(|id| id.len() == 20).collect()
    }

    /// Ids of everything of the owner.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<_> = self.named.iter().map(|(_, id)| id.as_str()).collect();
        ids.retain(|id| id.len() == 20);
        ids.extend([self.other.as_str(), self.owner.id.as_str()]);
        ids
    }

    /// What is in the database.
    pub async fn rows(&self) -> Rows {
        rows(&self.app).await
    }
}

/// What is in the database.
pub async fn rows(app: &TestApp) -> Rows {
    let read = app.app.db.read(|c| -> Result<Rows, DbError> {
        let tables =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = c.prepare_cached(tables)?;
        let names: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        let mut all = Rows::new();
        for name in names? {
            let only = match name.as_str() {
                "audit_log" => " WHERE action <> 'request.refused'",
                _ => "",
            };
            let mut statement = c.prepare_cached(&format!("SELECT * FROM {name}{only}"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let (mut count, mut sum) = (0, 0_u64);
            while let Some(row) = rows.next()? {
                let mut hash = DefaultHasher::new();
                for column in 0..columns {
                    format!("{:?}", row.get_ref(column)?).hash(&mut hash);
                }
                count += 1;
                sum = sum.wrapping_add(hash.finish());
            }
            all.insert(name, (count, sum));
        }
        Ok(all)
    });
    read.await.unwrap()
}

/// An account without a limit on its requests.
pub async fn account(app: &TestApp, email: &str, instance_admin: bool) -> User {
    let new = NewUser {
        email: email.to_owned(),
        name: "John Doe".to_owned(),
        plan: Plan::Enterprise,
        instance_admin,
        password: None,
    };
    app.app.create_user(new).await.unwrap()
}
