//! Passwords as Argon2id with 46 MiB and one pass (OWASP password storage cheat sheet).

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use super::random;

const MEMORY_KIB: u32 = 47_104;
const PASSES: u32 = 1;
const LANES: u32 = 1;

fn derive(password: &str, salt: &[u8], memory: u32, passes: u32, lanes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut out)
        .ok()?;
    Some(out)
}

/// Hashes a password with a new salt, as a PHC string. Takes tens of milliseconds and 46 MiB: run it off the async threads, few at a time.
pub fn hash(password: &str) -> Option<String> {
    let salt = random::bytes::<16>();
    let hash = derive(password, &salt, MEMORY_KIB, PASSES, LANES)?;
    Some(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
        BASE64.encode(salt),
        BASE64.encode(hash)
    ))
}

/// Whether the password is the one that was hashed. A stored text that cannot be read matches nothing.
pub fn verify(password: &str, stored: &str) -> bool {
    let Some((salt, expected, memory, passes, lanes)) = parse(stored) else { return false };
    derive(password, &salt, memory, passes, lanes).is_some_and(|hash| {
        // Hashing both sides first makes the comparison independent of where they differ.
        super::token::hash(&BASE64.encode(hash)) == super::token::hash(&BASE64.encode(expected))
    })
}

type Parsed = (Vec<u8>, Vec<u8>, u32, u32, u32);

fn parse(stored: &str) -> Option<Parsed> {
    let mut parts = stored.strip_prefix("$argon2id$v=19$")?.split('$');
    let params = parts.next()?;
    let number = |name: &str| {
        params.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    let salt = BASE64.decode(parts.next()?).ok()?;
    let hash = BASE64.decode(parts.next()?).ok()?;
    Some((salt, hash, number("m")?, number("t")?, number("p")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_password_matches() {
        let stored = hash("correct horse battery").expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
        assert!(verify("correct horse battery", &stored));
        assert!(!verify("correct horse batterz", &stored));
        assert!(!verify("correct horse battery", "$argon2id$v=19$m=1"));
        assert_ne!(Some(stored), hash("correct horse battery"));
    }
}
