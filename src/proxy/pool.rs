//! Connections to upstreams that wait for their next request. One pool a thread; no locks.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::http1::Connection;
use super::ticker::Ticks;
use crate::routing::replica::Replica;
use crate::routing::upstream::{Guard, Upstream};

/// An application that closes a connection after an answer mostly does so within this time.
const SETTLED: Duration = Duration::from_millis(10);
/// With so many unused ones there is none opened because of that.
const ENOUGH: usize = 16;
/// A connection that has been unused for this long has no buffers.
const RESTING: Duration = Duration::from_secs(1);

/// The unused connections of one thread.
#[derive(Debug)]
pub struct Pool {
    shelves: RefCell<HashMap<u64, Shelf>>,
    /// Unused connections kept for one replica.
    per_upstream: usize,
    /// How long a connection is kept.
    lifetime: Ticks,
}

#[derive(Debug)]
struct Shelf {
    upstream: Arc<Upstream>,
    replica: Arc<Replica>,
    /// Those that were used longest ago first.
    unused: VecDeque<Unused>,
}

#[derive(Debug)]
struct Unused {
    connection: Box<Connection>,
    since: Instant,
    until: u32,
}

impl Pool {
    /// An empty pool.
    pub fn new(per_upstream: usize, lifetime: Ticks) -> Self {
        Self { shelves: RefCell::default(), per_upstream, lifetime }
    }

    /// The most recently used connection that is not known to be closed: it is the least likely to be.
    pub fn take(&self, replica: &Replica, now: u32) -> Option<Box<Connection>> {
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.get_mut(&replica.id())?;
        while let Some(unused) = shelf.unused.pop_back() {
            if unused.until > now && !unused.connection.is_closed() {
                return Some(unused.connection);
            }
        }
        None
    }

    /// A connection for a request that cannot be repeated: the most recently used one that was left open for a while after
    /// its last answer, and is open now.
    pub fn take_settled(&self, replica: &Replica, now: u32) -> Option<Box<Connection>> {
        let mut shelves = self.shelves.borrow_mut();
        let unused = &mut shelves.get_mut(&replica.id())?.unused;
        let at = Instant::now();
        while !unused.is_empty() {
            let settled = unused.partition_point(|one| at - one.since >= SETTLED);
            if settled == 0 && unused.len() < ENOUGH {
                return None;
            }
            let one = unused.remove(settled.saturating_sub(1))?;
            if one.until > now && !one.connection.is_closed_by_now() {
                return Some(one.connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn put(&self, guard: &Guard, connection: Box<Connection>, now: u32) {
        let (upstream, replica) = (guard.upstream(), guard.replica());
        if connection.is_closed() || upstream.is_retired() || replica.is_gone() {
            return;
        }
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.entry(replica.id()).or_insert_with(|| Shelf {
            upstream: Arc::clone(upstream),
            replica: Arc::clone(replica),
            unused: VecDeque::new(),
        });
        if shelf.unused.len() < self.per_upstream {
            let (since, until) = (Instant::now(), self.lifetime.after(now));
            shelf.unused.push_back(Unused { connection, since, until });
        }
    }

    /// Closes what is too old, already closed, or leads to a retired upstream or to a container that is gone. Says
    /// whether anything is left.
    pub fn sweep(&self, now: u32) -> bool {
        self.shelves.borrow_mut().retain(|_, shelf| {
            if shelf.upstream.is_retired() || shelf.replica.is_gone() {
                return false;
            }
            shelf.unused.retain_mut(|unused| {
                // Those that were used since the last look keep their buffers.
                if unused.since.elapsed() > RESTING {
                    unused.connection.rest();
                }
                unused.until > now && !unused.connection.is_closed()
            });
            !shelf.unused.is_empty()
        });
        !self.shelves.borrow().is_empty()
    }
}
