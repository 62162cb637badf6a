//! Background tasks: woken by a signal and by an interval, never given input. A task looks at the
//! database and does what is to be done, so that a lost signal or a restart only delays it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Wakes a task. Several signals before it looks count as one.
#[derive(Clone, Debug, Default)]
pub struct Signal(Arc<Notify>);

impl Signal {
    /// Wakes the task, or lets its next wait return at once.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a signal.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Starts and stops background tasks together.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `round` at once, then after each signal and at least every `interval`.
    pub fn periodic<F, Fut>(&self, signal: Signal, interval: Duration, mut round: F)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            loop {
                round().await;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = signal.woken() => {}
                    () = tokio::time::sleep(interval) => {}
                }
            }
        });
    }

    /// Runs work that ends by itself or with the `stopping` token.
    pub fn spawn<Fut>(&self, work: Fut)
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(work);
    }

    /// Canceled when the process stops.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task to stop and waits for them, at most `grace`.
    pub async fn stop(&self, grace: Duration) {
        self.stop.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(grace, self.tracker.wait()).await;
    }
}
