//! What a receiver answered, or why it did not.

use crate::model::delivery::AttemptError;

/// The answer to one request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: Option<u16>,
    /// Without what may be a secret.
    pub headers: Vec<(String, String)>,
    /// Its first bytes.
    pub body: Vec<u8>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    pub error: Option<AttemptError>,
    pub duration_ms: u64,
    /// A mail server's, whose codes mean something else than HTTP's.
    pub mail: bool,
    /// It will never be taken: a mail server said so of this mail.
    pub refused: bool,
}

impl Answer {
    /// The event was taken.
    pub fn arrived(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The receiver wants no more.
    pub fn gone(&self) -> bool {
        !self.mail && self.status == Some(410)
    }

    /// The receiver, or what stands in front of it, says that it has too much to do.
    pub fn overloaded(&self) -> bool {
        match self.mail {
            false => matches!(self.status, Some(429 | 502 | 503 | 504)),
            true => matches!(self.status, Some(421 | 452)),
        }
    }
}
