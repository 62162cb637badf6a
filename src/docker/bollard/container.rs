//! Containers: the profile they are made with, and the calls about one of them.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerUpdateBody, EndpointSettings,
    HealthConfig, HostConfig, HostConfigLogConfig, NetworkingConfig, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, LogsOptions, RemoveContainerOptions, StopContainerOptions,
};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{Bollard, CALL, START, checked, errors, found, within};
use crate::docker::{
    ContainerId, ContainerSpec, ContainerState, EngineError, OutputChunk, Owner, labels,
};

/// What the entry points of official images need before they give up root. All else is dropped.
const CAPABILITIES: [&str; 7] = [
    "CHOWN",            // hand a data directory to the user the server runs as
    "DAC_OVERRIDE",     // read and fill that directory before it is handed over
    "FOWNER",           // set modes and times of files handed over already
    "SETGID",           // gosu, su-exec, nginx workers: become another group
    "SETUID",           // … and user
    "KILL",             // a supervisor that stayed root stops its workers
    "NET_BIND_SERVICE", // listen on port 80, as many images do
];

/// Starts the engine makes by itself before it leaves a failing container alone.
const RESTARTS: i64 = 10;
/// Open files and sockets of one process. Not above what an unprivileged engine may itself hand on.
const OPEN_FILES: i64 = 16_384;

/// Lets the engine start a container again when it fails.
///
/// `unless-stopped` has no bound, and the engine would run a crash loop for ever. With `on-failure` the
/// engine alone brings back what crashed or was killed, also when it or the machine starts again; what
/// had ended with code 0 by then (a server that obeyed SIGTERM) is started when Orbitra looks after it.
/// Until Orbitra runs nobody could reach it: the proxy is Orbitra.
pub async fn supervise(client: &Docker, id: &str) -> Result<(), EngineError> {
    let update = ContainerUpdateBody {
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ON_FAILURE),
            maximum_retry_count: Some(RESTARTS),
        }),
        ..ContainerUpdateBody::default()
    };
    within(CALL, "update container", client.update_container(checked(id)?, update)).await
}

/// Makes a container, or finds the one of the same name and owner.
pub async fn create(engine: &Bollard, spec: ContainerSpec) -> Result<ContainerId, EngineError> {
    let client = engine.client()?;
    let name = checked(&spec.name)?.to_owned();
    let owner = spec.owner.clone();
    let options =
        CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    let call = client.create_container(Some(options), profile(spec));
    match within(CALL, "create container", call).await {
        Ok(created) => Ok(ContainerId(created.id)),
        Err(EngineError::Refused(text)) if text.contains("already in use") => {
            // Made before a crash, or by a call whose answer was lost.
            match inspect(&client, &name).await? {
                Some(existing) if existing.owner.as_ref() == Some(&owner) => Ok(existing.id),
                _ => Err(EngineError::Refused(text)),
            }
        }
        Err(error) => Err(error),
    }
}

/// The whole description of a container: the one place that decides what an application may do.
fn profile(spec: ContainerSpec) -> ContainerCreateBody {
    let mut labels = spec.owner.labels();
    if let Some(number) = spec.replica {
        labels.insert(labels::REPLICA.to_owned(), number.to_string());
    }
    let memory = i64::try_from(spec.memory_bytes).unwrap_or(i64::MAX);
    let text = |value: &str| Some(value.to_owned());
    let host = HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        privileged: Some(false),
        ipc_mode: text("private"),
        init: Some(true),
        pids_limit: Some(i64::from(spec.pids)),
        memory: Some(memory),
        // Equal to the memory: no swap, so that one application cannot slow the disk for all.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(spec.cpu_millis) * 1_000_000),
        ulimits: Some(vec![ResourcesUlimits {
            name: text("nofile"),
            soft: Some(OPEN_FILES),
            hard: Some(OPEN_FILES),
        }]),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: text("json-file"),
            config: Some(HashMap::from(
                [("max-size", "10m"), ("max-file", "3")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            )),
        }),
        network_mode: Some(spec.network.clone()),
        ..HostConfig::default()
    };
    let endpoint = EndpointSettings {
        aliases: Some(vec![spec.hostname.clone()]),
        ..EndpointSettings::default()
    };
    ContainerCreateBody {
        hostname: Some(spec.hostname),
        image: Some(spec.image),
        entrypoint: spec.entrypoint,
        cmd: spec.command,
        env: Some(
            spec.environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
        ),
        labels: Some(labels),
        // Probes come from outside; a check inside the image would only cost processes.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(spec.network, endpoint)])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// What is true of a container; by id or name.
pub async fn inspect(client: &Docker, id: &str) -> Result<Option<ContainerState>, EngineError> {
    let call = client.inspect_container(checked(id)?, None);
    Ok(found(within(CALL, "inspect container", call).await)?.map(state))
}

fn state(answer: ContainerInspectResponse) -> ContainerState {
    let state = answer.state.unwrap_or_default();
    let labels = answer.config.and_then(|config| config.labels);
    let running = state.running.unwrap_or(false);
    let networks = answer.network_settings.and_then(|all| all.networks);
    let networks = networks.unwrap_or_default();
    let in_network = !networks.is_empty();
    let mut endpoints = networks.into_values();
    ContainerState {
        id: ContainerId(answer.id.unwrap_or_default()),
        name: answer.name.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
        owner: labels.as_ref().and_then(Owner::from_labels),
        restarts: answer.restart_count.and_then(|count| count.try_into().ok()).unwrap_or(0),
        // Between two starts the engine says both; nothing runs then.
        running: running && !state.restarting.unwrap_or(false),
        paused: state.paused.unwrap_or(false),
        in_network,
        address: endpoints.find_map(|endpoint| endpoint.ip_address?.parse().ok()),
        exit_code: state.exit_code.filter(|_| !running || state.restarting == Some(true)),
        out_of_memory: state.oom_killed.unwrap_or(false),
        pid: state.pid.and_then(|pid| pid.try_into().ok()).filter(|pid| *pid != 0),
        error: state.error.filter(|text| !text.is_empty()),
    }
}

/// Freezes it.
pub async fn pause(client: &Docker, id: &str) -> Result<(), EngineError> {
    match within(CALL, "pause container", client.pause_container(checked(id)?)).await {
        Err(EngineError::Refused(text)) if text.contains("already paused") => Ok(()),
        result => result,
    }
}

/// Lets it go on.
pub async fn unpause(client: &Docker, id: &str) -> Result<bool, EngineError> {
    let call = client.unpause_container(checked(id)?);
    match found(within(CALL, "unpause container", call).await) {
        Ok(unpaused) => Ok(unpaused.is_some()),
        Err(EngineError::Refused(text)) if text.contains("is not paused") => Ok(false),
        Err(error) => Err(error),
    }
}

/// SIGTERM, then SIGKILL after `grace`.
pub async fn stop(client: &Docker, id: &str, grace: Duration) -> Result<(), EngineError> {
    // A frozen process never gets the first of the two.
    unpause(client, id).await?;
    let options = StopContainerOptions {
        t: Some(i32::try_from(grace.as_secs()).unwrap_or(i32::MAX)),
        ..StopContainerOptions::default()
    };
    let call = client.stop_container(checked(id)?, Some(options));
    found(within(grace + START, "stop container", call).await).map(|_| ())
}

/// Removes it with its anonymous volumes, running or not.
pub async fn remove(client: &Docker, id: &str) -> Result<(), EngineError> {
    let options =
        RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    let call = client.remove_container(checked(id)?, Some(options));
    match found(within(START, "remove container", call).await) {
        // Somebody else is removing it at this moment.
        Err(EngineError::Refused(text)) if text.contains("already in progress") => Ok(()),
        result => result.map(|_| ()),
    }
}

/// What the container wrote, as it came.
pub fn output(
    client: Result<Docker, EngineError>,
    id: &str,
    tail: Option<u32>,
    follow: bool,
) -> BoxStream<'static, Result<OutputChunk, EngineError>> {
    let client = match client.and_then(|client| checked(id).map(|_| client)) {
        // This deadline is for the answer's first byte only, which comes at once.
        Ok(client) => client.with_timeout(CALL),
        Err(error) => return stream::once(std::future::ready(Err(error))).boxed(),
    };
    let options = LogsOptions {
        follow,
        stdout: true,
        stderr: true,
        tail: tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        ..LogsOptions::default()
    };
    let chunks = client.logs(id, Some(options)).map_err(errors::engine);
    chunks.map_ok(chunk).boxed()
}

fn chunk(output: LogOutput) -> OutputChunk {
    let stderr = matches!(output, LogOutput::StdErr { .. });
    OutputChunk { stderr, bytes: output.into_bytes() }
}
