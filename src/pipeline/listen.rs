//! Hears from the engine that a container started, stopped, lost its network or is gone, and looks at it. What is not heard is found
//! by the look every 15 s.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;

use super::{Pipeline, deadline};
use crate::db;
use crate::docker::{ContainerId, EngineError, EngineInfo, Heard};
use crate::model::vulnerability;

/// How long is gathered before anything is looked at: the engine starts a container that failed by itself.
const GATHER: Duration = Duration::from_millis(500);

impl Pipeline {
    /// Listens until the process stops. An engine that was away is asked for everything when it is back.
    pub(super) async fn listen(&self) {
        let stopping = self.tasks.stopping();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.hear() => {}
        }
    }

    /// Says what an engine of this version is known for.
    async fn tell_vulnerabilities(&self) {
        let Ok(EngineInfo { version, runtime, .. }) = self.engine.info().await else { return };
        let known = vulnerability::of(&version, runtime.as_deref());
        if known.is_empty() {
            return;
        }
        let ids: Vec<_> = known.iter().map(|one| one.id).collect();
        tracing::warn!(
            version,
            runtime,
            "Docker is older than the releases that closed {}; update it, unless your distribution has closed them in this \
             version",
            ids.join(", ")
        );
    }

    async fn hear(&self) {
        loop {
            if let Some(warning) = self.engine.warning().await {
                tracing::warn!("{warning}");
            }
            self.tell_vulnerabilities().await;
            let mut events = self.engine.events();
            while let Some(Ok(first)) = events.next().await {
                let mut heard = HashSet::from([first.container.clone()]);
                self.notice(first).await;
                let more = async {
                    while let Some(Ok(next)) = events.next().await {
                        heard.insert(next.container.clone());
                        self.notice(next).await;
                    }
                };
                let _ = tokio::time::timeout(GATHER, more).await;
                for container in heard {
                    self.look_at(&container).await;
                }
            }
            self.until_it_answers().await;
            self.reconcile().await;
        }
    }

    /// What cannot wait until more is gathered.
    async fn notice(&self, heard: Heard) {
        let Heard { container, unplugged } = heard;
        let serves = self.publisher.suspect(&container.0);
        if !serves || !unplugged {
            return;
        }
        // One that ends is taken out of its network as well, and may be back at once.
        let state = self.engine.inspect(&container).await;
        if matches!(state, Ok(Some(state)) if state.running && !state.in_network) {
            // Nothing leads to its address any more: what is sent there may leave this machine.
            self.publisher.lose(&container.0);
            self.look_at(&container).await;
        }
    }

    async fn until_it_answers(&self) {
        let mut told = false;
        loop {
            // A wait that a stop cuts short would be none at all here, and an engine without a socket answers at once.
            tokio::time::sleep(deadline::AGAIN).await;
            let Err(error) = self.engine.info().await else { return };
            if !told && matches!(error, EngineError::Unreachable(_)) {
                told = true;
                tracing::warn!(%error, "the engine is away; what runs, runs on");
            }
        }
    }

    async fn look_at(&self, container: &ContainerId) {
        let wanted = container.0.clone();
        let serves = self.db.read(move |c| db::deployments::running_in(c, &wanted)).await;
        let looked = match serves {
            Ok(Some(deployment)) => self.reconcile_one(&deployment).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            tracing::error!(container = container.0, %error, "it could not be looked after");
        }
    }
}
