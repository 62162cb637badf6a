//! What an API key may do: scopes and the presets that stand for several.

use std::collections::BTreeSet;

/// Every scope, in the order answers list them.
pub const ALL: [&str; 29] = [
    "account:read",
    "account:write",
    "audit:read",
    "billing:read",
    "billing:write",
    "databases:read",
    "databases:write",
    "deployments:read",
    "deployments:write",
    "domains:read",
    "domains:write",
    "env:read",
    "env:reveal",
    "env:write",
    "events:read",
    "keys:read",
    "keys:write",
    "logs:read",
    "metrics:read",
    "projects:read",
    "projects:write",
    "system:read",
    "system:write",
    "teams:read",
    "teams:write",
    "volumes:read",
    "volumes:write",
    "webhooks:read",
    "webhooks:write",
];

/// A set of scopes, in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Everything.
    pub fn full() -> Self {
        Self(ALL.iter().map(|scope| (*scope).to_owned()).collect())
    }

    /// Expands scopes and the presets `read`, `deploy` and `full`.
    ///
    /// # Errors
    /// The first word that is neither.
    pub fn expand<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        let known = Self::full();
        let mut set = BTreeSet::new();
        for word in words {
            match word.as_ref() {
                "full" => set.extend(known.0.iter().cloned()),
                "read" => set.extend(
                    known.0.iter().filter(|s| s.ends_with(":read") && *s != "audit:read").cloned(),
                ),
                "deploy" => set.extend(
                    [
                        "deployments:read",
                        "deployments:write",
                        "env:read",
                        "logs:read",
                        "projects:read",
                    ]
                    .map(str::to_owned),
                ),
                scope if known.0.contains(scope) => {
                    set.insert(scope.to_owned());
                }
                other => return Err(other.to_owned()),
            }
        }
        Ok(Self(set))
    }

    /// Whether this scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether every scope of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The scopes in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// As it is stored: words with blanks between.
    pub fn to_stored(&self) -> String {
        self.iter().collect::<Vec<_>>().join(" ")
    }

    /// Reads the stored form; words that no longer exist are dropped.
    pub fn from_stored(text: &str) -> Self {
        let known = Self::full();
        Self(text.split(' ').filter(|word| known.contains(word)).map(str::to_owned).collect())
    }
}

impl serde::Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_expand() {
        let deploy = Scopes::expand(&["deploy"]).expect("known");
        assert_eq!(
            deploy.to_stored(),
            "deployments:read deployments:write env:read logs:read projects:read"
        );
        let read = Scopes::expand(&["read"]).expect("known");
        assert!(!read.contains("audit:read") && read.contains("webhooks:read"));
        assert!(Scopes::full().covers(&read) && !read.covers(&deploy));
        assert_eq!(Scopes::expand(&["projects:read", "root"]), Err("root".to_owned()));
        assert_eq!(Scopes::from_stored(&deploy.to_stored()), deploy);
    }
}
