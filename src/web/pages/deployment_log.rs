//! The build log of a deployment page: as it grows, and as a text.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use futures_util::stream;
use http::{HeaderMap, StatusCode};

use super::log_text::{PAGE, as_file};
use super::params::Params;
use super::respond::{self, Answer};
use super::streams::Kind;
use super::{Pages, Visitor, failure, log_stream, show};
use crate::app::App;
use crate::logs::{Order, strip_ansi};
use crate::model::actor::Actor;
use crate::model::log_line::{LogLevel, LogLine, LogSource};
use crate::web::session::hash;
use crate::web::view::log as view;

/// A line as pages show it.
pub fn view_of(line: &LogLine) -> view::LogLine {
    let error = line.level == LogLevel::Error
        || line.source != LogSource::System && failure::looks_like_error(&line.message);
    view::LogLine::new(line.seq, show::moment(line.ts), &line.message, error)
}

/// `GET …/log/stream?after=`: frames of rendered lines, then `end`.
pub async fn stream(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let after = log_stream::seen(&headers, &params).unwrap_or(0);
    let actor = &visitor.signed_in.actor;
    let (_, page) = pages.app.build_log(actor, &id, after, 1, Order::Ascending).await?;
    if page.complete && page.lines.is_empty() {
        // Tells a browser that there is nothing to connect for again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = pages.streams.take(Kind::Log, hash(&visitor.signed_in.id));
    let (_, lines) = pages.app.follow_build_log(actor, &id, after).await?;
    Ok(log_stream::events(&pages, &visitor, place, lines, view_of))
}

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
