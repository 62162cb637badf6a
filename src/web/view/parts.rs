//! Small values that several pages show.

use super::status::Status;
use super::text::Foreign;
use super::time::{Millis, Moment};

/// A commit in one line.
#[derive(Clone, Debug)]
pub struct Commit {
    pub subject: Foreign,
    /// The whole hash; pages show the first seven digits.
    pub hash: String,
    pub branch: Foreign,
    pub author: Foreign,
}

impl Commit {
    /// `4f2c9e1`.
    pub fn short(&self) -> &str {
        self.hash.get(..7).unwrap_or(&self.hash)
    }
}

/// An address visitors use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub url: String,
}

impl Site {
    /// From a whole URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// The URL without the scheme.
    pub fn host(&self) -> &str {
        self.url.split_once("://").map_or(self.url.as_str(), |(_, host)| host).trim_end_matches('/')
    }
}

/// How far a running deployment is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub elapsed: Millis,
    /// Median of the last five, when there are any.
    pub usual: Option<Millis>,
}

/// A switch of the traffic to another deployment.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The id of the one that gets it.
    pub deployment: String,
    /// What visitors get now: `4f2c9e1`.
    pub from: Option<String>,
    /// What they get then.
    pub to: String,
    /// When that one was made.
    pub made: Moment,
    /// It has a container that is started and checked first.
    pub starts: bool,
}

/// One row of a list of deployments.
#[derive(Clone, Debug)]
pub struct DeploymentRow {
    pub id: String,
    pub status: Status,
    /// Unknown until the repository was read.
    pub commit: Option<Commit>,
    /// What started it, when there is no commit yet: `Deploy of main by Ada`.
    pub trigger: String,
    /// It is for its branch alone.
    pub preview: bool,
    pub at: Moment,
    /// `None` while it runs.
    pub duration: Option<Millis>,
}
