//! Randomness, hashes, passwords and sealed secrets. The only user of `ring`.

pub mod digest;
pub mod password;
pub mod random;
pub mod secret_box;
pub mod sha256;
pub mod ssh_key;
pub mod token;
pub mod webhook_secret;
