//! What goes into a pull of an image and what comes out of it.

use std::fmt;
use std::time::Duration;

use super::EngineError;

/// Who somebody is at a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
}

/// An image to look for in its registry.
#[derive(Clone, Debug)]
pub struct ImageSource {
    /// In its normal form: registry, repository and tag or digest.
    pub reference: String,
    /// The registry the credentials are for.
    pub registry: String,
    pub credentials: Option<Credentials>,
}

/// A pull to run.
#[derive(Clone, Debug)]
pub struct PullSpec {
    /// With a digest: what is pulled cannot change on the way.
    pub source: ImageSource,
    /// A name of Orbitra's own that the image gets, such as `orbitra/my-app:dep_…`.
    pub tag: String,
    /// Most bytes of all layers as they are sent.
    pub limit_bytes: u64,
    /// The whole pull's deadline.
    pub timeout: Duration,
}

/// A pull ended without an image.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PullError {
    /// The registry does not have it.
    #[error("{0}")]
    NotFound(String),
    /// The registry refuses these credentials, or wants some.
    #[error("{0}")]
    AuthFailed(String),
    #[error("the image is larger than {0} bytes")]
    TooLarge(u64),
    /// The deadline passed.
    #[error("the pull took longer than {0} seconds")]
    TimedOut(u64),
    /// Somebody canceled it.
    #[error("the pull was canceled")]
    Canceled,
    /// No space is left on the device.
    #[error("no space is left on the disk")]
    DiskFull,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl PullError {
    /// What the engine's words mean. It hands on the registry's, which come without codes.
    pub fn classify(error: EngineError) -> Self {
        let (EngineError::Refused(text) | EngineError::NotFound(text)) = &error else {
            return Self::Engine(error);
        };
        let lower = text.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if says(&[
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "access denied",
            "access to the resource is denied",
            "incorrect username or password",
        ]) {
            Self::AuthFailed(text.clone())
        } else if says(&["no space left"]) {
            Self::DiskFull
        } else if says(&["manifest unknown", "name unknown", "not found", "no matching manifest"]) {
            Self::NotFound(text.clone())
        } else {
            Self::Engine(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_are_told_apart() {
        let kind = |text: &str| match PullError::classify(EngineError::Refused(text.to_owned())) {
            PullError::AuthFailed(_) => "auth",
            PullError::NotFound(_) => "missing",
            PullError::DiskFull => "disk",
            PullError::Engine(_) => "engine",
            other => panic!("{other:?}"),
        };
        for (text, wanted) in [
            ("Get https://r/v2/: unauthorized: authentication required", "auth"),
            ("Head \"http://r/v2/a/manifests/x\": no basic auth credentials", "auth"),
            (
                "pull access denied for a, repository does not exist or may require 'docker login'",
                "auth",
            ),
            ("denied: requested access to the resource is denied", "auth"),
            ("manifest for r/a:x not found: manifest unknown: manifest unknown", "missing"),
            ("manifest unknown: manifest unknown", "missing"),
            ("no matching manifest for linux/amd64 in the manifest list entries", "missing"),
            ("write /var/lib/docker/tmp/x: no space left on device", "disk"),
            ("dial tcp: lookup r: no such host", "engine"),
            ("http: server gave HTTP response to HTTPS client", "engine"),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
        let down = PullError::classify(EngineError::TimedOut("answer"));
        assert!(matches!(down, PullError::Engine(EngineError::TimedOut(_))));
        let shown = format!("{:?}", Credentials { username: "u".into(), password: "pw".into() });
        assert!(shown.contains('u') && !shown.contains("pw"), "{shown}");
    }
}
