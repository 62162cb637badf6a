//! Mail: the server that takes it, and what an address is.

use serde::{Deserialize, Serialize};

use super::deployment::words;
use super::timestamp::Timestamp;

/// Longest address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const LONGEST_ADDRESS: usize = 254;
/// Longest name beside an address, in characters.
const LONGEST_NAME: usize = 100;
/// Longest name of a user and longest secret, in bytes.
pub const LONGEST_LOGIN: usize = 256;

words!(
    /// How a connection to a mail server is secured: by `STARTTLS` before anything is said (RFC 3207), by TLS from its
    /// first byte (RFC 8314), or not at all.
    MailSecurity { StartTls = "starttls", Tls = "tls", None = "none" });

/// The server that takes this instance's mail, without the secret of its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    /// Who signs in; nobody when it is `None`.
    pub user: Option<String>,
    /// `Orbitra <orbitra@example.com>`, or the address alone.
    pub sender: String,
}

/// What is stored of the settings of mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMail {
    pub server: MailServer,
    /// The user's secret, sealed for [`SECRET`].
    pub secret: Option<Vec<u8>>,
}

/// What the secret is sealed for.
pub const SECRET: &str = "settings/mail/secret";

words!(
    /// Whether an address wants what a webhook sends: it has said so or is a member's own, it was not asked or has not
    /// answered, it has refused.
    RecipientStatus { Confirmed = "confirmed", Pending = "pending", Declined = "declined" });

/// What is known of an address that webhooks of a team send mail to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// It is the own address of somebody with an account here.
    pub member: bool,
    pub confirmed_at: Option<Timestamp>,
    pub declined_at: Option<Timestamp>,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// The end of the link it was sent then.
    pub expires_at: Option<Timestamp>,
}

impl Recipient {
    /// How it stands. A refusal counts for more than anything else.
    pub fn status(&self) -> RecipientStatus {
        if self.declined_at.is_some() {
            RecipientStatus::Declined
        } else if self.member || self.confirmed_at.is_some() {
            RecipientStatus::Confirmed
        } else {
            RecipientStatus::Pending
        }
    }

    /// Whether a mail that asks it is under way or may still be answered.
    pub fn is_asked(&self, now: Timestamp) -> bool {
        self.asked_at.is_some() && self.expires_at.is_some_and(|until| until > now)
    }
}

/// Whether a text is one plain mail address: ASCII, no quotes, no comments, a domain with a dot. What is more than
/// that (RFC 5322 §3.4) is seldom meant and often an attack.
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atoms = |text: &str, more: &[u8]| {
        text.split('.').all(|atom| {
            !atom.is_empty()
                && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        })
    };
    let labels = || {
        domain
            .split('.')
            .all(|label| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-'))
    };
    text.len() <= LONGEST_ADDRESS
        && local.len() <= 64
        && atoms(local, b"!#$&'*+-=?^_{|}~")
        && atoms(domain, b"-")
        && domain.contains('.')
        && labels()
}

/// Name and address of `Orbitra <orbitra@example.com>`, or an address alone.
pub fn mailbox(text: &str) -> Option<(Option<&str>, &str)> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('<') else {
        return is_address(text).then_some((None, text));
    };
    let (name, address) = (name.trim(), rest.strip_suffix('>')?);
    let fits = name.chars().count() <= LONGEST_NAME
        && !name.chars().any(|c| c.is_control() || "<>\"\\".contains(c));
    (fits && is_address(address)).then_some(((!name.is_empty()).then_some(name), address))
}

/// The address of `mailto:ops@example.com` (RFC 6068): one, and no fields.
pub fn mailto(text: &str) -> Option<&str> {
    let start = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))?;
    // A `%` would be decoded and a `?` would begin fields.
    let address = &text[start.len()..];
    (!address.contains(['%', '?']) && is_address(address)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_for_more_than_an_account() {
        let (none, now) = (Recipient::default(), Timestamp(1_000));
        assert_eq!(none.status(), RecipientStatus::Pending);
        let member = Recipient { member: true, ..none.clone() };
        assert_eq!(member.status(), RecipientStatus::Confirmed);
        let declined = Recipient { declined_at: Some(now), ..member };
        assert_eq!(declined.status(), RecipientStatus::Declined);
        let asked = Recipient { asked_at: Some(now), expires_at: Some(Timestamp(2_000)), ..none };
        assert_eq!(asked.status(), RecipientStatus::Pending);
        assert!(asked.is_asked(now) && !asked.is_asked(Timestamp(2_000)));
    }

    #[test]
    fn one_plain_address_and_nothing_else() {
        for good in [
            "a@b.de",
            "ops+web@mail.example.com",
            "o'neil@example.com",
            "a.b@xn--bcher-kva.example",
        ] {
            assert!(is_address(good), "{good}");
            assert_eq!(mailto(&format!("mailto:{good}")), Some(good));
        }
        let (local, long) = ("a".repeat(65), format!("a@{}.example.com", "b".repeat(250)));
        for bad in [
            "",
            "a",
            "@b.de",
            "a@",
            "a@b",
            "a@b.",
            "a@.b.de",
            "a..b@c.de",
            ".a@c.de",
            "a@-b.de",
            "a@b-.de",
            "a b@c.de",
            "a@b.de\r\nBcc: x@y.de",
            "a@b.de,c@d.de",
            "<a@b.de>",
            "\"a\"@b.de",
            "a@[127.0.0.1]",
            "ä@b.de",
            "a@b@c.de",
            "a@b.de>",
            "a\0@b.de",
            &format!("{local}@b.de"),
            &long,
        ] {
            assert!(!is_address(bad), "{bad:?}");
            assert_eq!(mailto(&format!("mailto:{bad}")), None, "{bad:?}");
        }
        for bad in [
            "a@b.de",
            "mailto:a@b.de?subject=x",
            "mailto:a%0d@b.de",
            "mailto:",
            "mailt",
            "mailto://a@b.de",
        ] {
            assert_eq!(mailto(bad), None, "{bad}");
        }
        assert_eq!(mailto("MAILTO:a@b.de"), Some("a@b.de"));
    }

    #[test]
    fn a_sender_is_a_name_and_an_address() {
        assert_eq!(mailbox("a@b.de"), Some((None, "a@b.de")));
        assert_eq!(mailbox(" Orbitra, Inc. <a@b.de> "), Some((Some("Orbitra, Inc."), "a@b.de")));
        assert_eq!(mailbox("<a@b.de>"), Some((None, "a@b.de")));
        for bad in [
            "Orbitra",
            "Orbitra <a@b>",
            "a\r\nBcc: x <a@b.de>",
            "\"x\" <a@b.de>",
            "x <a@b.de> y",
            "x <<a@b.de>",
        ] {
            assert_eq!(mailbox(bad), None, "{bad:?}");
        }
    }
}
