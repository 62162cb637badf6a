//! What a pause means for containers: those of a paused project rest, the live ones of all others run or
//! sleep as their project wants.

use super::Pipeline;
use crate::db::{self, DbError};

impl Pipeline {
    /// Lets what is paused rest and starts what was resumed.
    pub(super) async fn look_after_pauses(&self) {
        let found = self.db.read(|c| -> Result<_, DbError> {
            Ok((db::pauses::running(c)?, db::pauses::asleep(c)?))
        });
        let (running, asleep) = match found.await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "pauses could not be read");
                return;
            }
        };
        for id in running {
            let pipeline = self.clone();
            self.tasks.spawn(async move { pipeline.retire(&id).await });
        }
        for id in asleep {
            self.routes.want(&id);
        }
    }
}
