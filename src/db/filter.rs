//! Conditions of a list, with their values bound and never written into the text.

use rusqlite::types::Value;

use crate::model::timestamp::Timestamp;

/// Conditions joined by AND.
pub(super) struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    pub(super) fn new(first: &str) -> Self {
        Self { text: first.to_owned(), values: Vec::new() }
    }

    /// A condition with one `?`.
    pub(super) fn one(&mut self, condition: &str, value: impl Into<Bound>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.push(value.into().0);
    }

    /// A value for a `?` of the expression that comes next.
    pub(super) fn bind(&mut self, value: impl Into<Bound>) {
        self.values.push(value.into().0);
    }

    /// The column (or expression) is one of the values; no values is no condition.
    pub(super) fn any<'a>(&mut self, column: &str, values: impl Iterator<Item = &'a str>) {
        let before = self.values.len();
        self.values.extend(values.map(|value| Value::from(value.to_owned())));
        let count = self.values.len() - before;
        if count > 0 {
            let marks = vec!["?"; count].join(", ");
            self.text.push_str(&format!(" AND {column} IN ({marks})"));
        }
    }

    /// The column is one of the names; one that ends with `.*` stands for all that begin like it.
    pub(super) fn names(&mut self, column: &str, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let tests: Vec<_> = names
            .iter()
            .map(|name| match name.strip_suffix('*') {
                Some(start) => {
                    self.values.push(start.to_owned().into());
                    format!("instr({column}, ?) = 1")
                }
                None => {
                    self.values.push(name.clone().into());
                    format!("{column} = ?")
                }
            })
            .collect();
        self.text.push_str(&format!(" AND ({})", tests.join(" OR ")));
    }

    /// The moment lies after and before these.
    pub(super) fn between(
        &mut self,
        column: &str,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    ) {
        if let Some(after) = after {
            self.one(&format!("{column} > ?"), after.0);
        }
        if let Some(before) = before {
            self.one(&format!("{column} < ?"), before.0);
        }
    }

    pub(super) fn finish(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }
}

/// A value to bind.
pub(super) struct Bound(Value);

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}
