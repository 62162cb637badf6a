//! The process that is to take over, as the one that started it sees it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::upgrade::NotUpgraded;
use crate::config::Lock;
use crate::handover::channel::{self, Channel, Message};

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(10);

/// How long one that has said its last word may take to end.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// The other process, which ends with this value unless it has taken over.
pub struct Other {
    pub child: Option<Child>,
    pub channel: Channel,
}

impl Other {
    /// Starts the program with one end of a channel as its standard input.
    pub fn start(
        program: &Path,
        arguments: &[OsString],
        environment: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, NotUpgraded> {
        let (ours, theirs) = channel::pair()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::from(theirs));
        for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
            command.env_remove(name);
        }
        if let Some(environment) = environment {
            let ours = std::env::vars_os().map(|(name, _)| name);
            for name in ours.filter(|name| is_setting(&name.to_string_lossy())) {
                command.env_remove(name);
            }
            command.envs(environment.iter().filter(|(name, _)| is_setting(name)));
        }
        let channel = Channel::over(ours)?;
        let child = command.spawn().map_err(|error| NotUpgraded::Program {
            path: program.display().to_string(),
            reason: error.to_string(),
        })?;
        // Its end of the channel is its alone, so that its death is heard.
        drop(command);
        Ok(Self { child: Some(child), channel })
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

    /// Completes when the process has ended.
    pub async fn gone(&mut self) {
        while self.channel.hear().await.is_some() {}
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

    /// Whether it ended because it was asked to, or because it has let yet another one take over. To be asked when it is
    /// gone from the channel, which it is a moment before it has ended.
    pub async fn ended_in_order(&mut self) -> bool {
        let Some(child) = &mut self.child else { return false };
        let begin = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if begin.elapsed() < LAST_STEPS => {}
                _ => return false,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the process, and returns when it is gone: nobody but this one has the database then.
    pub async fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.kill();
        let _ = tokio::task::spawn_blocking(move || child.wait()).await;
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
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
