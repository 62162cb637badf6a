//! What a private repository is read with, and for which server it is meant.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::crypto::ssh_key::SshSeed;
use crate::model::git_url::GitUrl;

/// A credential and the one server it is for.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose it is. Mirrors fetched with it are kept apart by this name, so that nobody else reads from them.
    pub owner: String,
    /// See [`GitUrl::origin`]. To any other server nothing of the credential is sent.
    pub origin: String,
    /// Whether it is for the repository alone and not for submodules on the same server.
    pub alone: bool,
    pub credential: Credential,
}

/// The credential itself.
#[derive(Clone)]
pub enum Credential {
    /// User and password, or a token in the place of the password.
    Basic { user: String, password: String },
    /// A key the server knows.
    Key(SshSeed),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Key(_) => "Key(…)",
        })
    }
}

impl Credential {
    /// Reads a stored token: `user:password`, or a token alone, with the user name this forge wants beside one.
    /// The others take any name; `oauth2` is what GitLab wants for tokens that an application was given.
    pub fn token(text: &str, host: &str) -> Self {
        if let Some((user, password)) = text.split_once(':') {
            return Self::Basic { user: user.to_owned(), password: password.to_owned() };
        }
        let user = match host {
            "github.com" => "x-access-token",
            "bitbucket.org" => "x-token-auth",
            _ => "oauth2",
        };
        Self::Basic { user: user.to_owned(), password: text.to_owned() }
    }
}

impl Access {
    /// Whether the credential is for this address.
    pub fn is_for(&self, url: &GitUrl) -> bool {
        self.origin == url.origin()
    }

    /// The `Authorization` header for an address; `None` when the credential is not for it.
    pub(super) fn basic_for(&self, url: &GitUrl) -> Option<HeaderValue> {
        match &self.credential {
            Credential::Basic { user, password } if self.is_for(url) => {
                let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                let mut value = HeaderValue::try_from(text).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
            _ => None,
        }
    }

    /// The key for an address; `None` when the credential is not for it.
    pub(super) fn key_for(&self, url: &GitUrl) -> Option<&SshSeed> {
        match &self.credential {
            Credential::Key(seed) if self.is_for(url) => Some(seed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Policy;

    fn url(text: &str) -> GitUrl {
        Policy::parse::<&str>(&["10.0.0.1"], true).unwrap().git_url(text).unwrap()
    }

    #[test]
    fn a_token_goes_to_its_own_server_and_scheme_only() {
        let home = url("https://github.com/o/r.git");
        let credential = Credential::token("ghp_secret", &home.host());
        let access =
            Access { owner: "prj_1".to_owned(), origin: home.origin(), alone: false, credential };
        let header = access.basic_for(&url("https://github.com/o/other")).unwrap();
        assert_eq!(header, format!("Basic {}", STANDARD.encode("x-access-token:ghp_secret")));
        assert!(header.is_sensitive());
        for other in [
            "https://evil.test/o/r.git",
            "https://github.com:8443/o/r.git",
            "http://github.com/o/r.git",
            "https://github.com.evil.test/o/r.git",
            "git@github.com:o/r.git",
        ] {
            assert_eq!(access.basic_for(&url(other)), None, "{other}");
        }
        assert!(!format!("{access:?}").contains("secret"));
    }

    #[test]
    fn a_key_goes_to_its_own_server_only() {
        let home = url("git@github.com:o/r.git");
        let credential = Credential::Key(SshSeed([1; 32]));
        let access =
            Access { owner: "prj_1".to_owned(), origin: home.origin(), alone: false, credential };
        assert!(access.key_for(&url("ssh://git@github.com/o/other")).is_some());
        for other in
            ["git@evil.test:o/r.git", "ssh://git@github.com:2222/o/r", "https://github.com/o/r"]
        {
            assert!(access.key_for(&url(other)).is_none(), "{other}");
        }
        assert_eq!(access.basic_for(&home), None);
    }

    #[test]
    fn a_token_may_name_its_user() {
        for (text, host, user, password) in [
            ("me:pass:word", "git.test", "me", "pass:word"),
            ("token", "bitbucket.org", "x-token-auth", "token"),
            ("token", "gitlab.com", "oauth2", "token"),
        ] {
            let Credential::Basic { user: found, password: secret } = Credential::token(text, host)
            else {
                panic!("{text}")
            };
            assert_eq!((found.as_str(), secret.as_str()), (user, password));
        }
    }
}
