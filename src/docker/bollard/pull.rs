//! Looking for images in registries, and pulling them.

use std::collections::HashMap;
use std::pin::pin;

use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptions, TagImageOptions};
use futures_util::StreamExt;
use http::HeaderValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Bollard, CALL, START, checked, errors, within};
use crate::docker::{ContainerEngine, EngineError, ImageInfo, ImageSource, PullError, PullSpec};

/// Header the engine reads the credentials from.
const AUTH: &str = "x-registry-auth";

/// The digest a reference stands for now, asked of its registry.
pub async fn resolve(engine: &Bollard, source: &ImageSource) -> Result<String, PullError> {
    let client = engine.client()?.with_request_modifier(encode_for_urls);
    let name = checked(&source.reference)?;
    let call = client.inspect_registry_image(name, credentials(source));
    // A registry that is slow takes the engine longer than any call of its own.
    let found = within(START, "registry", call).await.map_err(PullError::classify)?;
    found.descriptor.digest.ok_or_else(|| {
        EngineError::Refused("the registry did not say which image this is".to_owned()).into()
    })
}

/// Pulls an image and gives it a name of our own. Whatever ends it early drops the request, and the engine gives up
/// what nobody waits for.
pub async fn run(
    engine: &Bollard,
    spec: PullSpec,
    events: mpsc::Sender<String>,
    cancel: CancellationToken,
) -> Result<ImageInfo, PullError> {
    let timeout = spec.timeout;
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(PullError::Canceled),
        () = tokio::time::sleep(timeout) => Err(PullError::TimedOut(timeout.as_secs())),
        pulled = pull(engine, spec, events) => pulled,
    }
}

async fn pull(
    engine: &Bollard,
    spec: PullSpec,
    events: mpsc::Sender<String>,
) -> Result<ImageInfo, PullError> {
    let client = engine.client()?.with_request_modifier(encode_for_urls);
    let reference = checked(&spec.source.reference)?;
    let Some((name, digest)) = reference.split_once('@') else {
        return Err(EngineError::Refused(format!("{reference:?} names no digest")).into());
    };
    let options = CreateImageOptions {
        from_image: Some(name.to_owned()),
        tag: Some(digest.to_owned()),
        ..CreateImageOptions::default()
    };
    let mut told = pin!(client.create_image(Some(options), None, credentials(&spec.source)));
    let mut layers = HashMap::new();
    while let Some(step) = told.next().await {
        let step = step.map_err(|error| PullError::classify(errors::engine(error)))?;
        if let Some((layer, size)) = size_of(&step) {
            layers.insert(layer, size);
            if layers.values().sum::<u64>() > spec.limit_bytes {
                return Err(PullError::TooLarge(spec.limit_bytes));
            }
        }
        if let Some(line) = line_of(step) {
            // Nobody listens any more: the pull goes on, its result still counts.
            events.send(line).await.ok();
        }
    }
    let gone = || EngineError::NotFound("the image was not there after the pull".to_owned());
    let image = engine.image(reference).await?.ok_or_else(gone)?;
    let Some((repo, tag)) = checked(&spec.tag)?.split_once(':') else {
        return Err(EngineError::Refused(format!("{:?} has no tag", spec.tag)).into());
    };
    let options = TagImageOptions { repo: Some(repo.to_owned()), tag: Some(tag.to_owned()) };
    within(CALL, "tag image", client.tag_image(checked(&image.id)?, Some(options))).await?;
    Ok(image)
}

/// A layer that is being downloaded, and its size.
fn size_of(step: &CreateImageInfo) -> Option<(String, u64)> {
    let total = step.progress_detail.as_ref()?.total?;
    let downloading = step.status.as_deref() == Some("Downloading");
    Some((step.id.clone()?, u64::try_from(total).ok()?)).filter(|_| downloading)
}

/// What a person wants to know of a step: not every percent.
fn line_of(step: CreateImageInfo) -> Option<String> {
    let status = step.status?;
    let noise = [
        "Downloading",
        "Extracting",
        "Waiting",
        "Verifying Checksum",
        "Download complete",
        "Pulling fs layer",
    ];
    if noise.contains(&status.as_str()) || status.is_empty() {
        return None;
    }
    Some(match step.id {
        Some(id) if !id.starts_with("sha256:") => format!("{id}: {status}"),
        _ => status,
    })
}

fn credentials(source: &ImageSource) -> Option<DockerCredentials> {
    let known = source.credentials.clone()?;
    Some(DockerCredentials {
        username: Some(known.username),
        password: Some(known.password),
        serveraddress: Some(source.registry.clone()),
        ..DockerCredentials::default()
    })
}

/// The engine reads credentials in the alphabet for URLs and takes what is written in the other for none at all.
fn encode_for_urls(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers_mut().get_mut(AUTH) {
        let text = value.to_str().unwrap_or_default().replace('+', "-").replace('/', "_");
        if let Ok(mut fresh) = HeaderValue::try_from(text) {
            fresh.set_sensitive(true);
            *value = fresh;
        }
    }
    request
}
