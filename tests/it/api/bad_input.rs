//! What is not as described is refused with an error of the usual form, and nothing is written.

use axum::body::Body;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use super::garbage::{Random, body, names};
use super::operations::{
    OPERATIONS, Operation, Rows, TARBALL, Whose, World, account, begun, document, send,
};
use crate::support::app::Reply;
use crate::support::effort::effort;

/// Where nothing is looked at before the signature; `pushes.rs` does it.
const SIGNED: &str = "/hooks/git/{token}";

/// Sees that an answer is a good one and that a refusal wrote nothing.
struct Watch<'a> {
    world: &'a World,
    commit: u64,
    rows: Rows,
}

impl<'a> Watch<'a> {
    async fn of(world: &'a World) -> Self {
        let commit = *world.app.app.db.commits().borrow();
        Self { world, commit, rows: world.rows().await }
    }

    async fn see(&mut self, reply: &Reply, what: &dyn Fn() -> String) {
        let status = reply.status.as_u16();
        let good = (200..300).contains(&status) || (400..500).contains(&status) || status == 304;
        assert!(good, "{status}: {}", what());
        let kind = reply.header("content-type");
        let stream = status == 200 && kind == "text/event-stream";
        if !stream && !matches!(status, 204 | 304) {
            assert_eq!(kind, "application/json; charset=utf-8", "{status}: {}", what());
        }
        if status >= 400 {
            assert_envelope(reply, what);
        }
        let commit = *self.world.app.app.db.commits().borrow();
        if commit == self.commit {
            return;
        }
        let rows = self.world.rows().await;
        if status >= 400 {
            assert_eq!(rows, self.rows, "{status} wrote something: {}", what());
        }
        (self.commit, self.rows) = (commit, rows);
    }
}

/// `error` with `code`, `message` and `details`, nothing else, and no more than a screen of it.
fn assert_envelope(reply: &Reply, what: &dyn Fn() -> String) {
    let body = reply.json();
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
    };
    assert_eq!(keys(&body), ["error"], "{}", what());
    let error = &body["error"];
    assert_eq!(keys(error), ["code", "details", "message"], "{}", what());
    let told = |field: &str| error[field].as_str().is_some_and(|text| !text.is_empty());
    assert!(told("code") && told("message") && error["details"].is_object(), "{}", what());
    assert!(reply.body.len() < 32 * 1024, "{} bytes: {}", reply.body.len(), what());
}

/// Operations that may have a body of JSON.
fn writing() -> impl Iterator<Item = &'static Operation> {
    let writes = |operation: &&Operation| {
        matches!(operation.method, "POST" | "PUT" | "PATCH") && operation.body != TARBALL
    };
    OPERATIONS.iter().filter(writes)
}

/// All names of fields in a schema and in what it refers to.
fn fields<'a>(document: &'a Value, schema: &'a Value, depth: usize, found: &mut Vec<&'a str>) {
    if depth > 12 {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        fields(document, target, depth + 1, found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().map(String::as_str));
    }
    match schema {
        Value::Object(object) => {
            object.values().for_each(|inner| fields(document, inner, depth + 1, found));
        }
        Value::Array(items) => {
            items.iter().for_each(|inner| fields(document, inner, depth + 1, found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn random_bodies() {
    // For each operation that has fields; a fifth of it for one without.
    let most = effort("ORBITRA_TEST_BODIES", 250) as u64;
    for (seed, operation) in (1..).zip(writing()) {
        let world = World::new().await;
        let document = document(&world.app).await;
        let schema = &operation.described(&document)["requestBody"]["content"]["application/json"];
        let mut known = vec!["name"];
        fields(&document, &schema["schema"], 0, &mut known);
        let path = world.path(operation.path);
        let valid = if operation.body.is_empty() { "{}" } else { operation.body };
        let valid: Value = serde_json::from_str(valid).unwrap();
        let mut watch = Watch::of(&world).await;
        let mut random = Random(seed);
        let mut taken = 0;
        let bodies = if known.len() > 1 { most } else { most / 5 };
        for number in 0..bodies {
            let sent = body(&mut random, &known, &valid);
            let shown = sent[..sent.len().min(2000)].to_owned();
            let reply = send(&world.full, operation.method, &path, sent).await;
            let what = || {
                let shown = String::from_utf8_lossy(&shown);
                format!("{}, body {number}: {shown}\n{}", operation.name(), reply.body())
            };
            watch.see(&reply, &what).await;
            taken += u64::from(reply.status.is_success());
        }
        assert!(taken < bodies / 2, "{}: {taken}", operation.name());
    }
}

#[tokio::test]
async fn much_of_everything() {
    let texts = Value::from(vec!["x"; 4000]);
    let ids: Value = (0..4000).map(|n| format!("prj_{n:016}")).collect();
    let numbers: Value = (0..4000).map(|n| (format!("k{n}"), Value::from(n))).collect();
    let blanks: Value = (0..4000).map(|n| (format!("a b{n}"), Value::from("x"))).collect();
    let unknown = (0..4000).map(|n| format!("p{n}=")).collect::<Vec<_>>().join("&");
    for operation in writing() {
        let world = World::new().await;
        let document = document(&world.app).await;
        let schema = &operation.described(&document)["requestBody"]["content"]["application/json"];
        let mut known = vec!["name"];
        fields(&document, &schema["schema"], 0, &mut known);
        known.sort_unstable();
        known.dedup();
        let path = world.path(operation.path);
        let mut watch = Watch::of(&world).await;
        let mut asked = async |path: &str, body: String, what: &str| {
            let reply = send(&world.full, operation.method, path, body).await;
            let what = || format!("{} {what}: {:.300}", operation.name(), reply.body());
            assert!(reply.status.is_client_error(), "{}", what());
            watch.see(&reply, &what).await;
        };
        for field in known {
            for value in [&texts, &ids, &numbers, &blanks] {
                let mut body: Value = serde_json::from_str(operation.body).unwrap_or(json!({}));
                body[field] = value.clone();
                asked(&path, body.to_string(), field).await;
            }
        }
        asked(&path, numbers.to_string(), "unknown fields").await;
        asked(&path, json!({ "x".repeat(1_000_000): 1 }).to_string(), "a long name").await;
        asked(&format!("{path}?{unknown}"), operation.body.to_owned(), "parameters").await;
    }
}

#[tokio::test]
async fn names_that_name_nothing() {
    let world = World::new().await;
    let mut watch = Watch::of(&world).await;
    for operation in OPERATIONS.iter().filter(|operation| operation.path.contains('{')) {
        let braces: Vec<&str> =
            operation.path.split('/').filter(|part| part.starts_with('{')).collect();
        for brace in braces {
            for name in names() {
                let put = |which: &str, known: &str| {
                    if which.ends_with(brace) { name.clone() } else { known.to_owned() }
                };
                let path = world.path_with(operation.path, put);
                let reply = operation.ask(&world.full, &path).await;
                let what = || format!("{} {path:.100}: {}", operation.method, reply.body());
                let unknown = matches!(reply.status.as_u16(), 404 | 405);
                assert!(unknown || !world.is_id(brace, operation), "{}", what());
                watch.see(&reply, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn bodies_of_another_kind() {
    let world = World::new().await;
    let mut watch = Watch::of(&world).await;
    for operation in writing().filter(|one| one.path != SIGNED) {
        let path = world.path(operation.path);
        let valid = if operation.body.is_empty() { "{}" } else { operation.body };
        let asked = |header, value: &str, body: Vec<u8>| {
            let request = Request::builder().method(operation.method).uri(&path);
            world.full.ask(request.header(header, value).body(Body::from(body)).unwrap())
        };
        let mut answers = Vec::new();
        for kind in ["text/plain", "text/json", "application/xml", "multipart/form-data; a=b", ""] {
            answers.push((415, asked(CONTENT_TYPE, kind, valid.into()).await));
        }
        for coding in ["gzip", "br", "identity, gzip", "x"] {
            answers.push((415, asked(CONTENT_ENCODING, coding, valid.into()).await));
        }
        let large = vec![b' '; 1024 * 1024 + 1];
        answers.push((413, asked(CONTENT_TYPE, "application/json", large).await));
        for (status, reply) in answers {
            let what = || format!("{}: {}", operation.name(), reply.body());
            assert_eq!(reply.status.as_u16(), status, "{}", what());
            watch.see(&reply, &what).await;
        }
    }
}

#[tokio::test]
async fn parameters_that_are_not_described_or_come_twice() {
    let world = World::new().await;
    let document = document(&world.app).await;
    let admin = account(&world.app, "admin@example.com", true).await;
    let admin = world.app.client_of(&admin, &["full"]).await;
    let mut watch = Watch::of(&world).await;
    for operation in OPERATIONS.iter().filter(|one| one.path != SIGNED) {
        let path = world.path(operation.path);
        // What only instance admins reach is hidden from others before their parameters are read.
        let client = match operation.whose {
            Whose::Instance | Whose::Others => &admin,
            _ => &world.full,
        };
        let asked = async |query: String| operation.ask(client, &format!("{path}?{query}")).await;
        for (query, unknown) in [
            ("nonsense=1", json!(["nonsense"])),
            ("=", json!([""])),
            ("%00=%ff&Page=1&page[]=2", json!(["\0", "Page", "page[]"])),
        ] {
            let reply = asked(query.to_owned()).await;
            let what = || format!("{}?{query}: {}", operation.name(), reply.body());
            assert_eq!(reply.error("unknown_params"), bad(unknown), "{}", what());
            watch.see(&reply, &what).await;
        }
        let described = operation.described(&document)["parameters"].as_array();
        let parameters = described.into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for query in [format!("{name}=1&{name}=1"), format!("{name}=a&{name}=%00")] {
                let reply = asked(query.clone()).await;
                let what = || format!("{}?{query}: {}", operation.name(), reply.body());
                let twice = format!("{name} duplicate");
                assert!(reply.invalid().contains(&twice), "{}", what());
                watch.see(&reply, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn headers_of_any_kind() {
    let long = "x".repeat(10_000);
    #[rustfmt::skip] // Short things in few lines.
    let values: [&[u8]; 12] = [
        b"", b"*", b"\"", b"W/\"1\"", b"\"1-\"", b"\"99999999999999999999\"", b"a\tb", b",,,;;;===",
        b"\x80\xff", b"\xe2\x98\x83", b"-1", long.as_bytes(),
    ];
    #[rustfmt::skip]
    let names = [
        "idempotency-key", "if-match", "if-none-match", "if-modified-since", "accept", "authorization",
        "x-request-id", "last-event-id", "user-agent", "cookie", "x-forwarded-for", "forwarded", "range",
        "expect", "host", "origin", "traceparent", "x-http-method-override",
    ];
    // Each operation gets every field with one in so many of the values, and another one than the operation before.
    let one_in = effort("ORBITRA_TEST_ONE_HEADER_IN", 4);
    for (number, operation) in OPERATIONS.iter().enumerate() {
        let world = World::new().await;
        let path = world.path(operation.path);
        let mut watch = Watch::of(&world).await;
        for (turn, name) in names.into_iter().enumerate() {
            for value in values.into_iter().skip((number + turn) % one_in).step_by(one_in) {
                let mut request = Request::builder().method(operation.method).uri(&path);
                let twice = value == b"*" && name != "if-none-match";
                for _ in 0..1 + usize::from(twice) {
                    request = request.header(name, value);
                }
                let request = request.body(Body::from(operation.body)).unwrap();
                let reply = begun(&world.full, request).await;
                let shown = String::from_utf8_lossy(&value[..value.len().min(50)]);
                let what = || format!("{} {name}: {shown}\n{}", operation.name(), reply.body());
                watch.see(&reply, &what).await;
            }
        }
    }
}

fn bad(detail: Value) -> (u16, String, Value) {
    (400, "invalid_request".to_owned(), detail)
}
