//! Connections to upstreams that wait for their next request. One pool a thread; no locks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use hyper::client::conn::http1::SendRequest;

use super::multiplex::Shared;
use super::request_body::RequestBody;
use super::ticker::Ticks;
use crate::routing::replica::Replica;
use crate::routing::upstream::{Guard, Upstream};

/// The sending half of an upstream connection.
pub type Connection = SendRequest<RequestBody>;

/// What an answer comes on.
#[derive(Debug)]
pub enum Used {
    /// A connection of its own, which goes back to the pool.
    Alone(Connection),
    /// One of several on a connection.
    Shared(Shared),
    /// A connection that is not used again.
    Once,
}

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
    /// Oldest first; the youngest is taken, for it is the least likely to have been closed.
    unused: Vec<Unused>,
}

#[derive(Debug)]
struct Unused {
    connection: Connection,
    until: u32,
}

impl Pool {
    /// An empty pool.
    pub fn new(per_upstream: usize, lifetime: Ticks) -> Self {
        Self { shelves: RefCell::default(), per_upstream, lifetime }
    }

    /// The most recently used connection that is not known to be closed.
    pub fn take(&self, replica: &Replica, now: u32) -> Option<Connection> {
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.get_mut(&replica.id())?;
        while let Some(unused) = shelf.unused.pop() {
            if !unused.connection.is_closed() && unused.until > now {
                return Some(unused.connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn put(&self, guard: &Guard, connection: Connection, now: u32) {
        let (upstream, replica) = (guard.upstream(), guard.replica());
        if connection.is_closed() || upstream.is_retired() || replica.is_gone() {
            return;
        }
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.entry(replica.id()).or_insert_with(|| Shelf {
            upstream: Arc::clone(upstream),
            replica: Arc::clone(replica),
            unused: Vec::new(),
        });
        if shelf.unused.len() < self.per_upstream {
            shelf.unused.push(Unused { connection, until: self.lifetime.after(now) });
        }
    }

    /// Closes what is too old, already closed, or leads to a retired upstream or to a container that is gone. Says
    /// whether anything is left.
    pub fn sweep(&self, now: u32) -> bool {
        self.shelves.borrow_mut().retain(|_, shelf| {
            if shelf.upstream.is_retired() || shelf.replica.is_gone() {
                return false;
            }
            shelf.unused.retain(|unused| unused.until > now && !unused.connection.is_closed());
            !shelf.unused.is_empty()
        });
        !self.shelves.borrow().is_empty()
    }
}
