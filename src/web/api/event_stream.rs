//! `/events/stream`: events as they happen. The event log is read again after every commit, so that
//! nothing is missed and nothing is sent twice.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::State;
use futures_util::stream;
use http::HeaderMap;
use tokio::sync::watch;

use super::Api;
use super::event_request::EventParams;
use super::event_view::{EventFrame, EventView};
use super::events;
use super::guards::Caller;
use super::params::Params;
use super::respond::Answer;
use super::sse::{self, PING, PINGED, RETRY, STOPPING, frame};
use super::streams::Place;
use crate::app::may::Action;
use crate::app::{App, AppError};
use crate::db::events::EventFilter;
use crate::model::event::Event;
use crate::model::ids::EventId;

/// Events that are read at once; what a slow client has not taken yet stays in the database.
const BATCH: u32 = 100;

/// Follow events
///
/// Each event as it happens. A client that connects again sends `Last-Event-ID` and gets everything since; when
/// that event is no longer kept, everything that is.
#[utoipa::path(
    get,
    path = "",
    tag = "Events",
    operation_id = "events_stream",
    params(EventParams),
    responses((status = 200, description = "Frames with the event's id, its name and the event itself.",
        content((String = "text/event-stream", item_schema = EventFrame)))),
    security(("bearerAuth" = ["events:read"])),
)]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    mut params: Params,
) -> Answer {
    caller.may(Action::EventsRead)?;
    let mut filter = events::filter(&mut params);
    // Before the log is read, so that no commit falls in between.
    let commits = api.app.db.commits();
    filter.after = match sse::last_event_id(&headers) {
        None => Some(api.app.last_event_place().await?),
        Some(Some(id)) if EventId::parse(id).is_some() => {
            api.app.event_place(&caller.0, id).await?
        }
        Some(_) => {
            params.problems.invalid("Last-Event-ID", "format", "The id of an event.");
            None
        }
    };
    AppError::check(params.finish())?;
    let place = caller.key_id().map(|key| api.streams.take(key)).transpose()?;
    let follower = Follower {
        app: api.app.clone(),
        caller,
        filter,
        commits,
        read: VecDeque::new(),
        begun: false,
        ended: false,
        _place: place,
    };
    Ok(sse::response(stream::unfold(follower, Follower::next)))
}

struct Follower {
    app: App,
    caller: Caller,
    /// `after` is the place of the last event that was read.
    filter: EventFilter,
    commits: watch::Receiver<u64>,
    read: VecDeque<Event>,
    begun: bool,
    ended: bool,
    _place: Option<Place>,
}

impl Follower {
    /// The next frame. Nothing is read ahead of the client by more than a batch.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let text = if self.begun {
            self.frame().await
        } else {
            self.begun = true;
            format!("{RETRY}{PINGED}")
        };
        Some((Ok(Bytes::from(text)), self))
    }

    async fn frame(&mut self) -> String {
        loop {
            if let Some(event) = self.read.pop_front() {
                let view = EventView::from(event);
                return frame(Some(&view.id), &view.event, &view);
            }
            self.commits.mark_unchanged();
            if let Some(end) = self.look().await {
                return end;
            }
            if !self.read.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.commits.changed() => if changed.is_err() { return self.end() },
                () = self.app.stopping.cancelled() => return self.end(),
                () = tokio::time::sleep(PING) => return PINGED.to_owned(),
            }
        }
    }

    /// Reads what came since; the last frame when the key no longer works or the log cannot be read.
    async fn look(&mut self) -> Option<String> {
        if !self.app.still_valid(&self.caller.0).await {
            return Some(self.end());
        }
        let filter = self.filter.clone();
        match self.app.events_forward(&self.caller.0, filter, BATCH).await {
            Ok(found) => {
                for (place, event) in found {
                    self.filter.after = Some(place);
                    self.read.push_back(event);
                }
                None
            }
            Err(_) => Some(self.end()),
        }
    }

    fn end(&mut self) -> String {
        self.ended = true;
        STOPPING.to_owned()
    }
}
