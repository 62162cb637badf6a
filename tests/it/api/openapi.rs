//! `/openapi.json`: the rules every description of a route holds.

use std::collections::BTreeSet;

use orbitra::db;
use orbitra::db::events::EventFilter;
use orbitra::db::page::PageRequest;
use serde_json::{Value, json};

use crate::support::app::TestApp;

async fn document(app: &TestApp) -> Value {
    app.anonymous().get("/api/v1/openapi.json").await.expect(200).json()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// What a `$ref` leads to, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Whether an answer is a stream of events and nothing else.
fn streams(answer: &Value) -> bool {
    let kinds = answer["content"].as_object();
    kinds.is_some_and(|kinds| kinds.keys().eq(["text/event-stream"]))
}

#[tokio::test]
async fn every_operation_is_described_in_full() {
    let app = TestApp::new();
    let document = document(&app).await;
    assert_eq!(document["openapi"], "3.1.0");
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().expect(&name);
        assert!(ids.insert(id.to_owned()), "{name}: {id} is taken");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        let own = operation["tags"].as_array().expect(&name);
        assert!(own.len() == 1 && tags.contains(&&own[0]), "{name}: {own:?}");
        let answers = operation["responses"].as_object().unwrap();
        let mut expected = vec!["400", "405", "429", "500", "503"];
        if operation["security"] != Value::Array(Vec::new()) {
            expected.extend(["401", "403"]);
        }
        if path.contains('{') {
            expected.push("404");
        }
        if operation.get("requestBody").is_some() {
            expected.extend(["413", "415"]);
            let content = &operation["requestBody"]["content"]["application/json"];
            let _ = resolved(&document, &content["schema"]);
        }
        for status in expected {
            assert!(answers.contains_key(status), "{name}: {status}");
        }
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, answer) in answers {
            let answer = resolved(&document, answer);
            let headers = answer["headers"].as_object().expect(&name);
            for header in [
                "X-Request-Id",
                "X-RateLimit-Limit",
                "X-RateLimit-Remaining",
                "X-RateLimit-Reset",
                "RateLimit-Policy",
                "RateLimit",
                "Cache-Control",
                "X-Content-Type-Options",
            ] {
                assert!(headers.contains_key(header), "{name}: {status} {header}");
            }
            let body = &answer["content"]["application/json"]["schema"];
            if streams(answer) {
                continue;
            }
            match status.as_str() {
                "204" | "304" => assert!(body.is_null(), "{name}: {status}"),
                _ => assert!(!body.is_null(), "{name}: {status}"),
            }
            if status.starts_with('4') || status.starts_with('5') {
                assert_eq!(body["$ref"], "#/components/schemas/Error", "{name}: {status}");
            }
        }
        if method == "GET" && !streams(&answers["200"]) {
            let headers = &answers["200"]["headers"];
            assert!(headers.get("ETag").is_some() && answers.contains_key("304"), "{name}");
        }
        let in_path = path.split('{').skip(1).map(|part| part.split('}').next().unwrap());
        let described = operation["parameters"].as_array().cloned().unwrap_or_default();
        let described = described.iter().filter(|p| p["in"] == "path").map(|p| &p["name"]);
        assert!(in_path.eq(described.map(|name| name.as_str().unwrap())), "{name}");
    }
}

/// Names of things that are done, as the sources write them.
fn deeds() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in ["src/app", "src/notify", "src/pipeline", "src/tls", "src/model"] {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            // Of the model, what names an event itself; the others are only listed there.
            if directory == "src/model" && !path.ends_with("alarm.rs") {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            found.extend(text.split('"').skip(1).step_by(2).filter_map(|literal| {
                let (kind, verb) = literal.split_once('.')?;
                let known = [
                    "deployment",
                    "domain",
                    "project",
                    "env",
                    "api_key",
                    "user",
                    "webhook",
                    "system",
                ]
                .contains(&kind);
                let name = verb.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
                (known && name && !verb.is_empty()).then(|| literal.to_owned())
            }));
        }
    }
    found
}

#[tokio::test]
async fn every_event_that_happens_is_described() {
    let app = TestApp::new();
    let document = document(&app).await;
    let described: BTreeSet<_> =
        document["webhooks"].as_object().unwrap().keys().cloned().collect();
    // These stand in the audit log alone.
    let audited = [
        "domain.certificate.deleted",
        "domain.certificate.uploaded",
        "env.revealed",
        "system.gc",
        "system.mail.tested",
        "system.settings.updated",
        "user.logged_in",
        "user.logged_out",
        "user.login_failed",
        "user.welcomed",
        "webhook.blocked",
        // The delivery that asks an address of mail; no event.
        "webhook.confirmation",
        "webhook.created",
        "webhook.deleted",
        "webhook.pinged",
        "webhook.recipient_asked",
        "webhook.redelivered",
        "webhook.replayed",
        "webhook.secret_rotated",
        "webhook.updated",
    ];
    let deeds = deeds();
    assert!(deeds.len() > 20, "{deeds:?}");
    for deed in deeds.iter().filter(|deed| !audited.contains(&deed.as_str())) {
        assert!(described.contains(deed), "{deed} is not described");
    }
    // Who subscribes to it today is told once there are invoices.
    let later = "billing.invoice.created";
    for name in described.iter().filter(|name| *name != later) {
        assert!(deeds.contains(name), "{name} never happens");
    }
}

#[tokio::test]
async fn nothing_refers_to_what_is_not_there() {
    let app = TestApp::new();
    let (v31, v32) = (document(&app).await, app.anonymous().get("/openapi-3.2.json").await.json());
    let mut found = BTreeSet::new();
    references(&v31, &mut found);
    references(&v32, &mut found);
    assert!(found.len() > 50);
    for reference in &found {
        for document in [&v31, &v32] {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
    // And nothing is there that nobody refers to.
    let document = v31;
    for kind in ["schemas", "responses", "headers", "parameters"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(found.contains(&reference), "{reference} is not used");
        }
    }
}

#[tokio::test]
async fn requests_are_closed_and_links_lead_somewhere() {
    let app = TestApp::new();
    let document = document(&app).await;
    let all = operations(&document);
    let ids: Vec<_> = all.iter().map(|(_, _, operation)| &operation["operationId"]).collect();
    for (method, path, operation) in &all {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let alternatives =
            schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for schema in alternatives.iter().filter(|schema| schema["$ref"].is_string()) {
            let schema = resolved(&document, schema);
            // What a forge sends is in the forge's form, not in ours.
            if schema == resolved(&document, &json!({ "$ref": "#/components/schemas/PushPayload" }))
            {
                continue;
            }
            assert_eq!(schema["additionalProperties"], false, "{method} {path}");
        }
        let Some(links) = operation["responses"]["201"]["links"].as_object() else { continue };
        for link in links.values() {
            assert!(ids.contains(&&link["operationId"]), "{method} {path} {link}");
        }
    }
}

#[tokio::test]
async fn every_route_is_described_and_every_description_has_a_route() {
    let app = TestApp::new();
    let document = document(&app).await;
    let anonymous = app.anonymous();
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut methods: BTreeSet<_> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.insert("OPTIONS".to_owned());
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        let url = path.replace(['{', '}'], "");
        let allow = anonymous.call("OPTIONS", &url).await.expect(204).header("allow").to_owned();
        assert_eq!(allow, methods.into_iter().collect::<Vec<_>>().join(", "), "{path}");
    }
}

#[tokio::test]
async fn the_scopes_that_are_described_are_those_that_are_asked_for() {
    let app = TestApp::new();
    let document = document(&app).await;
    let nothing = app.client("user@example.com", &["billing:read"]).await;
    for (method, path, operation) in operations(&document) {
        let Some(scopes) = operation["security"][0]["bearerAuth"].as_array() else { continue };
        let reply = nothing.call(&method, &path.replace(['{', '}'], "")).await;
        if scopes.is_empty() {
            assert_ne!(reply.status, 403, "{method} {path}");
        } else {
            assert_eq!(
                reply.error("required_scopes").2,
                Value::Array(scopes.clone()),
                "{method} {path}"
            );
        }
    }
}

/// The names of `include` stand in two places: the struct and the list. This holds them together.
#[tokio::test]
async fn include_knows_every_field() {
    let app = TestApp::new();
    let document = document(&app).await;
    let schemas = &document["components"]["schemas"];
    for (id, full, part) in [
        ("users_me", None, "CurrentUser"),
        ("projects_list", Some("Project"), "ProjectItem"),
        ("deployments_list", Some("Deployment"), "DeploymentItem"),
    ] {
        let all = operations(&document);
        let (_, _, operation) =
            all.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
        let parameters = operation["parameters"].as_array().unwrap();
        let include = parameters.iter().find(|p| p["name"] == "include").unwrap();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        known.extend(
            include["schema"]["items"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str),
        );
        known.remove("*");
        let given = schemas[part]["required"].as_array().unwrap();
        known.extend(given.iter().filter_map(Value::as_str));
        let fields: BTreeSet<&str> =
            schemas[part]["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(known, fields, "{id}");
        if let Some(full) = full {
            assert_eq!(schemas[full]["properties"], schemas[part]["properties"], "{id}");
        }
    }
}

#[tokio::test]
async fn the_newer_version_says_the_same_and_what_streams_consist_of() {
    let app = TestApp::new();
    let anonymous = app.anonymous();
    let v31 = document(&app).await;
    let mut v32 = anonymous.get("/openapi-3.2.json").await.expect(200).json();
    assert_eq!(v32["openapi"], "3.2.0");
    let mut streams = 0;
    for item in v32["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            let stream = operation.pointer_mut("/responses/200/content/text~1event-stream");
            if let Some(stream) = stream {
                streams += 1;
                assert!(stream["itemSchema"]["$ref"].is_string());
                assert!(stream["schema"].is_null());
                *stream = json!({ "schema": { "type": "string" } });
            }
        }
    }
    assert!(streams > 0);
    v32["openapi"] = "3.1.0".into();
    assert_eq!(v31, v32);
}

/// What is sent must be what is described.
#[tokio::test]
async fn every_event_that_is_written_has_the_data_that_is_described() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    let document = document(&app).await;
    client.patch("/users/me", json!({ "name": "Jane" })).await.expect(200);
    let key = json!({ "name": "ci", "scopes": ["read"] });
    let key = client.post("/api-keys", key).await.expect(201).text("/id");
    client.delete(&format!("/api-keys/{key}")).await.expect(204);
    let project = client.project("my-app").await;
    client.patch(&format!("/projects/{project}"), json!({ "description": "x" })).await.expect(200);
    let deployment = client.deployment(&project).await;
    client.post(&format!("/deployments/{deployment}/cancel"), "").await.expect(200);
    client.delete(&format!("/projects/{project}")).await.expect(204);
    let page = PageRequest { page: 1, limit: 100 };
    let events = app.app.db.read(move |c| db::events::list(c, &EventFilter::default(), page));
    let events = events.await.unwrap().items;
    assert!(events.len() >= 8);
    for event in events {
        let body = &document["webhooks"][&*event.event]["post"]["requestBody"]["content"];
        let body = resolved(&document, &body["application/json"]["schema"]);
        assert_eq!(body["properties"]["event"]["enum"], json!([event.event]), "{}", event.event);
        let data = resolved(&document, &body["properties"]["data"]);
        let keys = |object: &Value| -> BTreeSet<String> {
            object.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&event.data), keys(&data["properties"]), "{}", event.event);
    }
}
