//! The process that is to take over, as the one that started it sees it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::upgrade::NotUpgraded;
use crate::config::Lock;
use crate::handover::channel::{self, Channel, Message};
use crate::handover::detached::Detached;

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(10);

/// The other process, which ends with this value unless it has taken over.
pub struct Other {
    pub process: Option<Detached>,
    pub channel: Channel,
}

/// How a process that has taken over is heard of last.
pub enum Left {
    Ended,
    Waits,
}

impl Other {
    /// Starts the program with one end of a channel as its standard input, as nobody's child.
    pub async fn start(
        program: &Path,
        arguments: &[OsString],
        environment: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, NotUpgraded> {
        let (ours, theirs) = channel::pair()?;
        let mut channel = Channel::over(ours)?;
        let settings = |command: &mut Command| set(command, environment);
        let started =
            Detached::start(program.as_os_str(), arguments, theirs, &mut channel, settings).await;
        let process = started.map_err(|error| NotUpgraded::Program {
            path: program.display().to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { process: Some(process), channel })
    }

    /// Gives it what it is to take over, and lets it look.
    pub fn give(&self, lock: &Lock, listeners: &[TcpListener]) -> std::io::Result<()> {
        let sender = self.channel.sender();
        sender.send(&Message::Lock, Some(lock.descriptor()))?;
        for listener in listeners {
            sender.send(&Message::Listener, Some(listener.as_fd()))?;
        }
        sender.send(&Message::Check, None)
    }

    /// Completes when the process has ended, or is about to and waits for this one.
    pub async fn leaves(&mut self) -> Left {
        while let Some(packet) = self.channel.hear().await {
            if packet.message == Message::Ending {
                return Left::Waits;
            }
        }
        Left::Ended
    }

    /// Says something to it.
    pub fn say(&self, message: &Message) -> Result<(), NotUpgraded> {
        self.channel.say(message).map_err(|_| NotUpgraded::Refused("it has ended.".to_owned()))
    }

    /// The next message that is wanted.
    pub async fn hear<T>(
        &mut self,
        limit: Duration,
        wanted: impl Fn(Message) -> Option<T>,
    ) -> Result<T, NotUpgraded> {
        let hearing = async {
            while let Some(packet) = self.channel.hear().await {
                match packet.message {
                    Message::Failed { reason } => return Err(NotUpgraded::Refused(reason)),
                    message => {
                        if let Some(found) = wanted(message) {
                            return Ok(found);
                        }
                    }
                }
            }
            Err(NotUpgraded::Refused("it ended without a word.".to_owned()))
        };
        tokio::time::timeout(limit, hearing).await.unwrap_or(Err(NotUpgraded::TooLate))
    }

    /// Whether it ended because it was asked to, or because it has let yet another one take over: the data directory is
    /// not its own then. To be asked when it is gone from the channel.
    pub fn ended_in_order(&self, lock: &Lock) -> bool {
        self.process.as_ref().is_some_and(|process| lock.owner() != Some(process.number()))
    }

    /// Ends the process, and returns when it is gone: nobody but this one has the database then.
    pub async fn end(&mut self) {
        let Some(process) = self.process.take() else { return };
        let _ = tokio::task::spawn_blocking(move || process.kill()).await;
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

/// The environment of the process that takes over: this one's, with other settings where such were given.
fn set(command: &mut Command, settings: Option<&BTreeMap<String, String>>) {
    for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(name);
    }
    let Some(settings) = settings else { return };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.envs(settings.iter().filter(|(name, _)| is_setting(name)));
}

fn is_setting(name: &str) -> bool {
    name.starts_with("ORBITRA_")
}

/// What a program says it is, when it is one of ours.
pub fn version_of(program: &Path) -> Result<String, NotUpgraded> {
    let wrong =
        |reason: String| NotUpgraded::Program { path: program.display().to_string(), reason };
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| wrong(error.to_string()))?;
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > VERSION {
            let _ = child.kill();
            let _ = child.wait();
            return Err(wrong("it does not say its version.".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !said.starts_with("orbitra ") || said.len() > 100 {
        return Err(wrong("it is not an Orbitra that runs on this machine.".to_owned()));
    }
    Ok(said)
}
