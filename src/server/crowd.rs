//! How many connections each address has, on all threads together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::network::Network;

/// Bits of an IPv6 address that stand for one visitor: a line usually gets a whole /64.
const OF_ONE: u32 = 64;

/// Counts connections by address. Asked once a connection, so that a lock costs nothing that matters.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    exempt: Vec<Network>,
    /// Only addresses that have a connection.
    counts: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// At most so many each, and any number for those in `exempt`.
    pub fn new(most: usize, exempt: Vec<Network>) -> Arc<Self> {
        Arc::new(Self { most, exempt, counts: Mutex::default() })
    }

    /// Counts a connection in; `None` when its address has as many as it may have.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let free = || Some(Place { crowd: Arc::clone(self), whose: None });
        if self.exempt.iter().any(|one| one.contains(address)) {
            return free();
        }
        let whose = visitor(address);
        let mut counts = self.counts();
        let count = counts.entry(whose).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place { crowd: Arc::clone(self), whose: Some(whose) })
    }

    fn leave(&self, whose: IpAddr) {
        let mut counts = self.counts();
        match counts.get_mut(&whose) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&whose);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an address stands for.
fn visitor(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !(u128::MAX >> OF_ONE)).into()),
        v4 => v4,
    }
}

/// One connection's part in the count.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    whose: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(whose) = self.whose {
            self.crowd.leave(whose);
        }
    }
}

#[cfg(test)]
mod tests;
