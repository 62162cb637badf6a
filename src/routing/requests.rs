//! Requests on their way from the data plane into the runtime logs of their projects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::meter::Meters;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::log_line::HttpLine;
use crate::model::timestamp::Timestamp;

/// Requests of one application that are listed in one second. What is beyond stands in the access log alone: nobody
/// reads more, and the application's own lines must not be pushed out.
const LISTED_PER_SECOND: u64 = 100;
/// Requests that wait to be written; when there are more, the newest are lost.
const WAITING: usize = 4096;

/// Whose requests a host's are.
#[derive(Debug)]
pub struct Application {
    pub project: ProjectId,
    pub deployment: DeploymentId,
    /// The project's name.
    pub name: String,
    /// What was answered, kept for as long as the deployment is routed.
    pub meters: Arc<Meters>,
    /// The second in the upper half, the requests listed in it in the lower.
    listed: AtomicU64,
}

impl Application {
    /// A deployment of a project.
    pub fn new(
        project: ProjectId,
        deployment: DeploymentId,
        name: String,
        meters: Arc<Meters>,
    ) -> Arc<Self> {
        Arc::new(Self { project, deployment, name, meters, listed: AtomicU64::new(0) })
    }

    /// Whether a request of this second (since the Unix epoch) is to be listed. One read when it is not.
    pub fn lists(&self, second: u32) -> bool {
        let second = u64::from(second) << 32;
        self.listed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |listed| {
                let count = if listed >> 32 << 32 == second { listed & 0xffff_ffff } else { 0 };
                (count < LISTED_PER_SECOND).then_some(second | (count + 1))
            })
            .is_ok()
    }
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Request {
    pub application: Arc<Application>,
    pub ts: Timestamp,
    pub http: HttpLine,
}

/// The way from the data plane to whoever writes the requests down. Clones share it.
#[derive(Clone, Debug)]
pub struct Requests {
    sender: mpsc::Sender<Request>,
    receiver: Arc<Mutex<Option<mpsc::Receiver<Request>>>>,
}

impl Default for Requests {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Arc::new(Mutex::new(Some(receiver))) }
    }
}

impl Requests {
    /// Hands a request over. Never waits: traffic goes on when nothing is written.
    pub fn send(&self, request: Request) {
        let _ = self.sender.try_send(request);
    }

    /// The other end; for the one who writes. `None` when it was taken.
    pub fn take(&self) -> Option<mpsc::Receiver<Request>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives the other end back, for the next one who writes.
    pub fn give_back(&self, receiver: mpsc::Receiver<Request>) {
        *self.receiver.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_lists_so_many_requests_and_no_more() {
        let application = Application::new(
            ProjectId::from_random([0; 10]),
            DeploymentId::from_random([0; 10]),
            "app".to_owned(),
            Arc::default(),
        );
        for second in [7, 8] {
            let listed = (0..1000).filter(|_| application.lists(second)).count();
            assert_eq!(listed as u64, LISTED_PER_SECOND);
        }
    }
}
