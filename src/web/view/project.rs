//! `/dashboard/projects/{name}`: what visitors get, what happened lately, and what can be done about it.

use askama::Template;

use super::parts::{Commit, DeploymentRow, Progress, Site, Switch};
use super::previews::Previews;
use super::sample;
use super::shell::{Notice, Shell};
use super::status::{Phase, Status};
use super::time::{Millis, Moment};

/// The page. `tile`, `previews` and `list` are regions that update themselves.
#[derive(Template)]
#[template(path = "project.html", blocks = ["tile", "previews", "list"])]
pub struct ProjectPage {
    pub shell: Shell,
    pub id: String,
    pub name: String,
    pub status: Status,
    /// What the state means here: `Serving 4f2c9e1.`
    pub sentence: String,
    /// Where visitors find it, the main address first.
    pub sites: Vec<Site>,
    /// What visitors get now.
    pub live: Option<LiveDeployment>,
    /// Whether variables changed since the live deployment got its own.
    pub outdated: bool,
    /// Since a rollback new deployments wait.
    pub held_back: Option<HeldBack>,
    /// A deployment on its way.
    pub running: Option<RunningDeployment>,
    pub source: Source,
    pub previews: Previews,
    pub deployments: Vec<DeploymentRow>,
    /// Deployments newer than the first row. They wait behind a link, so that no row moves under the pointer.
    pub unseen: u32,
    pub actions: Actions,
}

/// What can be done to what visitors get.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// To the deployment that had the traffic before.
    pub rollback: Option<Switch>,
    /// Something runs that can be started anew.
    pub restart: bool,
    pub pause: bool,
    pub resume: bool,
    /// What changed variables are deployed with.
    pub redeploy: Option<String>,
}

/// The deployment visitors get.
#[derive(Clone, Debug)]
pub struct LiveDeployment {
    pub id: String,
    pub commit: Commit,
    pub since: Moment,
    /// `Node.js 22`.
    pub runtime: String,
}

/// New deployments wait until somebody promotes one.
#[derive(Clone, Debug)]
pub struct HeldBack {
    pub since: Moment,
    /// To promote what is live ends it.
    pub live: String,
}

/// The deployment that is on its way.
#[derive(Clone, Debug)]
pub struct RunningDeployment {
    pub id: String,
    pub phase: Phase,
    pub progress: Progress,
}

/// Where the code comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Without credentials. Empty when nothing was deployed from Git yet.
    pub git_url: String,
    pub branch: String,
    /// Bytes of build cache that are for this project alone.
    pub build_cache: u64,
}

impl ProjectPage {
    /// The branch that visitors get, in a sentence.
    fn production(&self) -> String {
        match self.source.branch.as_str() {
            "" => "that of production".to_owned(),
            branch => format!("`{branch}`"),
        }
    }

    /// The newest row the list shows; the region asks for rows up to this one only.
    pub fn newest(&self) -> &str {
        self.deployments.first().map_or("", |row| row.id.as_str())
    }

    /// Full, empty, paused, with errors.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let full = Self::full;
        vec![
            ("full", full()),
            (
                "empty",
                Self {
                    status: Status::New,
                    sentence: Status::New.sentence().to_owned(),
                    sites: Vec::new(),
                    live: None,
                    outdated: false,
                    held_back: None,
                    running: None,
                    source: Source::default(),
                    previews: Previews { most: 20, ..Previews::default() },
                    deployments: Vec::new(),
                    unseen: 0,
                    actions: Actions::default(),
                    ..full()
                },
            ),
            (
                "paused",
                Self {
                    status: Status::Paused,
                    sentence: Status::Paused.sentence().to_owned(),
                    running: None,
                    previews: Previews { rows: Vec::new(), ..Previews::sample() },
                    actions: Actions { resume: true, ..Actions::default() },
                    ..full()
                },
            ),
            (
                "error",
                Self {
                    shell: sample::shell_after(Notice::bad(
                        "Not deployed. Docker does not answer.",
                    )),
                    status: Status::Degraded,
                    sentence: "The health check fails: last answer 500 after 2.1 s.".to_owned(),
                    running: None,
                    unseen: 0,
                    ..full()
                },
            ),
        ]
    }

    fn full() -> Self {
        let commit = |subject: &str, hash: &str| Commit {
            subject: subject.into(),
            hash: hash.to_owned(),
            branch: "main".into(),
            author: "Ada".into(),
        };
        let row = |number: i64, status, commit, duration| DeploymentRow {
            id: format!("dep_{number}q7w1z3c7k2m9qhx"),
            status,
            commit,
            trigger: "Deploy of main by Ada".to_owned(),
            preview: number == 2,
            at: sample::NOW.plus(-number * 90 * sample::MINUTE),
            duration,
        };
        Self {
            shell: sample::shell(),
            id: "prj_7k2m9qhx4t8w1z3c".to_owned(),
            name: "web".to_owned(),
            status: Status::Live,
            sentence: "Serving 4f2c9e1.".to_owned(),
            sites: vec![
                Site::new("https://web.apps.example.com"),
                Site::new("https://www.example.org"),
            ],
            live: Some(LiveDeployment {
                id: "dep_1q7w1z3c7k2m9qhx".to_owned(),
                commit: commit("Fix login redirect", "4f2c9e1d0b7a4c3e"),
                since: sample::NOW,
                runtime: "Node.js 22".to_owned(),
            }),
            outdated: true,
            held_back: Some(HeldBack {
                since: sample::NOW.plus(-sample::MINUTE),
                live: "dep_1q7w1z3c7k2m9qhx".to_owned(),
            }),
            running: Some(RunningDeployment {
                id: "dep_0q7w1z3c7k2m9qhx".to_owned(),
                phase: Phase::Building,
                progress: Progress { elapsed: Millis(42_000), usual: Some(Millis(50_000)) },
            }),
            source: Source {
                git_url: "https://github.com/acme/web.git".to_owned(),
                branch: "main".to_owned(),
                build_cache: 412_000_000,
            },
            previews: Previews::sample(),
            deployments: vec![
                row(0, Status::Running(Phase::Building), None, None),
                row(
                    1,
                    Status::Live,
                    Some(commit("Fix login redirect", "4f2c9e1d0b7a4c3e")),
                    Some(Millis(52_400)),
                ),
                row(
                    2,
                    Status::Replaced,
                    Some(commit("Bump deps", "9b1d220aa7a4c3e0")),
                    Some(Millis(49_100)),
                ),
                row(
                    3,
                    Status::Failed,
                    Some(commit(
                        "WIP: <b>try</b> the \u{202e}new auth flow that has a rather long subject line",
                        "77aa01c0b7a4c3e4",
                    )),
                    Some(Millis(38_000)),
                ),
                row(
                    4,
                    Status::Canceled,
                    Some(commit("Add rate limits", "b81d0aa0b7a4c3e4")),
                    Some(Millis(4_200)),
                ),
            ],
            unseen: 2,
            actions: Actions {
                rollback: Some(Switch {
                    deployment: "dep_2q7w1z3c7k2m9qhx".to_owned(),
                    from: Some("4f2c9e1".to_owned()),
                    to: "9b1d220".to_owned(),
                    made: sample::NOW.plus(-sample::DAY),
                    starts: true,
                }),
                restart: true,
                pause: true,
                resume: false,
                redeploy: Some("dep_1q7w1z3c7k2m9qhx".to_owned()),
            },
        }
    }
}
