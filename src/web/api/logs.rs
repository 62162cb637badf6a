//! `GET /deployments/{id}/logs`: the build log, in pages or as it grows.

use axum::extract::State;
use http::HeaderMap;

use super::Api;
use super::deployment_request::LogParams;
use super::follow;
use super::guards::Caller;
use super::headers::accepts;
use super::log_view::{LogEvent, LogPageView};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::logs::Order;

/// Largest number a line can be asked for by; the largest that every JSON reader takes exactly.
pub const LAST_SEQ: u64 = (1 << 53) - 1;
/// Lines of a page when nobody says how many.
pub const USUAL_LIMIT: u64 = 200;

/// Get or follow a build log
///
/// A page of the log, or with `follow=true` or `Accept: text/event-stream` its lines as they are written.
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_logs",
    params(("id" = String, Path, description = "The id of a deployment."), LogParams),
    responses(
        (status = 200, description = "The log.", content(
            (LogPageView = "application/json", example = json!({
                "data": [{
                    "seq": 12, "ts": "2024-01-20T16:29:15.123Z", "source": "build", "stream": "stdout",
                    "level": "info", "phase": "building", "message": "added 214 packages in 6s",
                    "deployment_id": "dep_123abc", "instance": null,
                }],
                "next_after_seq": 12, "complete": false,
            })),
            (String = "text/event-stream", item_schema = LogEvent),
        )),
        (status = 204, description = "With `Last-Event-ID`: the whole stream was seen."),
    ),
    security(("bearerAuth" = ["logs:read"])),
)]
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
    let (_, page) = found?;
    AppError::check(params.finish())?;
    respond::object(&LogPageView::new(page, plain))
}
