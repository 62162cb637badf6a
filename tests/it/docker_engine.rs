//! The adapter against a real Docker engine. Base image: `debian:bookworm-slim`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod builds;
mod containers;
mod limits;
mod network;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use orbitra::docker::bollard::Bollard;
use orbitra::docker::{
    BuildError, BuildEvent, BuildLimits, BuildSpec, BuiltImage, ContainerEngine, ContainerId,
    ContainerSpec, NetworkSpec, Owner,
};
use orbitra::model::ids::{DeploymentId, ProjectId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// An engine with an instance of its own, whose things are removed at the end, also after a panic.
struct Fixture {
    engine: Bollard,
    owner: Owner,
    name: String,
}

/// What a build told and how it ended.
struct Told {
    result: Result<BuiltImage, BuildError>,
    events: Vec<BuildEvent>,
}

async fn with_engine(test: &str, body: impl AsyncFnOnce(&Fixture)) {
    let name = format!("t{}{test}", std::process::id());
    let mut random = [0; 10];
    for (slot, byte) in random.iter_mut().zip(name.bytes().rev()) {
        *slot = byte;
    }
    let fixture = Fixture {
        engine: Bollard::connect(None, name.clone()).unwrap(),
        owner: Owner {
            instance: name.clone(),
            project: ProjectId::from_random(random),
            deployment: Some(DeploymentId::from_random(random)),
        },
        name,
    };
    let outcome =
        futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(body(&fixture)));
    let outcome = outcome.await;
    fixture.clean().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Fixture {
    async fn clean(&self) {
        let owned = self.engine.owned().await.unwrap();
        for container in owned.containers {
            self.engine.remove(&container.id).await.unwrap();
        }
        for network in owned.networks {
            self.engine.remove_network(&network.name).await.unwrap();
        }
        for image in owned.images {
            self.engine.remove_image(&image.id).await.unwrap();
        }
        let left = self.engine.owned().await.unwrap();
        assert!(left.containers.is_empty() && left.networks.is_empty() && left.images.is_empty());
    }

    fn build_spec(&self) -> BuildSpec {
        BuildSpec {
            owner: self.owner.clone(),
            tag: format!("orbitra/{}:test", self.name),
            dockerfile: "Dockerfile".to_owned(),
            arguments: Vec::new(),
            secrets: Vec::new(),
            no_cache: true,
            open_networks: Vec::new(),
            timeout: Duration::from_secs(120),
            cache_namespace: self.name.clone(),
            limits: BuildLimits::default(),
        }
    }

    async fn build(&self, spec: BuildSpec, dockerfile: &str, cancel: CancellationToken) -> Told {
        self.build_of(spec, &[("Dockerfile", dockerfile.as_bytes())], cancel).await
    }

    async fn build_of(
        &self,
        spec: BuildSpec,
        files: &[(&str, &[u8])],
        cancel: CancellationToken,
    ) -> Told {
        let (sender, mut receiver) = mpsc::channel(16);
        let reading = tokio::spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = receiver.recv().await {
                events.push(event);
            }
            events
        });
        let result = self.engine.build(spec, context(files), sender, cancel).await;
        Told { result, events: reading.await.unwrap() }
    }

    async fn built(&self, dockerfile: &str) -> String {
        let told = self.build(self.build_spec(), dockerfile, CancellationToken::new()).await;
        told.result.unwrap().id
    }

    /// A network of this test; the third number keeps tests apart.
    async fn network(&self, third: u8) -> String {
        let spec = NetworkSpec {
            owner: self.owner_of_network(),
            name: self.name.clone(),
            subnet: (Ipv4Addr::new(10, 213, third, 0), 24),
        };
        self.engine.ensure_network(spec).await.unwrap();
        self.name.clone()
    }

    fn owner_of_network(&self) -> Owner {
        Owner { deployment: None, ..self.owner.clone() }
    }

    fn container_spec(&self, image: String, network: String) -> ContainerSpec {
        ContainerSpec {
            replica: Some(1),
            owner: self.owner.clone(),
            name: self.name.clone(),
            image,
            network,
            entrypoint: None,
            environment: vec![("GREETING".to_owned(), "a=b c\"$HOME".to_owned())],
            command: None,
            memory_bytes: 64 * 1024 * 1024,
            cpu_millis: 500,
            pids: 64,
            hostname: "app".to_owned(),
        }
    }

    async fn output(&self, id: &ContainerId) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut chunks = self.engine.output(id, None, true);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.unwrap();
            if chunk.stderr { &mut err } else { &mut out }.extend_from_slice(&chunk.bytes);
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }
}

fn context(files: &[(&str, &[u8])]) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *content).unwrap();
    }
    let bytes = Bytes::from(tar.into_inner().unwrap());
    let chunks: Vec<_> = (0..bytes.len())
        .step_by(60_000)
        .map(|start| Ok(bytes.slice(start..bytes.len().min(start + 60_000))))
        .collect();
    stream::iter(chunks).boxed()
}

/// Waits until `condition` holds; fails after 20 s.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process with exactly these arguments runs on this machine.
fn process_runs(arguments: &[&str]) -> bool {
    let wanted = format!("{}\0", arguments.join("\0"));
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(Result::ok)
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .any(|command| command == wanted)
}

/// The engine's own view of a container, by its command-line client.
fn docker_inspect(id: &ContainerId) -> serde_json::Value {
    let output = std::process::Command::new("docker").args(["inspect", &id.0]).output().unwrap();
    let mut list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    list[0].take()
}
