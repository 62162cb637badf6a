//! The fields of a body, read one by one by type and without coercion. Every problem is noted, none stops the reading.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::asked::{Asked, payload_hash};
use super::guards::Caller;
use crate::app::terms::{Settled, Terms};
use crate::model::env_var::Environment;
use crate::model::problems::{Problems, UnknownField};
use crate::model::suggest::nearest;

/// Most unknown fields that are named; the rest would only cost time.
const NAMED: usize = 50;

/// Fields that were not read yet, and what was wrong with those that were.
pub struct Fields {
    asked: Asked,
    /// Hash of the whole object, when the request may be repeated.
    payload: [u8; 32],
    object: Map<String, Value>,
    /// `build.` for the fields of `build`.
    prefix: String,
    known: Vec<&'static str>,
    pub problems: Problems,
}

/// A number without a fraction, however it is written: in JSON `3.0` is `3`. What is too large for the type is too
/// large for every range.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64()?;
    match number.as_i64() {
        Some(whole) => Some(whole),
        None if number.is_u64() => Some(i64::MAX),
        // Saturates.
        None => (float.fract() == 0.0).then_some(float as i64),
    }
}

impl Fields {
    /// The fields of the object a request sent.
    pub fn new(asked: Asked, object: Map<String, Value>) -> Self {
        let payload = if asked.may_be_repeated() { payload_hash(&object) } else { [0; 32] };
        let (prefix, known, problems) = (String::new(), Vec::new(), Problems::default());
        Self { asked, payload, object, prefix, known, problems }
    }

    /// The terms of a change that can be repeated by its nature.
    pub fn terms<T>(&self) -> Terms<T> {
        self.asked.terms()
    }

    /// The terms of a POST; `answer` is what it is answered with.
    pub fn once<T>(
        &mut self,
        caller: &Caller,
        answer: impl Fn(&T) -> Settled + Send + Sync + 'static,
    ) -> Terms<T> {
        self.asked.once(caller, self.payload, &mut self.problems, answer)
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.object.remove(name)
    }

    fn wrong_type(&mut self, name: &str, expected: &str) {
        let field = format!("{}{name}", self.prefix);
        self.problems.invalid(&field, "type", format!("Expected {expected}."));
    }

    fn checked_text(&mut self, name: &str, text: String) -> Option<String> {
        if text.contains('\0') {
            let field = format!("{}{name}", self.prefix);
            self.problems.invalid(&field, "format", "No NUL characters.");
            return None;
        }
        Some(text)
    }

    /// A text that must be there: `null` counts as not sent, and the use case says what is missing.
    pub fn required_text(&mut self, name: &'static str) -> Option<String> {
        self.nullable_text(name).flatten()
    }

    /// A text that may be left out but, in a change, not emptied: `null` counts as missing.
    pub fn kept_text(&mut self, name: &'static str) -> Option<String> {
        let sent = self.nullable_text(name);
        if sent == Some(None) {
            self.problems.missing_fields.push(format!("{}{name}", self.prefix));
        }
        sent.flatten()
    }

    /// A text that may be left out.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let sent = self.nullable_text(name);
        if sent == Some(None) {
            self.wrong_type(name, "a string");
        }
        sent.flatten()
    }

    /// A text or `null`.
    pub fn nullable_text(&mut self, name: &'static str) -> Option<Option<String>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::String(text) => self.checked_text(name, text).map(Some),
            _ => {
                self.wrong_type(name, "a string");
                None
            }
        }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &'static str) -> Option<i64> {
        let sent = self.nullable_integer(name);
        if sent == Some(None) {
            self.wrong_type(name, "an integer");
        }
        sent.flatten()
    }

    /// A whole number or `null`.
    pub fn nullable_integer(&mut self, name: &'static str) -> Option<Option<i64>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::Number(number) if whole(&number).is_some() => Some(whole(&number)),
            _ => {
                self.wrong_type(name, "an integer");
                None
            }
        }
    }

    /// `true`, `false` or `null`.
    pub fn nullable_flag(&mut self, name: &'static str) -> Option<Option<bool>> {
        match self.object.get(name) {
            Some(Value::Null) => {
                self.take(name);
                Some(None)
            }
            _ => self.flag(name).map(Some),
        }
    }

    /// A list of texts or `null`.
    pub fn nullable_texts(&mut self, name: &'static str) -> Option<Option<Vec<String>>> {
        match self.object.get(name) {
            Some(Value::Null) => {
                self.take(name);
                Some(None)
            }
            _ => self.texts(name).map(Some),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            _ => {
                self.wrong_type(name, "true or false");
                None
            }
        }
    }

    /// A list of texts; `null` counts as not sent.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let items = match self.take(name)? {
            Value::Null => return None,
            Value::Array(items) => items,
            _ => {
                self.wrong_type(name, "a list of strings");
                return None;
            }
        };
        let texts: Option<Vec<_>> = items
            .into_iter()
            .map(|item| match item {
                Value::String(text) if !text.contains('\0') => Some(text),
                _ => None,
            })
            .collect();
        if texts.is_none() {
            self.wrong_type(name, "a list of strings");
        }
        texts
    }

    /// A list of texts that may be left out but, in a change, not emptied: `null` counts as missing.
    pub fn kept_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        if self.object.get(name) == Some(&Value::Null) {
            self.problems.missing_fields.push(format!("{}{name}", self.prefix));
        }
        self.texts(name)
    }

    /// Variables: an object of texts. A value is never part of a message.
    pub fn environment(&mut self, name: &'static str) -> Environment {
        let mut environment = Environment::new();
        match self.take(name) {
            None => {}
            Some(Value::Object(object)) => {
                for (key, value) in object {
                    if let Value::String(value) = value {
                        environment.insert(key, value);
                    } else if self.problems.invalid_fields.len() < NAMED {
                        let key: String = key.chars().take(130).collect();
                        self.wrong_type(&format!("{name}.{key}"), "a string");
                    }
                }
            }
            Some(_) => self.wrong_type(name, "an object of strings"),
        }
        environment
    }

    /// Variables to set and, with `null`, to remove. Nothing sent and `null` are the same. A value is never part of a message.
    pub fn environment_changes(
        &mut self,
        name: &'static str,
    ) -> Option<BTreeMap<String, Option<String>>> {
        let object = match self.take(name)? {
            Value::Null => return None,
            Value::Object(object) => object,
            _ => {
                self.wrong_type(name, "an object of strings");
                return None;
            }
        };
        let mut changes = BTreeMap::new();
        for (key, value) in object {
            match value {
                Value::Null => drop(changes.insert(key, None)),
                Value::String(value) => drop(changes.insert(key, Some(value))),
                _ if self.problems.invalid_fields.len() < NAMED => {
                    let key: String = key.chars().take(130).collect();
                    self.wrong_type(&format!("{name}.{key}"), "a string or null");
                }
                _ => {}
            }
        }
        Some(changes)
    }

    /// The fields of an object within; nothing happens when it was not sent.
    pub fn nested(&mut self, name: &'static str, read: impl FnOnce(&mut Self)) {
        match self.take(name) {
            None => {}
            Some(Value::Object(object)) => {
                let mut inner = Self::new(self.asked.clone(), object);
                inner.prefix = format!("{}{name}.", self.prefix);
                inner.problems = std::mem::take(&mut self.problems);
                read(&mut inner);
                self.problems = inner.finish();
            }
            Some(_) => self.wrong_type(name, "an object"),
        }
    }

    /// The same of an object that may be taken away: `Some(None)` for `null`.
    pub fn nullable_nested<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<Option<T>> {
        if self.object.get(name) == Some(&Value::Null) {
            self.take(name);
            return Some(None);
        }
        let mut found = None;
        self.nested(name, |inner| found = Some(read(inner)));
        found.map(Some)
    }

    /// Read-only fields that were sent, with what was sent.
    pub fn read_only(&mut self, names: &[&'static str]) -> BTreeMap<String, Value> {
        let sent = names.iter().filter_map(|name| Some(((*name).to_owned(), self.take(name)?)));
        sent.collect()
    }

    /// Everything that was wrong; fields that nobody read are unknown.
    pub fn finish(mut self) -> Problems {
        for field in self.object.keys().take(NAMED) {
            let suggestion = nearest(field, &self.known);
            self.problems.unknown_fields.push(UnknownField {
                field: format!("{}{}", self.prefix, field.chars().take(64).collect::<String>()),
                suggestion: suggestion.map(|name| format!("{}{name}", self.prefix)),
            });
        }
        self.problems
    }
}
