//! JSON objects of answers, written in the order their keys were added.

use serde::Serialize;

/// An object whose keys stand in the order of the contract; `serde_json`'s own objects sort them.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(&'static str, String)>);

impl Object {
    /// Without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key.
    pub fn with<T: Serialize + ?Sized>(self, key: &'static str, value: &T) -> Self {
        let json = serde_json::to_string(value).unwrap_or_else(|error| {
            tracing::error!(%error, key, "a value cannot be written as JSON");
            "null".to_owned()
        });
        self.raw(key, json)
    }

    /// Adds a key with an object.
    pub fn object(self, key: &'static str, value: Self) -> Self {
        let json = value.to_json();
        self.raw(key, json)
    }

    /// Adds a key with a list of objects.
    pub fn objects(self, key: &'static str, values: &[Self]) -> Self {
        self.raw(key, list(values))
    }

    /// Adds a key whose value is JSON already.
    pub fn raw(mut self, key: &'static str, json: String) -> Self {
        self.0.push((key, json));
        self
    }

    /// The keys that are wanted, in their order.
    pub fn only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|(key, _)| wanted(key));
        self
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (index, (key, json)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push('"');
            text.push_str(key);
            text.push_str("\":");
            text.push_str(json);
        }
        text.push('}');
        text
    }
}

/// The JSON text of a list of objects.
fn list(values: &[Object]) -> String {
    let items: Vec<_> = values.iter().map(Object::to_json).collect();
    format!("[{}]", items.join(","))
}
