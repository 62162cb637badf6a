//! A relay in front of the machine's engine, which says that it is a much newer one.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// Where the machine's engine listens.
const ENGINE: &str = "/var/run/docker.sock";
/// What is claimed: nothing this new is known to anybody, and what is old is not taken any more.
const NEWEST: &str = "1.99";
const OLDEST: &str = "1.90";

/// The relay. Every byte goes through, but for the numbers of the API's versions.
pub struct Relay {
    directory: TempDir,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    /// Claims that were made.
    claims: AtomicUsize,
    /// Requests that name a version, which a newer engine might refuse.
    versions: AtomicUsize,
}

impl Relay {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let counts = Arc::<Counts>::default();
        let (claims, counting) = (Arc::new(claims()), counts.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (claims, counts) = (claims.clone(), counting.clone());
                connections.spawn(async move {
                    let Ok(engine) = UnixStream::connect(ENGINE).await else { return };
                    let ((asks, hears), (says, takes)) = (client.into_split(), engine.into_split());
                    let up = pump(asks, takes, |bytes| {
                        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                        let versioned = memchr::memmem::find(line, b" /v1.").is_some();
                        counts.versions.fetch_add(usize::from(versioned), Ordering::SeqCst);
                    });
                    let down = pump(says, hears, |bytes| {
                        let made = claims.iter().map(|(from, to)| replace(bytes, from, to)).sum();
                        counts.claims.fetch_add(made, Ordering::SeqCst);
                    });
                    tokio::join!(up, down);
                });
            }
        });
        Self { directory, counts, task }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// What `ORBITRA_DOCKER_HOST` is to be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// How often it was claimed that the engine is newer.
    pub fn claims(&self) -> usize {
        self.counts.claims.load(Ordering::SeqCst)
    }

    /// How many requests named a version.
    pub fn versions(&self) -> usize {
        self.counts.versions.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the engine says of its versions, and what is said instead: as long, so that no length changes.
fn claims() -> Vec<(Vec<u8>, Vec<u8>)> {
    let asked = |field: &str| {
        let template = format!("{{{{.Server.{field}}}}}");
        let output = Command::new("docker").args(["version", "--format", &template]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    let (newest, oldest) = (asked("APIVersion"), asked("MinAPIVersion"));
    let claim = |before: &str, from: &str, to: &str, after: &str| {
        assert_eq!(from.len(), to.len(), "the engine's API has the version {from}");
        (format!("{before}{from}{after}").into_bytes(), format!("{before}{to}{after}").into_bytes())
    };
    vec![
        claim("Api-Version: ", &newest, NEWEST, "\r\n"),
        claim("\"ApiVersion\":\"", &newest, NEWEST, "\""),
        claim("\"MinAPIVersion\":\"", &oldest, OLDEST, "\""),
    ]
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    let found: Vec<_> = memchr::memmem::find_iter(bytes, from).collect();
    found.iter().for_each(|at| bytes[*at..*at + to.len()].copy_from_slice(to));
    found.len()
}

/// Passes on what comes, and that nothing more comes.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    see: impl Fn(&mut [u8]),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        see(&mut buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
