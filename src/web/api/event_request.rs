//! What `/events` takes, for the API's description.
#![allow(dead_code, reason = "parameters are read one at a time, with `Params`")]

use utoipa::IntoParams;

use super::schema::{self, described};
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// The name of an event or the beginning of names, in place of its text.
pub struct EventName;

described! {
    EventName => "EventName", schema::text()
        .pattern(Some(r"^[a-z_]+(\.[a-z_]+)*(\.\*)?$")).max_length(Some(64));
}

/// Parameters of both ways to read events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventParams {
    /// Only these: names, or `deployment.*` for all that begin like it.
    #[param(inline)]
    event: Option<Vec<EventName>>,
    /// Only events of this project.
    #[param(inline)]
    project_id: Option<ProjectId>,
}

/// Parameters of `GET /events`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only what happened after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only what happened before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
}
