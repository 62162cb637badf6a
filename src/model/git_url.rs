//! Addresses of Git repositories that people send, and what is refused before anything is contacted.

mod ssh;
#[cfg(test)]
mod tests;

use std::fmt;

pub use ssh::SshAddress;
use url::{Host, Url};

use super::ids::ProjectId;

/// Longest address that is accepted, in bytes.
pub const MAX_LENGTH: usize = 2048;

/// What may be accepted. The decision about hosts is handed in, because it needs the operator's allow list.
pub struct GitUrlRules<'a> {
    /// Whether plain `http:` is accepted.
    pub allow_http: bool,
    /// Whether this host (a lower-case name, or an IP literal in its normal spelling) and port may be reached over HTTP.
    pub host_allowed: &'a dyn Fn(&str, u16) -> bool,
    /// The same over SSH.
    pub ssh_allowed: &'a dyn Fn(&str, u16) -> bool,
}

/// Why an address was refused. `code` is one of the API's field codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GitUrlError {
    /// `format`, `too_long`, `unsafe` or `url_not_allowed`.
    pub code: &'static str,
    /// A sentence for the person who sent the address.
    pub message: String,
}

impl GitUrlError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A repository's address that passed every check that needs no network.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GitUrl {
    place: Place,
    /// Canonical text: lower-case host, no trailing slash, no credentials.
    text: String,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Http(Url),
    Ssh(SshAddress),
    /// Here: what was pushed to this project.
    Pushed(ProjectId),
}

/// How the address of a pushed repository begins where it is stored. No address that somebody sends is read as one.
const PUSHED: &str = "pushed://";

/// What is stored as the address of the repository that was pushed to a project.
pub fn pushed_to(project: &ProjectId) -> String {
    format!("{PUSHED}{project}")
}

/// The project whose pushed repository a stored address is; `None` for every other address.
pub fn pushed_project(stored: &str) -> Option<ProjectId> {
    ProjectId::parse(stored.strip_prefix(PUSHED)?)
}

impl GitUrl {
    /// Reads an address. The checks are syntactic; names are resolved and their addresses checked at each connection.
    pub fn parse(text: &str, rules: &GitUrlRules<'_>) -> Result<Self, GitUrlError> {
        if text.is_empty() {
            return Err(GitUrlError::new("format", "A Git URL is needed."));
        }
        if text.len() > MAX_LENGTH {
            return Err(GitUrlError::new(
                "too_long",
                format!("A Git URL has at most {MAX_LENGTH} characters."),
            ));
        }
        if text.starts_with('-') {
            return Err(GitUrlError::new("unsafe", "A Git URL cannot start with `-`."));
        }
        // `Url` silently drops tabs and line breaks and turns `\` into `/`; what is checked must be what is used.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(GitUrlError::new(
                "format",
                "A Git URL has no blanks, control characters or backslashes.",
            ));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(not_a_url(text));
        };
        if !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            || scheme.contains('.')
            || !rest.starts_with("//")
        {
            return match without_scheme(text, scheme, rest) {
                Some(error) => Err(error),
                None => Self::at_ssh(SshAddress::parse_scp(text)?, rules),
            };
        }
        match scheme.to_ascii_lowercase().as_str() {
            "https" => {}
            "http" if rules.allow_http => {}
            "http" => {
                return Err(GitUrlError::new(
                    "url_not_allowed",
                    "Plain http is not allowed here. Use an address that starts with `https://`.",
                ));
            }
            "ssh" | "git+ssh" | "ssh+git" => {
                return Self::at_ssh(SshAddress::parse_url(&rest[2..])?, rules);
            }
            "file" | "git" | "javascript" | "data" | "ext" => {
                return Err(GitUrlError::new(
                    "unsafe",
                    format!(
                        "`{scheme}:` addresses are not accepted. Use an address that starts with `https://`."
                    ),
                ));
            }
            _ => {
                return Err(GitUrlError::new(
                    "url_not_allowed",
                    "Use an address that starts with `https://`.",
                ));
            }
        }
        Self::parse_http(text, rules)
    }

    fn parse_http(text: &str, rules: &GitUrlRules<'_>) -> Result<Self, GitUrlError> {
        let mut url = Url::parse(text)
            .map_err(|_| GitUrlError::new("format", "This is not a valid Git URL."))?;
        if url.password().is_some() || looks_like_token(url.username()) {
            return Err(GitUrlError::new(
                "unsafe",
                "The URL contains a password or token. Remove it: it would be stored and shown in logs.",
            ));
        }
        // A bare user name (`https://org@dev.azure.com/…`) says nothing without a password.
        if !url.username().is_empty() && url.set_username("").is_err() {
            return Err(GitUrlError::new("format", "This is not a valid Git URL."));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(GitUrlError::new("format", "A Git URL has no `?` and no `#` part."));
        }
        let path = url.path().to_ascii_lowercase();
        if ["%00", "%0a", "%0d", "%2e%2e", "%2f", "%5c"].iter().any(|escape| path.contains(escape))
        {
            return Err(GitUrlError::new(
                "unsafe",
                "The path of this Git URL contains an escape that is not accepted.",
            ));
        }
        if path.trim_matches('/').is_empty() {
            return Err(GitUrlError::new("format", "The URL names a server but no repository."));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => {
                return Err(GitUrlError::new("format", "The URL names no server."));
            }
        };
        if !(rules.host_allowed)(&host, port) {
            return Err(not_reachable());
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { place: Place::Http(url), text })
    }

    fn at_ssh(address: SshAddress, rules: &GitUrlRules<'_>) -> Result<Self, GitUrlError> {
        if !(rules.ssh_allowed)(&address.host, address.port) {
            return Err(not_reachable());
        }
        let text = address.to_string();
        Ok(Self { place: Place::Ssh(address), text })
    }

    /// The repository that was pushed to a project.
    pub fn pushed(project: &ProjectId) -> Self {
        Self { place: Place::Pushed(project.clone()), text: pushed_to(project) }
    }

    /// The project whose pushed repository it is; `None` for one on another server.
    pub fn pushed_to(&self) -> Option<&ProjectId> {
        match &self.place {
            Place::Pushed(project) => Some(project),
            Place::Http(_) | Place::Ssh(_) => None,
        }
    }

    /// Name or IP literal (without brackets) of the server; empty for a pushed repository.
    pub fn host(&self) -> String {
        match &self.place {
            Place::Http(url) => match url.host() {
                Some(Host::Domain(name)) => name.to_owned(),
                Some(Host::Ipv4(address)) => address.to_string(),
                Some(Host::Ipv6(address)) => address.to_string(),
                None => String::new(),
            },
            Place::Ssh(address) => address.host.clone(),
            Place::Pushed(_) => String::new(),
        }
    }

    /// Whom and where to ask over SSH; `None` for an address that is asked over HTTP.
    pub fn ssh(&self) -> Option<&SshAddress> {
        match &self.place {
            Place::Ssh(address) => Some(address),
            Place::Http(_) | Place::Pushed(_) => None,
        }
    }

    /// Scheme, host and port: the server a credential is for.
    pub fn origin(&self) -> String {
        match &self.place {
            Place::Http(url) => {
                let port = url.port_or_known_default().unwrap_or(0);
                format!("{}://{}:{port}", url.scheme(), self.host())
            }
            Place::Ssh(address) => format!("ssh://{}:{}", address.host, address.port),
            Place::Pushed(_) => self.text.clone(),
        }
    }

    /// The address a relative one (`../other.git`) of a submodule stands for, still to be parsed. `None` when it
    /// leads out of the server's paths.
    pub fn relative(&self, relative: &str) -> Option<String> {
        // What stands before the path is of the server and stays.
        let (server, path) = match &self.place {
            Place::Http(url) => {
                self.text.split_at(self.text.len() - url.path().trim_end_matches('/').len())
            }
            Place::Ssh(address) => self.text.split_at(self.text.len() - address.shown_path().len()),
            // It has no neighbours.
            Place::Pushed(_) => return None,
        };
        let rooted = path.starts_with('/');
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for part in relative.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                parts.pop()?;
            } else {
                parts.push(part);
            }
        }
        if parts.is_empty() {
            return None;
        }
        Some(format!("{server}{}{}", if rooted { "/" } else { "" }, parts.join("/")))
    }

    /// The canonical address. It carries no credentials, so it can be shown and stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A name for this repository's directory: readable, safe in a file system, the same for the same address.
    ///
    /// The hash is not a cryptographic one; whoever opens the directory compares the address kept inside.
    pub fn mirror_key(&self) -> String {
        let mut readable = String::new();
        let path = match &self.place {
            Place::Http(url) => url.path(),
            Place::Ssh(address) => address.shown_path(),
            Place::Pushed(project) => project.as_str(),
        };
        for c in format!("{}/{path}", self.host()).chars() {
            if readable.len() >= 60 {
                break;
            }
            if c.is_ascii_alphanumeric() {
                readable.push(c.to_ascii_lowercase());
            } else if !readable.ends_with('-') && !readable.is_empty() {
                readable.push('-');
            }
        }
        format!("{}-{:032x}", readable.trim_end_matches('-'), fnv1a_128(self.text.as_bytes()))
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitUrl({})", self.text)
    }
}

/// Tokens of the large forges, put where the user name stands.
fn looks_like_token(user: &str) -> bool {
    ["ghp_", "gho_", "ghu_", "ghs_", "github_pat_", "glpat-", "gldt-", "x-access-token", "oauth2"]
        .iter()
        .any(|prefix| user.starts_with(prefix))
        || user.len() > 64
}

/// What is wrong with a text of another shape than `scheme://…`: remote helpers, local paths. `None` for one that may
/// be a scp-like address.
fn without_scheme(text: &str, scheme: &str, rest: &str) -> Option<GitUrlError> {
    if rest.starts_with(':') {
        return Some(GitUrlError::new(
            "unsafe",
            "Remote helpers (`name::address`) are not accepted. Use an address that starts with `https://`.",
        ));
    }
    let lower = scheme.to_ascii_lowercase();
    if ["file", "git", "ext", "javascript", "data"].contains(&lower.as_str()) {
        return Some(GitUrlError::new(
            "unsafe",
            format!(
                "`{lower}:` addresses are not accepted. Use an address that starts with `https://`."
            ),
        ));
    }
    if scheme.starts_with(['/', '.', '~']) || scheme.len() == 1 && rest.starts_with('/') {
        return Some(not_a_url(text));
    }
    if ["http", "https", "ssh"].contains(&lower.as_str()) {
        return Some(GitUrlError::new("format", "This is not a valid Git URL."));
    }
    None
}

fn not_a_url(text: &str) -> GitUrlError {
    if text.starts_with(['/', '.', '~']) || text.contains(":/") {
        return GitUrlError::new(
            "unsafe",
            "Paths on the server are not accepted. Use an address that starts with `https://`.",
        );
    }
    GitUrlError::new(
        "format",
        "A Git URL starts with `https://`, or is one such as `git@host:path`.",
    )
}

fn not_reachable() -> GitUrlError {
    GitUrlError::new("url_not_allowed", "This address may not be reached from this server.")
}

fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}
