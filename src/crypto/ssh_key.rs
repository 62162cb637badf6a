//! Ed25519 keys for SSH: made here, and written as OpenSSH writes them (RFC 4253 §6.6, RFC 8709).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::digest::Sha256;
use super::random;

const ALGORITHM: &str = "ssh-ed25519";

/// The private half: the seed the key pair follows from.
#[derive(Clone)]
pub struct SshSeed(pub [u8; 32]);

impl std::fmt::Debug for SshSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SshSeed(…)")
    }
}

impl SshSeed {
    /// A new key pair.
    pub fn new() -> Self {
        Self(random::bytes())
    }

    /// The public half.
    ///
    /// # Panics
    /// Never: every 32 bytes are a seed.
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        match Ed25519KeyPair::from_seed_unchecked(&self.0) {
            Ok(pair) => public.copy_from_slice(pair.public_key().as_ref()),
            Err(_) => unreachable!("an Ed25519 seed has 32 bytes"),
        }
        public
    }
}

impl Default for SshSeed {
    fn default() -> Self {
        Self::new()
    }
}

/// A public key as one line of `authorized_keys`.
pub fn openssh(public: &[u8; 32], comment: &str) -> String {
    format!("{ALGORITHM} {} {comment}", STANDARD.encode(blob(public)))
}

/// What OpenSSH and the forges show of a public key: `SHA256:` and the hash in Base64.
pub fn fingerprint(public: &[u8; 32]) -> String {
    fingerprint_of(&blob(public))
}

/// The same of a key of any kind in its wire form.
pub fn fingerprint_of(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::of(blob)))
}

/// The key's wire form: two strings, each with its length before it.
fn blob(public: &[u8; 32]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(51);
    for part in [ALGORITHM.as_bytes(), public] {
        blob.extend(u32::try_from(part.len()).unwrap_or(0).to_be_bytes());
        blob.extend(part);
    }
    blob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_openssh_writes_it() {
        // RFC 8032, section 7.1, test 1.
        let mut seed = [0; 32];
        let text = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        seed.copy_from_slice(&super::super::token::unhex(text).unwrap());
        let public = SshSeed(seed).public();
        let hex = super::super::token::hex(&public);
        assert_eq!(hex, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let line = openssh(&public, "orbitra");
        assert_eq!(
            line,
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea orbitra"
        );
        // GitHub's published key and fingerprint.
        let blob = STANDARD
            .decode("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
            .unwrap();
        assert_eq!(fingerprint_of(&blob), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_ne!(SshSeed::new().public(), SshSeed::new().public());
        assert_eq!(format!("{:?}", SshSeed(seed)), "SshSeed(…)");
    }
}
