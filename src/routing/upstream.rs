//! What answers the requests for a deployment: one address or several, with the count that makes a switch without loss
//! possible.
//!
//! Switching is: publish a table without the old upstream, `retire` it, await `drained`, stop the containers; at the
//! drain limit, `cut` what is left and await `drained` again.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::replica::{Place, Replica};
use super::tally::Tally;
use crate::model::project::Protocol;

/// Set in `state` once the upstream is retired; the bits below the flags count guards.
const RETIRED: usize = 1 << (usize::BITS - 1);
/// Set in `state` once the upstream is cut.
const CUT: usize = 1 << (usize::BITS - 2);

/// How many upstreams were ever cut. A proxy thread that sees it change looks at all its streams,
/// so that a stream need not register with its upstream.
static CUTS: AtomicUsize = AtomicUsize::new(0);

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Ends with the process that served before this one and still finishes requests, which are counted there.
static BEFORE: OnceLock<CancellationToken> = OnceLock::new();

/// Lets no upstream be drained before `gone` is cancelled, unless it was cut. The second call does nothing.
pub fn follow(gone: CancellationToken) {
    let _ = BEFORE.set(gone);
}

/// The process before, while it is there.
fn before() -> Option<&'static CancellationToken> {
    BEFORE.get().filter(|gone| !gone.is_cancelled())
}

/// The addresses of a running application. The publisher keeps one value for as long as the same containers run there.
/// When one of several goes or comes there is a new value, which counts the same requests; when all are others it
/// counts anew.
#[derive(Debug)]
pub struct Upstream {
    id: u64,
    replicas: Box<[Arc<Replica>]>,
    /// Who is asked first when several have as little to do.
    turn: AtomicUsize,
    gate: Arc<Gate>,
}

/// What all values share that stand for the same requests.
#[derive(Debug)]
struct Gate {
    id: u64,
    key: String,
    protocol: Protocol,
    state: AtomicUsize,
    empty: Notify,
    cut: CancellationToken,
    /// Whether a request came since the last look.
    used: AtomicBool,
    tally: Tally,
}

impl Upstream {
    /// An upstream at one address that accepts requests at once. `key` names it in logs.
    pub fn new(key: String, address: SocketAddr) -> Arc<Self> {
        let container = key.clone();
        Self::of(key, &[Place { container, address }])
    }

    /// The same at several addresses.
    pub fn of(key: String, places: &[Place]) -> Arc<Self> {
        Self::speaking(Protocol::Http1, key, places)
    }

    /// The same for an application that speaks this.
    pub fn speaking(protocol: Protocol, key: String, places: &[Place]) -> Arc<Self> {
        let gate = Gate {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            key,
            protocol,
            state: AtomicUsize::new(0),
            empty: Notify::new(),
            cut: CancellationToken::new(),
            used: AtomicBool::new(false),
            tally: Tally::default(),
        };
        let replicas = places.iter().cloned().map(Replica::new).collect();
        Self::with(Arc::new(gate), replicas)
    }

    fn with(gate: Arc<Gate>, replicas: Box<[Arc<Replica>]>) -> Arc<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, replicas, turn: AtomicUsize::new(0), gate })
    }

    /// This upstream when its containers are at these places now: itself when nothing has changed. One that is left out
    /// beside others that stay is gone, and so is one that moved. When all are other containers, those of before may
    /// still finish what they have.
    pub fn moved(self: &Arc<Self>, places: &[Place]) -> Arc<Self> {
        let known = |place: &Place| self.replicas.iter().find(|one| one.place() == place);
        if places.len() == self.replicas.len() && places.iter().all(|place| known(place).is_some())
        {
            return Arc::clone(self);
        }
        let shares = places.iter().any(|place| known(place).is_some());
        for left in self.replicas.iter().filter(|one| !places.contains(one.place())) {
            let moved = places.iter().any(|place| place.container == left.place().container);
            if shares || moved {
                left.lose();
            }
        }
        if !shares {
            return Self::speaking(self.gate.protocol, self.gate.key.clone(), places);
        }
        let replica = |place: &Place| match known(place) {
            Some(known) => Arc::clone(known),
            None => Replica::new(place.clone()),
        };
        Self::with(Arc::clone(&self.gate), places.iter().map(replica).collect())
    }

    /// A number no other upstream of this process has; later ones have greater ones.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The same number for all that count the same requests.
    pub fn counts_as(&self) -> u64 {
        self.gate.id
    }

    /// The name given at creation.
    pub fn key(&self) -> &str {
        &self.gate.key
    }

    /// What its application speaks.
    pub fn protocol(&self) -> Protocol {
        self.gate.protocol
    }

    /// Its containers.
    pub fn replicas(&self) -> &[Arc<Replica>] {
        &self.replicas
    }

    /// The containers at this address are gone; all of them without one.
    pub fn lose(&self, address: Option<IpAddr>) {
        let at = |one: &&Arc<Replica>| address.is_none_or(|ip| one.address().ip() == ip);
        self.replicas.iter().filter(at).for_each(|one| one.lose());
    }

    /// Counts a request in, at the replica that has the least to do; `None` once retired, and then the caller resolves
    /// the host again.
    ///
    /// The count is raised before the flag is looked at, in one step: a request is either seen
    /// by `drained` or refused here.
    pub fn acquire(self: &Arc<Self>) -> Option<Guard> {
        self.acquire_other(&[])
    }

    /// The same at none of the replicas with these numbers; `None` also when there is no other.
    pub fn acquire_other(self: &Arc<Self>, tried: &[u64]) -> Option<Guard> {
        let gate = &*self.gate;
        let before = gate.state.fetch_add(1, Ordering::SeqCst);
        let chosen = if before & RETIRED == 0 { self.choose(tried) } else { None };
        let Some(index) = chosen else {
            gate.release();
            return None;
        };
        if self.has_choice() {
            self.replicas[index].enter();
        }
        // Read first: a write on every request would pass the cache line between the cores.
        if !gate.used.load(Ordering::Relaxed) {
            gate.used.store(true, Ordering::Relaxed);
        }
        gate.tally.request();
        Some(Guard { upstream: Arc::clone(self), index })
    }

    fn has_choice(&self) -> bool {
        self.replicas.len() > 1
    }

    /// The replica with the fewest requests in flight, those that did not answer last.
    fn choose(&self, tried: &[u64]) -> Option<usize> {
        let free = |one: &Replica| !one.is_gone() && !tried.contains(&one.id());
        if let [only] = &*self.replicas {
            return free(only).then_some(0);
        }
        let (count, first) = (self.replicas.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let mut best = None;
        for step in 0..count {
            let index = first.wrapping_add(step) % count;
            let one = &self.replicas[index];
            if !free(one) {
                continue;
            }
            let load = (one.rests(), one.in_flight());
            if best.is_none_or(|(_, least)| load < least) {
                best = Some((index, load));
            }
        }
        best.map(|(index, _)| index)
    }

    /// What it has answered.
    pub fn tally(&self) -> &Tally {
        &self.gate.tally
    }

    /// How many guards are held now.
    pub fn in_flight(&self) -> usize {
        self.gate.state.load(Ordering::SeqCst) & !(RETIRED | CUT)
    }

    /// Whether a request came since the last call, or one is in flight.
    pub fn take_used(&self) -> bool {
        self.gate.used.swap(false, Ordering::Relaxed) || self.in_flight() > 0
    }

    /// Whether it takes no more requests.
    pub fn is_retired(&self) -> bool {
        self.gate.state.load(Ordering::SeqCst) & RETIRED != 0
    }

    /// Takes no more requests. Those in flight go on.
    pub fn retire(&self) {
        self.gate.state.fetch_or(RETIRED, Ordering::SeqCst);
        self.gate.empty.notify_waiters();
    }

    /// Retires it unless somebody uses it or has used it since the last look. Answers whether it is retired.
    pub fn retire_unused(&self) -> bool {
        let (state, order) = (&self.gate.state, Ordering::SeqCst);
        let unused = before().is_none()
            && !self.gate.used.load(Ordering::Relaxed)
            && state.compare_exchange(0, RETIRED, order, order).is_ok();
        unused || self.is_retired()
    }

    /// Completes when the upstream is retired and no guard is left. Never completes before
    /// `retire` is called. Any number of callers may wait.
    pub async fn drained(&self) {
        loop {
            let emptied = self.gate.empty.notified();
            tokio::pin!(emptied);
            // Listen first and look afterwards, or the last release between the two is missed.
            emptied.as_mut().enable();
            let state = self.gate.state.load(Ordering::SeqCst);
            let before = before().filter(|_| state & CUT == 0);
            if state & !CUT == RETIRED && before.is_none() {
                return;
            }
            let alone = async {
                match before {
                    Some(gone) => gone.cancelled().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = emptied => {}
                () = alone => {}
            }
        }
    }

    /// Closes the tunnels and streams that are left: the drain limit has come. Also retires.
    pub fn cut(&self) {
        self.retire();
        self.gate.state.fetch_or(CUT, Ordering::SeqCst);
        self.gate.cut.cancel();
        self.gate.empty.notify_waiters();
        CUTS.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether `cut` was called.
    pub fn is_cut(&self) -> bool {
        self.gate.state.load(Ordering::SeqCst) & CUT != 0
    }
}

impl Gate {
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
    index: usize,
}

impl Guard {
    /// The upstream this guard counts for.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The container that is asked.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.upstream.replicas[self.index]
    }

    /// Completes when the upstream is cut.
    pub async fn cut(&self) {
        self.upstream.gate.cut.cancelled().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.upstream.has_choice() {
            self.replica().leave();
        }
        self.upstream.gate.release();
    }
}

#[cfg(test)]
mod tests;
