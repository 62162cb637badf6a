//! What an API key may do: scopes and the presets that stand for several.

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

/// The presets, which stand for several scopes.
pub const PRESETS: [&str; 3] = ["read", "deploy", "full"];

const DEPLOY: [&str; 5] =
    ["deployments:read", "deployments:write", "env:read", "logs:read", "projects:read"];

/// What belongs to an account, a team or the server, and never to one project.
const BEYOND_A_PROJECT: [&str; 6] = ["account", "audit", "billing", "keys", "system", "teams"];

const _: () = assert!(ALL.len() <= 64, "a set has a bit for every scope");

/// A set of scopes: bit `n` is the scope `n` of [`ALL`]. Every request carries one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u64);

impl Scopes {
    /// Everything.
    pub fn full() -> Self {
        Self::of(|_| true)
    }

    /// What a token of one project can carry.
    pub fn of_project() -> Self {
        Self::of(|scope| {
            !scope.split(':').next().is_some_and(|what| BEYOND_A_PROJECT.contains(&what))
        })
    }

    fn of(wanted: impl Fn(&str) -> bool) -> Self {
        let bits = ALL.iter().enumerate().filter(|(_, scope)| wanted(scope));
        Self(bits.fold(0, |set, (at, _)| set | (1 << at)))
    }

    /// Expands scopes and the presets `read`, `deploy` and `full`.
    ///
    /// # Errors
    /// The first word that is neither.
    pub fn expand<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        Self::full().expand_within(words)
    }

    /// Expands scopes of this set, and presets to what of them is in this set.
    ///
    /// # Errors
    /// The first word that is neither.
    pub fn expand_within<S: AsRef<str>>(&self, words: &[S]) -> Result<Self, String> {
        let mut set = 0;
        for word in words {
            set |= match word.as_ref() {
                "full" => self.0,
                "read" => self.0 & Self::of(|s| s.ends_with(":read") && s != "audit:read").0,
                "deploy" => self.0 & Self::of(|s| DEPLOY.contains(&s)).0,
                scope if self.contains(scope) => Self::of(|s| s == scope).0,
                other => return Err(other.to_owned()),
            };
        }
        Ok(Self(set))
    }

    /// Whether this scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        ALL.binary_search(&scope).is_ok_and(|at| self.0 & (1 << at) != 0)
    }

    /// Whether every scope of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The scopes in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        let set = self.0;
        ALL.into_iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0).map(|(_, s)| s)
    }

    /// As it is stored: words with blanks between.
    pub fn to_stored(&self) -> String {
        self.iter().collect::<Vec<_>>().join(" ")
    }

    /// Reads the stored form; words that no longer exist are dropped.
    pub fn from_stored(text: &str) -> Self {
        let words: Vec<_> = text.split(' ').collect();
        Self::of(|scope| words.contains(&scope))
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
    #[test]
    fn the_list_is_in_byte_order_as_searches_need_it() {
        assert!(ALL.is_sorted());
    }

    #[test]
    fn a_token_of_a_project_carries_nothing_of_its_account() {
        let known = Scopes::of_project();
        let read = known.expand_within(&["read"]).expect("known");
        assert_eq!(
            read.to_stored(),
            "databases:read deployments:read domains:read env:read events:read logs:read metrics:read \
             projects:read volumes:read webhooks:read"
        );
        assert_eq!(known.expand_within(&["full"]), Ok(known.clone()));
        for scope in ["account:read", "audit:read", "billing:write", "keys:write", "system:read"] {
            assert_eq!(known.expand_within(&[scope]), Err(scope.to_owned()));
        }
        assert!(known.contains("projects:write") && known.contains("env:reveal"));
    }
}
