//! An SSH connection to a Git server, as far as fetching needs one: host key, public key, one program at a time.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use russh::client::{self, Handle, Msg};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{
    Algorithm, EcdsaCurve, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Preferred, SshId};
use tokio::sync::Mutex;

use super::FetchError;
use super::known_hosts::{KnownKeys, Verdict};
use super::objects::one_line;
use super::packets::egress_error;
use crate::crypto::ssh_key::{SshSeed, fingerprint_of};
use crate::egress::{Client, EgressError};
use crate::model::git_url::SshAddress;

/// Longest time from the connection to the server's acceptance of the key.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Most bytes that are kept of what a program writes to its standard error.
const ERROR_LIMIT: usize = 2000;

/// A connection on which the server has accepted the key.
pub(super) struct Session {
    handle: Handle<Watch>,
    host: String,
    idle: Duration,
}

/// A program on the server: where its input goes and what it prints.
pub(super) struct Program {
    input: ChannelWriteHalf<Msg>,
    pub output: Arc<Mutex<Output>>,
    idle: Duration,
}

/// What a program prints.
pub(super) struct Output {
    channel: ChannelReadHalf,
    errors: Vec<u8>,
    refused: bool,
    exit: Option<u32>,
}

/// Why a session could not be opened.
pub(super) enum SshFault {
    /// The server does not take the key.
    KeyRefused,
    Failed(FetchError),
}

/// Looks at the server's key.
struct Watch {
    known: KnownKeys,
    /// What was seen of a key that was not accepted.
    seen: Arc<OnceLock<Seen>>,
}

struct Seen {
    verdict: Verdict,
    algorithm: String,
    key: Vec<u8>,
}

impl client::Handler for Watch {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        // Certificates are not offered, so a server that shows one breaks the protocol.
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        let Ok(blob) = key.to_bytes() else { return Ok(false) };
        let verdict = self.known.judge(&blob);
        if verdict == Verdict::Known {
            return Ok(true);
        }
        let algorithm = key.algorithm().as_str().to_owned();
        let _ = self.seen.set(Seen { verdict, algorithm, key: blob });
        Ok(false)
    }
}

impl Session {
    /// Connects, checks the server's key and shows ours.
    pub async fn open(
        client: &Client,
        address: &SshAddress,
        key: &SshSeed,
        known_hosts: Option<&Path>,
        idle: Duration,
    ) -> Result<Self, SshFault> {
        let (host, port) = (&address.host, address.port);
        let known = KnownKeys::of(known_hosts, host, port).map_err(|error| {
            failed(format!("The server's file known_hosts cannot be read: {}.", error.kind()))
        })?;
        let stream = client.connect_ssh(host, port).await;
        let stream =
            stream.map_err(|error| SshFault::Failed(egress_error(error, host, HANDSHAKE)))?;
        let config = client::Config {
            client_id: SshId::Standard(Cow::Borrowed(concat!(
                "SSH-2.0-Orbitra_",
                env!("CARGO_PKG_VERSION")
            ))),
            inactivity_timeout: Some(idle + HANDSHAKE),
            preferred: Preferred { key: algorithms(&known).into(), ..Preferred::DEFAULT },
            ..client::Config::default()
        };
        let seen = Arc::new(OnceLock::new());
        let watch = Watch { known, seen: Arc::clone(&seen) };
        let handshake = async {
            let mut handle = client::connect_stream(Arc::new(config), stream, watch).await?;
            let pair = PrivateKey::from(Ed25519Keypair::from_seed(&key.0));
            let key = PrivateKeyWithHashAlg::new(Arc::new(pair), None);
            let accepted = handle.authenticate_publickey(address.user.as_str(), key).await?;
            Ok::<_, russh::Error>((handle, accepted.success()))
        };
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Err(_) => {
                Err(failed(format!("{host} did not answer for {} seconds.", HANDSHAKE.as_secs())))
            }
            Ok(Err(error)) => Err(match seen.get() {
                Some(seen) => failed(seen.tell(host, port)),
                None => failed(format!("{host}: the SSH connection failed: {}.", reason(&error))),
            }),
            Ok(Ok((_, false))) => Err(SshFault::KeyRefused),
            Ok(Ok((handle, true))) => Ok(Self { handle, host: host.clone(), idle }),
        }
    }

    /// Starts a program. The words are put together as a shell of the server reads them: `argument` stands in quotes,
    /// and no address that was accepted holds one.
    pub async fn run(
        &self,
        program: &str,
        argument: &str,
        more: &str,
    ) -> Result<Program, FetchError> {
        if argument.starts_with('-') || argument.contains(['\'', '\\', '\n', '\0']) {
            return Err(FetchError::Failed("The path of the repository is not accepted.".into()));
        }
        let command = format!("{program} '{argument}'{more}");
        let start = async {
            let channel = self.handle.channel_open_session().await?;
            // Servers that do not know the variable answer in the protocol's first version, which is understood too.
            channel.set_env(false, "GIT_PROTOCOL", "version=2").await?;
            channel.exec(true, command).await?;
            Ok::<_, russh::Error>(channel.split())
        };
        match tokio::time::timeout(self.idle, start).await {
            Err(_) => Err(egress_error(EgressError::Timeout, &self.host, self.idle)),
            Ok(Err(error)) => {
                Err(FetchError::Failed(format!("{}: {}.", self.host, reason(&error))))
            }
            Ok(Ok((channel, input))) => {
                let output = Output { channel, errors: Vec::new(), refused: false, exit: None };
                Ok(Program { input, output: Arc::new(Mutex::new(output)), idle: self.idle })
            }
        }
    }
}

impl Program {
    /// Writes to the program's input.
    pub async fn write(&self, bytes: Bytes, host: &str) -> Result<(), FetchError> {
        match tokio::time::timeout(self.idle, self.input.data_bytes(bytes)).await {
            Err(_) => Err(egress_error(EgressError::Timeout, host, self.idle)),
            Ok(Err(error)) => Err(FetchError::Failed(format!("{host}: {}.", reason(&error)))),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// Tells the program that nothing more comes.
    pub async fn end_input(&self) {
        // Where the connection is gone, reading says so.
        let _ = tokio::time::timeout(self.idle, self.input.eof()).await;
    }

    /// What the program said on its standard error, as one line.
    pub async fn errors(&self) -> String {
        one_line(String::from_utf8_lossy(&self.output.lock().await.errors).trim())
    }

    /// Whether the program ran to its end and said that all is well.
    pub async fn succeeded(&self) -> bool {
        let output = self.output.lock().await;
        !output.refused && output.exit.is_none_or(|code| code == 0)
    }
}

impl Output {
    /// The next bytes, `None` when the program has ended; waits at most `idle`.
    pub async fn chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, EgressError> {
        loop {
            let message = tokio::time::timeout(idle, self.channel.wait()).await;
            match message.map_err(|_| EgressError::Timeout)? {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let rest = ERROR_LIMIT.saturating_sub(self.errors.len());
                    self.errors.extend_from_slice(&data[..data.len().min(rest)]);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Some(exit_status),
                Some(ChannelMsg::Failure | ChannelMsg::OpenFailure(_)) => {
                    self.refused = true;
                    return Ok(None);
                }
                Some(ChannelMsg::Close) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }
}

impl Seen {
    /// What to say about a key that is not accepted, and what to do.
    fn tell(&self, host: &str, port: u16) -> String {
        let print = fingerprint_of(&self.key);
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let line = format!("{name} {} {}", self.algorithm, STANDARD.encode(&self.key));
        match self.verdict {
            Verdict::Changed => format!(
                "{host} showed another host key ({print}) than the known one. Either the server got a new key, or \
                 somebody stands in between. Nothing was sent. If its operator confirms the new key, the operator of \
                 this Orbitra replaces the line in the file `known_hosts` of the data directory with: {line}"
            ),
            Verdict::Revoked => {
                format!(
                    "{host} showed a host key ({print}) that is marked as revoked. Nothing was sent."
                )
            }
            Verdict::Unknown | Verdict::Known => format!(
                "The host key of {host} is not known: it showed {print}. Compare that with what its operator \
                 publishes; if it is the same, the operator of this Orbitra adds this line to the file `known_hosts` \
                 of the data directory: {line}"
            ),
        }
    }
}

/// Which kinds of host keys the server is asked for: those that are known of it, else all that are supported.
fn algorithms(known: &KnownKeys) -> Vec<Algorithm> {
    let mut all = vec![Algorithm::Ed25519];
    all.extend(
        [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521]
            .map(|curve| Algorithm::Ecdsa { curve }),
    );
    if all.iter().any(|algorithm| known.knows_algorithm(algorithm.as_str())) {
        all.retain(|algorithm| known.knows_algorithm(algorithm.as_str()));
    }
    all
}

fn failed(message: String) -> SshFault {
    SshFault::Failed(FetchError::Failed(message))
}

/// A fault of the connection, told without what it carried.
fn reason(error: &russh::Error) -> &'static str {
    match error {
        russh::Error::NoCommonAlgo { .. } => {
            "the server offers no algorithm that is supported (its host key must be Ed25519 or ECDSA)"
        }
        russh::Error::Version | russh::Error::Inconsistent => "the server does not speak SSH",
        russh::Error::HUP | russh::Error::Disconnect | russh::Error::IO(_) => {
            "the server closed the connection"
        }
        russh::Error::ConnectionTimeout
        | russh::Error::KeepaliveTimeout
        | russh::Error::InactivityTimeout => "the server did not answer in time",
        russh::Error::WrongServerSig | russh::Error::PacketAuth | russh::Error::Kex => {
            "the server did not prove its key"
        }
        russh::Error::ChannelOpenFailure(_) => "the server opens no channel",
        _ => "the protocol was broken",
    }
}
