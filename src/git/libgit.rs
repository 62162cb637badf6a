//! The fetcher: a bare mirror per repository is kept, and only the difference is fetched into it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Wire};
pub use super::limits::Limits;
use super::line::Peer;
use super::mirror::Tip;
use super::object_store::{PackPart, StoreError};
use super::objects::ObjectId;
use super::opened::{Brought, Fault, Opened, Slot, blocking, disk};
use super::pack::ShallowUpdate;
use super::pushed::Repositories;
use super::refs::Resolved;
use super::transport::{Depth, Remote, Wanted};
use super::{
    Access, FetchError, FetchRequest, FetchedCommit, KeptMirror, Progress, SourceFetcher, kept,
    submodules,
};
use crate::egress::{Client, Policy};
use crate::model::branch::check_branch;
use crate::model::git_url::GitUrl;
use crate::model::ids::ProjectId;

/// One repository and what is wanted of it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub url: &'a GitUrl,
    /// Only one that is for this address.
    pub access: Option<&'a Access>,
    pub branch: Option<&'a str>,
    pub commit: Option<&'a str>,
    pub wire: &'a Wire,
}

/// Fetches over smart HTTP and SSH into bare mirrors below one directory. One fetch a mirror at a time; others wait.
pub struct LibGit {
    pub(super) mirrors: PathBuf,
    known_hosts: Option<PathBuf>,
    pub(super) pushed: Option<Arc<Repositories>>,
    client: Client,
    limits: Limits,
    pub(super) slots: Mutex<HashMap<String, Slot>>,
}

impl LibGit {
    /// `mirrors` is made (mode 0700) when the first fetch needs it.
    pub fn new(mirrors: PathBuf, client: Client, limits: Limits) -> Self {
        Self { mirrors, known_hosts: None, pushed: None, client, limits, slots: Mutex::default() }
    }

    /// The same with the operator's file of known SSH host keys, which need not be there.
    pub fn with_known_hosts(self, file: PathBuf) -> Self {
        Self { known_hosts: Some(file), ..self }
    }

    /// The same with the repositories that were pushed to this server.
    pub fn with_pushed(self, repositories: Arc<Repositories>) -> Self {
        Self { pushed: Some(repositories), ..self }
    }

    pub(super) fn policy(&self) -> &Policy {
        self.client.policy()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whom to ask for this.
    pub(super) fn peer<'a>(&'a self, asked: &Asked<'a>) -> Peer<'a> {
        Peer {
            client: &self.client,
            url: asked.url,
            access: asked.access,
            known_hosts: self.known_hosts.as_deref(),
            wire: asked.wire,
        }
    }

    async fn fetch_unbounded(
        &self,
        request: &FetchRequest,
        progress: &Progress,
    ) -> Result<FetchedCommit, FetchError> {
        let budget = Arc::new(Budget::new(&self.limits));
        let asked = Asked {
            url: &request.url,
            access: request.access.as_ref().filter(|access| access.is_for(&request.url)),
            branch: request.branch.as_deref(),
            commit: request.commit.as_deref(),
            wire: &Wire { budget, idle: self.limits.idle },
        };
        submodules::whole(self, &asked, 0, progress).await
    }

    /// Where the mirror of a repository is. What was fetched with a credential is its owner's alone: a commit that is
    /// here is handed out without asking the server again.
    fn place(&self, asked: &Asked<'_>) -> Result<PathBuf, FetchError> {
        let file = format!("{}.git", asked.url.mirror_key());
        match asked.access {
            None => Ok(self.mirrors.join(file)),
            Some(access) => Ok(self.owned(&access.owner)?.join(file)),
        }
    }

    pub(super) fn owned(&self, owner: &str) -> Result<PathBuf, FetchError> {
        let safe =
            !owner.is_empty() && owner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !safe {
            return Err(FetchError::Failed("The owner's name is no file name.".into()));
        }
        Ok(self.mirrors.join(owner))
    }

    /// Fetches one repository, without what lies outside it.
    pub(super) async fn one(
        &self,
        asked: &Asked<'_>,
        progress: &Progress,
    ) -> Result<Brought, FetchError> {
        if let Some(project) = asked.url.pushed_to() {
            return self.pushed(project, asked).await;
        }
        let path = self.place(asked)?;
        let key = path.to_string_lossy().into_owned();
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let lock = Arc::new(Arc::clone(&slot.lock).lock_owned().await);
        let open = || {
            let (slot, lock) = (slot.clone(), Arc::clone(&lock));
            Opened::open(path.clone(), asked.url.as_str().to_owned(), slot, lock, self.limits)
        };
        let mut opened = open().await?;
        match self.attempt(&opened, asked, progress).await {
            Err(Fault::Damaged(reason)) => {
                let mirror = asked.url.as_str();
                tracing::warn!(mirror, reason, "the mirror is damaged and is made anew");
                let damaged = opened.clone();
                blocking(move || {
                    let damaged = damaged;
                    damaged.mirror.discard().map_err(disk)
                })
                .await?;
                opened = open().await?;
                self.attempt(&opened, asked, progress).await
            }
            other => other,
        }
        .map_err(|fault| match fault {
            Fault::Final(error) => error,
            // The library has no kind of its own for it.
            Fault::Damaged(reason) if reason.contains("No space left on device") => {
                FetchError::DiskFull
            }
            Fault::Damaged(reason) => {
                // The library's texts name files.
                let reason = reason.replace(&*self.mirrors.to_string_lossy(), "…");
                FetchError::Failed(format!("The repository arrived damaged: {reason}."))
            }
        })
    }

    /// A commit that was pushed here.
    async fn pushed(&self, project: &ProjectId, asked: &Asked<'_>) -> Result<Brought, FetchError> {
        let branch = asked.branch.unwrap_or_default().to_owned();
        let Some(digits) = asked.commit.map(str::to_ascii_lowercase) else {
            return Err(FetchError::BranchNotFound { branch, default: None });
        };
        let missing = || FetchError::CommitNotFound(digits.clone());
        let repositories = self.pushed.as_ref().ok_or_else(missing)?;
        let opened = repositories.open(project).await?.ok_or_else(missing)?;
        let usual =
            (7..=40).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let (here, text) = (opened.clone(), digits.clone());
        let found = blocking(move || Ok(here.store.find_commit(&text))).await?;
        let id = found.filter(|_| usual).ok_or_else(missing)?;
        opened.finish(id, branch).await.map_err(|fault| match fault {
            Fault::Final(error) => error,
            Fault::Damaged(reason) => {
                FetchError::Failed(format!("What was pushed is damaged: {reason}. Push it again."))
            }
        })
    }

    async fn attempt(
        &self,
        opened: &Opened,
        asked: &Asked<'_>,
        progress: &Progress,
    ) -> Result<Brought, Fault> {
        let branch = asked.branch;
        if let Some(name) = branch.filter(|name| check_branch(name).is_err()) {
            return Err(
                FetchError::BranchNotFound { branch: name.to_owned(), default: None }.into()
            );
        }
        let commit = asked.commit.map(str::to_ascii_lowercase);
        if let Some(digits) = &commit {
            if digits.len() < 7
                || digits.len() > 40
                || !digits.bytes().all(|b| b.is_ascii_hexdigit())
            {
                return Err(FetchError::CommitNotFound(digits.clone()).into());
            }
            // A commit that is here whole needs no network.
            let (here, digits) = (opened.clone(), digits.clone());
            if let Some(id) = blocking(move || Ok(here.store.find_commit(&digits))).await? {
                let name = branch.map(str::to_owned).or_else(|| opened.mirror.default_branch());
                return opened.finish(id, name.unwrap_or_default()).await;
            }
        }
        let mut remote = Remote::connect(self.peer(asked), branch).await?;
        let resolved = remote.resolve(branch).await;
        let Some(digits) = commit else {
            let resolved = resolved?;
            let id = self
                .bring(opened, &mut remote, &resolved, resolved.id, Depth::One, progress)
                .await?;
            let Some(id) = id else {
                return Err(FetchError::Failed(
                    "The Git server did not hand out the branch it named.".into(),
                )
                .into());
            };
            return opened.finish(id, resolved.branch).await;
        };
        self.bring_commit(opened, &mut remote, resolved, branch, &digits, progress).await
    }

    /// Fetches a commit that is asked for by its name: by itself where the server does that, else with its branch's history.
    async fn bring_commit(
        &self,
        opened: &Opened,
        remote: &mut Remote,
        resolved: Result<Resolved, FetchError>,
        branch: Option<&str>,
        digits: &str,
        progress: &Progress,
    ) -> Result<Brought, Fault> {
        let default = resolved.as_ref().ok().and_then(|r| r.default.clone());
        if let Some(id) = ObjectId::parse(digits) {
            let name = branch.map(str::to_owned).or_else(|| default.clone()).unwrap_or_default();
            let alone = Resolved {
                // Not under the branch's name, whose tip this need not be.
                branch: format!("orbitra/{digits}"),
                id,
                default,
            };
            if let Some(id) = self.bring(opened, remote, &alone, id, Depth::One, progress).await? {
                return opened.finish(id, name).await;
            }
        }
        let resolved = resolved?;
        self.bring(opened, remote, &resolved, resolved.id, Depth::All, progress).await?;
        let (here, text) = (opened.clone(), digits.to_owned());
        match blocking(move || Ok(here.store.find_commit(&text))).await? {
            Some(id) => opened.finish(id, resolved.branch).await,
            None => Err(FetchError::CommitNotFound(digits.to_owned()).into()),
        }
    }

    /// Fetches `id` unless it is here, and remembers it as a tip. `None` when the server does not hand it out.
    async fn bring(
        &self,
        opened: &Opened,
        remote: &mut Remote,
        resolved: &Resolved,
        id: ObjectId,
        depth: Depth,
        progress: &Progress,
    ) -> Result<Option<ObjectId>, Fault> {
        let here = opened.clone();
        let (shallow, haves, present) = blocking(move || {
            let mut haves: Vec<_> = here.mirror.tips().iter().map(|tip| tip.id).collect();
            haves.sort_unstable();
            haves.dedup();
            Ok((here.mirror.shallow(), haves, here.store.contains(id)))
        })
        .await?;
        let mut update = ShallowUpdate::default();
        if !present || (depth == Depth::All && !shallow.is_empty()) {
            let wanted = Wanted { id, depth, haves: &haves, shallow: &shallow };
            let Some(mut pack) = remote.fetch(&wanted).await? else {
                return Ok(None);
            };
            update = pack.update.clone();
            let (parts, receiver) = mpsc::channel(16);
            // Dropped with this future, which ends an indexing that has all its bytes.
            let stop = CancellationToken::new();
            let guard = stop.clone().drop_guard();
            let (here, progress) = (opened.clone(), Arc::clone(progress));
            let indexing = spawn_blocking(move || {
                // All of it: a closure captures single fields, and the lock must last as long as the work.
                let here = here;
                here.store.index(receiver, progress, stop)
            });
            let mut received = Ok(());
            loop {
                match pack.next().await {
                    Ok(Some(bytes)) => {
                        if parts.send(PackPart::Data(bytes)).await.is_err() {
                            break;
                        }
                    }
                    Ok(None) => {
                        let _ = parts.send(PackPart::End).await;
                        break;
                    }
                    Err(error) => {
                        received = Err(error);
                        break;
                    }
                }
            }
            drop(parts);
            let indexed = indexing
                .await
                .map_err(|_| FetchError::Failed("Indexing ended unexpectedly.".into()))?;
            received?;
            // A missing base of a thin pack is this side's fault as often as the server's.
            indexed.map_err(|StoreError(reason)| Fault::Damaged(reason))?;
            drop(guard.disarm());
        }
        let here = opened.clone();
        let resolved = resolved.clone();
        blocking(move || {
            let Some(commit) = here.peel(id) else {
                return Ok(None);
            };
            let prefix =
                if resolved.branch.starts_with("orbitra/") { "refs" } else { "refs/heads" };
            let tip = Tip { name: format!("{prefix}/{}", resolved.branch), id: commit };
            here.mirror.record(tip, &update, resolved.default.as_deref()).map_err(disk)?;
            Ok(Some(commit))
        })
        .await?
        .map(Some)
        .ok_or_else(|| Fault::Damaged("the commit is missing".into()))
    }
}

#[async_trait]
impl SourceFetcher for LibGit {
    async fn fetch(
        &self,
        request: FetchRequest,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<FetchedCommit, FetchError> {
        let work = tokio::time::timeout(request.timeout, self.fetch_unbounded(&request, &progress));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(FetchError::Canceled),
            result = work => result.unwrap_or(Err(FetchError::TimedOut { seconds: request.timeout.as_secs() })),
        }
    }

    async fn mirrors(&self) -> Vec<KeptMirror> {
        let mirrors = self.mirrors.clone();
        spawn_blocking(move || kept::list(&mirrors)).await.unwrap_or_default()
    }

    async fn drop_mirror(&self, name: &str) -> bool {
        self.drop_one(name).await
    }

    async fn forget(&self, owner: &str) -> bool {
        self.drop_all_of(owner).await
    }
}
