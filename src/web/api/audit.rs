//! `/audit-log`: who did what, listed and exported.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use utoipa::IntoParams;

use super::Api;
use super::audit_view::{AuditEntryView, AuditPage};
use super::event_request::{EventName, ListParams};
use super::events::project;
use super::guards::Caller;
use super::headers::accepts;
use super::page::{AfterParams, PageParams, Paging};
use super::params::Params;
use super::respond::Answer;
use crate::app::may::Action;
use crate::app::{App, AppError};
use crate::db::audit_log::AuditFilter;
use crate::model::ids::ProjectId;

const NDJSON: &str = "application/x-ndjson";
/// Entries of an export that are read at once.
const BATCH: u32 = 500;

/// Parameters of `GET /audit-log`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Read one by one, with `Params`.
pub struct AuditParams {
    /// Only these: names, or `project.*` for all that begin like it.
    #[param(inline)]
    action: Option<Vec<EventName>>,
    /// Only what this user or key did.
    #[param(max_length = 64)]
    actor_id: Option<String>,
    /// Only what was done to this.
    #[param(max_length = 64)]
    target_id: Option<String>,
    /// Only what was done to this project and what belongs to it.
    #[param(inline)]
    project_id: Option<ProjectId>,
    /// Only what came from this address.
    #[param(max_length = 64)]
    ip: Option<String>,
}

/// List or export the audit log
///
/// The newest first; with `after` what came after an entry, the oldest first. `Accept: application/x-ndjson` exports all of it, the
/// oldest first, one entry a line. Entries are kept for 400 days.
#[utoipa::path(
    get,
    path = "",
    tag = "Audit log",
    operation_id = "audit_log_list",
    params(PageParams, AfterParams, AuditParams, ListParams),
    responses((status = 200, description = "A page of the log.", content(
        (AuditPage = "application/json"),
        (String = "application/x-ndjson"),
    ))),
    security(("bearerAuth" = ["audit:read"])),
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    mut params: Params,
) -> Answer {
    caller.may(Action::AuditRead)?;
    let (paging, after) = Paging::read_after(&mut params);
    let mut filter = AuditFilter {
        actions: params.names("action"),
        actor_id: word(&mut params, "actor_id"),
        target_id: word(&mut params, "target_id"),
        project: project(&mut params),
        ip: address(&mut params),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        ..AuditFilter::default()
    };
    if let Some(after) = after {
        filter.after = api.app.audit_place(&caller.0, &after).await?;
        if filter.after.is_none() {
            params.problems.invalid("after", "unknown_value", "There is no such entry.");
        }
    }
    AppError::check(params.finish())?;
    if accepts(&headers, NDJSON) {
        return Ok(export(api.app.clone(), caller, filter));
    }
    let page = api.app.audit_log(&caller.0, filter, paging.request).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(AuditEntryView::from).collect())
}

/// An id of whatever kind; ids are short.
fn word(params: &mut Params, name: &str) -> Option<String> {
    let text = params.text(name)?;
    if text.is_empty() || text.len() > 64 {
        params.problems.invalid(name, "format", "An id.");
    }
    Some(text)
}

fn address(params: &mut Params) -> Option<String> {
    let text = params.text("ip")?;
    let address = text.parse::<IpAddr>().ok();
    if address.is_none() {
        params.problems.invalid("ip", "format", "An IP address.");
    }
    address.map(|address| address.to_canonical().to_string())
}

/// All of it, one entry a line, read as the client takes it.
fn export(app: App, caller: Caller, filter: AuditFilter) -> Response {
    let filter = AuditFilter { after: filter.after.or(Some(0)), ..filter };
    let batches = stream::unfold(Some((app, caller, filter)), |state| async move {
        let (app, caller, mut filter) = state?;
        // What was sent stands; whoever needs the rest asks again with `after`.
        let found = app.audit_forward(&caller.0, filter.clone(), BATCH).await.ok()?;
        filter.after = Some(found.last()?.0);
        let lines: String = found
            .into_iter()
            .filter_map(|(_, entry)| serde_json::to_string(&AuditEntryView::from(entry)).ok())
            .map(|line| line + "\n")
            .collect();
        let batch: Result<Bytes, Infallible> = Ok(lines.into());
        Some((batch, Some((app, caller, filter))))
    });
    let mut response = Response::new(Body::from_stream(batches.fuse()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}
