//! `/dashboard/live`: which parts of a page are worth fetching again. An event names a topic and carries
//! nothing else, so nothing can leak, and one that is lost or doubled does no harm.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use futures_util::stream;
use http::HeaderMap;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tower_sessions::session::Id;

use super::log_stream::{PING, RECHECK};
use super::params::Params;
use super::respond::{self, Answer};
use super::streams::{Kind, Place};
use super::{Pages, Visitor};
use crate::app::App;
use crate::crypto::random;
use crate::events::Change;
use crate::model::actor::Actor;
use crate::web::assets;
use crate::web::session::{Sessions, hash};

/// Equal topics within this time are one.
const MERGED: Duration = Duration::from_millis(200);
/// Fetch everything again.
const EVERYTHING: &str = "*";

/// The stream. `?after=` or `Last-Event-ID` is the position of the bus the page knows; what happened since comes first.
pub async fn stream(
    State(pages): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    // Before the position is looked at, so that no change falls in between.
    let changes = pages.app.bus.subscribe();
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after: Option<u64> = seen.or_else(|| params.get("after").parse().ok());
    let place = pages.streams.take(Kind::Live, hash(&visitor.signed_in.id));
    let now = Instant::now();
    let live = Live {
        position: after.unwrap_or(visitor.position),
        app: pages.app.clone(),
        sessions: pages.sessions.clone(),
        session: visitor.signed_in.id,
        actor: visitor.signed_in.actor,
        changes,
        opened: false,
        closing: false,
        sent: now,
        checked: now,
        place,
    };
    Ok(respond::events(stream::unfold(live, Live::next)))
}

struct Live {
    app: App,
    sessions: Sessions,
    session: Id,
    actor: Actor,
    /// Wakes; what changed is read from the bus by position.
    changes: Receiver<Change>,
    /// Up to where the browser knows.
    position: u64,
    opened: bool,
    closing: bool,
    /// When the last frame went out.
    sent: Instant,
    /// When the session was last looked at.
    checked: Instant,
    place: Place,
}

impl Live {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let frame = if self.closing {
            return None;
        } else if self.opened {
            self.frame().await?
        } else {
            self.opened = true;
            let hello = json!({ "build": assets::build() });
            format!("retry: 2000\nevent: hello\ndata: {hello}\n\n{}", self.news())
        };
        self.sent = Instant::now();
        Some((Ok(Bytes::from(frame)), self))
    }

    /// `None` closes the stream: the browser connects again and is told why it may not.
    async fn frame(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                () = self.app.stopping.cancelled() => {
                    self.closing = true;
                    // Spread, so that all browsers do not come back in the same moment.
                    let wait = 1000 + u32::from(u16::from_be_bytes(random::bytes())) % 4000;
                    return Some(format!("retry: {wait}\n\n"));
                }
                () = self.place.taken() => return None,
                () = tokio::time::sleep_until(self.checked + RECHECK) => self.check().await?,
                change = self.changes.recv() => match change {
                    Ok(_) | Err(RecvError::Lagged(_)) => {
                        tokio::time::sleep_until(self.sent + MERGED).await;
                        self.check().await?;
                        let news = self.news();
                        if !news.is_empty() {
                            return Some(news);
                        }
                    }
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep_until(self.sent + PING) => return Some(": ping\n\n".to_owned()),
            }
        }
    }

    /// Looks whether the session still holds, and what its owner may see by now.
    async fn check(&mut self) -> Option<()> {
        self.checked = Instant::now();
        self.actor = self.sessions.still_signed_in(&self.session).await.ok()??;
        Some(())
    }

    /// Events for what changed since the last ones.
    fn news(&mut self) -> String {
        let (position, changes) = self.app.bus.since(self.position);
        self.position = position;
        let topics: BTreeSet<String> = match changes {
            Some(changes) => changes.iter().flat_map(|change| self.topics(change)).collect(),
            None => BTreeSet::from([EVERYTHING.to_owned()]),
        };
        topics
            .into_iter()
            .map(|topic| format!("id: {position}\ndata: {}\n\n", json!({ "topic": topic })))
            .collect()
    }

    /// What a change is called, if this person may know of it.
    fn topics(&self, change: &Change) -> Vec<String> {
        let (team, topics) = match change {
            // Lists of projects are fixed when a page is loaded.
            Change::Team(_) => return Vec::new(),
            Change::Project(team, project) => (team, vec![format!("project:{project}")]),
            Change::Webhook(team, webhook) => (team, vec![format!("webhook:{webhook}")]),
            Change::Deployment(team, project, deployment) => {
                (team, vec![format!("deployment:{deployment}"), format!("project:{project}")])
            }
        };
        let sees = self.actor.instance_admin || *team == self.actor.team_id;
        if sees { topics } else { Vec::new() }
    }
}
