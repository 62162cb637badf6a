//! One address that answers requests, with the count that makes a switch without loss possible.
//!
//! Switching is: publish a table without the old upstream, `retire` it, await `drained`, stop the
//! container; at the drain limit, `cut` what is left and await `drained` again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::tally::Tally;

/// Set in `state` once the upstream is retired; the bits below the flags count guards.
const RETIRED: usize = 1 << (usize::BITS - 1);
/// Set in `state` once the upstream is cut.
const CUT: usize = 1 << (usize::BITS - 2);

/// How many upstreams were ever cut. A proxy thread that sees it change looks at all its streams,
/// so that a stream need not register with its upstream.
static CUTS: AtomicUsize = AtomicUsize::new(0);

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// An address of a running application. The publisher keeps one value for as long as the same
/// process runs there; a new process gets a new `Upstream`, also at a reused address.
#[derive(Debug)]
pub struct Upstream {
    id: u64,
    key: String,
    address: SocketAddr,
    state: AtomicUsize,
    empty: Notify,
    cut: CancellationToken,
    /// Whether a request came since the last look.
    used: AtomicBool,
    tally: Tally,
}

impl Upstream {
    /// An upstream that accepts requests at once. `key` names it in logs.
    pub fn new(key: String, address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            key,
            address,
            state: AtomicUsize::new(0),
            empty: Notify::new(),
            cut: CancellationToken::new(),
            used: AtomicBool::new(false),
            tally: Tally::default(),
        })
    }

    /// A number no other upstream of this process has. Connection pools use it and not the
    /// address, because a container's address is given to the next container.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name given at creation.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts a request in; `None` once retired, and then the caller resolves the host again.
    ///
    /// The count is raised before the flag is looked at, in one step: a request is either seen
    /// by `drained` or refused here.
    pub fn acquire(self: &Arc<Self>) -> Option<Guard> {
        let before = self.state.fetch_add(1, Ordering::SeqCst);
        if before & RETIRED != 0 {
            self.release();
            return None;
        }
        // Read first: a write on every request would pass the cache line between the cores.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        self.tally.request();
        Some(Guard { upstream: Arc::clone(self) })
    }

    /// What it has answered.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many guards are held now.
    pub fn in_flight(&self) -> usize {
        self.state.load(Ordering::SeqCst) & !(RETIRED | CUT)
    }

    /// Whether a request came since the last call, or one is in flight.
    pub fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed) || self.in_flight() > 0
    }

    /// Whether it takes no more requests.
    pub fn is_retired(&self) -> bool {
        self.state.load(Ordering::SeqCst) & RETIRED != 0
    }

    /// Takes no more requests. Those in flight go on.
    pub fn retire(&self) {
        self.state.fetch_or(RETIRED, Ordering::SeqCst);
        self.empty.notify_waiters();
    }

    /// Retires it unless somebody uses it or has used it since the last look. Answers whether it is retired.
    pub fn retire_unused(&self) -> bool {
        let unused = !self.used.load(Ordering::Relaxed)
            && self.state.compare_exchange(0, RETIRED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        unused || self.is_retired()
    }

    /// Completes when the upstream is retired and no guard is left. Never completes before
    /// `retire` is called. Any number of callers may wait.
    pub async fn drained(&self) {
        loop {
            let emptied = self.empty.notified();
            tokio::pin!(emptied);
            // Listen first and look afterwards, or the last release between the two is missed.
            emptied.as_mut().enable();
            if self.state.load(Ordering::SeqCst) & !CUT == RETIRED {
                return;
            }
            emptied.await;
        }
    }

    /// Closes the tunnels and streams that are left: the drain limit has come. Also retires.
    pub fn cut(&self) {
        self.retire();
        self.state.fetch_or(CUT, Ordering::SeqCst);
        self.cut.cancel();
        CUTS.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether `cut` was called.
    pub fn is_cut(&self) -> bool {
        self.state.load(Ordering::SeqCst) & CUT != 0
    }

    fn release(&self) {
        if self.state.fetch_sub(1, Ordering::SeqCst) & !CUT == RETIRED | 1 {
            self.empty.notify_waiters();
        }
    }
}

/// A number that changes whenever an upstream was cut.
pub fn cuts() -> usize {
    CUTS.load(Ordering::SeqCst)
}

/// One request or tunnel in flight. It lives inside the response body, so that a request counts
/// until its last byte was handed over.
#[derive(Debug)]
pub struct Guard {
    upstream: Arc<Upstream>,
}

impl Guard {
    /// The upstream this guard counts for.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Completes when the upstream is cut.
    pub async fn cut(&self) {
        self.upstream.cut.cancelled().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.upstream.release();
    }
}

#[cfg(test)]
mod tests;
