//! Before a deployment begins: is there room for a build now?

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::deadline;
use super::job::Job;
use super::stop::Stop;
use crate::config::machine;
use crate::db;
use crate::model::failure::{Failure, FailureCode};

/// Pause between two looks while a build waits.
const PAUSE: Duration = Duration::from_secs(2);
const MB: u64 = 1024 * 1024;

/// What must be free before a build begins, in bytes.
#[derive(Clone, Debug)]
pub struct Room {
    pub memory: u64,
    pub disk: u64,
    /// What everything that is kept may take together; 0 is a share of the engine's disk.
    pub budget: u64,
    /// Milliseconds that a preview is kept; `None` is for ever.
    pub preview_age: Option<u64>,
    /// The data directory; the engine's own is asked for.
    pub data: PathBuf,
}

impl Job {
    /// Waits until there is memory for a build; the deployment stays queued and says why.
    ///
    /// # Errors
    /// The disk is too full for any build.
    pub(super) async fn admit(&mut self) -> Result<(), Stop> {
        let stopping = self.pipeline.tasks.stopping();
        let (mut told, until) = (false, Instant::now() + deadline::WAITING);
        loop {
            self.stop_if_canceled()?;
            self.disk_has_room().await?;
            let Some(lack) =
                lack_of_memory(self.pipeline.room.memory, machine::memory("MemAvailable"))
            else {
                break;
            };
            if Instant::now() >= until {
                let message = format!("{lack} It has waited for an hour. Deploy again.");
                let phase = self.state.as_str();
                return Err(Failure::new(FailureCode::OutOfMemory, phase, message).into());
            }
            // What is only kept warm makes room first.
            self.pipeline.give_memory_back().await;
            if !told {
                told = true;
                self.warn(lack.clone());
            }
            self.waits_for(Some(lack)).await?;
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.cancel.cancelled() => {}
                () = stopping.cancelled() => {}
            }
        }
        if told {
            self.waits_for(None).await?;
        }
        Ok(())
    }

    /// What may go goes first.
    async fn disk_has_room(&self) -> Result<(), Stop> {
        if self.pipeline.find_room().await {
            return Ok(());
        }
        match lack_of_disk(self.pipeline.room.disk, self.pipeline.free_disk().await) {
            Some(lack) => {
                Err(Failure::new(FailureCode::DiskFull, self.state.as_str(), lack).into())
            }
            None => Ok(()),
        }
    }

    async fn waits_for(&self, lack: Option<String>) -> Result<(), Stop> {
        let id = self.deployment.id.clone();
        let changed = self
            .pipeline
            .db
            .write(move |c| db::transitions::record_waiting(c, &id, lack.as_deref()));
        if changed.await? {
            self.announce();
        }
        Ok(())
    }
}

/// What a build waits for; `None` when there is enough, or nobody knows.
fn lack_of_memory(needed: u64, free: Option<u64>) -> Option<String> {
    let free = free.filter(|free| *free < needed)?;
    Some(format!(
        "Waiting for memory: a build needs {} MB, {} MB are free.",
        needed / MB,
        free / MB
    ))
}

/// Why no build can begin: less than `floor` bytes are left.
fn lack_of_disk(floor: u64, free: Option<u64>) -> Option<String> {
    let free = free?;
    (free < floor).then(|| {
        format!(
            "The server's disk is too full to build: {} MB are free, {} MB are needed (ORBITRA_DISK_FLOOR). Remove old \
             deployments or images, or enlarge the disk.",
            free / MB,
            floor / MB
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_is_told_in_numbers() {
        assert_eq!(lack_of_memory(900 * MB, Some(900 * MB)), None);
        assert_eq!(lack_of_memory(900 * MB, None), None);
        assert_eq!(
            lack_of_memory(900 * MB, Some(640 * MB)).as_deref(),
            Some("Waiting for memory: a build needs 900 MB, 640 MB are free.")
        );
        assert_eq!(lack_of_disk(5 * MB, Some(5 * MB)), None);
        assert_eq!(lack_of_disk(5 * MB, None), None);
        let lack = lack_of_disk(5 * MB, Some(4 * MB)).unwrap();
        assert!(lack.contains("4 MB are free, 5 MB are needed (ORBITRA_DISK_FLOOR)"), "{lack}");
    }
}
