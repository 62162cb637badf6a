//! How a commit becomes something that serves: decided by `builder`, stored with the deployment, shown to the user.

use serde::{Deserialize, Serialize};

/// The plan of one build, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildPlan {
    /// An id of `GET /frameworks`, such as `nodejs`.
    pub framework: String,
    /// Why this framework was chosen, in one sentence that names the file that proves it.
    pub reason: String,
    /// What is built.
    pub output: Output,
    /// Resolved runtime versions: (`node`, `22`, `engines.node in package.json`).
    pub versions: Vec<Version>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
    /// Things the user should know: `No lock file: versions may change between builds.`
    pub warnings: Vec<String>,
}

/// A resolved version and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub name: String,
    pub version: String,
    pub source: String,
}

/// What a build results in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Output {
    /// An image that is run. `dockerfile` is the whole text; `path` names it when it is the repository's own.
    Container { dockerfile: String, path: Option<String> },
    /// Files served by the proxy, taken from this directory of the commit (`""` is the root).
    Static { directory: String },
}
