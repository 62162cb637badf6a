//! The way to a Git server: HTTP requests, or a program on an SSH connection.

use std::path::Path;

use bytes::{Bytes, BytesMut};

use super::FetchError;
use super::access::Access;
use super::budget::Wire;
use super::http_line::HttpLine;
use super::packets::{Packets, Source};
use super::pkt_line::Packet;
use super::ssh::{Program, Session, SshFault};
use crate::crypto::ssh_key::openssh;
use crate::egress::Client;
use crate::model::git_url::GitUrl;

/// Whom to ask, with what, and how much of it.
#[derive(Clone, Copy)]
pub(super) struct Peer<'a> {
    pub client: &'a Client,
    pub url: &'a GitUrl,
    pub access: Option<&'a Access>,
    /// The operator's file of known host keys.
    pub known_hosts: Option<&'a Path>,
    pub wire: &'a Wire,
}

/// A way to one repository.
pub(super) enum Line {
    Http(HttpLine),
    Ssh(SshLine),
}

/// `git-upload-pack` on an SSH connection.
pub(super) struct SshLine {
    session: Session,
    path: String,
    url: String,
    host: String,
    wire: Wire,
    program: Option<Program>,
    /// Whether the program has sent a pack, or refused to: it is not asked anything else then.
    used: bool,
}

impl Line {
    /// Connects.
    pub async fn open(peer: Peer<'_>) -> Result<Self, FetchError> {
        let Some(address) = peer.url.ssh() else {
            return Ok(Self::Http(HttpLine::new(peer)));
        };
        let session = open_session(peer).await?;
        Ok(Self::Ssh(SshLine {
            session,
            path: address.path.clone(),
            url: peer.url.as_str().to_owned(),
            host: address.host.clone(),
            wire: peer.wire.clone(),
            program: None,
            used: false,
        }))
    }

    /// The server's greeting, from its beginning.
    pub async fn greet(&mut self) -> Result<Packets, FetchError> {
        match self {
            Self::Http(line) => line.greet().await,
            Self::Ssh(line) => line.greet().await,
        }
    }

    /// Sends what is asked. `last` says that nothing can follow on the same connection.
    pub async fn ask(&mut self, body: Bytes, v2: bool, last: bool) -> Result<Packets, FetchError> {
        match self {
            Self::Http(line) => line.ask(body, v2).await,
            Self::Ssh(line) => line.ask(body, last).await,
        }
    }

    /// The error for a server that ended before it greeted.
    pub async fn no_greeting(&self) -> FetchError {
        match self {
            Self::Http(line) => FetchError::Failed(format!("{} broke off its answer.", line.host)),
            Self::Ssh(line) => line.no_greeting().await,
        }
    }

    pub fn host(&self) -> &str {
        match self {
            Self::Http(line) => &line.host,
            Self::Ssh(line) => &line.host,
        }
    }
}

impl SshLine {
    async fn greet(&mut self) -> Result<Packets, FetchError> {
        let program = self.session.run("git-upload-pack", &self.path, "").await?;
        let output = Source::Ssh(program.output.clone());
        self.program = Some(program);
        self.used = false;
        Ok(Packets::new(output, self.host.clone(), self.wire.clone()))
    }

    async fn ask(&mut self, body: Bytes, last: bool) -> Result<Packets, FetchError> {
        if self.used || self.program.is_none() {
            // The greeting was read before; it is the same.
            let mut greeting = self.greet().await?;
            while let Some(Packet::Data(_)) = greeting.next().await? {}
        }
        self.used = last;
        let Some(program) = &self.program else {
            return Err(self.no_greeting().await);
        };
        program.write(body, &self.host).await?;
        let output = Source::Ssh(program.output.clone());
        Ok(Packets::new(output, self.host.clone(), self.wire.clone()))
    }

    async fn no_greeting(&self) -> FetchError {
        let said = match &self.program {
            Some(program) => program.errors().await,
            None => String::new(),
        };
        let said = if said.is_empty() { said } else { format!(" {} said: {said}", self.host) };
        FetchError::AuthFailed(format!(
            "Access to {} was refused, or there is no such repository.{said}",
            self.url
        ))
    }
}

/// A session with the server of an SSH address, opened with the key that is for it.
pub(super) async fn open_session(peer: Peer<'_>) -> Result<Session, FetchError> {
    let Some(address) = peer.url.ssh() else {
        return Err(FetchError::Failed("This is not an SSH address.".into()));
    };
    let Some(key) = peer.access.and_then(|access| access.key_for(peer.url)) else {
        return Err(FetchError::AuthFailed(format!(
            "{} is read with a project's deploy key, and this address is not on the server of the project's own \
             source. Make it the project's source, with `auth` set to `deploy_key`.",
            peer.url
        )));
    };
    let idle = peer.wire.idle;
    match Session::open(peer.client, address, key, peer.known_hosts, idle).await {
        Ok(session) => Ok(session),
        Err(SshFault::Failed(error)) => Err(error),
        Err(SshFault::KeyRefused) => Err(FetchError::AuthFailed(format!(
            "{} did not accept the project's deploy key. Add it to the deploy keys of the repository, to read: {}",
            address.host,
            openssh(&key.public(), "orbitra")
        ))),
    }
}

/// Everything a program prints, up to a limit.
pub(super) async fn read_all(program: &Program, wire: &Wire, limit: usize) -> Option<Bytes> {
    let mut all = BytesMut::new();
    let mut output = program.output.lock().await;
    while let Some(bytes) = output.chunk(wire.idle).await.ok()? {
        if all.len() + bytes.len() > limit || wire.budget.take(bytes.len()).is_err() {
            return None;
        }
        all.extend_from_slice(&bytes);
    }
    Some(all.freeze())
}
