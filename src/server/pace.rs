//! Work that a few clients can ask for without end takes turns: a little of one kind for each time that everybody else on
//! the thread has had one. So much of it waits for each other, and not a visitor's request for all of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::Notify;

/// What takes turns, each kind for itself.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A connection is accepted.
    Arrival,
    /// A step of a handshake: some hundred microseconds of signing.
    Handshake,
    /// A request begins on a connection that has many already.
    Stream,
    /// A connection goes on that has moved a lot in a moment.
    Bulk,
}

impl Kind {
    const ALL: usize = 4;

    /// Turns in a round.
    const fn turns(self) -> usize {
        match self {
            Self::Handshake | Self::Bulk => 1,
            Self::Arrival | Self::Stream => 2,
        }
    }
}

/// The turns of one thread.
#[derive(Debug)]
pub struct Pace {
    queues: [Queue; Kind::ALL],
    refused: Notify,
}

impl Default for Pace {
    fn default() -> Self {
        let kinds = [Kind::Arrival, Kind::Handshake, Kind::Stream, Kind::Bulk];
        Self { queues: kinds.map(|kind| Queue::new(kind.turns())), refused: Notify::new() }
    }
}

/// Somebody's turns, one after the other, and the place in the queue while one is waited for.
#[derive(Debug)]
pub struct Ticket {
    pace: Rc<Pace>,
    kind: Kind,
    place: Cell<Option<u64>>,
}

impl Ticket {
    /// For turns of this kind.
    pub fn new(pace: &Rc<Pace>, kind: Kind) -> Self {
        Self { pace: Rc::clone(pace), kind, place: Cell::new(None) }
    }

    /// Whether a turn was asked for and not taken yet.
    pub fn waits(&self) -> bool {
        self.place.get().is_some()
    }

    /// Takes a turn, or waits for one.
    pub fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.queue().poll_turn(&self.place, cx);
        if polled.is_pending() {
            self.pace.refused.notify_one();
        }
        polled
    }

    fn queue(&self) -> &Queue {
        &self.pace.queues[self.kind as usize]
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(place) = self.place.get() {
            self.queue().leave(place);
        }
    }
}

impl Pace {
    /// Takes a turn.
    pub async fn turn(self: &Rc<Self>, kind: Kind) {
        let ticket = Ticket::new(self, kind);
        poll_fn(|cx| ticket.poll_turn(cx)).await;
    }

    /// The same work, with a turn for each of its steps.
    pub fn by_turns<F: Future>(self: &Rc<Self>, kind: Kind, work: F) -> ByTurns<F> {
        ByTurns { ticket: Ticket::new(self, kind), work: Box::pin(work) }
    }

    /// Begins a round whenever somebody waits for one. Never returns.
    pub async fn run(&self) {
        let mut first = 0;
        loop {
            self.refused.notified().await;
            // Comes back when whatever else is ready has been done and the sockets were looked at.
            tokio::task::yield_now().await;
            // A round is of one kind: it is to be short. The kinds take turns as well.
            let mut kinds = (first..first + Kind::ALL).map(|kind| kind % Kind::ALL);
            if let Some(kind) = kinds.find(|kind| self.queues[*kind].is_waited_for()) {
                self.queues[kind].call();
                first = kind + 1;
            }
            for queue in &self.queues {
                match queue.is_waited_for() {
                    true => self.refused.notify_one(),
                    false => queue.refill(),
                }
            }
        }
    }
}

/// Those who wait for one kind of work.
#[derive(Debug)]
struct Queue {
    /// Turns in a round.
    turns: usize,
    /// What is left of them.
    left: Cell<usize>,
    /// The first has the place `called`, the others those after it. Without a waker where somebody has left.
    places: RefCell<VecDeque<Option<Waker>>>,
    called: Cell<u64>,
    /// How many are there.
    waiting: Cell<usize>,
}

impl Queue {
    fn new(turns: usize) -> Self {
        Self {
            turns,
            left: Cell::new(turns),
            places: RefCell::default(),
            called: Cell::new(0),
            waiting: Cell::new(0),
        }
    }

    fn poll_turn(&self, place: &Cell<Option<u64>>, cx: &mut Context<'_>) -> Poll<()> {
        match place.get() {
            Some(number) if number < self.called.get() => {
                place.set(None);
                Poll::Ready(())
            }
            Some(number) => {
                if let Some(Some(waker)) = self.places.borrow_mut().get_mut(self.index(number)) {
                    waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
            // Nobody waits while there are some left.
            None if self.left.get() > 0 => {
                self.left.update(|left| left - 1);
                Poll::Ready(())
            }
            None => {
                let mut places = self.places.borrow_mut();
                place.set(Some(self.called.get() + places.len() as u64));
                places.push_back(Some(cx.waker().clone()));
                self.waiting.update(|waiting| waiting + 1);
                Poll::Pending
            }
        }
    }

    /// Of a place that was not called yet.
    fn index(&self, place: u64) -> usize {
        usize::try_from(place - self.called.get()).unwrap_or(usize::MAX)
    }

    fn leave(&self, place: u64) {
        if place < self.called.get() {
            return;
        }
        let mut places = self.places.borrow_mut();
        if places.get_mut(self.index(place)).and_then(Option::take).is_some() {
            self.waiting.update(|waiting| waiting - 1);
        }
        // Who comes next takes them.
        while let Some(None) = places.back() {
            places.pop_back();
        }
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.get() > 0
    }

    /// Gives the first who wait a turn each.
    fn call(&self) {
        let mut left = self.turns;
        while left > 0
            && let Some(place) = self.places.borrow_mut().pop_front()
        {
            self.called.update(|called| called + 1);
            if let Some(waker) = place {
                self.waiting.update(|waiting| waiting - 1);
                waker.wake();
                left -= 1;
            }
        }
    }

    /// Nobody waits: so many may go on at once.
    fn refill(&self) {
        self.left.set(self.turns);
    }
}

/// Work that has turns. In the heap, so that whoever waits for it is not as large as it is.
pub struct ByTurns<F> {
    ticket: Ticket,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for ByTurns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        ready!(self.ticket.poll_turn(cx));
        self.work.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests;
