//! The description as the reference page shows it.

use serde_json::Value;

use super::example::{self, Fields};
use super::schema::{Schema, one_line};
use crate::web::api::CODES;
use crate::web::view::docs::{
    Body, Code, DocsPage, Event, Field, Group, Kind, Named, Operation, Outcome, SchemaEntry,
};
use crate::web::view::shell::Shell;

/// Methods in the order a path lists them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of a description, for a server.
pub fn page(document: &Value, server: &str) -> DocsPage {
    let root = Schema::new(document, document);
    let base = format!("{server}{}", document["servers"][0]["url"].as_str().unwrap_or_default());
    let mut groups: Vec<Group> = document["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| Group {
            name: text(&tag["name"]),
            slug: slug(tag["name"].as_str().unwrap_or_default()),
            about: text(&tag["description"]),
            operations: Vec::new(),
        })
        .collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let operation = &item[method];
            let Some(id) = operation["operationId"].as_str() else { continue };
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            if let Some(group) = groups.iter_mut().find(|group| group.name == tag) {
                let made = one(root, &base, path, method, id, operation);
                group.operations.push(made);
            }
        }
    }
    groups.retain(|group| !group.operations.is_empty());
    DocsPage {
        shell: Shell::default(),
        version: text(&document["info"]["version"]),
        server: server.to_owned(),
        base,
        groups,
        headers: headers(document),
        codes: CODES.map(|(code, status, about)| Code { code, status, about }).into(),
        events: events(root),
        schemas: schemas(root),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map(one_line).unwrap_or_default()
}

/// `api-keys` for `API keys`.
fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn paragraphs(value: &Value) -> Vec<String> {
    let text = value.as_str().unwrap_or_default();
    text.split("\n\n").map(one_line).filter(|text| !text.is_empty()).collect()
}

fn one(
    root: Schema<'_>,
    base: &str,
    path: &str,
    method: &str,
    id: &str,
    operation: &Value,
) -> Operation {
    let document = root.value();
    let open = operation["security"].as_array().is_some_and(Vec::is_empty);
    let scopes = operation["security"].as_array().into_iter().flatten();
    let scopes = scopes.flat_map(|way| way["bearerAuth"].as_array().into_iter().flatten());
    let parameters: Vec<Field> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|given| parameter(Schema::new(document, resolve(document, given))))
        .collect();
    let given = &operation["requestBody"];
    let content = &given["content"]["application/json"];
    let body = content.is_object().then(|| {
        let content = Schema::new(document, content);
        let schema = content.of(&content.value()["schema"]);
        Body {
            schema: schema.name().map(str::to_owned),
            required: given["required"].as_bool().unwrap_or(false),
            about: text(&schema.resolved().value()["description"]),
            fields: schema.fields(),
            example: example::of(content, Fields::Required),
        }
    });
    let mut outcomes = Vec::new();
    let mut usual = Vec::new();
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        if answer["$ref"].is_string() {
            usual.push(status.clone());
        } else {
            outcomes.push(outcome(document, status, answer));
        }
    }
    let first =
        operation["responses"].as_object().into_iter().flatten().find_map(|(status, answer)| {
            let content = &answer["content"]["application/json"];
            (status.starts_with('2') && content.is_object())
                .then(|| (status.clone(), example::of(Schema::new(document, content), Fields::All)))
        });
    let mut operation = Operation {
        id: id.to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        about: paragraphs(&operation["description"]),
        open,
        scopes: scopes.map(text).collect(),
        parameters,
        body,
        outcomes,
        usual: usual.join(", "),
        request: String::new(),
        answer: first,
    };
    operation.request = command(base, &operation);
    operation
}

/// What a reference to something but a schema leads to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?))
        .unwrap_or(value)
}

fn parameter(given: Schema<'_>) -> Option<Field> {
    let place = match given.value()["in"].as_str()? {
        "path" => "path",
        "query" => "query",
        "header" => "header",
        _ => return None,
    };
    let schema = given.of(&given.value()["schema"]);
    let own = text(&given.value()["description"]);
    let general = schema.about();
    Some(Field {
        name: text(&given.value()["name"]),
        place,
        kind: schema.kind(),
        required: given.value()["required"].as_bool().unwrap_or(false),
        about: [own, general]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    })
}

fn outcome(document: &Value, status: &str, answer: &Value) -> Outcome {
    let number: u16 = status.parse().unwrap_or(0);
    let code = CODES.iter().find(|(_, known, _)| *known == number).map(|(code, ..)| *code);
    let schema = Schema::new(document, &answer["content"]["application/json"]["schema"]);
    let events = answer["content"]["text/event-stream"].is_object();
    Outcome {
        status: status.to_owned(),
        about: text(&answer["description"]),
        kind: if code.is_some() || !schema.value().is_object() {
            Kind::default()
        } else {
            schema.kind()
        },
        code,
        events,
    }
}

/// The request as a command; what needs a value of one's own stands as `$NAME`.
fn command(base: &str, operation: &Operation) -> String {
    let mut path = String::new();
    for part in operation.path.split_inclusive(['{', '}']) {
        match part.strip_suffix('}') {
            Some(name) => path.push_str(&format!("${}", name.to_uppercase())),
            None => path.push_str(part.trim_end_matches('{')),
        }
    }
    let mut lines = Vec::new();
    let method =
        if operation.method == "GET" { String::new() } else { format!("-X {} ", operation.method) };
    lines.push(format!("curl {method}\"{base}{path}\""));
    if !operation.open {
        lines.push("-H \"Authorization: Bearer $ORBITRA_API_KEY\"".to_owned());
    }
    if let Some(body) = &operation.body
        && (body.required || body.example != "{}")
    {
        lines.push("-H \"Content-Type: application/json\"".to_owned());
        lines.push(format!("-d '{}'", body.example.replace('\'', "'\\''")));
    }
    lines.join(" \\\n  ")
}

fn headers(document: &Value) -> Vec<Named> {
    let all = document["components"]["headers"].as_object().into_iter().flatten();
    all.map(|(name, header)| Named { name: name.clone(), about: text(&header["description"]) })
        .collect()
}

fn events(root: Schema<'_>) -> Vec<Event> {
    let all = root.value()["webhooks"].as_object().into_iter().flatten();
    all.map(|(name, item)| {
        let content = &item["post"]["requestBody"]["content"]["application/json"];
        let schema = root.of(&content["schema"]);
        let data = schema.properties().into_iter().find(|(name, ..)| *name == "data");
        Event {
            name: name.clone(),
            when: text(&schema.resolved().value()["description"]),
            data: data.map(|(_, data, _)| data.kind()).unwrap_or_default(),
        }
    })
    .collect()
}

/// Objects that are described in their own place: those of answers and those within bodies.
fn schemas(root: Schema<'_>) -> Vec<SchemaEntry> {
    let all = root.value()["components"]["schemas"].as_object().into_iter().flatten();
    all.filter_map(|(name, value)| {
        let schema = root.of(value);
        schema.has_fields().then(|| SchemaEntry {
            name: name.clone(),
            about: text(&value["description"]),
            fields: schema.fields(),
        })
    })
    .collect()
}
