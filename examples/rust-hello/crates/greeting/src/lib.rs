//! Says hello.

/// What the server answers.
pub fn text() -> &'static str {
    "Hello from Rust"
}
