//! Events as the API shows them: the body of a webhook and its id.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::page::Page;
use super::schema::{self, Schemas, add_schema, part_of_stream};
use crate::model::event::Event;
use crate::model::ids::EventId;
use crate::model::timestamp::Timestamp;

/// A page of events.
pub type EventPage = Page<EventView>;

/// Something that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    pub id: EventId,
    /// Its name in the catalogue.
    #[schema(example = "deployment.succeeded")]
    pub event: String,
    timestamp: Timestamp,
    /// What belongs to it; its keys depend on the event.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            event: event.event.into_owned(),
            timestamp: event.created_at,
            data: event.data,
        }
    }
}

/// What the stream of events consists of, for its description.
pub struct EventFrame;

impl PartialSchema for EventFrame {
    fn schema() -> RefOr<Schema> {
        let name = schema::text().description(Some("The name of the event."));
        part_of_stream::<EventView>("").property("event", name).into()
    }
}

impl ToSchema for EventFrame {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EventFrame")
    }

    fn schemas(schemas: &mut Schemas) {
        add_schema::<EventView>(schemas);
    }
}
