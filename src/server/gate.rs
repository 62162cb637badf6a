//! The way to the control plane, which may be held for the moment in which one process takes over from another.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::Method;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Notify, watch};

/// How long a request waits for a control plane.
pub const HOLD: Duration = Duration::from_secs(150);

/// The gate. Clones are the same one.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    router: watch::Sender<Option<Router>>,
    reads: AtomicUsize,
    writes: AtomicUsize,
    left: Notify,
}

impl Gate {
    /// An open one.
    pub fn new(router: Router) -> Self {
        Self(Arc::new(Inner {
            router: watch::Sender::new(Some(router)),
            reads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            left: Notify::new(),
        }))
    }

    /// Counts a request in; without a router when it is to wait.
    pub fn enter(&self, method: &Method) -> Option<(Router, Pass)> {
        let writes = !method.is_safe();
        // Before the look: a request is either counted or sees that the gate is closed.
        self.0.count(writes).fetch_add(1, Ordering::SeqCst);
        let pass = Pass { gate: Arc::clone(&self.0), writes };
        let router = self.0.router.borrow().clone()?;
        Some((router, pass))
    }

    /// Tells of every opening and closing from now on.
    pub fn changes(&self) -> watch::Receiver<Option<Router>> {
        self.0.router.subscribe()
    }

    /// Lets new requests wait.
    pub fn close(&self) {
        self.0.router.send_replace(None);
    }

    /// Lets requests in again, also those that waited.
    pub fn open(&self, router: Router) {
        self.0.router.send_replace(Some(router));
    }

    /// Lets those who wait look again.
    pub fn remind(&self) {
        self.0.router.send_modify(|_| ());
    }

    /// Waits until no request is inside, at most so long. Says whether those that change something are all done.
    pub async fn emptied(&self, limit: Duration) -> bool {
        let empty = async {
            loop {
                let left = self.0.left.notified();
                if self.inside() == 0 {
                    return;
                }
                left.await;
            }
        };
        let _ = tokio::time::timeout(limit, empty).await;
        self.0.writes.load(Ordering::SeqCst) == 0
    }

    fn inside(&self) -> usize {
        self.0.reads.load(Ordering::SeqCst) + self.0.writes.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn count(&self, writes: bool) -> &AtomicUsize {
        if writes { &self.writes } else { &self.reads }
    }
}

/// One request inside. It counts until this is dropped.
pub struct Pass {
    gate: Arc<Inner>,
    writes: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.count(self.writes).fetch_sub(1, Ordering::SeqCst);
        self.gate.left.notify_one();
    }
}

impl Pass {
    /// What was to be changed is: the rest of an answer may be long, such as the log of a build for whoever has pushed,
    /// and is left behind as a read is.
    fn answered(mut self) -> Self {
        if std::mem::take(&mut self.writes) {
            self.gate.reads.fetch_add(1, Ordering::SeqCst);
            self.gate.writes.fetch_sub(1, Ordering::SeqCst);
        }
        self
    }
}

/// An answer's body, which counts to its end.
pub struct Passing {
    body: axum::body::Body,
    _pass: Pass,
}

impl Passing {
    /// The body of an answer to the request with this pass.
    pub fn new(body: axum::body::Body, pass: Pass) -> Self {
        Self { body, _pass: pass.answered() }
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_gate_lets_out_and_not_in() {
        let gate = Gate::new(Router::new());
        let (_, read) = gate.enter(&Method::GET).unwrap();
        let (_, write) = gate.enter(&Method::POST).unwrap();
        gate.close();
        assert!(gate.enter(&Method::GET).is_none());
        assert!(!gate.emptied(Duration::ZERO).await, "one that changes something is inside");
        let long = Passing::new(axum::body::Body::empty(), write);
        assert!(gate.emptied(Duration::ZERO).await, "what is answered may be left behind");
        drop(long);
        assert!(gate.emptied(Duration::ZERO).await, "a read may be left behind");
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.emptied(Duration::from_secs(60)).await }
        });
        drop(read);
        assert!(waiting.await.unwrap());
        gate.open(Router::new());
        assert!(gate.enter(&Method::GET).is_some());
    }
}
