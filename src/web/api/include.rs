//! Which keys of an object are wanted: the given ones, some more, or all.

use super::object::Object;

/// What `include=` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// Exactly the keys that are given.
    Given,
    /// Those and these.
    Named(Vec<&'static str>),
    All,
}

impl Include {
    /// Whether a key beyond the given ones is wanted.
    pub fn wants(&self, key: &str) -> bool {
        match self {
            Self::Given => false,
            Self::Named(names) => names.contains(&key),
            Self::All => true,
        }
    }

    /// The wanted part of a full object whose given keys are these.
    pub fn of(&self, given: &[&str], full: Object) -> Object {
        full.only(|key| given.contains(&key) || self.wants(key))
    }
}
