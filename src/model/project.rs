//! Projects and their settings.

mod runtime;

use serde::{Deserialize, Serialize};

pub use self::runtime::{
    Healthcheck, Protocol, ReleaseSettings, RuntimeSettings, SleepSettings, Strategy,
    parse_expected_status, valid_health_path,
};
use super::ids::{DeploymentId, ProjectId, TeamId};
use super::timestamp::Timestamp;

/// Where the code comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSettings {
    pub git_url: Option<String>,
    pub branch: Option<String>,
    /// Directory of the repository the project lives in, `/` for the root.
    pub root_dir: String,
    /// What it is read with.
    #[serde(default)]
    pub auth: SourceAuth,
    /// Which changes a push deploys, as patterns of [`watch_paths`](super::watch_paths); all of them when it is empty.
    #[serde(default)]
    pub watch_paths: Vec<String>,
    /// Whether pull requests of forks make previews; they get no variable that is marked sensitive.
    #[serde(default)]
    pub fork_previews: bool,
}

/// What a repository is read with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceAuth {
    /// Nothing: it is public.
    #[default]
    None,
    /// A token, or user and password, over HTTPS.
    Token,
    /// The project's own key, over SSH.
    DeployKey,
}

impl SourceAuth {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 3] = [Self::None, Self::Token, Self::DeployKey];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::DeployKey => "deploy_key",
        }
    }

    /// Reads a name of the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|auth| auth.as_str() == text)
    }
}

/// How it is built. `None` leaves it to detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSettings {
    /// `auto` or `dockerfile`.
    pub builder: String,
    pub dockerfile: String,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
    pub output_dir: Option<String>,
    pub timeout_seconds: u32,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            builder: "auto".to_owned(),
            dockerfile: "Dockerfile".to_owned(),
            install_command: None,
            build_command: None,
            start_command: None,
            output_dir: None,
            timeout_seconds: 1800,
        }
    }
}

/// What a project shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    Pending,
    Active,
    Degraded,
    Paused,
    Suspended,
}

impl ProjectStatus {
    /// Every status, in the order of the contract.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Active, Self::Degraded, Self::Paused, Self::Suspended];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Degraded => "degraded",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
        }
    }
}

/// A project as it is stored.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    pub team_id: TeamId,
    pub name: String,
    pub region: String,
    pub framework: Option<String>,
    pub description: Option<String>,
    pub source: SourceSettings,
    pub build: BuildSettings,
    pub runtime: RuntimeSettings,
    pub auto_deploy: bool,
    pub preview_deployments: bool,
    pub keep_images: u32,
    pub live_deployment_id: Option<DeploymentId>,
    pub latest_deployment_id: Option<DeploymentId>,
    /// Whether the live deployment has crashed.
    pub live_crashed: bool,
    /// Whether variables changed since the live deployment got its own.
    pub pending_redeploy: bool,
    /// Since when its owner has it paused.
    pub paused_at: Option<Timestamp>,
    /// Since when new deployments wait until somebody promotes one, because the traffic went back.
    pub release_paused_at: Option<Timestamp>,
    /// Which subnet of the pool its network uses.
    pub network_index: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts changes; the revision part of an ETag.
    pub revision: i64,
}

impl Project {
    /// Derived from the pause and the pointer at the live deployment.
    pub fn status(&self) -> ProjectStatus {
        if self.paused_at.is_some() {
            return ProjectStatus::Paused;
        }
        match (&self.live_deployment_id, self.live_crashed) {
            (None, _) => ProjectStatus::Pending,
            (Some(_), true) => ProjectStatus::Degraded,
            (Some(_), false) => ProjectStatus::Active,
        }
    }
}

/// A relative path with normal components only, such as `apps/web` or `Dockerfile`; `/` before it is allowed and dropped.
pub fn normal_path(text: &str) -> Option<&str> {
    let path = text.strip_prefix('/').unwrap_or(text).trim_end_matches('/');
    let normal = path.len() <= 1024
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && (path.is_empty()
            || path.split('/').all(|part| {
                !part.is_empty()
                    && part != "."
                    && part != ".."
                    && !part.eq_ignore_ascii_case(".git")
                    && part != "~"
            }));
    (normal && !path.to_ascii_lowercase().contains("%2e")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_normal_components() {
        assert_eq!(normal_path("/"), Some(""));
        assert_eq!(normal_path("/apps/web/"), Some("apps/web"));
        for bad in [
            "../Dockerfile",
            "a/../../b",
            "a\\..\\b",
            "x\0",
            "%2e%2e/x",
            "~/x",
            ".git/config",
            "./x",
            "a//b",
        ] {
            assert_eq!(normal_path(bad), None, "{bad}");
        }
    }
}
