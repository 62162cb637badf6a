//! `GET /deployments/{id}/logs`: the build log, in pages or as it grows.

use axum::extract::State;
use http::HeaderMap;

use super::Api;
use super::follow;
use super::guards::Caller;
use super::headers::accepts;
use super::object::Object;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::logs::{Order, strip_ansi};

/// Largest number a line can be asked for by; the largest that every JSON reader takes exactly.
const LAST_SEQ: u64 = (1 << 53) - 1;
const USUAL_LIMIT: u64 = 200;

/// A page of the log, or with `follow=true` or `Accept: text/event-stream` its events.
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    headers: HeaderMap,
    mut params: Params,
) -> Answer {
    caller.may(Action::LogsRead)?;
    let after = params.number("after_seq", 0, LAST_SEQ);
    let limit = params.number("limit", 1, 1000);
    let order = params.word("order", &["asc", "desc"]);
    let plain = params.word("ansi", &["keep", "strip"]) == Some("strip");
    let stream = params.flag("follow").unwrap_or_else(|| accepts(&headers, "text/event-stream"));
    if stream {
        for (name, sent) in [("limit", limit.is_some()), ("order", order.is_some())] {
            if sent {
                let message = "A log that is followed is sent whole and in order.";
                params.problems.invalid(name, "mutually_exclusive", message);
            }
        }
        return follow::events(&api, &caller, id, &headers, after, plain, params.finish()).await;
    }
    let order = if order == Some("desc") { Order::Descending } else { Order::Ascending };
    let limit = usize::try_from(limit.unwrap_or(USUAL_LIMIT)).unwrap_or(usize::MAX);
    let found = api.app.build_log(&caller.0, &id.0, after.unwrap_or(0), limit, order).await;
    let (_, mut page) = found?;
    AppError::check(params.finish())?;
    if plain {
        for line in &mut page.lines {
            line.message = strip_ansi(&line.message);
        }
    }
    let body = Object::new()
        .with("data", &page.lines)
        .with("next_after_seq", &page.next_after_seq)
        .with("complete", &page.complete);
    Ok(respond::object(&body))
}
