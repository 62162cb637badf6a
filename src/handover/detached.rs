//! A process that is nobody's child here, so that the service manager can have it for its own: a manager that is told of a
//! new main process waits for its end, and stops it in order, only when it is the process's parent
//! (<https://www.freedesktop.org/software/systemd/man/sd_notify.html>, `MAINPID=`). So this program starts itself once more,
//! that one starts the process and ends, and the kernel makes the manager the parent of what is left behind
//! (<https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html>).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::channel::{Channel, Message, Packet, Sender};

/// This very program, also after its file was replaced.
const OWN: &str = "/proc/self/exe";
/// The hidden command that this program starts itself with.
pub const COMMAND: &str = "detach";
/// How long the process in between may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running process that was started through another one. Known by a descriptor (`pidfd_open(2)`), so that nothing is
/// done to another process that has its number by now.
#[derive(Debug)]
pub struct Detached {
    number: u32,
    descriptor: OwnedFd,
}

impl Detached {
    /// Starts a program with one end of a channel as its standard input; `prepare` sets its environment. The channel says
    /// who it is. Returns when it is nobody's child here.
    ///
    /// # Errors
    /// It cannot be started, and why.
    pub async fn start(
        program: &OsStr,
        arguments: &[OsString],
        theirs: OwnedFd,
        channel: &mut Channel,
        prepare: impl FnOnce(&mut Command),
    ) -> io::Result<Self> {
        let mut command = Command::new(OWN);
        command.arg(COMMAND).arg(program).args(arguments).stdin(Stdio::from(theirs));
        prepare(&mut command);
        let between = command.spawn()?;
        // Its end of the channel is its alone, so that its death is heard.
        drop(command);
        ended(between).await?;
        match channel.hear().await {
            Some(Packet {
                message: Message::Started { process },
                descriptor: Some(descriptor),
            }) => Ok(Self { number: process, descriptor }),
            Some(Packet { message: Message::Failed { reason }, .. }) => {
                Err(io::Error::other(reason))
            }
            _ => Err(io::Error::other("it could not be started.")),
        }
    }

    /// The process's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Ends the process at once, and returns when it is gone.
    pub fn kill(self) {
        let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
        let mut watched = [PollFd::new(&self.descriptor, PollFlags::IN)];
        while poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
        // Who is the first process of a container gets it back as a child, and has to take note of its end.
        let _ = waitid(
            WaitId::PidFd(self.descriptor.as_fd()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        );
    }
}

/// Waits for the process in between.
async fn ended(mut between: Child) -> io::Result<()> {
    let begin = Instant::now();
    while between.try_wait()?.is_none() {
        if begin.elapsed() > PATIENCE {
            let _ = between.kill();
            let _ = between.wait();
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it was not started in time."));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// The process in between: starts the program with this one's standard input, tells the other end of that who it is, and
/// leaves it behind.
///
/// # Errors
/// There is nobody at the other end.
pub fn leave_behind(program: &OsStr, arguments: &[OsString]) -> io::Result<()> {
    let sender = Sender::over(io::stdin().as_fd().try_clone_to_owned()?);
    let started = Command::new(program).args(arguments).spawn().and_then(|mut child| {
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(descriptor) => Ok((child.id(), descriptor)),
            // Whom nobody knows for sure nobody can stop.
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.into())
            }
        }
    });
    match started {
        Ok((process, descriptor)) => {
            sender.send(&Message::Started { process }, Some(descriptor.as_fd()))
        }
        Err(error) => sender.send(&Message::failed(&error.to_string()), None),
    }
}
