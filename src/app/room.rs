//! Is there room on the disk for what is asked for?

use super::{App, AppError};
use crate::config::machine;

impl App {
    /// Nothing is accepted for which there is no disk: neither a deployment nor an archive.
    ///
    /// # Errors
    /// `disk_full` when less than the floor is free for the data directory or the engine.
    pub(super) async fn room_on_disk(&self) -> Result<(), AppError> {
        let engine = match self.engine.get() {
            Some(engine) => engine.storage().await,
            None => None,
        };
        let (floor, data) = (self.config.disk_floor, self.config.data.clone());
        let places = [Some(data), engine].into_iter().flatten();
        let looked = tokio::task::spawn_blocking(move || machine::least_free_disk(places));
        if looked.await.ok().flatten().is_some_and(|free| free < floor) {
            return Err(AppError::Unavailable {
                reason: "disk_full",
                message: "The server's disk is too full to build. Free some disk space and try again.",
            });
        }
        Ok(())
    }
}
