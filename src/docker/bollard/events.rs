//! What the engine tells of containers by itself.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::EventsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{CALL, errors};
use crate::docker::{ContainerId, EngineError, labels};

/// After which a container may run, rest, or be gone.
const ACTIONS: [&str; 5] = ["start", "die", "pause", "unpause", "destroy"];

/// The containers of this instance that something happens to.
pub fn stream(
    client: Result<Docker, EngineError>,
    instance: &str,
) -> BoxStream<'static, Result<ContainerId, EngineError>> {
    let client = match client {
        // This deadline is for the answer's head only, which comes at once.
        Ok(client) => client.with_timeout(CALL),
        Err(error) => return stream::once(std::future::ready(Err(error))).boxed(),
    };
    let filters = [
        ("type", vec!["container".to_owned()]),
        ("label", vec![format!("{}={instance}", labels::INSTANCE)]),
        ("event", ACTIONS.map(str::to_owned).to_vec()),
    ];
    let filters = HashMap::from(filters.map(|(name, values)| (name.to_owned(), values)));
    let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
    let events = client.events(Some(options)).map_err(errors::engine);
    let ids = events.try_filter_map(|event| {
        std::future::ready(Ok(event.actor.and_then(|actor| actor.id).map(ContainerId)))
    });
    ids.boxed()
}
