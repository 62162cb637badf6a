//! `/dashboard`: all projects.

use askama::Template;
use askama::filters::HtmlSafe;

use super::mark::Mark;
use super::parts::{Commit, Progress, Site};
use super::sample;
use super::shell::{Notice, Shell};
use super::status::{Phase, Status};
use super::time::{Millis, Moment};

/// The page. The order of the cards is fixed when it is loaded; live changes never reorder it.
#[derive(Template)]
#[template(path = "projects.html")]
pub struct ProjectsPage {
    pub shell: Shell,
    pub cards: Vec<ProjectCard>,
    /// What the list is filtered by.
    pub query: String,
    /// Projects without the filter.
    pub total: usize,
    /// At most three sentences about the server: `Docker does not answer. …`
    pub warnings: Vec<String>,
    /// Webhooks that nothing is sent to any more, because of what their receivers did.
    pub silent: Vec<SilentWebhook>,
}

/// A webhook that Orbitra has disabled.
#[derive(Clone, Debug)]
pub struct SilentWebhook {
    pub id: String,
    /// Without its query.
    pub address: String,
    /// The receiver said that it wants no more; otherwise nothing arrived for days.
    pub gone: bool,
}

/// One project. Also rendered alone for `?part=project-{id}`.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/project_card.html")]
pub struct ProjectCard {
    pub id: String,
    pub name: String,
    pub status: Status,
    /// What the state means here: `Build: exit code 2. 9b1d220 is still live.`
    pub sentence: String,
    pub site: Option<Site>,
    /// The newest deployment.
    pub deployment: Option<String>,
    pub commit: Option<Commit>,
    pub at: Option<Moment>,
    pub duration: Option<Millis>,
    pub progress: Option<Progress>,
}

/// Its own template, escaped there.
impl HtmlSafe for ProjectCard {}

impl ProjectsPage {
    /// A filter is a help only when there are more cards than fit on a screen.
    pub fn filterable(&self) -> bool {
        self.total > 8 || !self.query.is_empty()
    }

    /// Full, empty, with errors.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = |cards: Vec<ProjectCard>| Self {
            shell: sample::shell(),
            total: cards.len(),
            cards,
            query: String::new(),
            warnings: Vec::new(),
            silent: Vec::new(),
        };
        vec![
            ("full", page(ProjectCard::samples())),
            ("empty", page(Vec::new())),
            (
                "no match",
                Self {
                    query: "shop".to_owned(),
                    total: 12,
                    ..page(Vec::new())
                },
            ),
            (
                "error",
                Self {
                    shell: sample::shell_after(Notice::good("Project `old` is deleted.")),
                    warnings: vec![
                        "Docker has not answered since 12:01 UTC. Running apps keep running if their containers do."
                            .to_owned(),
                    ],
                    silent: vec![SilentWebhook {
                        id: "whk_8w1z3c7k2m9qhx4t".to_owned(),
                        address: "https://hooks.acme.test/a/rather/long/path/of/a/receiver/that/nobody/keeps?***".to_owned(),
                        gone: false,
                    }],
                    ..page(ProjectCard::samples())
                },
            ),
        ]
    }
}

impl ProjectCard {
    fn mark(&self) -> Mark {
        Mark::of(&self.id)
    }

    fn samples() -> Vec<Self> {
        let card = |name: &str, status: Status, sentence: &str| Self {
            id: format!("prj_{name}7k2m9qhx4t8w"),
            name: name.to_owned(),
            status,
            sentence: sentence.to_owned(),
            site: Some(Site::new(format!("https://{name}.apps.example.com"))),
            deployment: Some("dep_4q7w1z3c7k2m9qhx".to_owned()),
            commit: Some(Commit {
                subject: "Fix login redirect".into(),
                hash: "4f2c9e1d0b7a4c3e".to_owned(),
                branch: "main".into(),
                author: "Ada".into(),
            }),
            at: Some(sample::NOW.plus(-3 * sample::MINUTE)),
            duration: Some(Millis(52_400)),
            progress: None,
        };
        vec![
            card("docs", Status::Failed, "Build: exit code 2. 9b1d220 is still live."),
            Self {
                duration: None,
                progress: Some(Progress { elapsed: Millis(38_000), usual: Some(Millis(50_000)) }),
                ..card("api", Status::Running(Phase::Building), "b81d0aa is still live.")
            },
            card("web", Status::Live, "Serving 4f2c9e1."),
            card("shop", Status::Sleeping, "Wakes on the next visit, last took 1.8 s."),
            Self {
                site: None,
                deployment: None,
                commit: None,
                at: None,
                duration: None,
                ..card("blog", Status::New, Status::New.sentence())
            },
        ]
    }
}
