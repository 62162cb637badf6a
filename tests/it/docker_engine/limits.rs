//! What a build may use and see, held against builds that try for more.

use std::time::{Duration, Instant};

use orbitra::docker::{BuildError, BuildEvent, BuildLimits, BuildSpec, ContainerEngine};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Fixture, Told, context, until, with_engine};

const MB: u64 = 1024 * 1024;

fn limits() -> BuildLimits {
    BuildLimits { memory_bytes: Some(96 * MB), cpu_millis: Some(300), pids: Some(48) }
}

async fn run(fixture: &Fixture, command: &str) -> Told {
    let spec = BuildSpec { limits: limits(), ..fixture.build_spec() };
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN {command}\n");
    fixture.build(spec, &dockerfile, CancellationToken::new()).await
}

fn output(told: &Told) -> String {
    let mut output = Vec::new();
    for event in &told.events {
        if let BuildEvent::Output { bytes, .. } = event {
            output.extend_from_slice(bytes);
        }
    }
    String::from_utf8_lossy(&output).into_owned()
}

/// The groups of builds that this process has made and that are still there.
fn groups() -> Vec<String> {
    let parent = ["/sys/fs/cgroup/pids/orbitra", "/sys/fs/cgroup/orbitra"];
    let entries = parent.iter().find_map(|path| std::fs::read_dir(path).ok());
    let names = entries.into_iter().flatten().filter_map(Result::ok);
    let own = format!("-{}-", std::process::id());
    names
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(&own))
        .collect()
}

#[tokio::test]
async fn a_build_that_takes_all_memory_is_ended_for_it() {
    with_engine("memory", async |fixture| {
        let told = run(fixture, "tail /dev/zero").await;
        assert!(matches!(told.result, Err(BuildError::OutOfMemory)), "{:?}", told.result);
        // The kill of a child that a tool survives is the reason as well.
        let told = run(fixture, "tail /dev/zero || exit 7").await;
        assert!(matches!(told.result, Err(BuildError::OutOfMemory)), "{:?}", told.result);
        until("the groups are gone", async || groups().is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn a_build_that_starts_processes_without_end_is_stopped_at_the_limit() {
    with_engine("pids", async |fixture| {
        let told = run(fixture, "for i in $(seq 500); do sleep 3 & done; wait").await;
        match told.result {
            Err(BuildError::Step { message, .. }) => {
                assert!(message.contains("it had reached the limit of 48 processes"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        let begin = Instant::now();
        let bomb = "b() { b | b & }; b; sleep 2; exit 9";
        let told = run(fixture, bomb).await;
        assert!(told.result.is_err(), "{:?}", told.result);
        assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
        until("the groups are gone", async || groups().is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn a_build_gets_no_more_of_the_processor_than_it_may() {
    with_engine("cpu", async |fixture| {
        let busy = "timeout 3 sh -c 'while :; do :; done' & timeout 3 sh -c 'while :; do :; done'; wait; times";
        let told = run(fixture, busy).await;
        assert!(told.result.is_ok(), "{:?}", told.result);
        let text = output(&told);
        // The second line of `times` is what the children used: `0m0.93s 0m0.01s`.
        let used = text.lines().last().unwrap().split('m').nth(1).unwrap();
        let seconds: f64 = used.split('s').next().unwrap().parse().unwrap();
        assert!(seconds < 1.8, "3 s at 0.3 cores: {text}");
    })
    .await;
}

#[tokio::test]
async fn steps_of_one_build_share_its_limits() {
    with_engine("share", async |fixture| {
        let spec = BuildSpec { limits: limits(), ..fixture.build_spec() };
        let half = "RUN head -c 60m /dev/zero > /dev/shm/half && sleep 3 && echo whole";
        let dockerfile = format!(
            "FROM debian:bookworm-slim AS a\n{half} > /a\nFROM debian:bookworm-slim AS b\n{half} > /b\n\
             FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
        );
        let told = fixture.build(spec, &dockerfile, CancellationToken::new()).await;
        assert!(matches!(told.result, Err(BuildError::OutOfMemory)), "{:?}", told.result);
    })
    .await;
}

#[tokio::test]
async fn no_project_reads_the_cache_mounts_of_another() {
    with_engine("cache", async |fixture| {
        let build = async |namespace: &str, dockerfile: &str| {
            let cache_namespace = format!("{}-{namespace}", fixture.name);
            // A build that runs every step again begins with empty cache mounts, too.
            let spec = BuildSpec { cache_namespace, no_cache: false, ..fixture.build_spec() };
            let told = fixture.build(spec, dockerfile, CancellationToken::new()).await;
            assert!(told.result.is_ok(), "{dockerfile}: {:?}", told.result);
            output(&told)
        };
        let from = "FROM debian:bookworm-slim\n";
        let keep = format!("{from}RUN --mount=type=cache,target=/c echo kept >> /c/f\n");
        build("one", &keep).await;
        let read = "cat /c/* 2>/dev/null || echo nothing";
        let own = build("one", &format!("{from}RUN --mount=type=cache,target=/c {read}\n")).await;
        assert_eq!(own, "kept\n");
        let other = fixture.name.clone();
        for mount in [
            "--mount=type=cache,target=/c".to_owned(),
            "--mount=type=cache,id=/c,target=/c".to_owned(),
            format!("--mount=type=cache,id=../{other}-one//c,target=/c"),
            format!("--mount=type=cache,id=/{other}-one//c,target=/c"),
            "--mount=TYPE=CACHE,target=/c,sharing=shared".to_owned(),
            "--mount=type=\"cache\",target=/c,readonly".to_owned(),
            "--mount=type=cache,\"target=/c\"".to_owned(),
            "\\\n  # why\n  --mount=type=cache,target=/c \\\n ".to_owned(),
        ] {
            // Without another text a step whose mount has the same name would come from the cache.
            let text = build("two", &format!("{from}RUN {mount} : {};{read}\n", mount.len())).await;
            assert_eq!(text, "nothing\n", "{mount}");
        }
        let argument = format!("{from}ARG BUILDKIT_CACHE_MOUNT_NS={other}-one\n");
        let text =
            build("two", &format!("{argument}RUN --mount=type=cache,target=/c {read}\n")).await;
        assert_eq!(text, "nothing\n");
    })
    .await;
}

#[tokio::test]
async fn the_files_of_a_build_come_without_an_image() {
    with_engine("files", async |fixture| {
        let dockerfile = "FROM debian:bookworm-slim AS build\n\
             RUN mkdir -p /site/a && echo hello > /site/a/b.html && ln -s /etc/passwd /site/link && head -c 3000000 /dev/urandom > /site/large\n\
             FROM scratch\nCOPY --from=build /site /\n";
        let (sender, mut receiver) = mpsc::channel(4);
        let (events, mut told) = mpsc::channel(16);
        let spec = BuildSpec { limits: limits(), ..fixture.build_spec() };
        let files = context(&[("Dockerfile", dockerfile.as_bytes())]);
        let cancel = CancellationToken::new();
        let build = fixture.engine.build_files(spec, files, sender, events, cancel.clone());
        let (built, tar, ()) = tokio::join!(
            build,
            async {
                let mut tar = Vec::new();
                while let Some(part) = receiver.recv().await {
                    tar.extend_from_slice(&part);
                }
                tar
            },
            async { while told.recv().await.is_some() {} }
        );
        built.unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.size())
            })
            .collect();
        found.sort();
        let expected = [("a/", 0), ("a/b.html", 6), ("large", 3_000_000), ("link", 0)];
        assert_eq!(found, expected.map(|(path, size)| (path.to_owned(), size)));
        assert!(fixture.engine.owned().await.unwrap().images.is_empty());

        // Nobody takes the files: the build ends.
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let (events, mut told) = mpsc::channel(16);
        let spec = BuildSpec { no_cache: false, ..fixture.build_spec() };
        let files = context(&[("Dockerfile", dockerfile.as_bytes())]);
        let build = fixture.engine.build_files(spec, files, sender, events, cancel);
        let (built, ()) = tokio::join!(build, async { while told.recv().await.is_some() {} });
        assert!(built.is_err(), "{built:?}");
    })
    .await;
}
