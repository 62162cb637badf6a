//! How much a test does: little in an ordinary run, more where a longer run asks for it.

/// A number from the environment.
pub fn effort(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
