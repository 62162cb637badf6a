//! Identifiers: `<prefix>_` and 16 characters of lower-case Crockford base32 (80 random bits).

use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Encodes 80 bits as 16 characters of lower-case Crockford base32.
fn encode(random: [u8; 10]) -> String {
    let mut bits = random.iter().fold(0u128, |all, byte| (all << 8) | u128::from(*byte));
    let mut body = [0u8; 16];
    for slot in body.iter_mut().rev() {
        *slot = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    body.iter().map(|byte| char::from(*byte)).collect()
}

/// Whether `text` has the shape `^[a-z]{2,4}_[0-9a-z]{6,32}$` with this prefix.
fn well_formed(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).is_some_and(|body| {
        (6..=32).contains(&body.len())
            && body.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every identifier of this kind starts with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an identifier of 80 random bits.
            pub fn from_random(random: [u8; 10]) -> Self {
                Self(format!("{}_{}", $prefix, encode(random)))
            }

            /// Reads an identifier somebody sent; `None` when it is not one of this kind.
            pub fn parse(text: &str) -> Option<Self> {
                well_formed(text, $prefix).then(|| Self(text.to_owned()))
            }

            /// The identifier with its prefix.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The part after the underscore.
            pub fn body(&self) -> &str {
                &self.0[$prefix.len() + 1..]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A person with an account.
    UserId, "usr");
id!(
    /// A team; every account has a personal one.
    TeamId, "team");
id!(
    /// A project: a name, a source, settings and its deployments.
    ProjectId, "prj");
id!(
    /// One deployment of a project.
    DeploymentId, "dep");
id!(
    /// An archive somebody sent, to deploy it.
    UploadId, "upl");
id!(
    /// Something that was removed to make room.
    RemovalId, "rem");
id!(
    /// Credentials for a registry of images.
    RegistryId, "reg");
id!(
    /// An address that a forge or a script calls when there is something to deploy.
    HookId, "ghk");
id!(
    /// An address that is told of events.
    WebhookId, "whk");
id!(
    /// One event for one address.
    DeliveryId, "dlv");
id!(
    /// A host name of a project.
    DomainId, "dom");
id!(
    /// A certificate for TLS.
    CertificateId, "cert");
id!(
    /// An API key.
    KeyId, "key");
id!(
    /// An entry of the event log.
    EventId, "evt");
id!(
    /// An entry of the audit log.
    AuditId, "aud");
id!(
    /// One HTTP request to the API or the dashboard.
    RequestId, "req");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_its_prefix_and_sixteen_characters() {
        assert_eq!(ProjectId::from_random([0; 10]).as_str(), "prj_0000000000000000");
        assert_eq!(ProjectId::from_random([255; 10]).as_str(), "prj_zzzzzzzzzzzzzzzz");
        let id = UserId::from_random([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(UserId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.body().len(), 16);
    }

    #[test]
    fn other_shapes_are_not_identifiers() {
        for text in
            ["", "prj", "prj_", "prj_12345", "usr_abc123", "prj_ABC123", "prj_abc12/", "prj_é23456"]
        {
            assert_eq!(ProjectId::parse(text), None, "{text}");
        }
        assert!(ProjectId::parse("prj_abc123").is_some());
    }
}
