//! What a process wrote, as the families of causes look at it.

use super::Diagnosis;

/// The last lines of a process, and the variables it has.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The oldest first, without terminal sequences and with secrets masked.
    pub lines: &'a [String],
    /// Names of the variables that are set.
    pub variables: &'a [String],
}

/// A family of causes.
pub(super) type Family = fn(&Output<'_>) -> Option<Diagnosis>;

impl Output<'_> {
    /// What the first of these families says that recognises something.
    pub(super) fn recognised_by(&self, families: &[Family]) -> Option<Diagnosis> {
        families.iter().find_map(|family| family(self))
    }

    /// What `look` makes of the first line it recognises.
    pub(super) fn first<T>(&self, look: impl Fn(&str) -> Option<T>) -> Option<(&str, T)> {
        self.lines.iter().find_map(|line| look(line).map(|found| (line.as_str(), found)))
    }

    /// The first line that holds one of these texts, whatever the case of its letters.
    pub(super) fn holding(&self, texts: &[&str]) -> Option<&str> {
        self.lines.iter().map(String::as_str).find(|line| {
            let line = line.to_lowercase();
            texts.iter().any(|text| line.contains(&text.to_lowercase()))
        })
    }

    /// Whether a variable of this name is set.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|known| known == name)
    }
}
