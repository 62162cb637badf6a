//! What the data plane has done so far, for whoever asks how it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters of the data plane. Clones share them. Its threads add four times a second what they have counted.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    connections: AtomicUsize,
    hosts: AtomicUsize,
}

impl Traffic {
    /// Adds requests.
    pub fn add_requests(&self, requests: u64) {
        self.0.requests.fetch_add(requests, Ordering::Relaxed);
    }

    /// A thread has now this many open connections and had `before`.
    pub fn change_connections(&self, before: usize, now: usize) {
        // In this order the sum never falls below zero.
        self.0.connections.fetch_add(now, Ordering::Relaxed);
        self.0.connections.fetch_sub(before, Ordering::Relaxed);
    }

    /// So many host names are routed now.
    pub fn set_hosts(&self, hosts: usize) {
        self.0.hosts.store(hosts, Ordering::Relaxed);
    }

    /// Requests for applications since the process started.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Open connections of visitors, and of those who use the API.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Host names that are routed.
    pub fn hosts(&self) -> usize {
        self.0.hosts.load(Ordering::Relaxed)
    }
}
