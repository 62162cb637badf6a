//! Containers and networks.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt;
use orbitra::docker::bollard::Bollard;
use orbitra::docker::{
    ContainerEngine, ContainerSpec, EngineError, NetworkError, NetworkSpec, Owner, sockets,
};

use super::{docker_inspect, until, with_engine};

#[tokio::test]
async fn the_engine_tells_its_version() {
    with_engine("version", async |fixture| {
        let info = fixture.engine.info().await.unwrap();
        assert!(!info.version.is_empty());
        assert!(info.api_version.starts_with("1."));
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named() {
    let engine = Bollard::connect(Some("unix:///nowhere/docker.sock"), "x".to_owned()).unwrap();
    let error = engine.info().await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Unreachable(text) if text.contains("/nowhere/docker.sock"))
    );
    let engine = Bollard::connect(Some("tcp://127.0.0.1:1"), "x".to_owned()).unwrap();
    let error = engine.info().await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Unreachable(text) if text.contains("refused")),
        "{error}"
    );
    assert!(Bollard::connect(Some("ssh://host"), "x".to_owned()).is_err());
}

#[tokio::test]
async fn a_container_runs_with_its_profile_and_nothing_more() {
    with_engine("profile", async |fixture| {
        let image = fixture
            .built("FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"printf '%s\\\\n' \\\"$GREETING\\\"; hostname; echo err >&2; exec sleep 1000\"]\n")
            .await;
        let network = fixture.network(1).await;
        let spec = fixture.container_spec(image, network);
        let id = fixture.engine.create(spec.clone()).await.unwrap();
        assert_eq!(fixture.engine.create(spec).await.unwrap(), id, "made twice");
        let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
        assert!(!state.running && state.address.is_none() && state.pid.is_none());

        fixture.engine.start(&id).await.unwrap();
        fixture.engine.start(&id).await.unwrap();
        let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
        assert!(state.running && !state.paused && state.exit_code.is_none());
        assert_eq!((state.name.as_str(), state.owner.as_ref()), (fixture.name.as_str(), Some(&fixture.owner)));
        assert!(state.address.unwrap().to_string().starts_with("10.213.1."));

        let raw = docker_inspect(&id);
        let host = &raw["HostConfig"];
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
        assert_eq!(host["CapAdd"].as_array().unwrap().len(), 7);
        assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges:true"]));
        assert_eq!((&host["Privileged"], &host["Init"]), (&false.into(), &true.into()));
        assert_eq!((&host["Memory"], &host["MemorySwap"]), (&67_108_864.into(), &67_108_864.into()));
        assert_eq!((&host["NanoCpus"], &host["PidsLimit"]), (&500_000_000.into(), &64.into()));
        assert_eq!(host["RestartPolicy"]["Name"], "no");
        fixture.engine.supervise(&id).await.unwrap();
        assert_eq!(
            docker_inspect(&id)["HostConfig"]["RestartPolicy"],
            serde_json::json!({"Name": "on-failure", "MaximumRetryCount": 10})
        );
        assert_eq!(host["LogConfig"]["Config"]["max-size"], "10m");
        assert_eq!(host["Ulimits"][0]["Name"], "nofile");
        assert_eq!(host["IpcMode"], "private");
        assert!(!host["MaskedPaths"].as_array().unwrap().is_empty());
        assert!(host["Binds"].is_null() && raw["Mounts"].as_array().unwrap().is_empty());
        assert!(host["PortBindings"].as_object().is_none_or(serde_json::Map::is_empty));
        assert_eq!(raw["NetworkSettings"]["Networks"].as_object().unwrap().len(), 1);

        until("it has written", async || {
            let mut chunks = fixture.engine.output(&id, Some(10), false);
            let mut bytes = 0;
            while let Some(chunk) = chunks.next().await {
                bytes += chunk.unwrap().bytes.len();
            }
            bytes >= "a=b c\"$HOME\napp\nerr\n".len()
        })
        .await;
        // The shell does not pass SIGTERM on, so init's child dies of the kill after the grace.
        fixture.engine.stop(&id, Duration::from_secs(1)).await.unwrap();
        fixture.engine.stop(&id, Duration::from_secs(1)).await.unwrap();
        let (out, err) = fixture.output(&id).await;
        assert_eq!((out.as_str(), err.as_str()), ("a=b c\"$HOME\napp\n", "err\n"));
        let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
        assert!(!state.running && !state.out_of_memory);
        assert_eq!(state.exit_code, Some(143));

        let owned = fixture.engine.owned().await.unwrap();
        assert_eq!(owned.containers.len(), 1);
        assert_eq!(owned.networks.len(), 1);
        fixture.engine.remove(&id).await.unwrap();
        fixture.engine.remove(&id).await.unwrap();
        fixture.engine.stop(&id, Duration::from_secs(1)).await.unwrap();
        assert!(fixture.engine.inspect(&id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_crash_loop_is_bounded_and_its_exit_code_is_seen() {
    with_engine("crash", async |fixture| {
        let network = fixture.network(2).await;
        let mut spec = fixture.container_spec("debian:bookworm-slim".to_owned(), network);
        spec.command = Some(["sh", "-c", "exit 7"].map(str::to_owned).to_vec());
        let id = fixture.engine.create(spec).await.unwrap();
        fixture.engine.start(&id).await.unwrap();
        until("it ended, once", async || {
            let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
            state.restarts == 0 && state.exit_code == Some(7) && !state.running
        })
        .await;
        fixture.engine.supervise(&id).await.unwrap();
        fixture.engine.start(&id).await.unwrap();
        until("it was started again", async || {
            let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
            state.restarts > 0 && state.exit_code == Some(7) && !state.running
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn too_much_memory_is_seen() {
    with_engine("memory", async |fixture| {
        let network = fixture.network(3).await;
        let mut spec = fixture.container_spec("debian:bookworm-slim".to_owned(), network);
        spec.memory_bytes = 16 * 1024 * 1024;
        // `tail` keeps a line that never ends in memory.
        spec.command = Some(["tail", "/dev/zero"].map(str::to_owned).to_vec());
        let id = fixture.engine.create(spec).await.unwrap();
        fixture.engine.start(&id).await.unwrap();
        until("it was killed", async || {
            let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
            state.out_of_memory && state.exit_code == Some(137)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_start_that_fails_tells_why() {
    with_engine("start", async |fixture| {
        let network = fixture.network(4).await;
        let mut spec = fixture.container_spec("debian:bookworm-slim".to_owned(), network);
        spec.command = Some(vec!["/no/such/program".to_owned()]);
        let id = fixture.engine.create(spec).await.unwrap();
        // With an init process the engine starts init, which then finds no program.
        match fixture.engine.start(&id).await {
            Err(EngineError::Refused(text)) => assert!(text.contains("/no/such/program"), "{text}"),
            Ok(()) => {
                until("it ended", async || {
                    let state = fixture.engine.inspect(&id).await.unwrap().unwrap();
                    state.exit_code == Some(127)
                })
                .await;
            }
            other => panic!("{other:?}"),
        }
        let missing = fixture.container_spec("orbitra-has-no-such-image:1".to_owned(), fixture.name.clone());
        let missing = ContainerSpec { name: format!("{}b", fixture.name), ..missing };
        let error = fixture.engine.create(missing).await.unwrap_err();
        assert!(matches!(&error, EngineError::NotFound(text) if text.contains("orbitra-has-no-such-image")), "{error}");
    })
    .await;
}

#[tokio::test]
async fn networks_are_made_once_and_kept_apart() {
    with_engine("network", async |fixture| {
        fixture.network(5).await;
        fixture.network(5).await;
        let other = NetworkSpec {
            owner: fixture.owner_of_network(),
            name: format!("{}b", fixture.name),
            subnet: (Ipv4Addr::new(10, 213, 5, 128), 25),
        };
        let error = fixture.engine.ensure_network(other).await.unwrap_err();
        assert!(matches!(error, NetworkError::SubnetInUse), "{error}");
        let stolen = NetworkSpec {
            owner: Owner { instance: "another".to_owned(), ..fixture.owner_of_network() },
            name: fixture.name.clone(),
            subnet: (Ipv4Addr::new(10, 213, 6, 0), 24),
        };
        let error = fixture.engine.ensure_network(stolen).await.unwrap_err();
        assert!(error.to_string().contains("belongs to somebody else"), "{error}");
        fixture.engine.remove_network(&fixture.name).await.unwrap();
        fixture.engine.remove_network(&fixture.name).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn names_that_mean_something_in_a_path_are_refused() {
    with_engine("paths", async |fixture| {
        for name in ["", "../../containers/json", "a?b=c", "a#b", "a b", "a//b", "a%2fb"] {
            let error = fixture.engine.image(name).await.unwrap_err();
            assert!(matches!(error, EngineError::Refused(_)), "{name}: {error}");
        }
        assert!(fixture.engine.image("host:5000/a/b:c").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn the_sockets_of_a_container_are_seen_from_the_host() {
    with_engine("sockets", async |fixture| {
        let network = fixture.network(7).await;
        let mut spec = fixture.container_spec("debian:bookworm-slim".to_owned(), network);
        let listen = "use Socket; socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in(3000,INADDR_LOOPBACK)); listen(S,5); sleep 1000";
        spec.command = Some(["perl", "-e", listen].map(str::to_owned).to_vec());
        let id = fixture.engine.create(spec).await.unwrap();
        fixture.engine.start(&id).await.unwrap();
        let pid = fixture.engine.inspect(&id).await.unwrap().unwrap().pid.unwrap();
        until("it listens", async || {
            let found = sockets::listening_ports(pid).unwrap();
            found == [(Ipv4Addr::LOCALHOST.into(), 3000)]
        })
        .await;
    })
    .await;
}

#[tokio::test]
#[ignore = "waits for the deadline of a call, 30 s"]
async fn an_engine_that_hangs_fails_the_call() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("docker.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = format!("unix://{}", path.display());
    let engine = Bollard::connect(Some(&address), "x".to_owned()).unwrap();
    let error = engine.info().await.unwrap_err();
    assert!(matches!(error, EngineError::TimedOut("version")), "{error}");
}

/// The same engine over TCP, where no control group is looked at. Ends with the runtime.
async fn over_tcp(instance: &str) -> Bollard {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let engine = tokio::net::UnixStream::connect("/var/run/docker.sock").await;
                let _ = tokio::io::copy_bidirectional(&mut client, &mut engine.unwrap()).await;
            });
        }
    });
    Bollard::connect(Some(&address), instance.to_owned()).unwrap()
}

#[tokio::test]
async fn what_containers_use_is_seen_and_nothing_is_woken() {
    with_engine("usage", async |fixture| {
        let busy = "FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"while :; do :; done\"]\n";
        let image = fixture.built(busy).await;
        let network = fixture.network(14).await;
        let id = fixture.engine.create(fixture.container_spec(image, network)).await.unwrap();
        let other = over_tcp(&fixture.name).await;
        let unknown = orbitra::docker::ContainerId("0123456789abcdef".to_owned());
        let ids = [id.clone(), unknown];
        let used = async |engine: &Bollard| engine.container_usage(&ids).await.unwrap();
        assert!(used(&other).await.is_empty(), "it does not run");
        fixture.engine.start(&id).await.unwrap();
        for engine in [&fixture.engine, &other] {
            until("it is seen at work", async || {
                let seen = used(engine).await;
                assert!(seen.len() <= 1);
                seen.first().is_some_and(|(seen, usage)| {
                    *seen == id && usage.cpu_micros > 200_000 && usage.memory > 10_000
                })
            })
            .await;
        }
        fixture.engine.pause(&id).await.unwrap();
        let (before, told) = (used(&fixture.engine).await, used(&other).await);
        assert_eq!(used(&fixture.engine).await[0].1.cpu_micros, before[0].1.cpu_micros);
        // Both ways tell the same.
        assert_eq!(told[0].1.cpu_micros, before[0].1.cpu_micros);
        assert!(fixture.engine.inspect(&id).await.unwrap().unwrap().paused);
        fixture.engine.remove(&id).await.unwrap();
        for engine in [&fixture.engine, &other] {
            assert!(used(engine).await.is_empty(), "it is gone");
        }
    })
    .await;
}
