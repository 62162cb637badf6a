//! Addresses of repositories that are asked over SSH: `ssh://user@host:port/path` and `user@host:path`.

use std::fmt;

use url::Host;

use super::GitUrlError;

/// The usual port.
const PORT: u16 = 22;

/// Whom to ask over SSH, where and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SshAddress {
    /// `git` when the address names nobody.
    pub user: String,
    /// A lower-case name, or an IP literal without brackets.
    pub host: String,
    pub port: u16,
    /// The path as the server's program takes it: from the root with `/`, from the user's directory without. Holds
    /// no quote, blank, control character or `..` and does not start with `-`.
    pub path: String,
    /// Whether it was written `user@host:path`.
    short: bool,
}

impl SshAddress {
    /// Reads what follows `ssh://`.
    pub(super) fn parse_url(rest: &str) -> Result<Self, GitUrlError> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = user_of(authority)?;
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or_else(not_valid)?;
                (
                    host,
                    rest.strip_prefix(':')
                        .map_or_else(|| rest.is_empty().then_some(None), |port| Some(Some(port))),
                )
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(Some(port))),
                None => (place, Some(None)),
            },
        };
        let port = match port.ok_or_else(not_valid)? {
            None | Some("") => PORT,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or_else(not_valid)?
            }
            Some(_) => return Err(not_valid()),
        };
        let path = path.trim_matches('/');
        // A server that decodes escapes would be asked for something else than what was checked.
        if path.contains('%') {
            return Err(unsafe_path());
        }
        // `~user` is the user's directory only where no `/` is before it.
        let whole = if path.starts_with('~') { path.to_owned() } else { format!("/{path}") };
        Self::checked(user, host, port, path, whole, false)
    }

    /// Reads `user@host:path`.
    pub(super) fn parse_scp(text: &str) -> Result<Self, GitUrlError> {
        let (authority, path) = text.split_once(':').ok_or_else(not_valid)?;
        let (user, host) = user_of(authority)?;
        let whole = path.trim_end_matches('/');
        Self::checked(user, host, PORT, whole.trim_start_matches('/'), whole.to_owned(), true)
    }

    fn checked(
        user: &str,
        host: &str,
        port: u16,
        path: &str,
        whole: String,
        short: bool,
    ) -> Result<Self, GitUrlError> {
        if [user, host, path].iter().any(|part| part.starts_with('-')) {
            return Err(GitUrlError::new("unsafe", "No part of a Git URL can start with `-`."));
        }
        if host.is_empty() {
            return Err(not_valid());
        }
        if path.is_empty() {
            return Err(GitUrlError::new("format", "The URL names a server but no repository."));
        }
        let fits = |c: char| c.is_alphanumeric() || "._~/+-@:,=%".contains(c);
        if !path.chars().all(fits) || path.split('/').any(|part| matches!(part, "." | ".." | "")) {
            return Err(unsafe_path());
        }
        let first = user.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !first
            || user.len() > 64
            || !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            return Err(not_valid());
        }
        // The same reading as of an HTTP address, so that every spelling of an IP address meets the rules.
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let host = match Host::parse(&bracketed).map_err(|_| not_valid())? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self { user: user.to_owned(), host, port, path: whole, short })
    }

    /// The path as it stands at the end of the canonical text.
    pub(super) fn shown_path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, path, short } = self;
        if *short {
            return write!(f, "{user}@{host}:{path}");
        }
        write!(f, "ssh://{user}@")?;
        if host.contains(':') { write!(f, "[{host}]") } else { write!(f, "{host}") }?;
        if *port != PORT {
            write!(f, ":{port}")?;
        }
        write!(f, "{}{path}", if path.starts_with('/') { "" } else { "/" })
    }
}

/// User and place of what stands before the path.
fn user_of(authority: &str) -> Result<(&str, &str), GitUrlError> {
    let Some((user, place)) = authority.rsplit_once('@') else {
        return Ok(("git", authority));
    };
    if user.contains(':') {
        return Err(GitUrlError::new(
            "unsafe",
            "The URL contains a password. Remove it: it would be stored and shown in logs.",
        ));
    }
    Ok((user, place))
}

fn not_valid() -> GitUrlError {
    GitUrlError::new("format", "This is not a valid Git URL.")
}

fn unsafe_path() -> GitUrlError {
    GitUrlError::new(
        "unsafe",
        "The path of this Git URL contains a character that is not accepted.",
    )
}
