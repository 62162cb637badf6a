//! What every form shares: messages beside fields.

/// Messages by field name. The field `""` is for the form as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(Vec<(&'static str, String)>);

impl Errors {
    /// No messages.
    pub fn none() -> Self {
        Self::default()
    }

    /// One message beside one field.
    pub fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::none();
        errors.add(field, message);
        errors
    }

    /// Adds a message; the first message of a field is the one shown.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push((field, message.into()));
    }

    /// The message of a field.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, message)| message.as_str())
    }

    /// Whether the form can be taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields with messages, for the summary at the top.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .iter()
            .filter(|(field, _)| !field.is_empty())
            .map(|(field, message)| (*field, message.as_str()))
    }
}
