//! What the engine tells of containers by itself.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{EventActor, EventMessage};
use bollard::query_parameters::EventsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{CALL, errors};
use crate::docker::{ContainerId, EngineError, Heard, labels};

/// After which a container may run, rest, or be gone.
const ACTIONS: [&str; 5] = ["start", "die", "pause", "unpause", "destroy"];

/// The containers of this instance that something happens to, and those that are taken out of a network: what the
/// engine tells of networks carries no labels. Ends when one of the two does.
pub fn stream(
    client: Result<Docker, EngineError>,
    instance: &str,
) -> BoxStream<'static, Result<Heard, EngineError>> {
    let client = match client {
        // This deadline is for the answer's head only, which comes at once.
        Ok(client) => client.with_timeout(CALL),
        Err(error) => return stream::once(std::future::ready(Err(error))).boxed(),
    };
    let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let label = format!("{}={instance}", labels::INSTANCE);
    let containers =
        [("type", words(&["container"])), ("label", vec![label]), ("event", words(&ACTIONS))];
    let networks = [("type", words(&["network"])), ("event", words(&["disconnect"]))];
    let containers = told(&client, containers.into(), |actor| {
        Some(Heard { container: ContainerId(actor.id?), unplugged: false })
    });
    let networks = told(&client, networks.into(), |actor| {
        let container = ContainerId(actor.attributes?.remove("container")?);
        Some(Heard { container, unplugged: true })
    });
    stream::select(containers, networks).boxed()
}

/// What the engine tells that passes these filters, and at the end that it was the end.
fn told(
    client: &Docker,
    filters: HashMap<&str, Vec<String>>,
    read: fn(EventActor) -> Option<Heard>,
) -> BoxStream<'static, Result<Heard, EngineError>> {
    let filters = filters.into_iter().map(|(name, values)| (name.to_owned(), values)).collect();
    let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
    let heard = client.events(Some(options)).map_err(errors::engine);
    let heard = heard.try_filter_map(move |event: EventMessage| {
        std::future::ready(Ok(event.actor.and_then(read)))
    });
    let end = EngineError::Unreachable("it tells nothing any more".to_owned());
    heard.chain(stream::once(std::future::ready(Err(end)))).boxed()
}
