//! Secrets at rest: AES-256-GCM with the row's identity as associated data, so that a value moved to
//! another row does not open.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use super::random;

/// First byte of a sealed value; room for another cipher or key.
const VERSION: u8 = 1;

/// The key all secrets of this instance are sealed with.
pub struct SecretBox {
    cipher: LessSafeKey,
    digests: hmac::Key,
}

/// The value was sealed with another key or for another row, or was changed.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value does not open: wrong key, wrong row, or changed")]
pub struct SealBroken;

impl SecretBox {
    /// Takes the 32 bytes of the key file.
    ///
    /// # Panics
    /// Never: the length is that of an AES-256 key.
    pub fn new(key: &[u8; 32]) -> Self {
        match UnboundKey::new(&AES_256_GCM, key) {
            Ok(cipher) => Self { cipher: LessSafeKey::new(cipher), digests: digests(key) },
            Err(_) => unreachable!("AES-256 keys have 32 bytes"),
        }
    }

    /// Seals a value for the row that `identity` names. The nonce is 96 random bits.
    pub fn seal(&self, identity: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let mut body = plain.to_vec();
        let sealed = self.cipher.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(identity.as_bytes()),
            &mut body,
        );
        assert!(sealed.is_ok(), "values are far below the cipher's limit of 64 GiB");
        [&[VERSION][..], &nonce, &body].concat()
    }

    /// A digest that nobody without the key can make or compare, in hexadecimal.
    pub fn digest(&self, bytes: &[u8]) -> String {
        super::token::hex(hmac::sign(&self.digests, bytes).as_ref())
    }

    /// Opens a value that was sealed for the same row.
    ///
    /// # Errors
    /// The key, the row or a bit is another one.
    pub fn open(&self, identity: &str, sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let (version, rest) = sealed.split_first().ok_or(SealBroken)?;
        if *version != VERSION || rest.len() < NONCE_LEN {
            return Err(SealBroken);
        }
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealBroken)?;
        let mut body = body.to_vec();
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(identity.as_bytes()), &mut body)
            .map_err(|_| SealBroken)?;
        Ok(plain.to_vec())
    }

    /// Seals a value anew for another row.
    ///
    /// # Errors
    /// As [`SecretBox::open`].
    pub fn reseal(&self, from: &str, to: &str, sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        Ok(self.seal(to, &self.open(from, sealed)?))
    }
}

impl std::fmt::Debug for SecretBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBox(…)")
    }
}

/// A key of its own for digests, so that no key has two uses.
fn digests(key: &[u8; 32]) -> hmac::Key {
    let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"orbitra digests");
    hmac::Key::new(hmac::HMAC_SHA256, own.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_for_its_own_row_and_key() {
        let secrets = SecretBox::new(&[7; 32]);
        let sealed = secrets.seal("row/1", b"value");
        assert_eq!(secrets.open("row/1", &sealed).expect("opens"), b"value");
        assert!(secrets.open("row/2", &sealed).is_err());
        assert!(SecretBox::new(&[8; 32]).open("row/1", &sealed).is_err());
        let mut flipped = sealed.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        assert!(secrets.open("row/1", &flipped).is_err());
        assert!(secrets.open("row/1", b"").is_err());
        assert_ne!(secrets.seal("row/1", b"value"), sealed);
    }
}
