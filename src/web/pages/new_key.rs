//! Keys and secrets that were just made and not yet looked at. The page after the form shows one once; a reload does not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::ids::UserId;

/// How long a key waits to be looked at.
const WAITS: Duration = Duration::from_secs(300);
/// Most keys that wait; the oldest go first.
const MOST: usize = 1000;

struct Waiting {
    owner: UserId,
    /// Of what it belongs to.
    id: String,
    secret: String,
    since: Instant,
}

/// The keys that wait, in memory only. Clones share them.
#[derive(Clone, Default)]
pub struct NewKeys(Arc<Mutex<Vec<Waiting>>>);

impl NewKeys {
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Waiting>) -> T) -> T {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|key| key.since.elapsed() < WAITS);
        look(&mut waiting)
    }

    /// Keeps a key for the next page of its owner.
    pub fn put(&self, owner: UserId, id: String, secret: String) {
        self.with(|waiting| {
            if waiting.len() >= MOST {
                waiting.remove(0);
            }
            waiting.push(Waiting { owner, id, secret, since: Instant::now() });
        });
    }

    /// The key, once.
    pub fn take(&self, owner: &UserId, id: &str) -> Option<String> {
        self.with(|waiting| {
            let at = waiting.iter().position(|key| key.owner == *owner && key.id == id)?;
            Some(waiting.remove(at).secret)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_once_and_to_its_owner() {
        let keys = NewKeys::default();
        let (ada, bob) = (UserId::from_random([1; 10]), UserId::from_random([2; 10]));
        let id = "key_x";
        keys.put(ada.clone(), id.to_owned(), "orbu_x".to_owned());
        assert_eq!(keys.take(&bob, id), None);
        assert_eq!(keys.take(&ada, id).as_deref(), Some("orbu_x"));
        assert_eq!(keys.take(&ada, id), None);
    }
}
