//! `/dashboard/deployments/{id}`: the page people stare at.

use askama::Template;

use super::log::LogLine;
use super::parts::{Commit, Progress, Site, Switch};
use super::plan::Plan;
use super::receipt::Receipt;
use super::shell::Shell;
use super::status::{Phase, Status};
use super::text::Foreign;
use super::time::{Millis, Moment};

/// The page. `state` (header, steps, failure) is a region that updates itself; the log has a stream of its own.
#[derive(Template)]
#[template(path = "deployment.html", blocks = ["state"])]
pub struct DeploymentPage {
    pub shell: Shell,
    pub id: String,
    pub project: String,
    pub status: Status,
    /// What the state means here: `2nd in line. Building now: api b81d0aa.`
    pub sentence: String,
    /// Unknown until the repository was read.
    pub commit: Option<Commit>,
    /// What started it: `Push to main by Ada`.
    pub trigger: String,
    pub started_at: Moment,
    /// While it runs.
    pub progress: Option<Progress>,
    /// Once it is over.
    pub duration: Option<Millis>,
    /// Where it answers: the project's address while it is live, else its own.
    pub site: Option<Site>,
    /// Where the newest ready deployment of its branch answers.
    pub branch: Option<Site>,
    pub steps: Vec<Step>,
    pub failure: Option<Failure>,
    /// Once it is known how it is built.
    pub plan: Option<Plan>,
    /// Once it is over.
    pub receipt: Option<Receipt>,
    /// More facts, as label and value: (`Variables`, `A, B`).
    pub facts: Vec<(String, String)>,
    pub log: LogView,
    pub actions: Actions,
}

/// What can be done to it now.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    pub cancel: bool,
    pub redeploy: bool,
    pub promote: Option<Switch>,
    pub rollback: Option<Switch>,
    pub delete: bool,
}

/// One step of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    pub state: StepState,
    /// Finished steps.
    pub duration: Option<Millis>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Done,
    /// With the time it has run.
    Now(Millis),
    Failed,
    /// Its turn may still come.
    Waiting,
    /// Its turn will not come.
    NotRun,
}

/// Why the deployment failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `The build command stopped with exit code 2`, without a full stop: it is a heading.
    pub headline: String,
    pub step: Phase,
    /// How long the step had run.
    pub after: Option<Millis>,
    pub first_error: Option<FirstError>,
    /// Where it is put right.
    pub fix: Option<Fix>,
    /// Output that explains it: the last lines of the app, the last answer of the health check.
    pub detail: Option<Foreign>,
    /// What shows the cause: a line, a socket, an answer.
    pub evidence: Vec<Foreign>,
    /// What to do: `The app must listen on 0.0.0.0.`
    pub hint: Option<String>,
    /// What visitors see now: `Visitors still see 9b1d220. Nothing went down.`
    pub consequence: String,
}

/// A link to what repairs a failure.
#[derive(Clone, Debug)]
pub struct Fix {
    /// `Give Orbitra access`.
    pub label: &'static str,
    pub url: String,
}

/// The first line of the log that looks like the reason.
#[derive(Clone, Debug)]
pub struct FirstError {
    pub seq: u64,
    pub text: Foreign,
}

/// The part of the log that comes with the page.
#[derive(Clone, Debug, Default)]
pub struct LogView {
    /// The last lines, at most 200.
    pub lines: Vec<LogLine>,
    /// The stream may still bring more.
    pub growing: bool,
}

impl Step {
    fn token(self) -> &'static str {
        match self.state {
            StepState::Done => "ok",
            StepState::Now(_) => "busy",
            StepState::Failed => "bad",
            StepState::Waiting | StepState::NotRun => "",
        }
    }

    fn icon(self) -> &'static str {
        match self.state {
            StepState::Done => "circle-check",
            StepState::Now(_) => "orbit",
            StepState::Failed => "circle-x",
            StepState::Waiting | StepState::NotRun => "circle-dot",
        }
    }

    fn note(self) -> String {
        match (self.state, self.duration) {
            (StepState::Done, took) => {
                took.map_or_else(|| "done".to_owned(), |took| took.to_string())
            }
            (StepState::Now(elapsed), _) => elapsed.stopwatch(),
            (StepState::Failed, Some(took)) => format!("{took}, failed"),
            (StepState::Failed, None) => "failed".to_owned(),
            (StepState::Waiting, _) => "waiting".to_owned(),
            (StepState::NotRun, _) => "not run".to_owned(),
        }
    }

    fn elapsed(self) -> Option<Millis> {
        match self.state {
            StepState::Now(elapsed) => Some(elapsed),
            _ => None,
        }
    }
}

impl LogView {
    /// The number of the last line the page has; the stream goes on after it.
    pub fn after(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.seq)
    }

    /// The number of the first line the page has.
    pub fn first(&self) -> u64 {
        self.lines.first().map_or(1, |line| line.seq)
    }
}

impl DeploymentPage {
    /// The heading: the commit's subject, or what is known before there is one.
    fn subject(&self) -> Foreign {
        self.commit
            .as_ref()
            .map_or_else(|| Foreign(self.trigger.clone()), |commit| commit.subject.clone())
    }

    /// The last crumb: the hash, or the id.
    fn crumb(&self) -> &str {
        self.commit.as_ref().map_or(&self.id, Commit::short)
    }

    /// The title of the tab; the browser puts the running time in place of `{}`.
    fn tab(&self) -> String {
        let word = self.status.word();
        let time = if self.progress.is_some() { " {}" } else { "" };
        format!("{word}{time} · {} · Orbitra", self.project)
    }

    /// What is read out when the state changes.
    fn said(&self) -> String {
        match &self.failure {
            Some(failure) => format!("Failed at {}. {}.", failure.step.step(), failure.headline),
            None => self.status.word().to_owned(),
        }
    }
}
