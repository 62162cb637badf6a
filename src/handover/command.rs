//! How an operator asks a running Orbitra for something: a socket in the data directory, which is its owner's alone.
//! One line of JSON asks, lines of JSON answer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// The socket's name in the data directory.
pub const SOCKET: &str = "orbitra.sock";
/// Longest request, in bytes.
const LONGEST: u64 = 256 * 1024;
/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upgrade {
    /// The program that is to take over.
    pub binary: PathBuf,
    /// How long it may take to become ready, in seconds.
    pub seconds: u64,
    /// `ORBITRA_…` variables in the place of those that the running process has.
    pub environment: Option<BTreeMap<String, String>>,
}

/// What is answered, line by line; the last one is an end.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Step(String),
    Done { version: String, process: u32 },
    Failed(String),
}

/// A request that somebody waits for.
#[derive(Debug)]
pub struct Asked {
    pub upgrade: Upgrade,
    pub replies: mpsc::UnboundedSender<Reply>,
}

/// Listens for requests until the task is dropped. Whoever holds the data directory may do so.
///
/// # Errors
/// The socket cannot be made, such as where the directory's path is longer than the system allows.
pub fn listen(data: &Path) -> io::Result<(tokio::task::JoinHandle<()>, mpsc::Receiver<Asked>)> {
    let path = data.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    let (asked, requests) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, asked.clone()));
        }
    });
    Ok((task, requests))
}

async fn serve(stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reading = BufReader::new(reading.take(LONGEST));
    let read = tokio::time::timeout(PATIENCE, reading.read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(1..))) {
        return;
    }
    let (replies, mut answered) = mpsc::unbounded_channel();
    match serde_json::from_str(&line) {
        Ok(upgrade) => {
            let request = Asked { upgrade, replies: replies.clone() };
            if asked.try_send(request).is_err() {
                let _ = replies.send(Reply::Failed("Another upgrade is under way.".to_owned()));
            }
        }
        Err(error) => {
            let _ = replies.send(Reply::Failed(format!("The request cannot be read: {error}.")));
        }
    }
    drop(replies);
    while let Some(reply) = answered.recv().await {
        let Ok(mut text) = serde_json::to_vec(&reply) else { return };
        text.push(b'\n');
        // It goes on without a listener as well.
        let _ = writing.write_all(&text).await;
    }
}

/// Asks, and tells `step` of everything on the way.
///
/// # Errors
/// Nobody listens there, or the process went away without an end.
pub async fn ask(data: &Path, upgrade: &Upgrade, mut step: impl FnMut(&str)) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(data.join(SOCKET)).await?;
    let mut text = serde_json::to_vec(upgrade).map_err(io::Error::other)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line).map_err(io::Error::other)? {
            Reply::Step(text) => step(&text),
            end => return Ok(end),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the running process ended without a word"))
}
