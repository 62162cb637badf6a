//! What is wrong with a request, all of it together.

use serde::Serialize;

/// A field whose value is not acceptable. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InvalidField {
    pub field: String,
    /// `type`, `format`, `too_short`, … as the API names them.
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// A field or parameter that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownField {
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// Everything found wrong with one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_fields: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invalid_fields: Vec<InvalidField>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_fields: Vec<UnknownField>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_params: Vec<String>,
}

impl Problems {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.missing_fields.is_empty()
            && self.invalid_fields.is_empty()
            && self.unknown_fields.is_empty()
            && self.unknown_params.is_empty()
    }

    /// Adds a field that is not acceptable.
    pub fn invalid(
        &mut self,
        field: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut InvalidField {
        self.invalid_fields.push(InvalidField {
            field: field.to_owned(),
            code,
            message: message.into(),
            allowed: Vec::new(),
            suggestion: None,
        });
        let last = self.invalid_fields.len() - 1;
        &mut self.invalid_fields[last]
    }

    /// Adds a value that is not one of a closed set.
    pub fn unknown_value<'a>(&mut self, field: &str, allowed: impl IntoIterator<Item = &'a str>) {
        let allowed = allowed.into_iter().map(str::to_owned).collect();
        self.invalid(field, "unknown_value", "This value is not known.").allowed = allowed;
    }

    /// Whether something is already known to be wrong with this field.
    pub fn has(&self, field: &str) -> bool {
        self.missing_fields.iter().any(|missing| missing == field)
            || self.invalid_fields.iter().any(|invalid| invalid.field == field)
    }

    /// Notes a required field that is not there, unless it is there with a problem of its own.
    pub fn require<T>(&mut self, field: &str, value: Option<&T>) {
        if value.is_none() && !self.has(field) {
            self.missing_fields.push(field.to_owned());
        }
    }

    /// Checks the length of a text in characters.
    pub fn length(&mut self, field: &str, text: &str, least: usize, most: usize) -> bool {
        let count = text.chars().count();
        if count < least {
            self.invalid(field, "too_short", format!("At least {least} characters."));
        } else if count > most {
            self.invalid(field, "too_long", format!("At most {most} characters."));
        }
        (least..=most).contains(&count)
    }

    /// Checks that a number lies in a range.
    pub fn range<T: PartialOrd + std::fmt::Display>(
        &mut self,
        field: &str,
        value: T,
        least: T,
        most: T,
    ) {
        if value < least || value > most {
            self.invalid(field, "out_of_range", format!("A number from {least} to {most}."));
        }
    }

    /// A sentence that names the first problem, for people.
    pub fn summary(&self) -> String {
        if !self.missing_fields.is_empty() {
            return format!("Missing required fields: {}.", self.missing_fields.join(", "));
        }
        if let Some(first) = self.invalid_fields.first() {
            return format!("Invalid value for `{}`: {}", first.field, first.message);
        }
        if let Some(first) = self.unknown_fields.first() {
            let hint = first.suggestion.as_ref().map(|name| format!(" Did you mean `{name}`?"));
            return format!("Unknown field `{}`.{}", first.field, hint.unwrap_or_default());
        }
        match self.unknown_params.first() {
            Some(first) => format!("Unknown query parameter `{first}`."),
            None => "The request is not valid.".to_owned(),
        }
    }
}
