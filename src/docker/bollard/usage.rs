//! What images and the build cache take up, and removing parts of the cache.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ImageHistoryResponseItem;
use bollard::query_parameters::{ListImagesOptions, PruneBuildOptions};
use futures_util::{StreamExt, stream};
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use serde::Deserialize;

use super::endpoint::Endpoint;
use super::errors::unreachable;
use super::{CALL, within};
use crate::docker::{EngineError, ImageUse, Owner};
use crate::model::build_cache::Record;
use crate::model::retention::Layer;
use crate::model::timestamp::Timestamp;

/// Adding up walks over everything the engine has.
const ADD_UP: Duration = Duration::from_secs(120);
/// Records removed by one call.
const AT_ONCE: usize = 200;
/// Images asked about at the same time.
const PARALLEL: usize = 4;
/// Older engines add up for one caller at a time and refuse others; how often and after which pause we ask again.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(500);
/// Most bytes of the engine's answer.
const ANSWER: usize = 64 * 1024 * 1024;

/// Layers by image.
pub type KnownLayers = Mutex<HashMap<String, Vec<Layer>>>;

/// Every image. The engine keeps layers once, and tells them only image by image.
pub async fn images(
    client: &Docker,
    instance: &str,
    known: &KnownLayers,
) -> Result<Vec<ImageUse>, EngineError> {
    let listed = within(CALL, "list images", client.list_images(None::<ListImagesOptions>)).await?;
    let before = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let images = stream::iter(listed)
        .map(|image| {
            let layers = before.get(&image.id).cloned();
            async move {
                let layers = match layers {
                    Some(layers) => layers,
                    None => layers_of(client, &image.id, image.size).await,
                };
                let owner = Owner::from_labels(&image.labels);
                ImageUse {
                    owner: owner.filter(|owner| owner.instance == instance),
                    names: image
                        .repo_tags
                        .into_iter()
                        .filter(|tag| tag != "<none>:<none>")
                        .collect(),
                    created_at: Timestamp(image.created.saturating_mul(1000)),
                    layers,
                    id: image.id,
                }
            }
        })
        .buffer_unordered(PARALLEL)
        .collect::<Vec<_>>()
        .await;
    let all = images.iter().map(|image| (image.id.clone(), image.layers.clone()));
    *known.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    Ok(images)
}

/// The layers of an image by its history: images with the same steps so far have the same layers so far.
async fn layers_of(client: &Docker, id: &str, size: i64) -> Vec<Layer> {
    match within(CALL, "image history", client.image_history(id)).await {
        Ok(history) => layers(&history),
        // Gone meanwhile, or an engine that cannot say: then it is one layer of its own.
        Err(_) => vec![Layer { key: id.to_owned(), bytes: u64::try_from(size).unwrap_or(0) }],
    }
}

fn layers(newest_first: &[ImageHistoryResponseItem]) -> Vec<Layer> {
    let mut hash = DefaultHasher::new();
    let mut layers = Vec::new();
    for step in newest_first.iter().rev() {
        (step.created, &step.created_by, step.size).hash(&mut hash);
        let bytes = u64::try_from(step.size).unwrap_or(0);
        if bytes > 0 {
            layers.push(Layer { key: format!("{:016x}", hash.finish()), bytes });
        }
    }
    layers
}

/// The engine's answer in both of its forms: the records on top, or since API 1.52 below `BuildCacheUsage`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    #[serde(default)]
    build_cache: Option<Vec<CacheRecord>>,
    #[serde(default)]
    build_cache_usage: Option<CacheUsage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CacheUsage {
    #[serde(default)]
    items: Option<Vec<CacheRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CacheRecord {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    parents: Option<Vec<String>>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    in_use: bool,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    size: i64,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    last_used_at: Option<String>,
}

impl From<CacheRecord> for Record {
    fn from(told: CacheRecord) -> Self {
        let moment = |text: Option<String>| text.and_then(|text| Timestamp::parse(&text));
        let created_at = moment(told.created_at).unwrap_or_default();
        let mut parents = told.parents.unwrap_or_default();
        parents.extend(Some(told.parent).filter(|parent| !parent.is_empty()));
        Self {
            id: told.id,
            parents,
            description: told.description,
            bytes: u64::try_from(told.size).unwrap_or(0),
            in_use: told.in_use,
            shared: told.shared,
            created_at,
            last_used_at: moment(told.last_used_at).unwrap_or(created_at),
        }
    }
}

/// Every record of the build cache. Not asked through bollard, which reads the newest form of the answer alone.
pub async fn build_cache(endpoint: &Endpoint) -> Result<Vec<Record>, EngineError> {
    for _ in 1..TRIES {
        match tokio::time::timeout(ADD_UP, usage(endpoint)).await {
            Ok(Err(EngineError::Refused(text))) if text.contains("already running") => {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(answer) => return answer,
            Err(_) => break,
        }
    }
    Err(EngineError::TimedOut("disk usage"))
}

async fn usage(endpoint: &Endpoint) -> Result<Vec<Record>, EngineError> {
    let connection = endpoint.connect().await.map_err(|error| unreachable(&error))?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(connection)
        .await
        .map_err(|error| unreachable(&error))?;
    // Ends with the connection, when the answer was read or nobody waits for it any more.
    let driver = tokio::spawn(driver);
    let request = Request::get("/system/df?type=build-cache&verbose=1")
        .header(header::HOST, "docker")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| unreachable(&error))?;
    let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    driver.abort();
    let body = body.map_err(|error| unreachable(error.as_ref()))?.to_bytes();
    if !status.is_success() {
        return Err(EngineError::Refused(String::from_utf8_lossy(&body).into_owned()));
    }
    let told: Usage = serde_json::from_slice(&body)
        .map_err(|error| EngineError::Refused(format!("its disk usage cannot be read: {error}")))?;
    let below = told.build_cache_usage.and_then(|usage| usage.items);
    let records = told.build_cache.or(below).unwrap_or_default();
    Ok(records.into_iter().map(Record::from).collect())
}

/// Removes records, many with one call: for every call the engine looks through all it has.
pub async fn remove_cache(client: &Docker, ids: &[String]) -> Result<u64, EngineError> {
    let mut freed = 0_u64;
    for ids in ids.chunks(AT_ONCE) {
        let filters = HashMap::from([("id".to_owned(), vec![any_of(ids)?])]);
        let options = PruneBuildOptions {
            all: Some(true),
            filters: Some(filters),
            ..PruneBuildOptions::default()
        };
        let pruned =
            within(ADD_UP, "remove build cache", client.prune_build(Some(options))).await?;
        let bytes = pruned.space_reclaimed.and_then(|bytes| u64::try_from(bytes).ok());
        freed = freed.saturating_add(bytes.unwrap_or(0));
    }
    Ok(freed)
}

/// A pattern of these ids and of nothing else: the engine takes one value for all, and takes it for a pattern.
fn any_of(ids: &[String]) -> Result<String, EngineError> {
    let strange =
        |id: &&String| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(id) = ids.iter().find(strange) {
        return Err(EngineError::Refused(format!("{id:?} is no record of the build cache")));
    }
    Ok(format!("^({})$", ids.join("|")))
}

#[cfg(test)]
mod tests;
