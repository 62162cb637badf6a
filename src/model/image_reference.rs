//! References to images, such as `registry.example.com/team/app:1.2`, in the grammar of the OCI distribution.

use std::fmt;

/// Longest reference that is accepted, in bytes.
pub const LONGEST: usize = 512;
/// Longest name of a repository with its registry, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 128;
/// The registry of names without one.
pub const HUB: &str = "docker.io";
/// Where the hub's images really are.
const HUB_SERVER: &str = "registry-1.docker.io";

/// A reference in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageReference {
    /// Reads a reference. Without a registry it is the hub's, without tag and digest it is `latest`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if !digest.is_none_or(is_digest) {
            return None;
        }
        // A colon before the last slash belongs to the registry's port.
        let at = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[at..].find(':') {
            Some(colon) => (&rest[..at + colon], Some(&rest[at + colon + 1..])),
            None => (rest, None),
        };
        if !tag.is_none_or(is_tag) {
            return None;
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (registry_host(first)?, rest.to_owned())
            }
            _ => (HUB.to_owned(), name.to_owned()),
        };
        let repository = if registry == HUB && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        let fits = registry.len() + 1 + repository.len() <= LONGEST_NAME;
        if !fits || !repository.split('/').all(is_component) {
            return None;
        }
        let tag = tag.map(str::to_owned);
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Some(Self { registry, repository, tag, digest: digest.map(str::to_owned) })
    }

    /// The registry with its port, as credentials name it.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The server to connect to and its port.
    pub fn server(&self) -> (&str, u16) {
        server_of(&self.registry)
    }

    /// The digest it names.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The same image by this digest and no tag.
    pub fn pinned(&self, digest: &str) -> Option<Self> {
        is_digest(digest).then(|| Self {
            tag: None,
            digest: Some(digest.to_owned()),
            ..self.clone()
        })
    }

    /// The repository with its registry.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// A registry in its normal form: lower case, without the port of HTTPS, one name for the hub.
pub fn registry_host(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text.as_str(), None),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return None;
    }
    let port = match port {
        None => None,
        Some(port) => {
            let digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
            let port: u16 = port.parse().ok().filter(|_| digits)?;
            (port != 443).then_some(port)
        }
    };
    Some(match (host, port) {
        ("docker.io" | "index.docker.io" | "registry.hub.docker.com" | HUB_SERVER, None) => {
            HUB.to_owned()
        }
        (host, None) => host.to_owned(),
        (host, Some(port)) => format!("{host}:{port}"),
    })
}

/// The server behind a registry in its normal form, and its port.
pub fn server_of(registry: &str) -> (&str, u16) {
    match registry.split_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(443)),
        None if registry == HUB => (HUB_SERVER, 443),
        None => (registry, 443),
    }
}

/// `sha256:` and 64 lower-case hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn is_tag(text: &str) -> bool {
    (1..=LONGEST_TAG).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// Lower-case letters and digits with `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    let between = text.split(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase());
    plain(first)
        && plain(last)
        && between
            .filter(|part| !part.is_empty())
            .all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references_have_one_normal_form() {
        for (text, normal) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27-alpine", "docker.io/library/nginx:1.27-alpine"),
            ("grafana/grafana", "docker.io/grafana/grafana:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
            ("ghcr.io/acme/web__app/x--y:V1.0_a", "ghcr.io/acme/web__app/x--y:V1.0_a"),
            ("GHCR.io:443/acme/web", "ghcr.io/acme/web:latest"),
            ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/a/b:x", "localhost:5000/a/b:x"),
        ] {
            assert_eq!(ImageReference::parse(text).expect(text).to_string(), normal, "{text}");
        }
        let pinned = ImageReference::parse(&format!("ghcr.io/a/b:1@{DIGEST}")).expect("both");
        assert_eq!(pinned.to_string(), format!("ghcr.io/a/b:1@{DIGEST}"));
        let tagged = ImageReference::parse("a/b:1").expect("a tag");
        assert_eq!(
            tagged.pinned(DIGEST).expect("ok").to_string(),
            format!("docker.io/a/b@{DIGEST}")
        );
        assert_eq!(tagged.pinned("sha256:zz"), None);
        assert_eq!(tagged.server(), ("registry-1.docker.io", 443));
        let local = ImageReference::parse("127.0.0.1:5000/app").expect("an address");
        assert_eq!((local.server(), local.registry()), (("127.0.0.1", 5000), "127.0.0.1:5000"));
    }

    #[test]
    fn hostile_references_are_none() {
        for text in [
            "",
            "$(id)",
            "alpine;id",
            "-v /:/h alpine",
            "--help",
            "ALPINE",
            "a/../b",
            "../b",
            "a//b",
            "/a",
            "a/",
            "alpine@sha256:zz",
            "alpine@",
            "alpine:",
            "alpine:latest:latest",
            "http://x/y",
            "https://ghcr.io/a/b",
            "a.b:0/c",
            "a.b:99999/c",
            "a.b:080/c",
            "a.b:/c",
            "-a.b/c",
            "a..b/c",
            "user@a.b/c",
            "user:password@a.b/c",
            "[::1]:5000/a",
            "a b",
            "a\nb",
            "a\0b",
            "a._b",
            "a___b",
            "-a",
            "a-",
            "a:-b",
            "a:.b",
            "é",
            "a/é",
            "a?x=1",
            "a#b",
            "a%2fb",
            "a\\b",
            "md5:abc@sha256:abc",
        ] {
            assert_eq!(ImageReference::parse(text), None, "{text:?}");
        }
        for long in ["a".repeat(300), format!("a:{}", "b".repeat(129)), "a/".repeat(400) + "a"] {
            assert_eq!(ImageReference::parse(&long), None, "{} bytes", long.len());
        }
        let upper = DIGEST.to_uppercase();
        assert_eq!(ImageReference::parse(&format!("a@{upper}")), None);
    }
}
