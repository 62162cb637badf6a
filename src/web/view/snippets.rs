//! How a receiver verifies what it gets: the files of `docs/webhooks`.

/// A language, and what to write in it.
#[derive(Clone, Copy, Debug)]
pub struct Snippet {
    /// For ids: `python`.
    pub id: &'static str,
    pub language: &'static str,
    pub text: &'static str,
}

/// All of them. Each takes the raw bytes of the body.
pub const ALL: [Snippet; 5] = [
    Snippet {
        id: "python",
        language: "Python",
        text: include_str!("../../../docs/webhooks/verify.py"),
    },
    Snippet {
        id: "node",
        language: "Node.js",
        text: include_str!("../../../docs/webhooks/verify.mjs"),
    },
    Snippet { id: "go", language: "Go", text: include_str!("../../../docs/webhooks/verify.go") },
    Snippet {
        id: "rust",
        language: "Rust",
        text: include_str!("../../../docs/webhooks/verify.rs"),
    },
    Snippet {
        id: "shell",
        language: "Shell",
        text: include_str!("../../../docs/webhooks/verify.sh"),
    },
];
