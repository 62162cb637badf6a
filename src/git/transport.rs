//! Git's smart protocol, the fetching half: which commit a branch is at, and a pack with it.
//!
//! Version 2 is asked for; a server that answers in version 0 is understood too. Everything passes through the egress
//! client, so addresses are checked, redirects are not followed, and dropping a future ends the connection. libgit2's own
//! network code is not used: it follows redirects, resolves names unchecked and knows no deadline.

use bytes::{Bytes, BytesMut};

use super::FetchError;
use super::line::{Line, Peer};
use super::objects::ObjectId;
use super::pack::Pack;
use super::packets::Packets;
use super::pkt_line::{DELIMITER, FLUSH, Packet, put_line};
use super::refs::{Refs, Resolved};

/// The depth that stands for "all of it" in the protocol.
const WHOLE_HISTORY: u32 = 0x7fff_ffff;
const AGENT: &str = concat!("agent=orbitra/", env!("CARGO_PKG_VERSION"));

/// A server after its greeting.
pub(super) struct Remote {
    line: Line,
    dialect: Dialect,
}

/// How the server speaks.
enum Dialect {
    V2 {
        capabilities: Vec<String>,
    },
    /// The greeting lists all refs; those that were asked for were kept.
    V0 {
        capabilities: Vec<String>,
        refs: Refs,
    },
}

/// How much history to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    One,
    All,
}

/// What is asked for, and what is here already.
pub(super) struct Wanted<'a> {
    pub id: ObjectId,
    pub depth: Depth,
    pub haves: &'a [ObjectId],
    pub shallow: &'a [ObjectId],
}

impl Remote {
    /// Asks the server how it speaks. `branch` is the branch or tag whose place will be asked for.
    pub async fn connect(peer: Peer<'_>, branch: Option<&str>) -> Result<Self, FetchError> {
        let line = Line::open(peer).await?;
        let mut remote = Self { line, dialect: Dialect::V2 { capabilities: Vec::new() } };
        let packets = remote.line.greet().await?;
        remote.read_greeting(packets, branch).await?;
        Ok(remote)
    }

    async fn read_greeting(
        &mut self,
        mut packets: Packets,
        branch: Option<&str>,
    ) -> Result<(), FetchError> {
        let mut first = packets.next().await?;
        if first.is_none() {
            return Err(self.line.no_greeting().await);
        }
        if first.as_ref().is_some_and(|p| p.line().starts_with("# service=")) {
            packets.expect_flush().await?;
            first = packets.next().await?;
        }
        if first.as_ref().is_some_and(|p| p.line() == "version 1") {
            first = packets.next().await?;
        }
        self.dialect = if first.as_ref().is_some_and(|p| p.line() == "version 2") {
            let mut capabilities = Vec::new();
            while let Some(packet @ Packet::Data(_)) = packets.next().await? {
                capabilities.push(packet.line().to_owned());
            }
            Dialect::V2 { capabilities }
        } else {
            let (capabilities, refs) = Refs::read_greeting(first, &mut packets, branch).await?;
            Dialect::V0 { capabilities, refs }
        };
        let formats = self.capability("object-format");
        if formats.is_some_and(|format| format != "sha1") {
            return Err(FetchError::Failed(
                "Repositories with SHA-256 object names are not supported yet.".into(),
            ));
        }
        Ok(())
    }

    /// The value of a capability; empty for one without a value.
    fn capability(&self, name: &str) -> Option<&str> {
        let (Dialect::V2 { capabilities } | Dialect::V0 { capabilities, .. }) = &self.dialect;
        capabilities.iter().find_map(|capability| {
            let (key, value) = capability.split_once('=').unwrap_or((capability, ""));
            (key == name).then_some(value)
        })
    }

    /// Where a branch or tag is; without a name, the default branch. A branch wins over a tag of the same name.
    pub async fn resolve(&mut self, branch: Option<&str>) -> Result<Resolved, FetchError> {
        if let Dialect::V0 { refs, .. } = &self.dialect {
            return refs.resolve(branch);
        }
        let mut body = self.command("ls-refs");
        put_line(&mut body, "symrefs");
        put_line(&mut body, "ref-prefix HEAD");
        if let Some(name) = branch {
            put_line(&mut body, &format!("ref-prefix refs/heads/{name}"));
            put_line(&mut body, &format!("ref-prefix refs/tags/{name}"));
        }
        body.extend_from_slice(FLUSH);
        let mut packets = self.ask(body.freeze(), false).await?;
        let refs = Refs::read_list(&mut packets, branch).await?;
        refs.resolve(branch)
    }

    /// Fetches a commit (or tag) and what belongs to it. `None` when the server does not hand out this object by its name.
    pub async fn fetch(&mut self, wanted: &Wanted<'_>) -> Result<Option<Pack>, FetchError> {
        let v2 = matches!(self.dialect, Dialect::V2 { .. });
        let deepen = match wanted.depth {
            Depth::One => Some(1),
            Depth::All if wanted.shallow.is_empty() => None,
            Depth::All => Some(WHOLE_HISTORY),
        };
        let mut body;
        if v2 {
            // A server that cannot shorten the history sends all of it.
            let shallow = self
                .capability("fetch")
                .is_some_and(|features| features.split(' ').any(|f| f == "shallow"));
            body = self.command("fetch");
            put_line(&mut body, "thin-pack");
            put_line(&mut body, "ofs-delta");
            put_line(&mut body, &format!("want {}", wanted.id));
            put_history(&mut body, wanted, deepen.filter(|_| shallow));
        } else {
            if self.capability("side-band-64k").is_none() {
                return Err(FetchError::Failed(format!(
                    "The Git server of {} is too old.",
                    self.line.host()
                )));
            }
            if !self.hands_out(wanted.id) {
                return Ok(None);
            }
            let shallow = self.capability("shallow").is_some();
            body = BytesMut::new();
            let shallow_word = if shallow { " shallow" } else { "" };
            put_line(
                &mut body,
                &format!(
                    "want {} side-band-64k ofs-delta thin-pack{shallow_word} {AGENT}",
                    wanted.id
                ),
            );
            put_history(&mut body, wanted, deepen.filter(|_| shallow));
            body.extend_from_slice(FLUSH);
        }
        for have in wanted.haves {
            put_line(&mut body, &format!("have {have}"));
        }
        put_line(&mut body, "done");
        if v2 {
            body.extend_from_slice(FLUSH);
        }
        let packets = self.ask(body.freeze(), true).await?;
        Pack::open(packets, v2).await
    }

    /// Whether a version 0 server serves this object: one of its tips, or any when it says so.
    fn hands_out(&self, id: ObjectId) -> bool {
        let Dialect::V0 { refs, .. } = &self.dialect else {
            return true;
        };
        refs.contains(id)
            || self.capability("allow-reachable-sha1-in-want").is_some()
            || self.capability("allow-any-sha1-in-want").is_some()
    }

    fn command(&self, name: &str) -> BytesMut {
        let mut body = BytesMut::new();
        put_line(&mut body, &format!("command={name}"));
        if self.capability("agent").is_some() {
            put_line(&mut body, AGENT);
        }
        if self.capability("object-format").is_some() {
            put_line(&mut body, "object-format=sha1");
        }
        body.extend_from_slice(DELIMITER);
        body
    }

    async fn ask(&mut self, body: Bytes, last: bool) -> Result<Packets, FetchError> {
        let v2 = matches!(self.dialect, Dialect::V2 { .. });
        self.line.ask(body, v2, last).await
    }
}

fn put_history(body: &mut BytesMut, wanted: &Wanted<'_>, deepen: Option<u32>) {
    for id in wanted.shallow {
        put_line(body, &format!("shallow {id}"));
    }
    if let Some(depth) = deepen {
        put_line(body, &format!("deepen {depth}"));
    }
}
