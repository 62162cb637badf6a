//! What an instance has on the engine.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, ListNetworksOptions};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{CALL, container, within};
use crate::docker::{EngineError, Owned, OwnedObject, Owner, labels};

/// Containers asked about at the same time.
const PARALLEL: usize = 8;

/// Everything that carries this instance's label.
pub async fn list(client: &Docker, instance: &str) -> Result<Owned, EngineError> {
    let label = format!("{}={instance}", labels::INSTANCE);
    let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));

    let containers = ListContainersOptions {
        all: true,
        filters: filters.clone(),
        ..ListContainersOptions::default()
    };
    let networks = ListNetworksOptions { filters: filters.clone() };
    let images = ListImagesOptions { filters, ..ListImagesOptions::default() };
    let containers =
        within(CALL, "list containers", client.list_containers(Some(containers))).await?;
    let networks = within(CALL, "list networks", client.list_networks(Some(networks))).await?;
    let images = within(CALL, "list images", client.list_images(Some(images))).await?;

    // The list says nothing about exit codes, kills and processes.
    let ids = containers.into_iter().filter_map(|container| container.id);
    let containers = stream::iter(ids)
        .map(|id| async move { container::inspect(client, &id).await })
        .buffer_unordered(PARALLEL)
        .try_filter_map(|state| async move { Ok(state) })
        .try_collect()
        .await?;
    let networks = networks.into_iter().filter_map(|network| {
        Some(OwnedObject {
            id: network.id?,
            name: network.name?,
            owner: Owner::from_labels(&network.labels?)?,
        })
    });
    let images = images.into_iter().filter_map(|image| {
        Some(OwnedObject {
            owner: Owner::from_labels(&image.labels)?,
            name: image.repo_tags.into_iter().next().unwrap_or_default(),
            id: image.id,
        })
    });
    Ok(Owned { containers, networks: networks.collect(), images: images.collect() })
}
