//! What surrounds a page: who is signed in, and what the last action led to.

/// Data of the shell.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// Token for every form of the page.
    pub csrf: String,
    /// Nobody is signed in: the page has no menu and no tabs.
    pub account: Option<Account>,
    /// Result of the action that led here.
    pub notice: Option<Notice>,
    /// Where the bus of changes was before the page was filled; the live stream goes on from there.
    pub position: u64,
}

/// The signed-in person.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub email: String,
    /// Whether this person administrates the server.
    pub admin: bool,
}

impl Account {
    /// The letter in the round avatar.
    pub fn initial(&self) -> String {
        let name = if self.name.is_empty() { &self.email } else { &self.name };
        name.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default()
    }
}

/// One sentence after an action: the result, not the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    /// False when the action was not possible.
    pub good: bool,
}

impl Notice {
    /// It worked.
    pub fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), good: true }
    }

    /// It did not work; nothing was changed.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), good: false }
    }

    /// Class that carries the colour.
    pub fn token(&self) -> &'static str {
        if self.good { "ok" } else { "bad" }
    }

    /// Icon in the sprite.
    pub fn icon(&self) -> &'static str {
        if self.good { "circle-check" } else { "triangle-alert" }
    }
}
