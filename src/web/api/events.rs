//! `/events`: what happened, listed and followed.

use axum::extract::State;

use super::Api;
use super::event_request::{EventParams, ListParams};
use super::event_view::{EventPage, EventView};
use super::guards::Caller;
use super::page::{AfterParams, PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::db::events::EventFilter;
use crate::model::ids::ProjectId;

/// The filters of both ways to read events.
pub fn filter(params: &mut Params) -> EventFilter {
    EventFilter { names: params.names("event"), project: project(params), ..EventFilter::default() }
}

/// The project a list of what happened is narrowed to.
pub fn project(params: &mut Params) -> Option<ProjectId> {
    let text = params.text("project_id")?;
    let project = ProjectId::parse(&text);
    if project.is_none() {
        params.problems.invalid("project_id", "format", "The id of a project.");
    }
    project
}

/// List events
///
/// The newest first; with `after` what came after an event, the oldest first. Events are kept for 30 days.
#[utoipa::path(
    get,
    path = "",
    tag = "Events",
    operation_id = "events_list",
    params(PageParams, AfterParams, EventParams, ListParams),
    responses((status = 200, description = "A page of events.", body = EventPage)),
    security(("bearerAuth" = ["events:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::EventsRead)?;
    let (paging, after) = Paging::read_after(&mut params);
    let mut filter = EventFilter {
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        ..filter(&mut params)
    };
    if let Some(after) = after {
        filter.after = api.app.event_place(&caller.0, &after).await?;
        if filter.after.is_none() {
            params.problems.invalid("after", "unknown_value", "There is no such event.");
        }
    }
    AppError::check(params.finish())?;
    let page = api.app.events(&caller.0, filter, paging.request).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(EventView::from).collect())
}

/// Get an event
#[utoipa::path(
    get,
    path = "",
    tag = "Events",
    operation_id = "events_get",
    params(("id" = String, Path, description = "The id of an event.")),
    responses((status = 200, description = "The event.", body = EventView)),
    security(("bearerAuth" = ["events:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    let event = api.app.event(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::object(&EventView::from(event))
}
