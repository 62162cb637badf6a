//! A log as it grows, as server-sent events of rendered lines.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::HeaderMap;
use serde_json::json;
use tokio::time::Instant;
use tower_sessions::session::Id;

use super::params::Params;
use super::respond;
use super::streams::Place;
use super::{Pages, Visitor};
use crate::app::App;
use crate::model::log_line::LogLine;
use crate::web::session::Sessions;
use crate::web::view::View;
use crate::web::view::log::{self as view, LogRows};

/// Frames are at least this far apart; more often is faster than anybody reads.
const PACE: Duration = Duration::from_millis(100);
/// Most lines of one frame.
const FRAME: usize = 500;
/// A comment is sent after this much silence, so that nothing in between takes the connection for dead.
pub const PING: Duration = Duration::from_secs(15);
/// Whether the session still holds is looked at this often.
pub const RECHECK: Duration = Duration::from_secs(5);

/// How a line is shown.
pub type Shown = fn(&LogLine) -> view::LogLine;

/// The last line the browser has: `Last-Event-ID`, or `?after=`.
pub fn seen(headers: &HeaderMap, params: &Params) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    last.or_else(|| params.get("after").parse().ok())
}

/// Frames of rendered lines, then `end`; closed without it when somebody else is signed in by now.
pub fn events(
    pages: &Pages,
    visitor: &Visitor,
    place: Place,
    lines: BoxStream<'static, LogLine>,
    shown: Shown,
) -> Response {
    let now = Instant::now();
    let following = Following {
        app: pages.app.clone(),
        sessions: pages.sessions.clone(),
        session: visitor.signed_in.id,
        lines,
        shown,
        stage: Stage::Opening,
        sent: now,
        checked: now,
        place,
    };
    respond::events(stream::unfold(following, Following::next))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    LogEnded,
    Over,
}

struct Following {
    app: App,
    sessions: Sessions,
    session: Id,
    lines: BoxStream<'static, LogLine>,
    shown: Shown,
    stage: Stage,
    /// When the last frame went out.
    sent: Instant,
    /// When the session was last looked at.
    checked: Instant,
    place: Place,
}

impl Following {
    /// The next frame. Nothing is read ahead of the browser, so a slow one costs no memory and misses nothing.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let frame = match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                "retry: 2000\n\n".to_owned()
            }
            Stage::Open => self.frame().await?,
            Stage::LogEnded => {
                self.stage = Stage::Over;
                "event: end\ndata: {}\n\n".to_owned()
            }
            Stage::Over => return None,
        };
        self.sent = Instant::now();
        Some((Ok(Bytes::from(frame)), self))
    }

    /// `None` when the stream is to be closed without an end: the browser connects again and is told why.
    async fn frame(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                () = self.app.stopping.cancelled() => return None,
                () = self.place.taken() => return None,
                () = tokio::time::sleep_until(self.checked + RECHECK) => {
                    self.checked = Instant::now();
                    self.sessions.still_signed_in(&self.session).await.ok()??;
                }
                line = self.lines.next() => return Some(match line {
                    Some(line) => self.gather(line).await,
                    None => {
                        self.stage = Stage::Over;
                        "event: end\ndata: {}\n\n".to_owned()
                    }
                }),
                () = tokio::time::sleep_until(self.sent + PING) => return Some(": ping\n\n".to_owned()),
            }
        }
    }

    /// A frame with this line and those that follow within the pace.
    async fn gather(&mut self, first: LogLine) -> String {
        let deadline = self.sent + PACE;
        let mut lines = vec![(self.shown)(&first)];
        while lines.len() < FRAME {
            match tokio::time::timeout_at(deadline, self.lines.next()).await {
                Ok(Some(line)) => lines.push((self.shown)(&line)),
                Ok(None) => {
                    self.stage = Stage::LogEnded;
                    break;
                }
                Err(_) => break,
            }
        }
        let (from, to) = (lines[0].seq, lines[lines.len() - 1].seq);
        let html = LogRows { lines: &lines }.html().unwrap_or_default();
        format!("id: {to}\ndata: {}\n\n", json!({ "from": from, "to": to, "html": html }))
    }
}
