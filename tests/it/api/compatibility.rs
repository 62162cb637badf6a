//! Whether a description of the API breaks clients that were written against an older one: something is gone,
//! something new is needed, a type changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Everything that breaks, as sentences.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, found: Vec::new() };
    for (method, path, before) in operations(&old["paths"]) {
        let name = format!("{method} {path}");
        let after = &new["paths"][path][method];
        if after.is_null() {
            comparison.found.push(format!("{name} is gone"));
            continue;
        }
        comparison.operation(&name, before, after);
    }
    for (method, event, before) in operations(&old["webhooks"]) {
        let after = &new["webhooks"][event][method];
        if after.is_null() {
            comparison.found.push(format!("the event {event} is gone"));
            continue;
        }
        let body = |operation: &Value| json_of(&operation["requestBody"]["content"]);
        comparison.answer(&format!("the event {event}"), &body(before), &body(after));
    }
    comparison.found
}

fn operations(paths: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = paths.as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let item = item.as_object().into_iter().flatten();
        item.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    all.collect()
}

fn json_of(content: &Value) -> Value {
    content["application/json"]["schema"].clone()
}

fn words(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.to_string()).collect(),
        Value::Null => BTreeSet::new(),
        other => [other.to_string()].into(),
    }
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    found: Vec<String>,
}

/// A schema without references and alternatives.
#[derive(Default)]
struct Flat {
    types: BTreeSet<String>,
    properties: Map<String, Value>,
    required: BTreeSet<String>,
    /// Everything else it says.
    rest: Map<String, Value>,
}

impl Flat {
    /// The closed set it is one of; empty when there is none.
    fn values(&self) -> BTreeSet<String> {
        self.rest.get("enum").map(words).unwrap_or_default()
    }
}

fn flat(document: &Value, schema: &Value) -> Flat {
    let mut flat = Flat::default();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect(reference);
        return self::flat(document, target);
    }
    for part in ["oneOf", "allOf"] {
        for schema in schema[part].as_array().into_iter().flatten() {
            let inner = self::flat(document, schema);
            flat.types.extend(inner.types);
            flat.properties.extend(inner.properties);
            flat.required.extend(inner.required);
            flat.rest.extend(inner.rest);
        }
    }
    flat.types.extend(words(&schema["type"]));
    flat.required.extend(words(&schema["required"]));
    flat.properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
    let rest = schema.as_object().cloned().unwrap_or_default();
    flat.rest.extend(rest);
    flat
}

impl Comparison<'_> {
    fn operation(&mut self, name: &str, before: &Value, after: &Value) {
        if before["operationId"] != after["operationId"] {
            self.found.push(format!("{name} has another name"));
        }
        let parameters = |document: &Value, operation: &Value| -> Vec<Value> {
            let all = operation["parameters"].as_array().into_iter().flatten();
            all.map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => {
                    document.pointer(reference.trim_start_matches('#')).unwrap().clone()
                }
                None => parameter.clone(),
            })
            .collect()
        };
        let (old, new) = (parameters(self.old, before), parameters(self.new, after));
        let same =
            |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for parameter in &old {
            let what = format!("{name}: the parameter {}", parameter["name"]);
            match new.iter().find(|other| same(parameter, other)) {
                None => self.found.push(format!("{what} is gone")),
                Some(other) => self.request(&what, &parameter["schema"], &other["schema"]),
            }
        }
        for parameter in new.iter().filter(|parameter| parameter["required"] == true) {
            if !old.iter().any(|other| same(parameter, other) && other["required"] == true) {
                self.found.push(format!("{name}: the parameter {} is needed", parameter["name"]));
            }
        }
        let (old, new) = (&before["requestBody"], &after["requestBody"]);
        if new["required"] == true && old["required"] != true {
            self.found.push(format!("{name}: a body is needed"));
        }
        if !old.is_null() {
            self.request(
                &format!("{name}: the body"),
                &json_of(&old["content"]),
                &json_of(&new["content"]),
            );
        }
        for (status, old) in before["responses"].as_object().into_iter().flatten() {
            let what = format!("{name}: the answer {status}");
            let new = &after["responses"][status];
            if status.starts_with('2') && new.is_null() {
                self.found.push(format!("{what} is gone"));
            } else if status.starts_with('2') {
                self.answer(&what, &json_of(&old["content"]), &json_of(&new["content"]));
            }
        }
    }

    /// What was good to send must stay good.
    fn request(&mut self, what: &str, old: &Value, new: &Value) {
        let (old, new) = (flat(self.old, old), flat(self.new, new));
        if !old.types.is_subset(&new.types) {
            self.found.push(format!("{what} takes {:?} and no longer {:?}", new.types, old.types));
        }
        for field in new.required.difference(&old.required) {
            self.found.push(format!("{what} needs {field}"));
        }
        let (had, has) = (old.values(), new.values());
        if !has.is_empty() && (had.is_empty() || !had.is_subset(&has)) {
            self.found.push(format!("{what} takes fewer values"));
        }
        let number = |flat: &Flat, limit: &str| flat.rest.get(limit).and_then(Value::as_f64);
        for limit in ["minimum", "minLength", "minItems", "minProperties"] {
            let (before, now) = (number(&old, limit), number(&new, limit));
            if now > before.or(Some(0.0)) {
                self.found.push(format!("{what} has a higher {limit}"));
            }
        }
        for limit in ["maximum", "maxLength", "maxItems", "maxProperties"] {
            let (before, now) = (number(&old, limit), number(&new, limit));
            if now.is_some_and(|now| before.is_none_or(|before| now < before)) {
                self.found.push(format!("{what} has a lower {limit}"));
            }
        }
        for rule in ["pattern", "format"] {
            if new.rest.get(rule).is_some_and(|now| old.rest.get(rule) != Some(now)) {
                self.found.push(format!("{what} has another {rule}"));
            }
        }
        for (name, schema) in &old.properties {
            match new.properties.get(name) {
                Some(now) => self.request(&format!("{what}, {name}"), schema, now),
                None => self.found.push(format!("{what} takes {name} no longer")),
            }
        }
        if let (Some(old), Some(new)) = (old.rest.get("items"), new.rest.get("items")) {
            self.request(&format!("{what}, an item"), old, new);
        }
    }

    /// What was good to read must stay there.
    fn answer(&mut self, what: &str, old: &Value, new: &Value) {
        let (old, new) = (flat(self.old, old), flat(self.new, new));
        if !new.types.is_subset(&old.types) {
            self.found.push(format!("{what} is {:?} and was {:?}", new.types, old.types));
        }
        for field in old.required.difference(&new.required) {
            self.found.push(format!("{what} may lack {field}"));
        }
        for (name, schema) in &old.properties {
            match new.properties.get(name) {
                Some(now) => self.answer(&format!("{what}, {name}"), schema, now),
                None => self.found.push(format!("{what} has {name} no longer")),
            }
        }
        if let (Some(old), Some(new)) = (old.rest.get("items"), new.rest.get("items")) {
            self.answer(&format!("{what}, an item"), old, new);
        }
    }
}
