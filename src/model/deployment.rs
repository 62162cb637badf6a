//! Deployments: what is stored, and the status and phase that are derived from it.

use serde::{Deserialize, Serialize};

use super::build_plan::BuildPlan;
use super::failure::Failure;
use super::ids::{DeploymentId, ProjectId, UploadId};
use super::project::Protocol;
use super::timestamp::Timestamp;
use super::transition::State;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name the API and the database use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

pub(super) use words;

words!(
    /// Which variables and which traffic a deployment is for.
    Target { Production = "production", Preview = "preview" });
words!(
/// What asked for a deployment.
Trigger {
    Api = "api", Cli = "cli", Dashboard = "dashboard", GitPush = "git_push", DeployHook = "deploy_hook",
    Redeploy = "redeploy", Rollback = "rollback", Mcp = "mcp",
});
words!(
/// The API's status of a deployment.
Status {
    Building = "building", Staged = "staged", Live = "live", Superseded = "superseded", Failed = "failed",
    Canceled = "canceled", Crashed = "crashed", Removed = "removed",
});
words!(
/// The step a deployment is in.
Phase {
    Queued = "queued", Cloning = "cloning", Detecting = "detecting", Building = "building",
    Starting = "starting", Checking = "checking", Switching = "switching", Done = "done",
});
words!(
/// Why a deployment was canceled.
CancelReason {
    User = "user", NewerCommit = "newer_commit", ProjectDeleted = "project_deleted", Shutdown = "shutdown",
    BranchDeleted = "branch_deleted", ChecksFailed = "checks_failed", ChecksTimedOut = "checks_timed_out",
});
words!(
/// Whether a ready deployment has a running container. A paused one has its memory and gets no time.
RunState {
    None = "none", Running = "running", Paused = "paused", Stopped = "stopped", Files = "files",
});

/// A commit of a Git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: String,
    pub message: String,
    pub author: String,
}

/// Who asked for a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBy {
    /// `user`, `api_key` or `hook`.
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub name: String,
    pub user_id: String,
}

/// One of the containers that a deployment runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// From 1.
    pub number: u32,
    /// The engine's identifier, once it is made.
    pub container: Option<String>,
    /// `address:port` where it was found last.
    pub address: Option<String>,
    /// Whether it is there now: it gets requests while its deployment runs.
    pub serves: bool,
}

/// A deployment as it is stored.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project_id: ProjectId,
    /// Order of creation.
    pub seq: i64,
    pub state: State,
    pub target: Target,
    pub trigger: Trigger,
    /// Whether it takes over production traffic when it is ready.
    pub promote: bool,
    pub message: Option<String>,
    /// Empty when it is not made of a repository.
    pub git_url: String,
    /// Branch that was asked for or, once cloned, resolved.
    pub branch: Option<String>,
    /// Commit that was asked for.
    pub wanted_commit: Option<String>,
    pub root_dir: String,
    /// The archive it is made of.
    pub upload_id: Option<UploadId>,
    /// The image it is made of, as it was asked for.
    pub image_reference: Option<String>,
    /// The same with its digest in the place of its tag, once that is known.
    pub image_pin: Option<String>,
    pub clear_cache: bool,
    pub commit: Option<Commit>,
    pub plan: Option<BuildPlan>,
    pub environment_keys: Vec<String>,
    /// Its own host name.
    pub hostname: String,
    /// The label of its branch's own host name, once a deployment of that branch was ready.
    pub branch_label: Option<String>,
    /// Image id, once built or pulled.
    pub image: Option<String>,
    /// The containers it runs in, by their numbers; none for files.
    pub replicas: Vec<Replica>,
    pub run_state: RunState,
    /// Whether it may not run beside another deployment of its project.
    pub alone: bool,
    /// Whether the code is a stranger's: it gets nothing that is secret.
    pub untrusted: bool,
    /// Until when it waits in the queue for the checks of its forge.
    pub checks_until: Option<Timestamp>,
    /// What its application speaks.
    pub protocol: Protocol,
    pub failure: Option<Failure>,
    pub cancel_reason: Option<CancelReason>,
    /// Set when somebody asked to cancel it; the pipeline acts on it.
    pub cancel_requested: bool,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub built_at: Option<Timestamp>,
    /// When it first got production traffic.
    pub live_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub created_by: CreatedBy,
    pub revision: i64,
    /// Whether the project points at it now.
    pub is_live: bool,
    /// The deployment this one repeats.
    pub source_deployment_id: Option<DeploymentId>,
    /// How far it is on its way to the traffic, while it is promoted, rolled back to or restarted.
    pub release: Option<Phase>,
    pub project_paused: bool,
    /// What it waits for while it is queued although it is its turn, such as memory; for people.
    pub waiting: Option<String>,
}

/// What can be done to a deployment now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Can {
    pub cancel: bool,
    pub redeploy: bool,
    pub promote: bool,
    pub rollback: bool,
}

impl Deployment {
    /// The engine's identifiers of its containers.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        self.replicas.iter().filter_map(|replica| replica.container.as_deref())
    }

    /// The API's status: derived from the state and the project's pointer.
    pub fn status(&self) -> Status {
        match self.state {
            State::Ready if self.is_live => Status::Live,
            State::Ready if self.live_at.is_some() => Status::Superseded,
            State::Ready => Status::Staged,
            State::Failed => Status::Failed,
            State::Canceled => Status::Canceled,
            State::Crashed if self.is_live || self.live_at.is_none() => Status::Crashed,
            State::Crashed => Status::Superseded,
            State::Removed => Status::Removed,
            _ => Status::Building,
        }
    }

    /// The step it is in.
    pub fn phase(&self) -> Phase {
        if let Some(phase) = self.release {
            return phase;
        }
        match self.state {
            State::Queued => Phase::Queued,
            State::Cloning => Phase::Cloning,
            State::Detecting => Phase::Detecting,
            State::Building => Phase::Building,
            State::Starting => Phase::Starting,
            State::Checking => Phase::Checking,
            _ => Phase::Done,
        }
    }

    /// What can be done to it now.
    pub fn can(&self) -> Can {
        let (status, free) = (self.status(), !self.project_paused);
        let switchable = free && self.release.is_none();
        Can {
            cancel: self.state.unfinished(),
            redeploy: free && !self.state.unfinished(),
            promote: switchable && matches!(status, Status::Staged | Status::Superseded),
            rollback: switchable && status == Status::Superseded,
        }
    }

    /// Milliseconds from acceptance to the end, once there is one.
    pub fn duration_ms(&self) -> Option<u64> {
        self.finished_at.map(|end| end.millis_since(self.created_at))
    }
}

/// A step's times, for the deployment page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseTiming {
    pub phase: Phase,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}
