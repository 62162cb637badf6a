//! Mirrors that are not kept any longer.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use tokio::task::spawn_blocking;

use super::libgit::LibGit;
use super::{SourceFetcher, kept};
use crate::model::ids::ProjectId;

impl LibGit {
    /// Removes a mirror that nobody reads or fetches into now. Answers whether it is gone.
    pub(super) async fn drop_one(&self, name: &str) -> bool {
        let known = self.mirrors().await.into_iter().any(|mirror| mirror.name == name);
        if !known {
            return true;
        }
        let path = self.mirrors.join(name);
        let key = path.to_string_lossy().into_owned();
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let Ok(lock) = Arc::clone(&slot.lock).try_lock_owned() else { return false };
        if slot.is_read() {
            return false;
        }
        spawn_blocking(move || {
            let _lock = lock;
            kept::remove(&path)
        })
        .await
        .unwrap_or(false)
    }

    /// Removes all mirrors of an owner, and what was pushed for it. Answers whether they are gone.
    pub(super) async fn drop_all_of(&self, owner: &str) -> bool {
        if let (Some(repositories), Some(project)) = (&self.pushed, ProjectId::parse(owner))
            && !repositories.forget(&project).await
        {
            return false;
        }
        let Ok(path) = self.owned(owner) else { return true };
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        slots.retain(|key, _| PathBuf::from(key).starts_with(&path));
        // No fetch is under way while its lock is held.
        let mut locks = Vec::new();
        for slot in slots.values() {
            locks.push(slot.lock.lock().await);
        }
        let removing = path.clone();
        let removed = spawn_blocking(move || std::fs::remove_dir_all(removing)).await;
        let mut known = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|key, _| !PathBuf::from(key).starts_with(&path));
        match removed {
            Ok(Ok(())) => true,
            Ok(Err(error)) => error.kind() == std::io::ErrorKind::NotFound,
            Err(_) => false,
        }
    }
}
