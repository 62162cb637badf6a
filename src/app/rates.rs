//! Rate limits of the API: how many requests an account, or an address without one, made in its window.
//!
//! A window begins with the first request and ends at a fixed moment; all keys of an account share it.
//! It is counted in memory and stored every few seconds, so that a request costs no write and a restart
//! hands out no fresh window.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::App;
use crate::db::rate_windows::RateWindow;
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::ids::UserId;
use crate::model::peer::client_of;
use crate::model::timestamp::Timestamp;
use crate::model::user::Plan;

/// What stands in place of a limit that there is none.
pub const UNLIMITED: u32 = 2_147_483_647;
/// Most addresses whose requests are counted; of more, the oldest windows are forgotten.
const ADDRESSES: usize = 20_000;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    Account(UserId, Plan),
    /// Somebody at this address who has not shown a valid key.
    Address(IpAddr),
}

impl Requester {
    /// The account behind an actor.
    pub fn of(actor: &Actor) -> Self {
        Self::Account(actor.user_id.clone(), actor.plan)
    }

    fn subject(&self) -> Subject {
        match self {
            Self::Account(id, _) => Subject::Account(id.clone()),
            Self::Address(address) => Subject::Address(client_of(*address)),
        }
    }

    /// The name of the limit it is held to.
    fn policy(&self) -> &'static str {
        match self {
            Self::Account(_, plan) => plan.as_str(),
            Self::Address(_) => "anonymous",
        }
    }
}

/// How somebody stands in the present window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub policy: &'static str,
    pub limit: u32,
    pub used: u32,
    /// How long a window is.
    pub window: Duration,
    /// When the next window may begin; a whole second.
    pub resets_at: Timestamp,
}

impl Standing {
    /// Whether there is no limit.
    pub fn unlimited(&self) -> bool {
        self.limit == UNLIMITED
    }

    /// How many more requests are answered.
    pub fn remaining(&self) -> u32 {
        if self.unlimited() { UNLIMITED } else { self.limit.saturating_sub(self.used) }
    }

    /// Seconds until the window ends, rounded up: after them it has ended.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        self.resets_at.millis_since(now).div_ceil(1000)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Account(UserId),
    Address(IpAddr),
}

impl Subject {
    fn parse(text: &str) -> Option<Self> {
        let account = UserId::parse(text).map(Self::Account);
        account.or_else(|| text.parse().ok().map(Self::Address))
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Timestamp,
    used: u32,
    /// Whether the database knows it as it is.
    stored: bool,
}

/// The windows of one instance.
#[derive(Default)]
pub struct Rates(Mutex<Windows>);

#[derive(Default)]
struct Windows {
    open: HashMap<Subject, Window>,
    /// Addresses in the order their windows began, with those windows.
    addresses: VecDeque<(Timestamp, IpAddr)>,
}

/// Whether a window is over. A clock that was set back a little ends none.
fn over(began: Timestamp, now: Timestamp, length: i64) -> bool {
    (now.0 - began.0).abs() >= length
}

/// The beginning of the second: a window ends at a whole one, which is what a client is told.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp(now.seconds() * 1000)
}

impl Rates {
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    /// The window a subject is in; a new one when there is none.
    fn of(&mut self, subject: Subject, now: Timestamp, length: i64) -> &mut Window {
        if self.open.get(&subject).is_some_and(|window| over(window.began, now, length)) {
            self.open.remove(&subject);
        }
        if let Subject::Address(address) = &subject
            && !self.open.contains_key(&subject)
        {
            self.make_room(now, length);
            self.addresses.push_back((whole(now), *address));
        }
        let fresh = Window { began: whole(now), used: 0, stored: false };
        self.open.entry(subject).or_insert(fresh)
    }

    /// Forgets addresses whose windows are over, and the oldest one when there are too many.
    fn make_room(&mut self, now: Timestamp, length: i64) {
        while let Some((began, address)) = self.addresses.front().copied() {
            if self.addresses.len() < ADDRESSES && !over(began, now, length) {
                return;
            }
            self.addresses.pop_front();
            let subject = Subject::Address(address);
            if self.open.get(&subject).is_some_and(|window| window.began == began) {
                self.open.remove(&subject);
            }
        }
    }

    /// The windows the database does not know yet; from now on it does. Those that are over are forgotten.
    fn take_changed(&mut self, now: Timestamp, length: i64) -> Vec<RateWindow> {
        self.open.retain(|_, window| !over(window.began, now, length));
        let changed = self.open.iter_mut().filter(|(_, window)| !window.stored);
        changed
            .map(|(subject, window)| {
                window.stored = true;
                let (subject, is_address) = match subject {
                    Subject::Account(id) => (id.to_string(), false),
                    Subject::Address(address) => (address.to_string(), true),
                };
                RateWindow { subject, is_address, began_at: window.began, used: window.used }
            })
            .collect()
    }
}

impl App {
    fn window_length(&self) -> i64 {
        i64::try_from(self.settings().rates.window.as_millis()).unwrap_or(i64::MAX)
    }

    fn standing_in(&self, who: &Requester, window: Window) -> Standing {
        let limits = self.settings().rates;
        let limit = match who {
            Requester::Account(_, Plan::Enterprise) => UNLIMITED,
            Requester::Account(_, Plan::Professional) => limits.professional,
            Requester::Account(_, Plan::Free) | Requester::Address(_) => limits.free,
        };
        Standing {
            policy: who.policy(),
            limit,
            used: window.used,
            window: limits.window,
            resets_at: window.began.plus(limits.window),
        }
    }

    /// How somebody stands; begins no window.
    pub fn standing(&self, who: &Requester) -> Standing {
        let (now, length) = (self.clock.now(), self.window_length());
        let open = self.memory().rates.windows().open.get(&who.subject()).copied();
        let fresh = Window { began: whole(now), used: 0, stored: true };
        self.standing_in(who, open.filter(|w| !over(w.began, now, length)).unwrap_or(fresh))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The limit is reached; nothing was counted.
    pub fn count_request(&self, who: &Requester) -> Result<Standing, Standing> {
        let now = self.clock.now();
        let mut windows = self.memory().rates.windows();
        let window = windows.of(who.subject(), now, self.window_length());
        let standing = self.standing_in(who, *window);
        if !standing.unlimited() && window.used >= standing.limit {
            return Err(standing);
        }
        window.used = window.used.saturating_add(1).min(UNLIMITED);
        window.stored = false;
        Ok(self.standing_in(who, *window))
    }

    /// Gives back a request that turned out not to count, while its window is open.
    pub fn uncount_request(&self, who: &Requester, counted: &Standing) -> Standing {
        let mut windows = self.memory().rates.windows();
        match windows.open.get_mut(&who.subject()) {
            Some(window) if window.began.plus(counted.window) == counted.resets_at => {
                window.used = window.used.saturating_sub(1);
                window.stored = false;
                self.standing_in(who, *window)
            }
            _ => Standing { used: counted.used.saturating_sub(1), ..*counted },
        }
    }

    /// Stores what was counted since the last time.
    pub async fn store_rate_windows(&self) {
        let (now, length) = (self.clock.now(), self.window_length());
        let changed = self.memory().rates.windows().take_changed(now, length);
        if changed.is_empty() {
            return;
        }
        let subjects: Vec<_> = changed.iter().map(|window| window.subject.clone()).collect();
        let stored = self.db.write(move |c| -> Result<(), DbError> {
            db::rate_windows::store(c, &changed)?;
            db::rate_windows::prune(c, Timestamp(now.0 - length), ADDRESSES)
        });
        if let Err(error) = stored.await {
            tracing::warn!(%error, "the counts of requests could not be stored");
            let mut windows = self.memory().rates.windows();
            for subject in subjects.iter().filter_map(|text| Subject::parse(text)) {
                if let Some(window) = windows.open.get_mut(&subject) {
                    window.stored = false;
                }
            }
        }
    }

    /// Takes up the windows that were open when the process ended; before the first request.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn load_rate_windows(&self) -> Result<(), DbError> {
        let since = Timestamp(self.clock.now().0 - self.window_length());
        let stored = self.db.read(move |c| db::rate_windows::load(c, since)).await?;
        let mut windows = self.memory().rates.windows();
        for RateWindow { subject, began_at: began, used, .. } in stored {
            let Some(subject) = Subject::parse(&subject) else { continue };
            if let Subject::Address(address) = &subject {
                windows.addresses.push_back((began, *address));
            }
            windows.open.insert(subject, Window { began, used, stored: true });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_windows_of_addresses_make_room() {
        let mut windows = Windows::default();
        let address = |number: u32| Subject::Address(IpAddr::V4(number.into()));
        windows.of(Subject::Account(UserId::from_random([1; 10])), Timestamp(0), 1_000_000).used =
            1;
        for number in 0..30_000 {
            windows.of(address(number), Timestamp(1), 1_000_000).used = 7;
        }
        assert_eq!((windows.open.len(), windows.addresses.len()), (ADDRESSES + 1, ADDRESSES));
        assert_eq!(windows.of(address(29_999), Timestamp(2), 1_000_000).used, 7);
        assert_eq!(windows.of(address(0), Timestamp(2), 1_000_000).used, 0);
        // Once they are over, all of them go.
        windows.of(address(1), Timestamp(2_000_000), 1_000_000);
        assert_eq!(windows.addresses.len(), 1);
        assert_eq!(windows.take_changed(Timestamp(2_000_000), 1_000_000).len(), 1);
        assert_eq!(
            (windows.open.len(), windows.take_changed(Timestamp(2_000_000), 1_000_000).len()),
            (1, 0)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_hands_out_no_window() {
        let mut windows = Windows::default();
        let subject = Subject::Account(UserId::from_random([1; 10]));
        windows.of(subject.clone(), Timestamp(50_000), 3_600_000).used = 5;
        assert_eq!(windows.of(subject.clone(), Timestamp(20_000), 3_600_000).used, 5);
        assert_eq!(windows.of(subject, Timestamp(3_650_000), 3_600_000).used, 0);
    }
}
