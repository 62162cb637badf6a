//! Examples of bodies: the one the description gives, or else one made from the schema.

use serde_json::{Map, Value, json};

use super::schema::Schema;

/// How deep objects may lie in objects.
const DEPTH: u8 = 6;

/// Which fields of an object an example has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    All,
    /// Only those that must be sent.
    Required,
}

/// An example of a media type: `{"schema": …, "example": …}`.
pub fn of(content: Schema<'_>, fields: Fields) -> String {
    let given = content.value().get("example").cloned();
    let value = given.unwrap_or_else(|| value(content.of(&content.value()["schema"]), fields, 0));
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

fn value(schema: Schema<'_>, fields: Fields, depth: u8) -> Value {
    for place in [schema, schema.without_null()] {
        let here = place.value();
        let listed = here["examples"].as_array().and_then(|examples| examples.first());
        if let Some(example) = here.get("example").or(listed).or(here.get("const")) {
            return example.clone();
        }
    }
    let schema = schema.without_null();
    let here = schema.value();
    if let Some(first) = here["enum"].as_array().and_then(|words| words.first()) {
        return first.clone();
    }
    if let Some(first) =
        here["oneOf"].as_array().or(here["anyOf"].as_array()).and_then(|all| all.first())
    {
        return if depth < DEPTH {
            value(schema.of(first), fields, depth + 1)
        } else {
            Value::Null
        };
    }
    if schema.has_fields() {
        if depth >= DEPTH {
            return json!({});
        }
        let wanted = |required: &bool| fields == Fields::All || *required;
        let properties = schema.properties().into_iter().filter(|(.., required)| wanted(required));
        let object: Map<_, _> = properties
            .map(|(name, property, _)| (name.to_owned(), value(property, fields, depth + 1)))
            .collect();
        return Value::Object(object);
    }
    let kind = match &here["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        other => other.as_str(),
    };
    match kind {
        Some("array") if depth < DEPTH && here["items"].is_object() => {
            json!([value(schema.of(&here["items"]), fields, depth + 1)])
        }
        Some("array") => json!([]),
        Some("object") => match &here["additionalProperties"] {
            more if more.is_object() && depth < DEPTH => {
                json!({ "NAME": value(schema.of(more), fields, depth + 1) })
            }
            _ => json!({}),
        },
        Some("integer" | "number") => {
            json!(here["default"].as_i64().or(here["minimum"].as_i64()).unwrap_or(1).max(1))
        }
        Some("boolean") => json!(here["default"].as_bool().unwrap_or(false)),
        Some("string") => text(here).into(),
        _ => Value::Null,
    }
}

/// A text that looks like what is wanted.
fn text(schema: &Value) -> String {
    // An id: `^prj_[0-9a-z]{6,32}$`.
    let id = schema["pattern"].as_str().and_then(|pattern| {
        let (prefix, rest) = pattern.strip_prefix('^')?.split_once("_[0-9a-z]")?;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_lowercase()) && !rest.is_empty();
        plain.then(|| format!("{prefix}_3f8d0a6k2m9qhx4t"))
    });
    id.unwrap_or_else(|| {
        let word = match schema["format"].as_str() {
            Some("date-time") => "2026-01-20T16:30:00Z",
            Some("uri") => "https://my-app.example.com",
            Some("email") => "user@example.com",
            _ => "string",
        };
        word.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(schemas: Value, schema: Value, fields: Fields) -> Value {
        let document = json!({ "components": { "schemas": schemas } });
        let content = json!({ "schema": schema });
        serde_json::from_str(&of(Schema::new(&document, &content), fields)).expect("JSON")
    }

    #[test]
    fn an_example_is_made_from_the_schema() {
        let schemas = json!({
            "Id": { "type": "string", "pattern": "^prj_[0-9a-z]{6,32}$" },
            "Project": { "type": "object", "required": ["id"], "properties": {
                "id": { "$ref": "#/components/schemas/Id" },
                "port": { "type": ["integer", "null"], "minimum": 80 },
                "words": { "type": "array", "items": { "enum": ["a", "b"] } },
                "at": { "oneOf": [{ "type": "string", "format": "date-time" }, { "type": "null" }] },
            } },
        });
        let project = json!({ "$ref": "#/components/schemas/Project" });
        let all = example(schemas.clone(), project.clone(), Fields::All);
        let id = "prj_3f8d0a6k2m9qhx4t";
        let wanted = json!({ "id": id, "port": 80, "words": ["a"], "at": "2026-01-20T16:30:00Z" });
        assert_eq!(all, wanted);
        assert_eq!(example(schemas, project, Fields::Required), json!({ "id": id }));
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let own = json!({ "$ref": "#/components/schemas/Tree" });
        let schemas = json!({ "Tree": { "properties": { "child": own } } });
        let text = example(schemas, own, Fields::All).to_string();
        assert_eq!(text.matches("child").count(), usize::from(DEPTH));
    }
}
