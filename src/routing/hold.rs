//! Requests that wait in the proxy while one deployment of a project stops and the next one starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most requests of one project that wait; what comes on top is answered at once that it is to come again.
pub const MOST_WAITING: usize = 1024;

/// The requests of a project that wait.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: AtomicUsize,
}

impl Hold {
    /// A place to wait in; `None` when all are taken.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        (before < MOST_WAITING).then_some(place)
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A request that waits. It counts until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Hold>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let hold = Arc::<Hold>::default();
        let mut places: Vec<_> = (0..MOST_WAITING).map(|_| hold.enter().unwrap()).collect();
        assert!(hold.enter().is_none());
        assert_eq!(hold.waiting(), MOST_WAITING, "one that was refused does not count");
        places.pop();
        assert!(hold.enter().is_some());
        drop(places);
        assert_eq!(hold.waiting(), 0);
    }
}
