//! Accounts.

use serde::{Deserialize, Serialize};

use super::ids::{TeamId, UserId};
use super::timestamp::Timestamp;

/// What an account may use per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    Free,
    Professional,
    Enterprise,
}

impl Plan {
    /// Every plan, the smallest first.
    pub const ALL: [Self; 3] = [Self::Free, Self::Professional, Self::Enterprise];

    /// The plan's id.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
        }
    }

    /// Reads a plan's id.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == text)
    }
}

/// A person with an account.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub company: Option<String>,
    pub plan: Plan,
    pub instance_admin: bool,
    pub suspended: bool,
    /// The account's personal team.
    pub team_id: TeamId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts changes; the revision part of an ETag.
    pub revision: i64,
}

/// Whether `text` can be an e-mail address: one `@`, a local part, a host with a dot or `localhost`, no blanks, at most 254 bytes (RFC 5321 §4.5.3.1).
pub fn valid_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    text.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && !local.contains('@')
        && text
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace() && !"<>()[],;:\\\"".contains(c))
        && !host.is_empty()
        && !host.starts_with(['.', '-'])
        && !host.ends_with(['.', '-'])
        && !host.contains("..")
        && host.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
}

/// A person's name: 1 to 100 characters after trimming, no control characters anywhere.
pub fn valid_name(text: &str) -> bool {
    (1..=100).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
}

/// Fewest characters of a password that is the only factor (NIST SP 800-63B-4 §3.1.1).
pub const PASSWORD_MIN: usize = 15;
/// Most characters; a limit on hashing work.
pub const PASSWORD_MAX: usize = 256;

/// What is wrong with a password, as a sentence; `None` when it is acceptable. No composition rules (NIST SP 800-63B-4).
pub fn password_problem(password: &str, email: &str) -> Option<&'static str> {
    let length = password.chars().count();
    let folded = password.to_lowercase();
    let first = password.chars().next();
    if length < PASSWORD_MIN {
        Some("Use 15 characters or more.")
    } else if length > PASSWORD_MAX {
        Some("Use at most 256 characters.")
    } else if first.is_some_and(|first| password.chars().all(|c| c == first)) {
        Some("One repeated character is easy to guess.")
    } else if folded == email.to_lowercase()
        || [
            "orbitraorbitra",
            "passwordpassword",
            "123456789012345",
            "qwertyuiopasdfg",
            "1234567890123456",
            "abcdefghijklmno",
        ]
        .iter()
        .any(|common| folded.starts_with(common))
    {
        Some("This password is easy to guess.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "user+tag@example.com", "demo@localhost", "jürgen@exämple.de"] {
            assert!(valid_email(good), "{good}");
        }
        for bad in [
            "", "a", "@b.co", "a@", "a b@c.de", "a@b..c", "a@-b.c", "a@b.c\n", "<a@b.c>", "a@b@c.d",
        ] {
            assert!(!valid_email(bad), "{bad}");
        }
    }

    #[test]
    fn passwords_are_long_and_not_obvious() {
        assert_eq!(password_problem("correct horse battery", "a@b.c"), None);
        assert!(password_problem("short", "a@b.c").is_some());
        assert!(password_problem(&"x".repeat(20), "a@b.c").is_some());
        assert!(password_problem(&"xy".repeat(200), "a@b.c").is_some());
        assert!(password_problem("Passwordpassword1", "a@b.c").is_some());
    }
}
