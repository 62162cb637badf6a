//! Connections to applications that speak HTTP/2: few, each carrying many requests at a time. One set a thread; no locks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::request_body::RequestBody;
use super::ticker::Ticks;
use crate::routing::replica::Replica;
use crate::routing::upstream::{Guard, Upstream};

/// Requests on one connection at a time; with more another one is opened. The least that RFC 9113 recommends to allow.
const STREAMS: usize = 100;
/// The head of an answer is never longer than this, in bytes.
const MAX_HEAD: u32 = 64 * 1024;
/// How often an application is asked whether it is still there, and how long it may take to say so. Streams have no limit
/// of their own: they may be quiet for as long as they like.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Runs the connections' parts on the thread they belong to.
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, part: F) {
        tokio::task::spawn_local(part);
    }
}

/// A place on a connection; the connection counts it until this is dropped.
#[derive(Debug)]
pub struct Shared {
    pub sender: SendRequest<RequestBody>,
    _place: Rc<()>,
}

/// The open connections of one thread.
#[derive(Debug)]
pub struct Connections {
    shelves: RefCell<HashMap<u64, Shelf>>,
    /// How long a connection without a request is kept.
    lifetime: Ticks,
}

#[derive(Debug)]
struct Shelf {
    upstream: Arc<Upstream>,
    replica: Arc<Replica>,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<RequestBody>,
    /// Counts the requests on it, and one.
    places: Rc<()>,
    until: u32,
}

impl Connections {
    /// None yet.
    pub fn new(lifetime: Ticks) -> Self {
        Self { shelves: RefCell::default(), lifetime }
    }

    /// A place on a connection that is open.
    pub fn take(&self, replica: &Replica, now: u32) -> Option<Shared> {
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.get_mut(&replica.id())?;
        shelf.open.retain(|open| !open.sender.is_closed());
        let open = shelf.open.iter_mut().find(|open| Rc::strong_count(&open.places) <= STREAMS)?;
        open.until = self.lifetime.after(now);
        Some(Shared { sender: open.sender.clone(), _place: Rc::clone(&open.places) })
    }

    /// Speaks HTTP/2 on a new connection, and keeps it for other requests.
    ///
    /// # Errors
    /// It ended at once.
    pub async fn open(&self, socket: TcpStream, guard: &Guard, now: u32) -> hyper::Result<Shared> {
        let (sender, driver) = http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(false)
            .handshake(TokioIo::new(socket))
            .await?;
        tokio::task::spawn_local(async move {
            // Errors reach whoever waits for the answers.
            let _ = driver.await;
        });
        let place = Rc::new(());
        let shared = Shared { sender: sender.clone(), _place: Rc::clone(&place) };
        let (upstream, replica) = (guard.upstream(), guard.replica());
        if !upstream.is_retired() && !replica.is_gone() {
            let mut shelves = self.shelves.borrow_mut();
            let shelf = shelves.entry(replica.id()).or_insert_with(|| Shelf {
                upstream: Arc::clone(upstream),
                replica: Arc::clone(replica),
                open: Vec::new(),
            });
            shelf.open.push(Open { sender, places: place, until: self.lifetime.after(now) });
        }
        Ok(shared)
    }

    /// Forgets what is closed, unused for too long, or leads to what is retired or gone; requests on it go on. Says
    /// whether anything is left.
    pub fn sweep(&self, now: u32) -> bool {
        self.shelves.borrow_mut().retain(|_, shelf| {
            if shelf.upstream.is_retired() || shelf.replica.is_gone() {
                return false;
            }
            shelf.open.retain(|open| {
                let used = Rc::strong_count(&open.places) > 1;
                !open.sender.is_closed() && (used || open.until > now)
            });
            !shelf.open.is_empty()
        });
        !self.shelves.borrow().is_empty()
    }
}
