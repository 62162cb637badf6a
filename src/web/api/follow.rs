//! A build log as server-sent events: lines, changes of the phase, the end.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::HeaderMap;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Api;
use super::guards::Caller;
use super::log_view::{LogEndView, LogLineView, LogStatusView};
use super::path::Named;
use super::respond::{self, Answer};
use super::sse::{self, PING, PINGED, RETRY, STOPPING, frame};
use super::streams::Place;
use crate::app::{App, AppError};
use crate::events::Change;
use crate::logs::Order;
use crate::model::deployment::{Deployment, Phase, Status};
use crate::model::log_line::LogLine;
use crate::model::problems::Problems;
use crate::model::transition::State;

/// Deployment and log end within moments of each other; the stream waits this long for the other one.
const GRACE: Duration = Duration::from_secs(5);

/// The stream; 204 for a client that has already seen the end.
pub async fn events(
    api: &Api,
    caller: &Caller,
    id: Named,
    headers: &HeaderMap,
    after: Option<u64>,
    plain: bool,
    mut problems: Problems,
) -> Answer {
    let seen = sse::last_event_id(headers).map(|sent| sent?.parse::<u64>().ok());
    if seen == Some(None) {
        problems.invalid("Last-Event-ID", "format", "The number of a line.");
    }
    let seen = seen.flatten();
    let after = seen.or(after).unwrap_or(0);
    // Before the state is read, so that no change falls in between.
    let changes = api.app.bus.subscribe();
    let (deployment, page) =
        api.app.build_log(&caller.0, &id.0, after, 1, Order::Ascending).await?;
    AppError::check(problems)?;
    if seen.is_some() && page.complete && page.lines.is_empty() && !deployment.state.unfinished() {
        return Ok(respond::nothing());
    }
    let place = caller.key_id().map(|key| api.streams.take(key)).transpose()?;
    let (deployment, lines) = api.app.follow_build_log(&caller.0, &id.0, after).await?;
    let follower = Follower {
        app: api.app.clone(),
        caller: caller.clone(),
        finished: !deployment.state.unfinished(),
        shown: None,
        deployment,
        lines,
        lines_ended: false,
        changes,
        last: after,
        plain,
        ended: false,
        _place: place,
    };
    Ok(sse::response(stream::unfold(follower, Follower::next)))
}

struct Follower {
    app: App,
    caller: Caller,
    deployment: Deployment,
    finished: bool,
    /// What the client was last told; `None` before the first frame.
    shown: Option<(Status, Phase)>,
    lines: BoxStream<'static, LogLine>,
    lines_ended: bool,
    changes: Receiver<Change>,
    /// Number of the last line sent.
    last: u64,
    plain: bool,
    ended: bool,
    _place: Option<Place>,
}

/// What woke the follower.
enum Woken {
    Line(Option<LogLine>),
    Changed,
    Silence,
    Overdue,
    Stopping,
}

impl Follower {
    /// The next frame. Nothing is read ahead of the client, so a slow one costs no memory and misses nothing.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let frame = if self.shown.is_none() {
            format!("{RETRY}{}", self.status().unwrap_or_default())
        } else {
            self.frame().await
        };
        Some((Ok(Bytes::from(frame)), self))
    }

    async fn frame(&mut self) -> String {
        loop {
            if self.lines_ended && self.finished {
                return self.end().await;
            }
            match self.wait().await {
                Woken::Line(Some(line)) => {
                    self.last = line.seq;
                    return frame(Some(line.seq), "log", &LogLineView::new(line, self.plain));
                }
                Woken::Line(None) => {
                    self.lines_ended = true;
                    self.look().await;
                }
                Woken::Changed => {
                    self.look().await;
                    if let Some(frame) = self.status() {
                        return frame;
                    }
                }
                Woken::Silence if self.app.still_valid(&self.caller.0).await => {
                    return PINGED.to_owned();
                }
                Woken::Overdue => return self.end().await,
                Woken::Stopping | Woken::Silence => {
                    self.ended = true;
                    return STOPPING.to_owned();
                }
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let ending = self.finished || self.lines_ended;
        // Made once: what changes elsewhere must not put them off.
        let overdue = tokio::time::sleep(GRACE);
        let silence = tokio::time::sleep(PING);
        tokio::pin!(overdue, silence);
        loop {
            tokio::select! {
                biased;
                change = self.changes.recv() => match change {
                    Ok(Change::Deployment(_, _, id)) if id == self.deployment.id => {
                        return Woken::Changed;
                    }
                    Err(RecvError::Lagged(_)) => return Woken::Changed,
                    _ => {}
                },
                line = self.lines.next(), if !self.lines_ended => return Woken::Line(line),
                () = self.app.stopping.cancelled() => return Woken::Stopping,
                () = &mut overdue, if ending => return Woken::Overdue,
                () = &mut silence => return Woken::Silence,
            }
        }
    }

    /// Reads the deployment again.
    async fn look(&mut self) {
        let id = self.deployment.id.as_str();
        let found = self.app.build_log(&self.caller.0, id, u64::MAX, 1, Order::Ascending).await;
        match found {
            Ok((deployment, _)) => {
                self.finished = !deployment.state.unfinished();
                self.deployment = deployment;
            }
            // It was deleted, with its log.
            Err(_) => {
                self.deployment.state = State::Removed;
                (self.finished, self.lines_ended) = (true, true);
            }
        }
    }

    /// A frame with status and phase, when the client does not know them.
    fn status(&mut self) -> Option<String> {
        let now = (self.deployment.status(), self.deployment.phase());
        if self.shown.replace(now) == Some(now) {
            return None;
        }
        Some(frame(None::<u64>, "status", &LogStatusView { status: now.0, phase: now.1 }))
    }

    /// The last frame. It carries an id, so that a client that connects again is told that there is no more.
    async fn end(&mut self) -> String {
        self.look().await;
        self.ended = true;
        let status = self.status().unwrap_or_default();
        let data = LogEndView {
            status: self.deployment.status(),
            duration_ms: self.deployment.duration_ms(),
        };
        format!("{status}{}", frame(Some(self.last), "end", &data))
    }
}
