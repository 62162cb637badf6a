//! Time limits at no cost per request.
//!
//! A timer of the runtime costs an allocation and a lock each time it is set. Here a limit is a
//! number in a cell: every connection has one `Watch`, and one task a thread looks at all of
//! them four times a second and wakes those whose time has come. Nobody needs more precision.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The time between two looks.
const TICK: Duration = Duration::from_millis(250);
/// How many are looked at, and at most woken, before everybody else on the thread goes on: there may be a hundred
/// thousand, and their time may come at once.
const LOOKS: usize = 256;
const WAKES: usize = 4;

/// What a connection can be waiting for.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// For the client to send.
    ClientRead = 0,
    /// For the client to take what was sent to it.
    ClientWrite = 1,
    /// For the upstream to send.
    Upstream = 2,
    /// For the upstream to take what was sent to it.
    Upload = 3,
}

/// The limits of one connection.
#[derive(Debug)]
pub struct Watch {
    now: Rc<Cell<u32>>,
    /// The tick at which each wait has lasted too long; 0 while there is none.
    due: [Cell<u32>; 4],
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    /// Starts the limit again, `ticks` from now.
    pub fn arm(&self, wait: Wait, ticks: Ticks) {
        self.due[wait as usize].set(ticks.after(self.now.get()));
    }

    /// Ends the wait at this tick.
    pub fn arm_until(&self, wait: Wait, tick: u32) {
        self.due[wait as usize].set(tick);
    }

    /// Starts the limit unless it is running.
    pub fn arm_once(&self, wait: Wait, ticks: Ticks) {
        if self.due[wait as usize].get() == 0 {
            self.arm(wait, ticks);
        }
    }

    /// Ends the wait.
    pub fn disarm(&self, wait: Wait) {
        self.due[wait as usize].set(0);
    }

    /// Whether the wait has lasted too long.
    pub fn expired(&self, wait: Wait) -> bool {
        let due = self.due[wait as usize].get();
        due != 0 && due <= self.now.get()
    }

    /// Sets whom to wake: the task of the connection, which polls all its parts.
    pub fn wake_with(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Says whether it is.
    fn wake_if_due(&self, now: u32) -> bool {
        let is_due = self.due.iter().any(|due| due.get() != 0 && due.get() <= now);
        if is_due {
            self.wake();
        }
        is_due
    }
}

/// A duration in ticks, rounded up.
#[derive(Clone, Copy, Debug)]
pub struct Ticks(u32);

impl Ticks {
    /// The tick that is this far from `now`.
    pub fn after(self, now: u32) -> u32 {
        // One more, because the current tick is already partly over.
        now.saturating_add(self.0).saturating_add(1)
    }
}

impl From<Duration> for Ticks {
    fn from(duration: Duration) -> Self {
        let ticks = duration.as_millis().div_ceil(TICK.as_millis());
        Self(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}

/// The clock of one thread and everything it watches.
#[derive(Debug)]
pub struct Ticker {
    start: Instant,
    now: Rc<Cell<u32>>,
    watched: RefCell<Vec<Weak<Watch>>>,
    started: Notify,
}

impl Default for Ticker {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            now: Rc::new(Cell::new(1)),
            watched: RefCell::default(),
            started: Notify::new(),
        }
    }
}

impl Ticker {
    /// A watch for a new connection.
    pub fn watch(&self) -> Rc<Watch> {
        let watch = Rc::new(Watch {
            now: Rc::clone(&self.now),
            due: Default::default(),
            waker: RefCell::new(None),
        });
        let mut watched = self.watched.borrow_mut();
        if watched.is_empty() {
            // The clock stood still while there was nothing to watch.
            self.set_clock();
            self.started.notify_one();
        }
        watched.push(Rc::downgrade(&watch));
        watch
    }

    /// Wakes every connection, for a change that concerns them all.
    pub fn wake_all(&self) {
        for watch in self.watched.borrow().iter().filter_map(Weak::upgrade) {
            watch.wake();
        }
    }

    /// How many connections are watched.
    pub fn watched(&self) -> usize {
        self.watched.borrow().len()
    }

    /// The current tick.
    pub fn now(&self) -> u32 {
        self.now.get()
    }

    /// Runs the clock; `each_tick` is for other housekeeping of the thread and says whether there
    /// is still something to keep. Never returns.
    pub async fn run(&self, mut each_tick: impl FnMut(u32) -> bool) {
        let mut keeps = false;
        loop {
            if !keeps && self.watched.borrow().is_empty() {
                self.started.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.set_clock();
            let now = self.now();
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.look(from, now);
                tokio::task::yield_now().await;
            }
            keeps = each_tick(now);
        }
    }

    /// Looks at some, from this one on, and forgets those that are gone. Answers where to go on.
    fn look(&self, from: usize, now: u32) -> Option<usize> {
        let mut watched = self.watched.borrow_mut();
        let (mut index, mut woken) = (from, 0);
        for _ in 0..LOOKS {
            match watched.get(index)?.upgrade() {
                Some(watch) => {
                    woken += usize::from(watch.wake_if_due(now));
                    index += 1;
                }
                None => drop(watched.swap_remove(index)),
            }
            if woken == WAKES {
                break;
            }
        }
        Some(index)
    }

    fn set_clock(&self) {
        let ticks = self.start.elapsed().as_millis() / TICK.as_millis();
        // Never 0, which means "no limit".
        self.now.set(u32::try_from(ticks).unwrap_or(u32::MAX - 1).max(1));
    }
}
