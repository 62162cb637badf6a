//! Addresses of Git repositories that people send, and what is refused before anything is contacted.

use std::fmt;

use url::{Host, Url};

/// Longest address that is accepted, in bytes.
pub const MAX_LENGTH: usize = 2048;

/// What may be accepted. The decision about hosts is handed in, because it needs the operator's allow list.
pub struct GitUrlRules<'a> {
    /// Whether plain `http:` is accepted.
    pub allow_http: bool,
    /// Whether this host (a lower-case name, or an IP literal in its normal spelling) and port may be reached.
    pub host_allowed: &'a dyn Fn(&str, u16) -> bool,
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
    url: Url,
    /// Canonical text: lower-case host, no trailing slash, no credentials.
    text: String,
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
            return Err(without_scheme(text, scheme, rest));
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
            "ssh" | "git+ssh" | "ssh+git" => return Err(ssh(rest.trim_start_matches('/'), '/')),
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
            return Err(GitUrlError::new(
                "url_not_allowed",
                "This address may not be reached from this server.",
            ));
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    /// Name or IP literal (without brackets) of the server.
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
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
        for c in format!("{}{}", self.host(), self.url.path()).chars() {
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

/// Texts of another shape than `scheme://…`: remote helpers, scp-like addresses, local paths.
fn without_scheme(text: &str, scheme: &str, rest: &str) -> GitUrlError {
    if rest.starts_with(':') {
        return GitUrlError::new(
            "unsafe",
            "Remote helpers (`name::address`) are not accepted. Use an address that starts with `https://`.",
        );
    }
    let lower = scheme.to_ascii_lowercase();
    if ["file", "git", "ext", "javascript", "data"].contains(&lower.as_str()) {
        return GitUrlError::new(
            "unsafe",
            format!(
                "`{lower}:` addresses are not accepted. Use an address that starts with `https://`."
            ),
        );
    }
    if scheme.starts_with(['/', '.', '~']) || scheme.len() == 1 && rest.starts_with('/') {
        return not_a_url(text);
    }
    if ["http", "https", "ssh"].contains(&lower.as_str()) {
        return GitUrlError::new("format", "This is not a valid Git URL.");
    }
    ssh(text, ':')
}

fn not_a_url(text: &str) -> GitUrlError {
    if text.starts_with(['/', '.', '~']) || text.contains(":/") {
        return GitUrlError::new(
            "unsafe",
            "Paths on the server are not accepted. Use an address that starts with `https://`.",
        );
    }
    GitUrlError::new("format", "A Git URL starts with `https://`.")
}

/// The answer to an SSH address (`user@host` and the path, after `separator`).
fn ssh(text: &str, separator: char) -> GitUrlError {
    let (authority, path) = text.split_once(separator).unwrap_or((text, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    if user.contains(':') {
        return GitUrlError::new(
            "unsafe",
            "The URL contains a password. Remove it: it would be stored and shown in logs.",
        );
    }
    if host.starts_with('-') || user.starts_with('-') || path.starts_with('-') {
        return GitUrlError::new("unsafe", "No part of a Git URL can start with `-`.");
    }
    if host.is_empty() || path.is_empty() {
        return GitUrlError::new("format", "A Git URL starts with `https://`.");
    }
    let host = host.split(':').next().unwrap_or(host);
    GitUrlError::new(
        "url_not_allowed",
        format!(
            "SSH addresses are not supported yet. Use the HTTPS address of the repository, such as `https://{host}/{}`.",
            path.trim_start_matches('/')
        ),
    )
}

fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, allow_http: bool) -> &'static str {
        let rules = GitUrlRules {
            allow_http,
            host_allowed: &|host, _| {
                host.contains('.') && host.parse::<std::net::IpAddr>().is_err()
            },
        };
        match GitUrl::parse(text, &rules) {
            Ok(_) => "ok",
            Err(error) => error.code,
        }
    }

    fn parsed(text: &str) -> GitUrl {
        let rules = GitUrlRules { allow_http: true, host_allowed: &|_, _| true };
        GitUrl::parse(text, &rules).unwrap()
    }

    #[test]
    fn each_shape_gets_its_code() {
        for (text, expected) in [
            ("https://github.com/user/repo.git", "ok"),
            ("https://GitHub.com/user/repo/", "ok"),
            ("HTTPS://github.com/user/repo", "ok"),
            ("https://org@dev.azure.com/org/project/_git/repo", "ok"),
            ("http://github.com/user/repo.git", "url_not_allowed"),
            ("", "format"),
            ("not-a-url", "format"),
            ("github.com/user/repo", "format"),
            ("https:github.com/user/repo", "format"),
            ("https://", "format"),
            ("https://github.com", "format"),
            ("https://github.com/", "format"),
            ("https://github.com/a?b=c", "format"),
            ("https://github.com/a#b", "format"),
            ("https://git hub.com/a", "format"),
            ("https://github.com/a\nb", "format"),
            ("https://github.com\\@evil.test/a", "format"),
            ("https://user:secret@github.com/a/b", "unsafe"),
            ("https://:secret@github.com/a/b", "unsafe"),
            ("https://ghp_abcdef@github.com/a/b", "unsafe"),
            ("https://github.com/a%00b", "unsafe"),
            ("https://github.com/%2e%2e%2fb", "unsafe"),
            ("--upload-pack=touch PWNED", "unsafe"),
            ("--upload-pack=id", "unsafe"),
            ("-u touch", "unsafe"),
            ("-oProxyCommand=touch", "unsafe"),
            ("--config=core.sshCommand=id", "unsafe"),
            ("ssh://-oProxyCommand=touch%20PWNED/x", "unsafe"),
            ("git@-oProxyCommand=id:x", "unsafe"),
            ("git@host.test:-x", "unsafe"),
            ("ssh://a b/x", "format"),
            ("file:///etc/passwd", "unsafe"),
            ("FILE:///etc/passwd", "unsafe"),
            ("file:/etc/passwd", "unsafe"),
            ("/etc/passwd", "unsafe"),
            ("../other", "unsafe"),
            ("~/x", "unsafe"),
            ("C:/x", "unsafe"),
            ("ext::sh -c id", "format"),
            ("ext::sh", "unsafe"),
            ("fd::17", "unsafe"),
            ("git://h.test/x", "unsafe"),
            ("ftp://h.test/x", "url_not_allowed"),
            ("rsync://h.test/x", "url_not_allowed"),
            ("javascript:x", "unsafe"),
            ("data:,x", "unsafe"),
            ("git@github.com:o/r.git", "url_not_allowed"),
            ("h:x", "url_not_allowed"),
            ("ssh://git@h.test/x", "url_not_allowed"),
            ("ssh://git:pw@h.test/x", "unsafe"),
            ("https://localhost/x", "url_not_allowed"),
        ] {
            assert_eq!(code(text, false), expected, "{text}");
        }
        assert_eq!(code(&format!("https://a.test/{}", "x".repeat(2048)), false), "too_long");
        assert_eq!(code("http://github.com/user/repo.git", true), "ok");
    }

    #[test]
    fn every_spelling_of_an_address_reaches_the_rule_in_its_normal_form() {
        for (text, expected) in [
            ("https://127.1/x", "127.0.0.1"),
            ("https://0177.0.0.1/x", "127.0.0.1"),
            ("https://0x7f000001/x", "127.0.0.1"),
            ("https://2130706433/x", "127.0.0.1"),
            ("https://①②⑦.0.0.1/x", "127.0.0.1"),
            ("https://[::ffff:7f00:1]/x", "::ffff:127.0.0.1"),
            ("https://LOCALHOST./x", "localhost."),
            ("https://GitHub.com/x", "github.com"),
        ] {
            assert_eq!(parsed(text).host(), expected, "{text}");
        }
    }

    #[test]
    fn an_ssh_address_is_answered_with_the_https_one() {
        let rules = GitUrlRules { allow_http: false, host_allowed: &|_, _| true };
        for text in [
            "git@github.com:o/r.git",
            "ssh://git@github.com/o/r.git",
            "ssh://git@github.com:22/o/r.git",
        ] {
            let error = GitUrl::parse(text, &rules).unwrap_err();
            assert!(error.message.contains("`https://github.com/o/r.git`"), "{}", error.message);
        }
    }

    #[test]
    fn the_canonical_text_has_no_user_and_the_key_is_a_file_name() {
        let url = parsed("https://org@Dev.Azure.com/org/My%20Repo/");
        assert_eq!(url.as_str(), "https://dev.azure.com/org/My%20Repo");
        let key = url.mirror_key();
        assert!(key.starts_with("dev-azure-com-org-my-20repo-"), "{key}");
        assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        assert_eq!(key, parsed("https://dev.azure.com/org/My%20Repo").mirror_key());
        assert_ne!(key, parsed("https://dev.azure.com/org/My%20Repo2").mirror_key());
    }
}
