//! API keys: their format and what is kept of them.

use super::ids::{KeyId, ProjectId, UserId};
use super::key_limits::Limits;
use super::scope::Scopes;
use super::timestamp::Timestamp;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Who a key is for; the first part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    User,
    Project,
    CliSession,
    Hook,
}

impl KeyKind {
    /// The word a key of this kind starts with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "orbu",
            Self::Project => "orbp",
            Self::CliSession => "orbc",
            Self::Hook => "orbh",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Project, Self::CliSession, Self::Hook]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Six base62 digits of the CRC-32 (ISO-HDLC) of everything before the checksum.
fn checksum(text: &str) -> [u8; 6] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// Makes a key of 30 random base62 characters. `random` must hold values below 62.
pub fn format_key(kind: KeyKind, random: [u8; 30]) -> String {
    let mut key = format!("{}_", kind.as_str());
    key.extend(random.iter().map(|value| char::from(BASE62[usize::from(*value % 62)])));
    let sum = checksum(&key);
    key.extend(sum.iter().map(|byte| char::from(*byte)));
    key
}

/// The kind of a well-formed key with the right checksum; anything else is refused before any look-up.
pub fn parse_key(text: &str) -> Option<KeyKind> {
    let kind = KeyKind::parse(text.get(..4)?)?;
    let body = text.get(4..)?.strip_prefix('_')?;
    if body.len() != 36 || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    (checksum(text.get(..35)?) == text.as_bytes()[35..]).then_some(kind)
}

/// A key as it is stored: never the key itself.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: KeyId,
    pub user_id: UserId,
    pub kind: KeyKind,
    pub name: String,
    /// First nine characters of the key.
    pub prefix: String,
    /// Last four characters of the key.
    pub last4: String,
    pub scopes: Scopes,
    /// Networks it may be used from; empty is anywhere.
    pub allowed_ips: Vec<String>,
    /// Projects it is limited to; empty is all.
    pub project_ids: Vec<ProjectId>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_ip: Option<String>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub revision: i64,
}

impl ApiKey {
    /// `active`, `expired` or `revoked`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        if self.revoked_at.is_some() {
            "revoked"
        } else if self.expires_at.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "active"
        }
    }

    /// The project of a project token.
    pub fn project(&self) -> Option<&ProjectId> {
        self.project_ids.first().filter(|_| self.kind == KeyKind::Project)
    }

    /// Everything that limits it.
    pub fn limits(&self) -> Limits {
        Limits {
            scopes: self.scopes.clone(),
            allowed_ips: self.allowed_ips.clone(),
            project_ids: self.project_ids.clone(),
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors() {
        let random: Vec<u8> = (0..20).chain(36..46).collect();
        let random: [u8; 30] = random.try_into().expect("thirty");
        assert_eq!(format_key(KeyKind::User, random), "orbu_0123456789ABCDEFGHIJabcdefghij1JixfD");
        assert_eq!(
            format_key(KeyKind::Project, random),
            "orbp_0123456789ABCDEFGHIJabcdefghij3ehYFb"
        );
    }

    #[test]
    fn a_wrong_character_is_noticed() {
        assert_eq!(parse_key("orbu_0123456789ABCDEFGHIJabcdefghij1JixfD"), Some(KeyKind::User));
        for bad in [
            "",
            "orbu",
            "orbu_0123456789ABCDEFGHIJabcdefghij1JixfE",
            "orbu_1123456789ABCDEFGHIJabcdefghij1JixfD",
            "orbx_0123456789ABCDEFGHIJabcdefghij1JixfD",
            "orbu_0123456789ABCDEFGHIJabcdefghij1Jixf",
            "orbu_0123456789ABCDEFGHIJabcdefghi\u{e9}1JixfD",
        ] {
            assert_eq!(parse_key(bad), None, "{bad}");
        }
    }
}
