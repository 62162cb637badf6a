//! A pack on its way from the server, and what is said before it.

use bytes::Bytes;

use super::FetchError;
use super::objects::{ObjectId, one_line};
use super::packets::Packets;
use super::pkt_line::Packet;

/// Commits that were sent without (or again with) their parents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShallowUpdate {
    pub shallow: Vec<ObjectId>,
    pub unshallow: Vec<ObjectId>,
}

/// A pack on its way.
pub(super) struct Pack {
    packets: Packets,
    pub update: ShallowUpdate,
    first: Option<Bytes>,
}

impl Pack {
    /// Reads what stands before the pack.
    pub async fn open(packets: Packets, v2: bool) -> Result<Option<Self>, FetchError> {
        let mut pack = Self { packets, update: ShallowUpdate::default(), first: None };
        loop {
            let Some(packet) = pack.packets.next().await? else {
                return Err(pack.packets.broken_off());
            };
            let line = packet.line();
            if let Some(reason) = line.strip_prefix("ERR ") {
                if reason.contains("not our ref") || reason.contains("unadvertised") {
                    return Ok(None);
                }
                return Err(FetchError::Failed(format!(
                    "The Git server said: {}",
                    one_line(reason)
                )));
            }
            if let Some(id) = line.strip_prefix("shallow ").and_then(ObjectId::parse) {
                pack.update.shallow.push(id);
            } else if let Some(id) = line.strip_prefix("unshallow ").and_then(ObjectId::parse) {
                pack.update.unshallow.push(id);
            } else if v2 && line == "packfile" {
                return Ok(Some(pack));
            } else if !v2
                && let Packet::Data(bytes) = &packet
                && bytes.first().is_some_and(|band| (1..=3).contains(band))
            {
                pack.first = Some(bytes.clone());
                return Ok(Some(pack));
            }
        }
    }

    /// The next bytes of the pack, `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            let bytes = match self.first.take() {
                Some(bytes) => bytes,
                None => match self.packets.next().await? {
                    Some(Packet::Data(bytes)) => bytes,
                    Some(_) => return Ok(None),
                    None => return Err(self.packets.broken_off()),
                },
            };
            match bytes.first() {
                Some(1) => return Ok(Some(bytes.slice(1..))),
                // The server's own progress; ours is counted from what arrives.
                Some(2) => {}
                Some(3) => {
                    let text = String::from_utf8_lossy(&bytes[1..]);
                    return Err(FetchError::Failed(format!(
                        "The Git server said: {}",
                        one_line(&text)
                    )));
                }
                _ => return Err(self.packets.garbled()),
            }
        }
    }
}
