//! `GET /projects/{project}/logs` and `GET /deployments/{id}/runtime-logs`: what applications write while they run, and the
//! requests they get.

use axum::extract::State;
use http::HeaderMap;

use super::Api;
use super::guards::Caller;
use super::headers::accepts;
use super::log_view::{LogPageView, RuntimeLogEvent};
use super::logs::{LAST_SEQ, USUAL_LIMIT};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use super::runtime_log_request::{DeploymentLogParams, ProjectLogParams, SOURCES};
use super::runtime_stream;
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::runtime_logs::Logged;
use crate::logs::{Order, Selection};
use crate::model::ids::DeploymentId;
use crate::model::log_line::{LogLevel, LogSource};
use crate::model::timestamp::Timestamp;

/// Get or follow the runtime log of a project
///
/// What its containers write and the requests they get, of all its deployments. A page of it, or with `follow=true` or
/// `Accept: text/event-stream` its lines as they are written. Kept are seven days, and of those the newest gibibyte; of
/// the requests of one deployment at most a hundred a second are listed.
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_logs",
    params(("project" = String, Path, description = "The id or the name of a project."), ProjectLogParams),
    responses((status = 200, description = "The log.", content(
        (LogPageView = "application/json"),
        (String = "text/event-stream", item_schema = RuntimeLogEvent),
    ))),
    security(("bearerAuth" = ["logs:read"])),
)]
pub async fn of_project(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    headers: HeaderMap,
    mut params: Params,
) -> Answer {
    caller.may(Action::LogsRead)?;
    let mut wanted = Selection::default();
    if let Some(text) = params.text("deployment_id") {
        wanted.deployment = DeploymentId::parse(&text);
        if wanted.deployment.is_none() {
            params.problems.invalid("deployment_id", "format", "The id of a deployment.");
        }
    }
    answer(&api, caller, Logged::Project(&project.0), wanted, &headers, params).await
}

/// Get or follow the runtime log of a deployment
///
/// What its containers write and the requests they get. A page of it, or with `follow=true` or
/// `Accept: text/event-stream` its lines as they are written. Lines are numbered in the log of the project: the numbers
/// of one deployment's have gaps.
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_runtime_logs",
    params(("id" = String, Path, description = "The id of a deployment."), DeploymentLogParams),
    responses((status = 200, description = "The log.", content(
        (LogPageView = "application/json"),
        (String = "text/event-stream", item_schema = RuntimeLogEvent),
    ))),
    security(("bearerAuth" = ["logs:read"])),
)]
pub async fn of_deployment(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    caller.may(Action::LogsRead)?;
    let wanted = Selection::default();
    answer(&api, caller, Logged::Deployment(&id.0), wanted, &headers, params).await
}

async fn answer(
    api: &Api,
    caller: Caller,
    named: Logged<'_>,
    mut wanted: Selection,
    headers: &HeaderMap,
    mut params: Params,
) -> Answer {
    select(&mut params, &mut wanted, api.app.clock.now());
    let after = params.number("after_seq", 0, LAST_SEQ);
    let limit = params.number("limit", 1, 1000);
    let order = params.word("order", &["asc", "desc"]);
    let plain = params.word("ansi", &["keep", "strip"]) == Some("strip");
    let stream = params.flag("follow").unwrap_or_else(|| accepts(headers, "text/event-stream"));
    if stream {
        for (name, sent) in [
            ("limit", limit.is_some()),
            ("order", order.is_some()),
            ("until", wanted.until.is_some()),
        ] {
            if sent {
                let message = "A log that is followed is sent in order and without an end.";
                params.problems.invalid(name, "mutually_exclusive", message);
            }
        }
        return runtime_stream::events(api, caller, named, wanted, headers, after, plain, params)
            .await;
    }
    let project = api.app.runtime_log_of(&caller.0, named, &mut wanted).await?;
    AppError::check(params.finish())?;
    let order = if order == Some("desc") { Order::Descending } else { Order::Ascending };
    let limit = usize::try_from(limit.unwrap_or(USUAL_LIMIT)).unwrap_or(usize::MAX);
    let page = api.app.runtime_log(&project, wanted, after.unwrap_or(0), limit, order).await?;
    respond::object(&LogPageView::new(page, plain))
}

/// Reads what chooses lines.
fn select(params: &mut Params, wanted: &mut Selection, now: Timestamp) {
    wanted.since = params.moment_or_ago("since", now);
    wanted.until = params.moment_or_ago("until", now);
    wanted.sources = params.words("source", &SOURCES, LogSource::as_str);
    wanted.levels = params.words("level", &LogLevel::ALL, LogLevel::as_str);
    wanted.text = params.text("q").filter(|text| !text.is_empty());
    if wanted.text.as_ref().is_some_and(|text| text.len() > 256) {
        params.problems.invalid("q", "too_long", "At most 256 bytes.");
    }
    wanted.instance = params.text("instance");
    if let Some(text) = params.text("status") {
        wanted.statuses = statuses(&text);
        if wanted.statuses.is_none() {
            let message =
                "A status such as `500`, a class such as `5xx`, or a bound such as `>=400`.";
            params.problems.invalid("status", "format", message);
        }
    }
}

/// The lowest and the highest status that `500`, `5xx` or `>=400` means.
fn statuses(text: &str) -> Option<(u16, u16)> {
    let number = |digits: &str| -> Option<u16> {
        let three = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        three.then(|| digits.parse().ok()).flatten().filter(|n| (100..=599).contains(n))
    };
    if let Some(least) = text.strip_prefix(">=") {
        return Some((number(least)?, 599));
    }
    if let Some(class) = text.strip_suffix("xx") {
        let least = number(&format!("{class}00"))?;
        return Some((least, least + 99));
    }
    number(text).map(|status| (status, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_a_class_or_a_bound() {
        assert_eq!(statuses("500"), Some((500, 500)));
        assert_eq!(statuses("5xx"), Some((500, 599)));
        assert_eq!(statuses(">=400"), Some((400, 599)));
        for bad in ["", "5", "xx", "6xx", "0xx", "+5xx", ">=", ">400", "099", "5XX", "50x"] {
            assert_eq!(statuses(bad), None, "{bad}");
        }
    }
}
