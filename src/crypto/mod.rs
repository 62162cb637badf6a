//! Randomness, hashes, passwords and sealed secrets. The only user of `ring`.

pub mod password;
pub mod random;
pub mod secret_box;
pub mod token;
