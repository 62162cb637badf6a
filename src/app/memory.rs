//! What use cases remember between requests; nothing in it is missed after a restart.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::known_keys::KnownKeys;
use super::push_rates::PushRates;
use super::rates::Rates;
use super::tries::Tries;
use crate::model::ids::{KeyId, UserId};
use crate::model::timestamp::Timestamp;
use crate::routing::table::Routes;

/// The memory of one instance.
pub struct Memory {
    pub(super) claims: Arc<Claims>,
    pub(super) refusals: Refusals,
    pub(super) rates: Rates,
    pub(super) push_rates: PushRates,
    pub(super) keys: KnownKeys,
    pub(super) uses: Uses,
    /// Passwords tried from an address: ten a minute.
    pub(super) sign_ins: Tries<IpAddr>,
    /// Wrong passwords for an e-mail address, by its hash: a hundred a day.
    pub(super) passwords: Tries<[u8; 32]>,
    /// Set-up codes tried from an address: ten a minute.
    pub(super) set_ups: Tries<IpAddr>,
    /// Passwords that were checked; each costs a hash.
    pub(super) checked: AtomicU64,
    /// Held while settings are put into force.
    pub(super) settings_turn: tokio::sync::Mutex<()>,
    /// The data plane, when the process serves.
    pub(super) routes: OnceLock<Routes>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            claims: Arc::default(),
            refusals: Refusals::default(),
            rates: Rates::default(),
            push_rates: PushRates::default(),
            keys: KnownKeys::default(),
            uses: Uses::default(),
            sign_ins: Tries::new(10, MINUTE),
            passwords: Tries::new(100, DAY),
            set_ups: Tries::new(10, MINUTE),
            checked: AtomicU64::new(0),
            settings_turn: tokio::sync::Mutex::default(),
            routes: OnceLock::new(),
        }
    }
}

/// Slots of repeatable requests that are being answered now.
#[derive(Default)]
pub struct Claims(Mutex<HashSet<[u8; 32]>>);

/// A slot while its request is being answered; dropping it gives the slot back.
pub struct Claim {
    claims: Arc<Claims>,
    slot: [u8; 32],
}

impl Claims {
    /// Takes a slot; `None` when somebody has it.
    pub(super) fn take(self: &Arc<Self>, slot: [u8; 32]) -> Option<Claim> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(slot).then(|| Claim { claims: self.clone(), slot })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.slot);
    }
}

/// Refusals of one account that are written down per minute.
const REFUSALS: u32 = 30;
/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;
/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// How many refusals of each account were written down in its current minute.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<UserId, (Timestamp, u32)>>);

impl Refusals {
    /// Whether one more is to be written down.
    pub(super) fn admit(&self, user: &UserId, now: Timestamp) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, (since, _)| now.0 - since.0 < MINUTE);
        let (_, count) = counts.entry(user.clone()).or_insert((now, 0));
        *count += 1;
        *count <= REFUSALS
    }
}

/// Uses of keys that are not stored yet: a request must not cost a write.
#[derive(Default)]
pub struct Uses(Mutex<HashMap<KeyId, (Timestamp, IpAddr)>>);

impl Uses {
    /// Notes that a key was used.
    pub(super) fn note(&self, key: &KeyId, at: Timestamp, from: IpAddr) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(key) {
            Some(last) => *last = (at, from),
            None => {
                uses.insert(key.clone(), (at, from));
            }
        }
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> HashMap<KeyId, (Timestamp, IpAddr)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
