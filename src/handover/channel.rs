//! Messages between the two processes, with the descriptors that go along.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Longest message, in bytes. Reasons are cut to fit.
const LONGEST: usize = 16 * 1024;
/// Longest reason, in characters.
const REASON: usize = 2000;

/// What is said. The module's table has the order.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Message {
    /// With a descriptor of the process that takes over; from the one that has started it.
    Started {
        process: u32,
    },
    /// With the lock of the data directory.
    Lock,
    /// With a listening socket.
    Listener,
    Check,
    Checked {
        version: String,
    },
    Take,
    Ready,
    Serve,
    Serving,
    /// With one end of a connection on which a request of this visitor comes.
    Relay {
        peer: SocketAddr,
        secure: bool,
    },
    /// From the new one, later: the service as a whole is to end, and the old one is waited for.
    Ending,
    /// It does not go on, and why.
    Failed {
        reason: String,
    },
    /// A word of another version, which is passed over.
    #[serde(other)]
    Unknown,
}

impl Message {
    /// A failure with as much of its reason as a message holds.
    pub fn failed(reason: &str) -> Self {
        Self::Failed { reason: reason.chars().take(REASON).collect() }
    }
}

/// A message as it came.
#[derive(Debug)]
pub struct Packet {
    pub message: Message,
    pub descriptor: Option<OwnedFd>,
}

/// One end of the channel.
#[derive(Debug)]
pub struct Channel {
    sender: Sender,
    incoming: mpsc::UnboundedReceiver<Packet>,
}

/// The half that sends. Clones share it.
#[derive(Clone, Debug)]
pub struct Sender(Arc<OwnedFd>);

/// Two ends that belong together.
///
/// # Errors
/// There are no descriptors left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

impl Channel {
    /// Speaks over one end of a pair.
    ///
    /// # Errors
    /// There is no thread to listen on.
    pub fn over(socket: OwnedFd) -> io::Result<Self> {
        let sender = Sender::over(socket);
        let (arrived, incoming) = mpsc::unbounded_channel();
        let socket = Arc::clone(&sender.0);
        std::thread::Builder::new().name("handover".to_owned()).spawn(move || {
            while let Ok(Some(packet)) = receive(&socket) {
                if arrived.send(packet).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { sender, incoming })
    }

    /// The half that sends.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Sends without a descriptor.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn say(&self, message: &Message) -> io::Result<()> {
        self.sender.send(message, None)
    }

    /// The next message; `None` when the other process is gone or says what nobody understands.
    pub async fn hear(&mut self) -> Option<Packet> {
        self.incoming.recv().await
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Ends the thread that listens, and tells the other side.
        let _ = rustix::net::shutdown(&*self.sender.0, Shutdown::Both);
    }
}

impl Sender {
    /// Speaks over one end of a pair, and does not listen.
    pub fn over(socket: OwnedFd) -> Self {
        Self(Arc::new(socket))
    }

    /// Sends a message, with a descriptor that the other process gets a copy of.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn send(&self, message: &Message, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let text = serde_json::to_vec(message).map_err(io::Error::other)?;
        let descriptors: Vec<_> = descriptor.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let flags = SendFlags::NOSIGNAL;
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&*self.0, &[IoSlice::new(&text)], &mut control, flags)
        })?;
        Ok(())
    }
}

fn receive(socket: &OwnedFd) -> io::Result<Option<Packet>> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags)
    })?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor = descriptors.flatten().next();
    if received.bytes == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&text[..received.bytes]).map_err(io::Error::other)?;
    Ok(Some(Packet { message, descriptor }))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn messages_keep_their_borders_and_their_descriptors() {
        let (one, other) = pair().unwrap();
        let (one, mut other) = (Channel::over(one).unwrap(), Channel::over(other).unwrap());
        let (mut near, far) = UnixStream::pair().unwrap();
        one.say(&Message::Check).unwrap();
        one.sender().send(&Message::Listener, Some(far.as_fd())).unwrap();
        drop(far);
        one.say(&Message::failed(&"x".repeat(100_000))).unwrap();
        assert_eq!(other.hear().await.unwrap().message, Message::Check);
        let packet = other.hear().await.unwrap();
        assert_eq!(packet.message, Message::Listener);
        let mut far = UnixStream::from(packet.descriptor.unwrap());
        far.write_all(b"here").unwrap();
        let mut four = [0; 4];
        near.read_exact(&mut four).unwrap();
        assert_eq!(&four, b"here");
        assert!(matches!(other.hear().await.unwrap().message, Message::Failed { .. }));
        // Another version may say more.
        let flags = SendFlags::NOSIGNAL;
        rustix::net::send(&*one.sender().0, br#"{"say":"news","of":[1]}"#, flags).unwrap();
        assert_eq!(other.hear().await.unwrap().message, Message::Unknown);
        drop(one);
        assert!(other.hear().await.is_none());
        assert!(other.say(&Message::Ready).is_err());
    }
}
