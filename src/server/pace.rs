//! Handshakes take their time from requests: each is some hundred microseconds of signing. So they have turns, a few for
//! each time that everybody else on the thread has had one, and many of them wait for each other and not requests for them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// Turns in a round.
const TURNS: usize = 2;

/// The turns of one thread.
#[derive(Debug)]
pub struct Pace {
    turns: Cell<usize>,
    /// Those who had none.
    waiting: RefCell<VecDeque<Waker>>,
    refused: Notify,
}

impl Default for Pace {
    fn default() -> Self {
        Self { turns: Cell::new(TURNS), waiting: RefCell::default(), refused: Notify::new() }
    }
}

impl Pace {
    /// The same work, by turns.
    pub fn by_turns<F: Future>(self: &Rc<Self>, work: F) -> ByTurns<F> {
        ByTurns { pace: Rc::clone(self), work: Box::pin(work) }
    }

    /// Begins a round whenever somebody waits for one. Never returns.
    pub async fn run(&self) {
        loop {
            self.refused.notified().await;
            // Comes back when whatever else is ready has been done and the sockets were looked at.
            tokio::task::yield_now().await;
            self.turns.set(TURNS);
            let next: Vec<_> = {
                let mut waiting = self.waiting.borrow_mut();
                let count = waiting.len().min(TURNS);
                let next = waiting.drain(..count).collect();
                if !waiting.is_empty() {
                    self.refused.notify_one();
                }
                next
            };
            next.into_iter().for_each(Waker::wake);
        }
    }
}

/// Work that has turns. In the heap, so that whoever waits for it is not as large as it is.
pub struct ByTurns<F> {
    pace: Rc<Pace>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for ByTurns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let turns = self.pace.turns.get();
        if turns == 0 {
            self.pace.waiting.borrow_mut().push_back(cx.waker().clone());
            self.pace.refused.notify_one();
            return Poll::Pending;
        }
        self.pace.turns.set(turns - 1);
        self.work.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests;
