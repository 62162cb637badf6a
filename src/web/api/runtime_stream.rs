//! A runtime log as server-sent events: its lines, until the project is deleted.

use std::convert::Infallible;

use axum::body::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::HeaderMap;

use super::Api;
use super::guards::Caller;
use super::log_view::LogLineView;
use super::params::Params;
use super::respond::Answer;
use super::sse::{self, PING, PINGED, RETRY, STOPPING, frame};
use super::streams::Place;
use crate::app::runtime_logs::Logged;
use crate::app::{App, AppError};
use crate::logs::Selection;
use crate::model::log_line::LogLine;

/// The stream: from where the client was, from `after` or `since` on, or else from now on.
#[expect(clippy::too_many_arguments, reason = "all of one request")]
pub async fn events(
    api: &Api,
    caller: Caller,
    named: Logged<'_>,
    mut wanted: Selection,
    headers: &HeaderMap,
    after: Option<u64>,
    plain: bool,
    mut params: Params,
) -> Answer {
    let seen = sse::last_event_id(headers).map(|sent| sent?.parse::<u64>().ok());
    if seen == Some(None) {
        params.problems.invalid("Last-Event-ID", "format", "The number of a line.");
    }
    let project = api.app.runtime_log_of(&caller.0, named, &mut wanted).await?;
    AppError::check(params.finish())?;
    let place = caller.key_id().map(|key| api.streams.take(key)).transpose()?;
    let after = seen.flatten().or(after).or(wanted.since.map(|_| 0));
    let lines = api.app.follow_runtime_log(&project, after).await?;
    let follower = Follower {
        app: api.app.clone(),
        caller,
        lines,
        wanted,
        plain,
        at: At::Start,
        _place: place,
    };
    Ok(sse::response(stream::unfold(follower, Follower::next)))
}

struct Follower {
    app: App,
    caller: Caller,
    lines: BoxStream<'static, LogLine>,
    wanted: Selection,
    plain: bool,
    at: At,
    _place: Option<Place>,
}

/// Where the stream is.
#[derive(PartialEq, Eq)]
enum At {
    Start,
    Lines,
    End,
}

impl Follower {
    /// The next frame. Nothing is read ahead of the client, so a slow one costs no memory and misses nothing.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let frame = match self.at {
            At::End => return None,
            At::Start => {
                self.at = At::Lines;
                format!("{RETRY}{PINGED}")
            }
            At::Lines => self.frame().await,
        };
        Some((Ok(Bytes::from(frame)), self))
    }

    async fn frame(&mut self) -> String {
        let silence = tokio::time::sleep(PING);
        tokio::pin!(silence);
        loop {
            tokio::select! {
                line = self.lines.next() => match line {
                    Some(line) if self.wanted.takes(&line) => {
                        return frame(Some(line.seq), "log", &LogLineView::new(line, self.plain));
                    }
                    Some(_) => {}
                    // The project was deleted, with its log.
                    None => {
                        self.at = At::End;
                        return STOPPING.to_owned();
                    }
                },
                () = self.app.stopping.cancelled() => {
                    self.at = At::End;
                    return STOPPING.to_owned();
                }
                () = &mut silence => {
                    if self.app.still_valid(&self.caller.0).await {
                        return PINGED.to_owned();
                    }
                    self.at = At::End;
                    return STOPPING.to_owned();
                }
            }
        }
    }
}
