//! How what is stored is shown: states, commits, steps, and problems beside the fields of a form.

use crate::app::App;
use crate::app::overview::Overview;
use crate::model::build_plan::{BuildPlan, Output};
use crate::model::deployment::{self as model, Deployment, PhaseTiming, RunState, Target, Trigger};
use crate::model::hostname;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;
use crate::web::view::deployment::{Step, StepState};
use crate::web::view::form::Errors;
use crate::web::view::parts::{Commit, DeploymentRow, Progress, Site};
use crate::web::view::status::{Phase, Status};
use crate::web::view::text::Foreign;
use crate::web::view::time::{Millis, Moment};

/// A moment of ours as pages show it.
pub fn moment(at: Timestamp) -> Moment {
    Moment(at.0)
}

/// A phase as pages name it; `None` for the end.
pub fn phase(phase: model::Phase) -> Option<Phase> {
    Some(match phase {
        model::Phase::Queued => Phase::Queued,
        model::Phase::Cloning => Phase::Cloning,
        model::Phase::Detecting => Phase::Detecting,
        model::Phase::Building => Phase::Building,
        model::Phase::Starting => Phase::Starting,
        model::Phase::Checking => Phase::Checking,
        model::Phase::Switching => Phase::Switching,
        model::Phase::Done => return None,
    })
}

/// The status of a deployment.
pub fn status(deployment: &Deployment) -> Status {
    // On its way to the traffic; what is being restarted stays what visitors get.
    if let Some(phase) = deployment.release.and_then(phase)
        && !deployment.is_live
    {
        return Status::Running(phase);
    }
    match deployment.status() {
        model::Status::Building => {
            Status::Running(phase(deployment.phase()).unwrap_or(Phase::Switching))
        }
        // What can be promoted is ready, asleep or not; a preview is there to be looked at.
        model::Status::Staged if deployment.target == Target::Preview && sleeps(deployment) => {
            Status::Sleeping
        }
        model::Status::Staged => Status::Ready,
        model::Status::Live if sleeps(deployment) => Status::Sleeping,
        model::Status::Live => Status::Live,
        model::Status::Superseded => Status::Replaced,
        model::Status::Failed => Status::Failed,
        model::Status::Canceled => Status::Canceled,
        model::Status::Crashed => Status::Crashed,
        model::Status::Removed => Status::Removed,
    }
}

/// Whether nobody has asked for it for so long that its process does not run.
fn sleeps(deployment: &Deployment) -> bool {
    matches!(deployment.run_state, RunState::Paused | RunState::Stopped)
}

/// The commit of a deployment, once it is known.
pub fn commit(deployment: &Deployment) -> Option<Commit> {
    let commit = deployment.commit.as_ref()?;
    let subject = commit.message.lines().next().unwrap_or_default().trim();
    Some(Commit {
        subject: if subject.is_empty() { "(no message)".into() } else { subject.into() },
        hash: commit.sha.clone(),
        branch: Foreign(deployment.branch.clone().unwrap_or_default()),
        author: Foreign(commit.author.clone()),
    })
}

/// The first digits of a deployment's commit, or its id.
pub fn short(deployment: &Deployment) -> String {
    commit(deployment).map_or_else(|| deployment.id.to_string(), |commit| commit.short().to_owned())
}

/// What started it: `Deploy of main by Ada`.
pub fn trigger(deployment: &Deployment) -> String {
    let what = match deployment.trigger {
        Trigger::Dashboard => "Deploy",
        Trigger::Api => "API deploy",
        Trigger::Cli => "CLI deploy",
        Trigger::GitPush => "Push",
        Trigger::DeployHook => "Deploy hook",
        Trigger::Redeploy => "Redeploy",
        Trigger::Rollback => "Roll back",
        Trigger::Mcp => "MCP deploy",
    };
    let of = match &deployment.branch {
        Some(branch) => format!(" of {}", Foreign(branch.clone()).plain()),
        None => String::new(),
    };
    format!("{what}{of} by {}", deployment.created_by.name)
}

/// The name of a framework as its makers write it.
pub fn framework(id: &str) -> &str {
    match id {
        "nodejs" => "Node.js",
        "nextjs" => "Next.js",
        "nuxt" => "Nuxt",
        "remix" => "Remix",
        "astro" => "Astro",
        "sveltekit" => "SvelteKit",
        "vite" => "Vite",
        "bun" => "Bun",
        "deno" => "Deno",
        "python" => "Python",
        "django" => "Django",
        "flask" => "Flask",
        "fastapi" => "FastAPI",
        "go" => "Go",
        "rust" => "Rust",
        "ruby" => "Ruby",
        "rails" => "Ruby on Rails",
        "php" => "PHP",
        "laravel" => "Laravel",
        "java" => "Java",
        "spring" => "Spring",
        "dotnet" => ".NET",
        "elixir" => "Elixir",
        "phoenix" => "Phoenix",
        "static" => "Static files",
        "dockerfile" => "Dockerfile",
        other => other,
    }
}

/// `Node.js 22`.
pub fn runtime(plan: &BuildPlan) -> String {
    let name = framework(&plan.framework);
    let version = plan.versions.first().map(|version| format!(" {}", version.version));
    match plan.output {
        Output::Container { .. } => format!("{name}{}", version.unwrap_or_default()),
        Output::Static { .. } | Output::StaticBuild { .. } => name.to_owned(),
    }
}

/// The project's own address.
pub fn project_site(app: &App, project: &Project) -> Site {
    Site::new(app.hosts.url_of(&hostname::of_project(&project.name, app.hosts.base_domain())))
}

/// How far a running deployment is.
pub fn progress(
    deployment: &Deployment,
    usual_ms: Option<u64>,
    now: Timestamp,
) -> Option<Progress> {
    deployment.state.unfinished().then(|| Progress {
        elapsed: Millis(now.millis_since(deployment.created_at)),
        usual: usual_ms.map(Millis),
    })
}

/// A row of a list.
pub fn row(deployment: &Deployment) -> DeploymentRow {
    DeploymentRow {
        id: deployment.id.to_string(),
        status: status(deployment),
        commit: commit(deployment),
        trigger: trigger(deployment),
        preview: deployment.target == Target::Preview,
        at: moment(deployment.created_at),
        duration: deployment.duration_ms().map(Millis),
    }
}

/// The steps of a deployment, with their times.
pub fn steps(deployment: &Deployment, timings: &[PhaseTiming], now: Timestamp) -> Vec<Step> {
    let timing = |step: Phase| timings.iter().find(|timing| phase(timing.phase) == Some(step));
    let last = timings.last().and_then(|timing| phase(timing.phase));
    let failed = deployment
        .failure
        .as_ref()
        .map(|failure| model::Phase::parse(&failure.phase).and_then(phase).or(last));
    Phase::ALL
        .into_iter()
        .map(|step| {
            let found = timing(step);
            let duration = found.and_then(|timing| {
                timing.finished_at.map(|end| Millis(end.millis_since(timing.started_at)))
            });
            let state = if deployment.state.unfinished() {
                let current = phase(deployment.phase()).unwrap_or(Phase::Switching);
                match step.cmp(&current) {
                    std::cmp::Ordering::Less => StepState::Done,
                    std::cmp::Ordering::Equal => {
                        let since = found.map_or(now, |timing| timing.started_at);
                        StepState::Now(Millis(now.millis_since(since)))
                    }
                    std::cmp::Ordering::Greater => StepState::Waiting,
                }
            } else if let Some(failed) = failed {
                match failed.map(|failed| step.cmp(&failed)) {
                    Some(std::cmp::Ordering::Less) => StepState::Done,
                    Some(std::cmp::Ordering::Equal) => StepState::Failed,
                    _ => StepState::NotRun,
                }
            } else if deployment.state == State::Canceled {
                if last.is_some_and(|last| step < last) {
                    StepState::Done
                } else {
                    StepState::NotRun
                }
            } else {
                StepState::Done
            };
            // A step that files need not take has no time; it was done in no time.
            let duration = match state {
                StepState::Done | StepState::Failed => duration,
                _ => None,
            };
            Step { phase: step, state, duration }
        })
        .collect()
}

/// The state of a project in one word, and what it means. What needs a person comes before what is well.
pub fn project_state(overview: &Overview) -> (Status, String) {
    let serving = overview.live.as_ref().map(short);
    let latest = overview.latest.as_ref();
    if overview.project.paused_at.is_some() {
        return (Status::Paused, Status::Paused.sentence().to_owned());
    }
    let still = || match &serving {
        Some(hash) => format!(" {hash} is still live."),
        None => " Nothing is live yet.".to_owned(),
    };
    match (latest, &serving) {
        (None, None) => (Status::New, Status::New.sentence().to_owned()),
        (Some(latest), _) if latest.state.unfinished() => {
            let status = status(latest);
            (status, format!("{}{}", status.sentence(), still()))
        }
        (Some(latest), _) if latest.state == State::Failed => {
            let reason = latest.failure.as_ref().map(super::failure::headline);
            (
                Status::Failed,
                format!("{}.{}", reason.unwrap_or_else(|| "Failed".to_owned()), still()),
            )
        }
        _ => production_state(overview),
    }
}

/// The same of what visitors get.
pub fn production_state(overview: &Overview) -> (Status, String) {
    match &overview.live {
        _ if overview.project.paused_at.is_some() => {
            (Status::Paused, Status::Paused.sentence().to_owned())
        }
        Some(live) if overview.project.live_crashed => (
            Status::Crashed,
            format!("{} stopped again and again. Visitors see an error page.", short(live)),
        ),
        Some(live) if sleeps(live) => {
            (Status::Sleeping, format!("Serving {}, which wakes on the next visit.", short(live)))
        }
        Some(live) => (Status::Live, format!("Serving {}.", short(live))),
        None => (Status::New, "Nothing is live yet.".to_owned()),
    }
}

/// Problems of a request as messages beside fields. What no field of the form stands for is said at its top.
pub fn form_errors(problems: &Problems, fields: &[(&str, &'static str)]) -> Errors {
    let mut errors = Errors::none();
    let field_of = |name: &str| {
        fields.iter().find(|(known, _)| *known == name).map_or("", |(_, field)| *field)
    };
    for missing in &problems.missing_fields {
        errors.add(field_of(missing), "This is needed.");
    }
    for invalid in &problems.invalid_fields {
        let field = field_of(&invalid.field);
        let suggestion = invalid.suggestion.as_ref().map(|name| format!(" How about `{name}`?"));
        let suggestion = suggestion.unwrap_or_default();
        if field.is_empty() {
            errors.add(field, format!("`{}`: {}{suggestion}", invalid.field, invalid.message));
        } else {
            errors.add(field, format!("{}{suggestion}", invalid.message));
        }
    }
    if errors.is_empty() {
        errors.add("", problems.summary());
    }
    errors
}

/// For a deployment that serves without a known commit: what started it.
pub fn unknown_commit(deployment: &Deployment) -> Commit {
    Commit {
        subject: Foreign(trigger(deployment)),
        hash: deployment.wanted_commit.clone().unwrap_or_else(|| "unknown".to_owned()),
        branch: Foreign(deployment.branch.clone().unwrap_or_default()),
        author: Foreign(deployment.created_by.name.clone()),
    }
}
