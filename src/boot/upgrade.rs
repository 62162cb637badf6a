//! How a running process is replaced by another one. The visitors' requests go on all the time; those for the control
//! plane wait for the moment in which nobody owns the database. Whatever goes wrong, this process goes on as before.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::leaving::Leaving;
use super::other::{Other, version_of};
use super::{BootError, Control, Orbitra, STOP_GRACE, open_again};
use crate::clock::Clock;
use crate::db::{DbError, migrate, snapshot};
use crate::failpoint;
use crate::handover::channel::Message;
use crate::handover::command;
use crate::web;

/// How long requests to the control plane may take to finish; who changes something is waited for no longer.
const REQUESTS: Duration = Duration::from_secs(20);

/// Another process serves.
#[derive(Clone, Debug)]
pub struct Upgraded {
    pub version: String,
    pub process: u32,
}

/// Nothing has changed, and why.
#[derive(Debug, thiserror::Error)]
pub enum NotUpgraded {
    #[error("{path}: {reason}")]
    Program { path: String, reason: String },
    #[error("The new version does not start: {0}")]
    Refused(String),
    #[error("The new version was not ready in time.")]
    TooLate,
    #[error("Requests to the dashboard or the API still change something. Try again.")]
    Busy,
    #[error("The database could not be copied: {0}")]
    Copy(DbError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Orbitra {
    /// Lets another program take over. With an error this one serves as before, but for `None`, after which it cannot.
    pub async fn upgrade(
        mut self,
        asked: &command::Upgrade,
        arguments: &[OsString],
        mut step: impl FnMut(&str),
    ) -> Result<(Leaving, Upgraded), (Option<Self>, NotUpgraded)> {
        let mut other = match self.prepare_other(asked, arguments, &mut step).await {
            Ok(other) => other,
            Err(error) => return Err((Some(self), error)),
        };
        let checked = other.hear(limit(asked), |message| match message {
            Message::Checked { version } => Some(version),
            _ => None,
        });
        let version = match checked.await {
            Ok(version) => version,
            Err(error) => {
                other.end().await;
                return Err((Some(self), error));
            }
        };
        step(&format!("Version {version} can run on this data."));
        let (handed, mut other) = self.hand_over(other, asked, &mut step).await;
        if let Err(error) = handed {
            other.end().await;
            let resumed = self.resume().await;
            return match resumed {
                Ok(resumed) => Err((Some(resumed), error)),
                Err(fatal) => {
                    tracing::error!(%fatal, "the control plane could not be started again");
                    Err((None, error))
                }
            };
        }
        let leaving = Leaving::begin(self, other, asked, arguments);
        let process = leaving.process();
        Ok((leaving, Upgraded { version, process }))
    }

    /// Starts the other program, and gives it everything it looks at before anything stops.
    async fn prepare_other(
        &self,
        asked: &command::Upgrade,
        arguments: &[OsString],
        step: &mut impl FnMut(&str),
    ) -> Result<Other, NotUpgraded> {
        let path = asked.binary.clone();
        let said = tokio::task::spawn_blocking(move || version_of(&path)).await;
        let said = said.map_err(std::io::Error::other)??;
        step(&format!("{} says it is {said}.", asked.binary.display()));
        let other = Other::start(&asked.binary, arguments, asked.environment.as_ref()).await?;
        // When it has ended already, that is heard next.
        let _ = other.give(&self.lock, self.plane.server.listeners());
        Ok(other)
    }

    /// From the end of this control plane to the beginning of the other one.
    async fn hand_over(
        &mut self,
        mut other: Other,
        asked: &command::Upgrade,
        step: &mut impl FnMut(&str),
    ) -> (Result<(), NotUpgraded>, Other) {
        let handed = self.hand_over_to(&mut other, asked, step).await;
        (handed, other)
    }

    async fn hand_over_to(
        &mut self,
        other: &mut Other,
        asked: &command::Upgrade,
        step: &mut impl FnMut(&str),
    ) -> Result<(), NotUpgraded> {
        // Still with an API: what is accepted now is begun by the other one.
        self.control.end_tasks().await;
        let gate = self.plane.server.gate().clone();
        gate.close();
        if !gate.emptied(REQUESTS).await {
            return Err(NotUpgraded::Busy);
        }
        self.control.store().await;
        self.app.db.close().await;
        let (database, now) = (self.config.data.join("orbitra.db"), self.app.clock.now());
        let copied = tokio::task::spawn_blocking(move || snapshot::take(&database, now)).await;
        let copied = copied.map_err(std::io::Error::other)?.map_err(NotUpgraded::Copy)?;
        step(&format!("The database was copied to {}.", copied.display()));
        failpoint::pass("upgrade.copied").await;
        other.say(&Message::Take)?;
        let limit = limit(asked);
        let ready = other.hear(limit, |message| (message == Message::Ready).then_some(()));
        if let Err(error) = ready.await {
            other.end().await;
            self.go_back(&copied).await.map_err(NotUpgraded::Copy)?;
            return Err(error);
        }
        failpoint::pass("upgrade.before_serve").await;
        other.say(&Message::Serve)?;
        let serving = other.hear(limit, |message| (message == Message::Serving).then_some(()));
        match serving.await {
            Ok(()) => Ok(()),
            Err(error) => {
                other.end().await;
                // It answers nobody before it has said so.
                self.go_back(&copied).await.map_err(NotUpgraded::Copy)?;
                Err(error)
            }
        }
    }

    /// Puts the copy back where the other program has changed the database beyond this one's understanding.
    async fn go_back(&self, copy: &Path) -> Result<(), DbError> {
        let (database, copy) = (self.config.data.join("orbitra.db"), copy.to_owned());
        let work = move || -> Result<(), DbError> {
            if snapshot::schema(&database).is_ok_and(|schema| schema <= migrate::newest()) {
                return Ok(());
            }
            tracing::warn!(copy = %copy.display(), "the database is put back as it was");
            snapshot::put_back(&database, &copy)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(DbError::Unwritable(error.to_string())))
    }

    /// Builds the control plane again, below the data plane that has gone on all the time.
    async fn resume(mut self) -> Result<Self, BootError> {
        self.control.tasks.stop(STOP_GRACE).await;
        self.app.db.close().await;
        self.lock.sign();
        let instance = open_again(&self.config, Clock::System).await?;
        let publisher = self.control.publisher.on(instance.app.db.clone());
        let plane = &self.plane;
        let control = Control::build(
            instance.app,
            instance.name,
            instance.tasks,
            &instance.data,
            &self.engine,
            publisher,
            &plane.routes,
            &plane.certificates,
        )
        .await?;
        control.start(&plane.certificates)?;
        plane.server.gate().open(web::router(&control.app));
        self.app = control.app.clone();
        self.control = control;
        Ok(self)
    }
}

/// How long the other program may take for each step.
fn limit(asked: &command::Upgrade) -> Duration {
    Duration::from_secs(asked.seconds.clamp(1, 600))
}
