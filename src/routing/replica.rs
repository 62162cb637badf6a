//! One address of an upstream: whose it is, how many requests it has, and whether it is to be asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// How long others are asked first after no connection could be opened.
const REST: Duration = Duration::from_secs(1);
/// In `until`: its container is gone.
const GONE: u64 = u64::MAX;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A container that answers requests, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The engine's identifier.
    pub container: String,
    pub address: SocketAddr,
}

/// A container of an upstream. A new container is a new `Replica`, also at a reused address.
#[derive(Debug)]
pub struct Replica {
    id: u64,
    place: Place,
    in_flight: AtomicUsize,
    /// Milliseconds since [`BEGIN`] until which others are asked first; 0 when nothing is known against it.
    until: AtomicU64,
    gone: CancellationToken,
}

impl Replica {
    /// One that nobody has asked.
    pub fn new(place: Place) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            place,
            in_flight: AtomicUsize::new(0),
            until: AtomicU64::new(0),
            gone: CancellationToken::new(),
        })
    }

    /// A number no other replica of this process has. Connection pools use it and not the address, because a
    /// container's address is given to the next container.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which container it is, and where.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Requests it has now. Only counted where there is a choice.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// No connection could be opened: others are asked first for a moment.
    pub fn fails(&self) {
        let until = millis().saturating_add(u64::try_from(REST.as_millis()).unwrap_or(0));
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// Whether others are to be asked first.
    pub(super) fn rests(&self) -> bool {
        match self.until.load(Ordering::Relaxed) {
            0 => false,
            until => until > millis(),
        }
    }

    /// Its container is gone, and somebody else may get its address: nobody goes there any more.
    pub fn lose(&self) {
        self.until.store(GONE, Ordering::SeqCst);
        self.gone.cancel();
    }

    /// Whether its container is gone.
    pub fn is_gone(&self) -> bool {
        self.until.load(Ordering::SeqCst) == GONE
    }

    /// Completes when its container is gone.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

fn millis() -> u64 {
    // Never 0, which means that nothing is known.
    u64::try_from(BEGIN.elapsed().as_millis()).unwrap_or(GONE - 1).saturating_add(1)
}
