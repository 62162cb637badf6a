//! The refs a server lists, as far as one fetch is interested in them.

use super::FetchError;
use super::objects::{ObjectId, one_line};
use super::packets::Packets;
use super::pkt_line::Packet;

/// The refs of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refs {
    pub head: Option<ObjectId>,
    /// The branch `HEAD` stands for.
    pub default: Option<String>,
    pub branch: Option<ObjectId>,
    pub tag: Option<ObjectId>,
    default_tip: Option<ObjectId>,
}

/// Where the wanted branch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub branch: String,
    pub id: ObjectId,
    pub default: Option<String>,
}

impl Refs {
    /// Reads the answer to `ls-refs`.
    pub async fn read_list(
        packets: &mut Packets,
        branch: Option<&str>,
    ) -> Result<Self, FetchError> {
        let mut refs = Self::default();
        while let Some(packet @ Packet::Data(_)) = packets.next().await? {
            let mut words = packet.line().split(' ');
            let (Some(id), Some(name)) = (words.next().and_then(ObjectId::parse), words.next())
            else {
                continue;
            };
            refs.note(name, id, branch);
            let target = words.find_map(|word| word.strip_prefix("symref-target:refs/heads/"));
            if name == "HEAD" && target.is_some_and(is_name) {
                refs.default = target.map(str::to_owned);
            }
        }
        Ok(refs)
    }

    /// Reads a version 0 greeting: the list of all refs, with the capabilities after a NUL in its first line.
    pub async fn read_greeting(
        first: Option<Packet>,
        packets: &mut Packets,
        branch: Option<&str>,
    ) -> Result<(Vec<String>, Self), FetchError> {
        let mut refs = Refs::default();
        let mut capabilities = Vec::new();
        let mut packet = first;
        let mut is_first = true;
        while let Some(Packet::Data(bytes)) = packet {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let line = text.trim_end_matches('\n');
            if let Some(reason) = line.strip_prefix("ERR ") {
                return Err(FetchError::Failed(format!(
                    "The Git server said: {}",
                    one_line(reason)
                )));
            }
            let line = if std::mem::take(&mut is_first) {
                let (line, list) = line.split_once('\0').unwrap_or((line, ""));
                capabilities = list.split(' ').map(str::to_owned).collect();
                let target =
                    capabilities.iter().find_map(|c| c.strip_prefix("symref=HEAD:refs/heads/"));
                refs.default = target.filter(|name| is_name(name)).map(str::to_owned);
                line
            } else {
                line
            };
            let Some((id, name)) = line.split_once(' ') else {
                return Err(packets.garbled());
            };
            let Some(id) = ObjectId::parse(id) else {
                return Err(packets.garbled());
            };
            refs.note(name, id, branch);
            packet = packets.next().await?;
        }
        Ok((capabilities, refs))
    }

    /// Whether one of the refs is at this object.
    pub fn contains(&self, id: ObjectId) -> bool {
        [self.head, self.branch, self.tag, self.default_tip].contains(&Some(id))
    }

    /// Where a branch or tag is; without a name, the default branch.
    pub fn resolve(&self, branch: Option<&str>) -> Result<Resolved, FetchError> {
        let default = self.default.clone();
        let Some(name) = branch else {
            let id = self.head.or(self.default_tip).ok_or_else(|| {
                FetchError::Failed(
                    "The repository is empty, or it has no default branch; name the branch to deploy.".into(),
                )
            })?;
            let branch = default.clone().unwrap_or_else(|| "HEAD".into());
            return Ok(Resolved { branch, id, default });
        };
        match self.branch.or(self.tag) {
            Some(id) => Ok(Resolved { branch: name.to_owned(), id, default }),
            None => Err(FetchError::BranchNotFound { branch: name.to_owned(), default }),
        }
    }

    fn note(&mut self, name: &str, id: ObjectId, branch: Option<&str>) {
        if name == "HEAD" {
            self.head = Some(id);
        } else if let Some(name) = name.strip_prefix("refs/heads/") {
            if Some(name) == branch {
                self.branch = Some(id);
            }
            if Some(name) == self.default.as_deref() {
                self.default_tip = Some(id);
            }
        } else if let Some(name) = name.strip_prefix("refs/tags/")
            && Some(name) == branch
        {
            self.tag = Some(id);
        }
    }
}

/// A branch name a server sent, fit to be shown and stored.
fn is_name(name: &str) -> bool {
    crate::model::branch::check_branch(name).is_ok()
}
