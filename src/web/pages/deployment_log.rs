//! The build log of a deployment page: as it grows, and as a text.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use tower_sessions::session::Id;

use super::params::Params;
use super::respond::{self, Answer};
use super::streams::{Kind, Place};
use super::{Pages, Visitor, failure, show};
use crate::app::App;
use crate::logs::{Order, strip_ansi};
use crate::model::actor::Actor;
use crate::model::log_line::{LogLevel, LogLine, LogSource};
use crate::web::session::{Sessions, hash};
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
/// Lines read at once for the text.
const PAGE: usize = 1000;

/// A line as pages show it.
pub fn view_of(line: &LogLine) -> view::LogLine {
    let error = line.level == LogLevel::Error
        || line.source != LogSource::System && failure::looks_like_error(&line.message);
    view::LogLine::new(line.seq, show::moment(line.ts), &line.message, error)
}

// ---- As it grows ----

/// `GET …/log/stream?after=`: frames of rendered lines, then `end`.
pub async fn stream(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after: u64 = seen.or_else(|| params.get("after").parse().ok()).unwrap_or(0);
    let actor = &visitor.signed_in.actor;
    let (_, page) = pages.app.build_log(actor, &id, after, 1, Order::Ascending).await?;
    if page.complete && page.lines.is_empty() {
        // Tells a browser that there is nothing to connect for again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = pages.streams.take(Kind::Log, hash(&visitor.signed_in.id))?;
    let (_, lines) = pages.app.follow_build_log(actor, &id, after).await?;
    let now = Instant::now();
    let following = Following {
        app: pages.app.clone(),
        sessions: pages.sessions.clone(),
        session: visitor.signed_in.id,
        lines,
        stage: Stage::Opening,
        sent: now,
        checked: now,
        _place: place,
    };
    Ok(respond::events(stream::unfold(following, Following::next)))
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
    stage: Stage,
    /// When the last frame went out.
    sent: Instant,
    /// When the session was last looked at.
    checked: Instant,
    _place: Place,
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
        let mut lines = vec![view_of(&first)];
        while lines.len() < FRAME {
            match tokio::time::timeout_at(deadline, self.lines.next()).await {
                Ok(Some(line)) => lines.push(view_of(&line)),
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

// ---- As a text ----

/// `GET …/log.txt`: every line there is now, without colours.
pub async fn text(State(pages): State<Pages>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let actor = visitor.signed_in.actor.clone();
    let (deployment, project) = pages.app.deployment(&actor, &id).await?;
    let (_, first) = pages.app.build_log(&actor, &id, 0, PAGE, Order::Ascending).await?;
    let reader = Reader {
        app: pages.app.clone(),
        actor,
        id,
        after: first.next_after_seq,
        more: first.lines.len() == PAGE,
        ready: Some(lines_of(&first.lines)),
    };
    let name = format!("{}-{}-build.log", project.name, show::short(&deployment));
    Ok(as_file(respond::body(stream::unfold(reader, Reader::next)), &name))
}

/// A text that a browser shows and never runs, whatever a build wrote into it.
fn as_file(body: Body, name: &str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    // Names of projects, hashes and ids are letters, digits, `-` and `_`.
    if let Ok(value) = HeaderValue::try_from(format!("inline; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

fn lines_of(lines: &[LogLine]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&strip_ansi(&line.message));
        text.push('\n');
    }
    text
}

struct Reader {
    app: App,
    actor: Actor,
    id: String,
    after: u64,
    more: bool,
    ready: Option<String>,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        if let Some(text) = self.ready.take() {
            return Some((Ok(Bytes::from(text)), self));
        }
        if !self.more {
            return None;
        }
        let page =
            self.app.build_log(&self.actor, &self.id, self.after, PAGE, Order::Ascending).await;
        match page {
            Ok((_, page)) => {
                self.more = page.lines.len() == PAGE;
                self.after = page.next_after_seq;
                let text = lines_of(&page.lines);
                (!text.is_empty()).then(|| (Ok(Bytes::from(text)), self))
            }
            Err(error) => {
                self.more = false;
                Some((Err(std::io::Error::other(error.to_string())), self))
            }
        }
    }
}
