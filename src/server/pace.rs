//! Work that a few clients can ask for without end takes turns: some of it for each time that everybody else on the thread
//! has had one. So much of it waits for each other, and not a visitor's request for all of it.

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
            Self::Arrival => 2,
            Self::Stream => 4,
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

/// Somebody's place in a queue, while there is one.
#[derive(Debug, Default)]
pub struct Ticket(Cell<Option<u64>>);

impl Ticket {
    /// Whether a turn was asked for and not taken yet.
    pub fn waits(&self) -> bool {
        self.0.get().is_some()
    }
}

impl Pace {
    /// Takes a turn, or waits for one.
    pub fn poll_turn(&self, kind: Kind, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.queues[kind as usize].poll_turn(ticket, cx);
        if polled.is_pending() {
            self.refused.notify_one();
        }
        polled
    }

    /// Takes a turn.
    pub async fn turn(&self, kind: Kind) {
        let ticket = Ticket::default();
        poll_fn(|cx| self.poll_turn(kind, &ticket, cx)).await;
    }

    /// The same work, with a turn for each of its steps.
    pub fn by_turns<F: Future>(self: &Rc<Self>, kind: Kind, work: F) -> ByTurns<F> {
        let ticket = Ticket::default();
        ByTurns { pace: Rc::clone(self), kind, ticket, work: Box::pin(work) }
    }

    /// Begins a round whenever somebody waits for one. Never returns.
    pub async fn run(&self) {
        loop {
            self.refused.notified().await;
            // Comes back when whatever else is ready has been done and the sockets were looked at.
            tokio::task::yield_now().await;
            for queue in &self.queues {
                if queue.begin_round() {
                    self.refused.notify_one();
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
    /// They have the numbers up to, and not with, `issued`; the first of them has `called`.
    waiting: RefCell<VecDeque<Waker>>,
    called: Cell<u64>,
    issued: Cell<u64>,
}

impl Queue {
    fn new(turns: usize) -> Self {
        Self {
            turns,
            left: Cell::new(turns),
            waiting: RefCell::default(),
            called: Cell::new(0),
            issued: Cell::new(0),
        }
    }

    fn poll_turn(&self, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<()> {
        match ticket.0.get() {
            Some(number) if number < self.called.get() => {
                ticket.0.set(None);
                Poll::Ready(())
            }
            Some(_) => Poll::Pending,
            // Those who wait get what a new round brings.
            None if self.left.get() > 0 => {
                self.left.update(|left| left - 1);
                Poll::Ready(())
            }
            None => {
                let number = self.issued.get();
                self.issued.set(number + 1);
                ticket.0.set(Some(number));
                self.waiting.borrow_mut().push_back(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Gives out the turns of a round; answers whether somebody still waits.
    fn begin_round(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(self.turns);
        self.left.set(self.turns - count);
        self.called.update(|called| called + count as u64);
        waiting.drain(..count).for_each(Waker::wake);
        !waiting.is_empty()
    }
}

/// Work that has turns. In the heap, so that whoever waits for it is not as large as it is.
pub struct ByTurns<F> {
    pace: Rc<Pace>,
    kind: Kind,
    ticket: Ticket,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for ByTurns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        ready!(self.pace.poll_turn(self.kind, &self.ticket, cx));
        self.work.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests;
