//! What other visitors notice of a flood: `bench/floods.sh` runs this. Quiet seconds and seconds of a flood take turns.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::docker_api::DockerApi;
use crate::support::effort::effort;
use crate::support::engine::{APPLICATION, Engine};
use crate::support::floods::{Flood, Target};
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, free_port};

/// Pause between two requests of the visitor who is watched.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs a program of the system on a number; what it says is of no interest.
fn tell(program: &str, arguments: &[&str], whom: u32) {
    let mut command = Command::new(program);
    let _ = command.args(arguments).arg(whom.to_string()).output();
}

/// A thread runs when nobody else wants its core. A niceness alone would let it go on for milliseconds while the visitor's
/// answer is there.
fn run_last(thread: u32) {
    tell("chrt", &["--idle", "--pid", "0"], thread);
}

/// The threads of the applications that run so far.
fn applications() -> impl Iterator<Item = u32> {
    let threads =
        std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let of_one = |thread: &std::path::PathBuf| {
        std::fs::read_to_string(thread.join("comm"))
            .is_ok_and(|name| name.trim_end() == APPLICATION)
    };
    threads
        .filter(of_one)
        .map(|thread| thread.file_name().unwrap().to_str().unwrap().parse().unwrap())
}

/// A visitor of the quiet application, for some seconds: how long each answer took.
fn visit(address: SocketAddr, seconds: u64) -> Vec<Duration> {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut buffer = [0; 4096];
    while begin.elapsed() < Duration::from_secs(seconds) {
        let asked = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: quiet.localhost\r\n\r\n").unwrap();
        let mut came = Vec::new();
        while !came.ends_with(b"quiet") {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "the quiet visitor was cut off");
            came.extend(&buffer[..length]);
        }
        assert!(came.starts_with(b"HTTP/1.1 200"));
        times.push(asked.elapsed());
        std::thread::sleep(PAUSE);
    }
    times
}

fn p99(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() * 99 / 100].as_secs_f64() * 1000.0
}

/// Resident memory in MB.
fn memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Runs a flood from many connections until it is told to stop, on a runtime of its own and after everybody else.
fn attack(flood: Flood, target: &Target, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let (target, stop) = (target.clone(), Arc::clone(stop));
    let clients = if flood.is_slow() { effort("SLOW", 2000) } else { effort("FAST", 8) };
    std::thread::spawn(move || {
        let thread = u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        run_last(thread);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let count = Arc::new(AtomicUsize::new(0));
            let mut all = tokio::task::JoinSet::new();
            for client in 0..clients {
                // Of several addresses, because one is not let have so many.
                let last = u8::try_from(2 + client / 500).unwrap_or(255);
                let target = Target { from: ([127, 0, 0, last], 0).into(), ..target.clone() };
                let count = Arc::clone(&count);
                all.spawn(async move {
                    loop {
                        count.fetch_add(1, Ordering::Relaxed);
                        let ended = flood.once(&target).await;
                        // Whoever is refused comes back, but not at once.
                        let pause = if ended.is_err() { 10 } else { 0 };
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                    }
                });
            }
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            count.load(Ordering::Relaxed)
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/floods.sh"]
async fn others_notice_little_of_a_flood() {
    let (rounds, seconds) = (effort("ROUNDS", 3), effort("SECONDS_EACH", 4) as u64);
    let only = std::env::var("FLOOD").unwrap_or_default();
    // The busy one's work is not to be in the way of the quiet one's.
    let engine = Engine::of_threads();
    let socket = DockerApi::serve(engine.clone());
    let git = GitServer::start();
    let tls = SocketAddr::from(([127, 0, 0, 1], free_port(std::process::id() + 477)));
    let listen = tls.to_string();
    let settings = [("ORBITRA_LISTEN_TLS", listen.as_str()), ("ORBITRA_BASE_DOMAIN", "localhost")];
    // One core is the server's, with one thread of the proxy, and the other everybody else's.
    let cores = std::thread::available_parallelism().unwrap().get();
    let keep_to = |core: &str| tell("taskset", &["-a", "-c", "-p", core], std::process::id());
    keep_to("0");
    let orbitra = Orbitra::start_on(&socket.host(), &settings).await;
    if cores > 1 {
        keep_to("1");
    }
    let large = json!({"body": "x".repeat(8 * 1024 * 1024), "think": 2000}).to_string();
    for (name, app) in [("busy", &*large), ("quiet", r#"{"body": "quiet"}"#)] {
        let files = [("Dockerfile", "FROM scratch\nCOPY app.json ./\n"), ("app.json", app)];
        let repository = git.repository_of(name, &files);
        let project = orbitra.api.project(name, json!({})).await;
        orbitra.api.deploy_live(&project, &repository).await;
        if name == "busy" {
            // What an application does with the requests it gets is not what is measured.
            applications().for_each(run_last);
        }
    }
    let plain = SocketAddr::from(([127, 0, 0, 1], orbitra.port));
    let mut config = crate::tls::trusting_anybody();
    config.alpn_protocols = vec![b"h2".to_vec()];
    // The certificate is the one that nobody trusts: so plain requests are served as well.
    let target = Target {
        plain,
        tls,
        host: "busy.localhost".to_owned(),
        large: "/",
        slow: "/slow",
        config: Arc::new(config),
        from: SocketAddr::from(([127, 0, 0, 2], 0)),
    };
    println!(
        "| flood | p99 alone | p99 beside it | times | memory before, at most | connections made |"
    );
    println!("|---|---|---|---|---|---|");
    let all = Flood::ALL.into_iter();
    for flood in all.filter(|flood| only.is_empty() || format!("{flood:?}") == only) {
        let (mut alone, mut beside, mut made) = (Vec::new(), Vec::new(), 0);
        let (before, mut most) = (memory(orbitra.pid()), 0_f64);
        for _ in 0..rounds {
            alone.extend(tokio::task::block_in_place(|| visit(plain, seconds)));
            let stop = Arc::new(AtomicBool::new(false));
            let attacker = attack(flood, &target, &stop);
            tokio::time::sleep(Duration::from_secs(1)).await;
            beside.extend(tokio::task::block_in_place(|| visit(plain, seconds)));
            most = most.max(memory(orbitra.pid()));
            stop.store(true, Ordering::Relaxed);
            made += tokio::task::block_in_place(|| attacker.join().unwrap());
            // What was left behind is closed.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let (alone, beside) = (p99(&mut alone), p99(&mut beside));
        println!(
            "| {flood:?} | {alone:.2} ms | {beside:.2} ms | {:.1} | {before:.0}, {most:.0} MB | {made} |",
            beside / alone
        );
    }
}
