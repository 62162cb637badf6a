//! Host keys that are known: those the large forges publish, and those of the file `known_hosts` in the data
//! directory, in OpenSSH's form (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). A key that is not known is never accepted.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::digest::hmac_sha1;

const PUBLISHED: &str = include_str!("known_hosts.txt");
/// Largest file that is read.
const MOST_BYTES: u64 = 1024 * 1024;

/// The keys of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownKeys {
    /// Names of the algorithms, such as `ssh-ed25519`, with the keys in their wire form.
    keys: Vec<(String, Vec<u8>)>,
    revoked: Vec<Vec<u8>>,
}

/// What is known of a key that a server showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Known,
    /// Nothing is known of this server.
    Unknown,
    /// Another key is known.
    Changed,
    Revoked,
}

impl KnownKeys {
    /// What is known of a server. Keys of the operator's file take the place of published ones.
    pub fn of(file: Option<&Path>, host: &str, port: u16) -> std::io::Result<Self> {
        let text = match file {
            Some(path) => read(path)?,
            None => String::new(),
        };
        let own = Self::parse(&text, host, port);
        if !own.keys.is_empty() {
            return Ok(own);
        }
        Ok(Self { revoked: own.revoked, ..Self::parse(PUBLISHED, host, port) })
    }

    fn parse(text: &str, host: &str, port: u16) -> Self {
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let mut known = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace().peekable();
            let marker = words.next_if(|word| word.starts_with('@'));
            let (Some(hosts), Some(algorithm), Some(key)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if hosts.starts_with('#') || !matches(hosts, &name) {
                continue;
            }
            let Ok(key) = STANDARD.decode(key) else { continue };
            match marker {
                None => known.keys.push((algorithm.to_owned(), key)),
                Some("@revoked") => known.revoked.push(key),
                // Certificate authorities of hosts are not supported: their line says nothing about a plain key.
                Some(_) => {}
            }
        }
        known
    }

    /// Looks at a key in its wire form.
    pub fn judge(&self, key: &[u8]) -> Verdict {
        if self.revoked.iter().any(|revoked| revoked == key) {
            Verdict::Revoked
        } else if self.keys.iter().any(|(_, known)| known == key) {
            Verdict::Known
        } else if self.keys.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Changed
        }
    }

    /// Whether a key of this algorithm is known: the server is asked for that one.
    pub fn knows_algorithm(&self, name: &str) -> bool {
        self.keys.iter().any(|(algorithm, _)| algorithm == name)
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MOST_BYTES => {
            Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "known_hosts"))
        }
        Ok(_) => Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Whether a list of patterns is about this name; `!` before a pattern takes names out.
fn matches(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else { return false };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
            return false;
        };
        return hmac_sha1(&salt, name.as_bytes())[..] == hash[..];
    }
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if glob(not.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= glob(&pattern.to_ascii_lowercase().into_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            n = from + 1;
            star = Some((at, n));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::ssh_key::fingerprint_of;

    fn prints(host: &str, port: u16) -> Vec<String> {
        let known = KnownKeys::of(None, host, port).unwrap();
        known.keys.iter().map(|(_, key)| fingerprint_of(key)).collect()
    }

    #[test]
    fn the_keys_are_those_the_forges_publish() {
        for (host, first) in [
            ("github.com", "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"),
            ("gitlab.com", "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8"),
            ("bitbucket.org", "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM"),
            ("codeberg.org", "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g"),
        ] {
            let found = prints(host, 22);
            assert_eq!((found[0].as_str(), found.len()), (first, 2), "{host}");
            assert!(prints(host, 2222).is_empty());
        }
        assert_eq!(prints("ssh.github.com", 443), prints("github.com", 22));
        assert!(prints("evil-github.com", 22).is_empty());
        assert!(prints("github.com.evil.test", 22).is_empty());
    }

    #[test]
    fn the_operators_file_adds_replaces_and_revokes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known_hosts");
        let (a, b) = (STANDARD.encode("key a"), STANDARD.encode("key b"));
        // ssh-keygen -H of `hidden.test`.
        let salt = STANDARD.encode([7; 20]);
        let hidden = STANDARD.encode(hmac_sha1(&[7; 20], b"hidden.test"));
        let text = format!(
            "# a comment\n\nbroken line\n*.test,!not.test ssh-ed25519 {a} the comment\n\
             [git.example.com]:2222 ssh-rsa {b}\n|1|{salt}|{hidden} ssh-dss {b}\n\
             github.com ssh-ed25519 {a}\n@revoked * ssh-ed25519 {b}\n@cert-authority * ssh-rsa {a}\n\
             bad.test ssh-ed25519 !!!\n"
        );
        std::fs::write(&file, text).unwrap();
        let judge = |host: &str, port, key: &str| {
            KnownKeys::of(Some(&file), host, port).unwrap().judge(key.as_bytes())
        };
        assert_eq!(judge("git.test", 22, "key a"), Verdict::Known);
        assert_eq!(judge("git.test", 22, "key c"), Verdict::Changed);
        assert_eq!(judge("git.test", 22, "key b"), Verdict::Revoked);
        assert_eq!(judge("git.test", 2222, "key a"), Verdict::Unknown);
        assert_eq!(judge("not.test", 22, "key a"), Verdict::Unknown);
        assert_eq!(judge("git.example.com", 2222, "key c"), Verdict::Changed);
        assert_eq!(judge("git.example.com", 22, "key c"), Verdict::Unknown);
        assert_eq!(judge("github.com", 22, "key a"), Verdict::Known);
        let known = KnownKeys::of(Some(&file), "hidden.test", 22).unwrap();
        assert!(known.knows_algorithm("ssh-dss"));
        let none = KnownKeys::of(Some(&directory.path().join("none")), "a.b", 22).unwrap();
        assert_eq!(none, KnownKeys::default());
        std::fs::write(&file, vec![b'x'; 2 << 20]).unwrap();
        assert!(KnownKeys::of(Some(&file), "git.test", 22).is_err());
    }
}
