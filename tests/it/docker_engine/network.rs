//! Where the steps of a build may go.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orbitra::docker::{BuildError, BuildEvent, BuildLimits, BuildSpec};
use orbitra::model::network::Network;
use tokio_util::sync::CancellationToken;

use super::{Fixture, Told, with_engine};

/// Steps that connect with their first instruction, one after the other.
const STEPS: usize = 12;

/// Somebody who listens on this machine's side of the engine's bridge, and counts.
struct Listener {
    address: Ipv4Addr,
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Listener {
    fn start() -> Self {
        let address = bridge();
        let socket = TcpListener::bind((address, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = accepted.clone();
        std::thread::spawn(move || {
            for _ in socket.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, port, accepted }
    }

    /// A step that connects at once and says how that went.
    fn connect(&self) -> String {
        let Self { address, port, .. } = self;
        format!("(exec 3<>/dev/tcp/{address}/{port}) 2>&1 && echo REACHED || echo refused; true")
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// The address of this machine that the engine's containers have as their gateway.
fn bridge() -> Ipv4Addr {
    let format = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}} {{end}}";
    let arguments = ["network", "inspect", "bridge", "--format", format];
    let output = std::process::Command::new("docker").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words = text.split_whitespace();
    let first = words.next().unwrap();
    first.parse().unwrap_or_else(|_| {
        // An engine that chose the subnet itself names no gateway: it is the first address.
        let network: Ipv4Addr = first.split('/').next().unwrap().parse().unwrap();
        Ipv4Addr::from_bits(network.to_bits() + 1)
    })
}

fn output(told: &Told) -> String {
    let mut output = Vec::new();
    for event in &told.events {
        match event {
            BuildEvent::Output { bytes, .. } => output.extend_from_slice(bytes),
            BuildEvent::Note { message } => output.extend_from_slice(message.as_bytes()),
            _ => {}
        }
    }
    String::from_utf8_lossy(&output).into_owned()
}

async fn run(fixture: &Fixture, spec: BuildSpec, steps: &[String]) -> Told {
    let mut dockerfile = String::from("FROM debian:bookworm-slim\nSHELL [\"/bin/bash\", \"-c\"]\n");
    for step in steps {
        dockerfile.push_str(&format!("RUN {step}\n"));
    }
    let hosts = b"127.0.0.1 localhost\n".as_slice();
    let files = [("Dockerfile", dockerfile.as_bytes()), ("hosts", hosts)];
    fixture.build_of(spec, &files, CancellationToken::new()).await
}

#[tokio::test]
async fn a_step_reaches_no_private_network_with_its_first_instruction() {
    with_engine("closed", async |fixture| {
        let listener = Listener::start();
        let steps: Vec<_> = (0..STEPS).map(|n| format!(": {n}; {}", listener.connect())).collect();
        let told = run(fixture, fixture.build_spec(), &steps).await;
        let text = output(&told);
        assert!(told.result.is_ok(), "{:?} {text}", told.result);
        assert_eq!(text.matches("refused").count(), STEPS, "{text}");
        assert_eq!((listener.accepted(), text.contains("REACHED")), (0, false), "{text}");
        assert!(!text.contains("can reach private networks"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_step_is_refused_at_once_and_finds_public_names() {
    with_engine("names", async |fixture| {
        let listener = Listener::start();
        let refused = |address: &str| {
            format!("SECONDS=0; ! (exec 3<>/dev/tcp/{address}/80) && (( SECONDS < 2 ))")
        };
        let mut steps: Vec<_> =
            ["169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.100.100.200"]
                .map(refused)
                .into();
        // The second time is late enough that the gateway has asked again where the step is.
        let name =
            "host=$(grep -rhom1 'http://[^/ ]*' /etc/apt/sources.list* 2>/dev/null | head -n 1)";
        let public = "exec 3<>/dev/tcp/${host##*/}/80";
        steps.push(format!("{name}; ({public}) && sleep 7 && ({public})"));
        // Files of the step's own over those that the engine gives it: it is held all the same, and no name is found.
        let hidden = "--mount=type=bind,source=hosts,target=/etc/hosts";
        steps.push(format!("{hidden} {}", listener.connect()));
        let told = run(fixture, fixture.build_spec(), &steps).await;
        let text = output(&told);
        assert!(told.result.is_ok(), "{:?} {text}", told.result);
        assert_eq!((listener.accepted(), text.contains("refused")), (0, true), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_network_that_was_opened_is_reached() {
    with_engine("opened", async |fixture| {
        let listener = Listener::start();
        let open_networks = vec![Network::of(listener.address.into())];
        let spec = BuildSpec { open_networks, ..fixture.build_spec() };
        let told = run(fixture, spec, &[listener.connect()]).await;
        let text = output(&told);
        assert!(told.result.is_ok() && text.contains("REACHED"), "{text}");
        assert_eq!(listener.accepted(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_step_cannot_hide_from_its_limits() {
    with_engine("hiding", async |fixture| {
        let limits = BuildLimits { pids: Some(48), ..BuildLimits::default() };
        let spec = BuildSpec { limits, ..fixture.build_spec() };
        let hidden = "--mount=type=bind,source=hosts,target=/etc/hosts";
        let step = format!("{hidden} for i in {{1..100}}; do sleep 1 & done; wait; exit 3");
        let told = run(fixture, spec, &[step]).await;
        match told.result {
            Err(BuildError::Step { message, .. }) => {
                assert!(message.contains("it had reached the limit of 48 processes"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}
