//! `GET /event-types`: what can happen, and what is sent then.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::guards::Caller;
use super::openapi::events;
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::model::event_examples;
use crate::model::event_type;

/// Every kind of event.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeList)]
pub struct EventTypesView {
    data: Vec<EventTypeView>,
}

/// A kind of event.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
pub struct EventTypeView {
    #[schema(example = "deployment.succeeded")]
    name: &'static str,
    /// When it happens.
    description: &'static str,
    /// JSON Schema (2020-12) of what is sent.
    #[schema(value_type = Object)]
    schema: Value,
    /// What is sent, for example.
    #[schema(value_type = Object)]
    example: Value,
}

/// List event types
///
/// What webhooks can be told of, with the schema of what is sent and an example of it.
#[utoipa::path(
    get,
    path = "",
    tag = "Webhooks",
    operation_id = "event_types_list",
    responses((status = 200, description = "All of them.", body = EventTypesView)),
)]
pub async fn list(_: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let view = |event: &event_type::EventType| EventTypeView {
        name: event.name,
        description: event.when,
        schema: events::whole_schema(event),
        example: event_examples::example(event.name),
    };
    respond::object(&EventTypesView { data: event_type::ALL.iter().map(view).collect() })
}
