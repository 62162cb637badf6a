//! The process that takes over from a running one, which started it and speaks with it over standard input.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{BootError, Orbitra, Sockets, open_again};
use crate::clock::Clock;
use crate::config::{Config, DataDir, Lock};
use crate::crypto::secret_box::SecretBox;
use crate::crypto::token;
use crate::db::{self, DbError, snapshot};
use crate::docker::bollard::Bollard;
use crate::failpoint;
use crate::handover::channel::{Channel, Message, Packet, Sender};
use crate::routing::upstream;
use crate::server::Relayed;

/// The process before, which still finishes requests.
pub struct Before {
    sender: Sender,
    gone: CancellationToken,
}

impl Before {
    /// Tells it that the service ends, and waits until it has finished: a service manager ends what is left when the main
    /// process is gone.
    pub async fn finish(&self, limit: Duration) {
        if !self.gone.is_cancelled() && self.sender.send(&Message::Ending, None).is_ok() {
            let _ = tokio::time::timeout(limit, self.gone.cancelled()).await;
        }
    }
}

/// Takes over from the process that started this one, or starts alone when that one has gone.
///
/// # Errors
/// See [`BootError`]; the other process is told and goes on.
pub async fn take_over(config: Config) -> Result<Orbitra, BootError> {
    failpoint::arm(&config.failpoints);
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut channel = Channel::over(socket)?;
    match proceed(config, &mut channel).await {
        Ok((mut orbitra, (relay, gone))) => {
            orbitra.before = Some(Before { sender: channel.sender(), gone: gone.clone() });
            listen(channel, &(relay, gone));
            Ok(orbitra)
        }
        Err(error) => {
            let _ = channel.say(&Message::failed(&error.to_string()));
            Err(error)
        }
    }
}

/// Where requests go that the other process passes on.
type Relay = mpsc::UnboundedSender<Relayed>;

async fn proceed(
    config: Config,
    channel: &mut Channel,
) -> Result<(Orbitra, (Relay, CancellationToken)), BootError> {
    let (mut lock, mut inherited) = (None, Vec::new());
    loop {
        match channel.hear().await {
            Some(Packet { message: Message::Lock, descriptor: Some(descriptor) }) => {
                lock = Some(Lock::inherited(descriptor));
            }
            Some(Packet { message: Message::Listener, descriptor: Some(descriptor) }) => {
                inherited.push(TcpListener::from(descriptor));
            }
            Some(Packet { message: Message::Check, .. }) => break,
            Some(_) => {}
            None => return Err(BootError::Alone),
        }
    }
    let lock = lock.ok_or(BootError::Alone)?;
    failpoint::at("upgrade.check").await.map_err(std::io::Error::other)?;
    check(&config).await?;
    let _ = channel.say(&Message::Checked { version: env!("CARGO_PKG_VERSION").to_owned() });
    // Without an answer the other one is gone, and the data belong to whoever holds the lock.
    wait_for(channel, &Message::Take).await;
    lock.sign();
    failpoint::at("upgrade.take").await.map_err(std::io::Error::other)?;
    let instance = open_again(&config, Clock::System).await?;
    let engine = Bollard::connect(config.docker_host.as_deref(), instance.name.clone())?;
    let (relay, relayed) = mpsc::unbounded_channel();
    let sockets = Sockets { inherited, relayed: Some(relayed) };
    let gone = CancellationToken::new();
    upstream::follow(gone.clone());
    let ready = Orbitra::prepare(config, instance, Arc::new(engine), lock, sockets).await?;
    failpoint::at("upgrade.ready").await.map_err(std::io::Error::other)?;
    let _ = channel.say(&Message::Ready);
    wait_for(channel, &Message::Serve).await;
    ready.work()?;
    failpoint::pass("upgrade.serve").await;
    // First, and then the connections: until the other one knows, it may undo everything, and nobody has an answer.
    let _ = channel.say(&Message::Serving);
    ready.accept();
    failpoint::pass("upgrade.serving").await;
    Ok((ready, (relay, gone)))
}

/// Waits for a message, or for the end of the other process.
async fn wait_for(channel: &mut Channel, wanted: &Message) {
    while channel.hear().await.is_some_and(|packet| packet.message != *wanted) {}
}

/// Takes requests from the other process until it is gone.
fn listen(mut channel: Channel, (relay, gone): &(Relay, CancellationToken)) {
    let (relay, gone) = (relay.clone(), gone.clone());
    tokio::spawn(async move {
        while let Some(packet) = channel.hear().await {
            if let (Message::Relay { peer, secure }, Some(descriptor)) =
                (packet.message, packet.descriptor)
            {
                let _ = relay.send(Relayed { stream: stream(descriptor), peer, secure });
            }
        }
        tracing::info!("the process before has ended");
        gone.cancel();
    });
}

fn stream(descriptor: OwnedFd) -> UnixStream {
    let stream = UnixStream::from(descriptor);
    // Whoever serves it finds out when this did not work.
    let _ = stream.set_nonblocking(true);
    stream
}

/// Whether this program could run on the data that are there. Changes nothing, because another process works with them.
async fn check(config: &Config) -> Result<(), BootError> {
    let data = DataDir::open(&config.data)?;
    // Random bytes would be stored where there is no key; there is one, because the other process runs.
    let secrets = SecretBox::new(&data.key(crate::crypto::random::bytes())?);
    let database = data.path("orbitra.db");
    let stored = tokio::task::spawn_blocking(move || -> Result<_, DbError> {
        snapshot::rehearse(&database)?;
        snapshot::read(&database, |connection| db::meta::get(connection, db::meta::KEY_CHECK))
    });
    let stored = stored.await.map_err(std::io::Error::other)??;
    let opens = |stored: String| {
        token::unhex(&stored).is_some_and(|sealed| secrets.open(super::CHECK, &sealed).is_ok())
    };
    if !stored.is_none_or(opens) {
        return Err(BootError::WrongKey);
    }
    crate::egress::Policy::parse(&config.egress_allow, config.egress_allow_http)?;
    crate::egress::lookup::Lookup::new(&config.dns_servers)?;
    Bollard::connect(config.docker_host.as_deref(), String::new())?;
    Ok(())
}
