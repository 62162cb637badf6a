//! The bus of what changed: identifiers only, so that nothing can leak and losing one only delays.
//! What happened is in the event log of the database; the bus says that it is worth a look.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::model::ids::{DeploymentId, ProjectId, TeamId, WebhookId};

/// How many of the newest changes are kept for a listener that was away for a moment.
const KEPT: usize = 1000;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Team(TeamId),
    Project(TeamId, ProjectId),
    Deployment(TeamId, ProjectId, DeploymentId),
    Webhook(TeamId, WebhookId),
}

/// Sends changes to everybody who listens. A listener that falls behind is told so and looks at everything.
#[derive(Clone, Debug, Default)]
pub struct Bus(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    sender: broadcast::Sender<Change>,
    recent: Mutex<Recent>,
}

/// The newest changes. Every change has a number; the last one of `changes` has `position`.
#[derive(Debug)]
struct Recent {
    position: u64,
    changes: VecDeque<Change>,
}

impl Default for Parts {
    fn default() -> Self {
        // A start nobody can have from before a restart, so that an old position is known to be one.
        // Below 2^48, so that JavaScript counts on exactly.
        let start = RandomState::new().hash_one("start") >> 16;
        Self {
            sender: broadcast::Sender::new(1024),
            recent: Mutex::new(Recent { position: start, changes: VecDeque::new() }),
        }
    }
}

impl Bus {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens now; nobody listening is fine.
    pub fn send(&self, change: Change) {
        let mut recent = self.recent();
        recent.position += 1;
        recent.changes.push_back(change.clone());
        if recent.changes.len() > KEPT {
            recent.changes.pop_front();
        }
        drop(recent);
        let _ = self.0.sender.send(change);
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.sender.subscribe()
    }

    /// The number of the newest change.
    pub fn position(&self) -> u64 {
        self.recent().position
    }

    /// Where the bus is, and what changed after `position`; `None` when that is no longer known.
    pub fn since(&self, position: u64) -> (u64, Option<Vec<Change>>) {
        let recent = self.recent();
        let missed = recent.position.checked_sub(position).and_then(|n| usize::try_from(n).ok());
        let changes = missed
            .and_then(|missed| recent.changes.len().checked_sub(missed))
            .map(|first| recent.changes.range(first..).cloned().collect());
        (recent.position, changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u8) -> Change {
        Change::Team(TeamId::from_random([number; 10]))
    }

    #[test]
    fn a_listener_that_was_away_is_told_what_it_missed() {
        let bus = Bus::default();
        let start = bus.position();
        assert_eq!(bus.since(start), (start, Some(vec![])));
        bus.send(change(1));
        bus.send(change(2));
        assert_eq!(bus.since(start), (start + 2, Some(vec![change(1), change(2)])));
        assert_eq!(bus.since(start + 1), (start + 2, Some(vec![change(2)])));
        assert_eq!(bus.since(start + 3).1, None, "a position of another process");
        for _ in 0..=KEPT {
            bus.send(change(3));
        }
        assert_eq!(bus.since(start).1, None, "too long ago");
    }
}
