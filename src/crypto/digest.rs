//! Hashes of content.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::hmac;

/// SHA-256 of bytes that come one after the other.
pub struct Sha256(Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Sha256 {
    /// SHA-256 of bytes that are all there.
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Self::default();
        hash.update(bytes);
        hash.finish()
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything that was taken in.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// SHA-1, as the protocol that asks about certificates names them with (RFC 6960). Nothing else may depend on it.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
    out
}

/// HMAC-SHA-1, as OpenSSH hides host names with in `known_hosts`. Nothing else may depend on it.
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut out = [0; 20];
    out.copy_from_slice(hmac::sign(&key, data).as_ref());
    out
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    out.copy_from_slice(tag.as_ref());
    out
}

/// Whether a tag is the HMAC-SHA-256 of the data, compared in constant time.
pub fn is_hmac_sha256(key: &[u8], data: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), data, tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::token::hex;
    use super::*;

    #[test]
    fn published_vectors() {
        // FIPS 180-2, appendices B.1 and A.1; RFC 2202, case 2.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&Sha256::of(b"abc")), abc);
        let mut parts = Sha256::default();
        parts.update(b"a");
        parts.update(b"bc");
        assert_eq!(hex(&parts.finish()), abc);
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let hmac = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&hmac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        // RFC 4231, case 2.
        let data = b"what do ya want for nothing?";
        let tag = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let tag = super::super::token::unhex(tag).expect("hexadecimal");
        assert_eq!(hmac_sha256(b"Jefe", data)[..], tag[..]);
        assert!(is_hmac_sha256(b"Jefe", data, &tag));
        assert!(!is_hmac_sha256(b"Jefe", data, &tag[..31]));
        assert!(!is_hmac_sha256(b"Jefe", &data[1..], &tag));
        assert!(!is_hmac_sha256(b"", data, &[]));
    }
}
