//! JSON Schemas of the description in words: what a value is, and the fields of an object.

use serde_json::Value;

use crate::web::view::docs::{Field, Kind};

/// Where named schemas are.
const SCHEMAS: &str = "#/components/schemas/";

/// A schema of the description.
#[derive(Clone, Copy)]
pub struct Schema<'a> {
    /// The whole description, in which references lead somewhere.
    document: &'a Value,
    value: &'a Value,
}

impl<'a> Schema<'a> {
    /// A part of the description.
    pub fn new(document: &'a Value, value: &'a Value) -> Self {
        Self { document, value }
    }

    /// A part of this part.
    pub fn of(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    /// What stands here itself.
    pub fn value(self) -> &'a Value {
        self.value
    }

    /// The name of the schema that is referred to.
    pub fn name(self) -> Option<&'a str> {
        self.value["$ref"].as_str()?.strip_prefix(SCHEMAS)
    }

    /// The schema that is meant: the named one, or this one.
    pub fn resolved(self) -> Self {
        match self.name() {
            Some(name) => self.of(&self.document["components"]["schemas"][name]),
            None => self,
        }
    }

    /// Whether it is an object with fields of its own, which is described in its own place.
    pub fn has_fields(self) -> bool {
        let value = self.resolved().value;
        value["properties"].is_object() || value["allOf"].is_array()
    }

    /// The alternatives but `null`, and whether `null` is one.
    fn alternatives(self) -> Option<(Vec<Self>, bool)> {
        let value = self.resolved().value;
        let listed = value["oneOf"].as_array().or(value["anyOf"].as_array())?;
        let some: Vec<_> = listed.iter().filter(|item| item["type"] != "null").collect();
        let null = some.len() < listed.len();
        Some((some.into_iter().map(|item| self.of(item)).collect(), null))
    }

    /// The one schema it is when `null` is left out.
    pub fn without_null(self) -> Self {
        match self.alternatives() {
            Some((some, _)) if some.len() == 1 => some[0].without_null(),
            _ => self.resolved(),
        }
    }

    /// The properties of an object, also of one that is put together of several.
    pub fn properties(self) -> Vec<(&'a str, Self, bool)> {
        let value = self.resolved().value;
        let mut all: Vec<_> = value["allOf"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|part| self.of(part).properties())
            .collect();
        let required: Vec<_> =
            value["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Those that must be sent come first, in the order in which they are listed.
        let place =
            |name: &str| required.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        let own = value["properties"].as_object();
        let mut names: Vec<_> = own.into_iter().flatten().collect();
        names.sort_by_key(|(name, _)| place(name));
        all.extend(
            names
                .into_iter()
                .map(|(name, value)| (name.as_str(), self.of(value), place(name) != usize::MAX)),
        );
        all
    }

    /// What a value is, in a few words: `string`, `list of Project`, `integer or null`.
    pub fn kind(self) -> Kind {
        let mut kind = Kind::default();
        self.write_kind(&mut kind, 0);
        kind
    }

    fn write_kind(self, kind: &mut Kind, depth: u8) {
        if let Some(name) = self.name()
            && self.has_fields()
        {
            kind.text.push_str(name);
            kind.schema = Some(name.to_owned());
            return;
        }
        if let Some((some, null)) = self.alternatives() {
            for (at, item) in some.iter().take(4).enumerate() {
                if at > 0 {
                    kind.text.push_str(" or ");
                }
                item.write_kind(kind, depth);
            }
            if null {
                kind.text.push_str(" or null");
            }
            return;
        }
        let value = self.resolved().value;
        let (types, null) = types(value);
        let word = match types {
            "array" if depth < 3 && value["items"].is_object() => {
                kind.text.push_str("list of ");
                self.of(&value["items"]).write_kind(kind, depth + 1);
                ""
            }
            "array" => "list",
            "object" if depth < 3 && value["additionalProperties"].is_object() => {
                kind.text.push_str("map of ");
                self.of(&value["additionalProperties"]).write_kind(kind, depth + 1);
                ""
            }
            "string" => match value["format"].as_str() {
                Some("date-time") => "moment",
                Some("uri") => "URL",
                Some("email") => "e-mail",
                _ => "string",
            },
            "" => "any",
            other => other,
        };
        kind.text.push_str(word);
        if null {
            kind.text.push_str(" or null");
        }
    }

    /// The description, then what values there may be.
    pub fn about(self) -> String {
        let inner = self.without_null();
        let list =
            inner.value["items"].is_object().then(|| self.of(&inner.value["items"]).without_null());
        let said = |value: &Value| value["description"].as_str().map(one_line);
        // Beside a reference stands what is special here; the named schema says what is general.
        let referring = self.alternatives().and_then(|(some, _)| said(some.first()?.value));
        let general =
            (!self.has_fields() && !inner.has_fields()).then(|| said(inner.value)).flatten();
        let mut about: Vec<String> =
            said(self.value).or(referring).or(general).into_iter().collect();
        about.extend(limits(inner.value));
        if let Some(list) = list {
            about.extend(limits(list.value));
        }
        if let Some(default) = self.value.get("default").or(inner.value.get("default")) {
            about.push(format!("Default `{}`.", plain(default)));
        }
        about.join(" ")
    }

    /// The rows of a table of fields.
    pub fn fields(self) -> Vec<Field> {
        self.properties()
            .into_iter()
            .map(|(name, value, required)| Field {
                name: name.to_owned(),
                place: "",
                kind: value.kind(),
                required,
                about: value.about(),
            })
            .collect()
    }
}

/// The type, and whether `null` is another.
fn types(value: &Value) -> (&str, bool) {
    match &value["type"] {
        Value::Array(all) => {
            let words = || all.iter().filter_map(Value::as_str);
            let first = words().find(|word| *word != "null").unwrap_or_default();
            (first, words().any(|word| word == "null"))
        }
        other => (other.as_str().unwrap_or_default(), false),
    }
}

/// What limits a value: its words, its range, its length.
fn limits(value: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(words) = value["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("`{}`", plain(word))).collect();
        limits.push(format!("One of {}.", words.join(", ")));
    }
    let range = |least: &str, most: &str| match (value[least].as_i64(), value[most].as_i64()) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (Some(least), None) if least > 0 => Some(format!("at least {least}")),
        _ => None,
    };
    let sentences = [
        (range("minimum", "maximum"), "."),
        (range("minLength", "maxLength"), " characters."),
        (range("minItems", "maxItems"), " entries."),
    ];
    for (range, unit) in sentences {
        if let Some(range) = range {
            limits.push(capital(&format!("{range}{unit}")));
        }
    }
    limits
}

fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// A value as it is written in a sentence: text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A description whose lines were broken, as one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
