//! How a commit becomes something that serves: decided by `builder`, stored with the deployment, shown to the user.

use serde::{Deserialize, Serialize};

use super::project::{Protocol, Strategy};

/// [`Version::source`] of a version that an earlier deployment of the project resolved.
pub const PINNED: &str = "pinned by an earlier deployment";

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
    /// Run in the new image before traffic moves to it, such as migrations.
    #[serde(default)]
    pub release_command: Option<String>,
    /// Port the framework listens on when nothing tells it another.
    #[serde(default)]
    pub port: Option<u16>,
    /// Directories the build steps keep between builds of a project, such as `/root/.npm`.
    #[serde(default)]
    pub caches: Vec<String>,
    /// Directory of the repository that is the build's context when it is not the project's own: the root of the
    /// workspace that the project is a member of, `""` for the repository's root.
    #[serde(default)]
    pub context: Option<String>,
    /// What the repository's own settings say of running it; it counts more than the project's.
    #[serde(default)]
    pub repository: RepositorySettings,
    /// Things the user should know: `No lock file: versions may change between builds.`
    pub warnings: Vec<String>,
}

/// What `orbitra.toml` says of running the application and of when to deploy it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositorySettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Patterns of paths; a push that changes none of them deploys nothing. Empty watches everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<String>,
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
    /// Files that a build makes: the image's whole file system is the site. `fallback` says that a path without a file
    /// gets `200.html`, or else `index.html`, as applications with a router in the browser need it.
    StaticBuild { dockerfile: String, fallback: bool },
}

impl BuildPlan {
    /// A plan with nothing in it but what it is, why, and what comes out.
    pub fn new(framework: &str, reason: impl Into<String>, output: Output) -> Self {
        Self {
            framework: framework.to_owned(),
            reason: reason.into(),
            output,
            versions: Vec::new(),
            install_command: None,
            build_command: None,
            start_command: None,
            release_command: None,
            port: None,
            caches: Vec::new(),
            context: None,
            repository: RepositorySettings::default(),
            warnings: Vec::new(),
        }
    }

    /// The Dockerfile, when one is needed.
    pub fn dockerfile(&self) -> Option<&str> {
        match &self.output {
            Output::Container { dockerfile, .. } | Output::StaticBuild { dockerfile, .. } => {
                Some(dockerfile)
            }
            Output::Static { .. } => None,
        }
    }
}
