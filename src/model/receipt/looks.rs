//! What the health check saw: the looks that told something else than the one before.

use serde::{Deserialize, Serialize};

use crate::model::deployment::words;
use crate::model::timestamp::{Timestamp, millis};

/// Most looks that are kept.
pub const MOST: usize = 20;

words!(
/// Why a look got no status.
NoAnswer { NotListening = "not_listening", Timeout = "timeout", NotHttp = "not_http" });

/// One look at an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// The status it answered with.
    pub status: Option<u16>,
    /// Why there is none.
    pub reason: Option<NoAnswer>,
    /// How long the look took.
    pub duration_ms: u64,
}

/// The looks at one deployment, bounded: the first ones, and the last one in any case.
#[derive(Clone, Debug, Default)]
pub struct Looks(Vec<Look>);

impl Looks {
    /// Keeps a look when it saw something new.
    pub fn note(&mut self, look: Look) {
        let result = |look: &Look| (look.status, look.reason);
        if self.0.last().is_some_and(|last| result(last) == result(&look)) {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop();
        }
        self.0.push(look);
    }

    /// Those that are kept, in order.
    pub fn kept(&self) -> &[Look] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, status: u16) -> Look {
        Look { at: Timestamp(at), status: Some(status), reason: None, duration_ms: 1 }
    }

    #[test]
    fn only_what_is_new_is_kept_and_the_last_look_always() {
        let mut looks = Looks::default();
        let reason = Some(NoAnswer::NotListening);
        let silent = Look { status: None, reason, ..look(0, 0) };
        for look in [silent, silent, look(1, 503), look(2, 503), look(3, 200)] {
            looks.note(look);
        }
        let kept: Vec<_> = looks.kept().iter().map(|look| (look.at.0, look.status)).collect();
        assert_eq!(kept, [(0, None), (1, Some(503)), (3, Some(200))]);

        for at in 4..1000 {
            looks.note(look(at, if at % 2 == 0 { 500 } else { 200 }));
        }
        assert_eq!(looks.kept().len(), MOST);
        assert_eq!(looks.kept().last(), Some(&look(999, 200)));
        assert_eq!(looks.kept()[1], look(1, 503));
    }
}
