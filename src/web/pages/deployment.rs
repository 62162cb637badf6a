//! `/dashboard/deployments/{id}`: the page people stare at.

use axum::extract::{Path, State};

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::{PageError, Pages, Visitor};
use super::{deployment_log as log, failure, plan, receipt, release, show};
use crate::app::AppError;
use crate::app::terms::Terms;
use crate::logs::{LogPage, Order};
use crate::model::deployment::{CancelReason, Deployment, Status as Stored};
use crate::model::log_line::LogLine;
use crate::model::project::Project;
use crate::web::view::deployment::{Actions, DeploymentPage, LogView};
use crate::web::view::parts::Site;
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::time::Millis;

/// Lines that come with the page.
const SHOWN: usize = 200;
/// Lines looked through for the first error. If it is among them, the page shows the log from there on.
const SEARCHED: usize = 2000;
/// Lines shown before the first error.
const BEFORE: u64 = 10;
/// Names of variables that are listed.
const NAMED: usize = 12;

/// The page, or with `?part=state` everything but the log.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    match params.get("part") {
        "" => respond::html(&page(&pages, &visitor, &id, visitor.shell().await?).await?),
        "state" => {
            respond::html(&page(&pages, &visitor, &id, visitor.bare_shell()).await?.as_state())
        }
        _ => Err(PageError::not_found()),
    }
}

async fn page(
    pages: &Pages,
    visitor: &Visitor,
    id: &str,
    shell: Shell,
) -> Result<DeploymentPage, PageError> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let (deployment, project) = app.deployment(actor, id).await?;
    let overview = app.overview(actor, project.id.as_str()).await?;
    let timings = app.deployment_phases(&deployment.id).await?;
    let position = app.queue_position(&deployment).await?;
    let wanted = if deployment.failure.is_some() { SEARCHED } else { SHOWN };
    let (_, mut lines) = app.build_log(actor, id, 0, wanted, Order::Descending).await?;
    lines.lines.reverse();
    let first_error = deployment
        .failure
        .as_ref()
        .and_then(|failure| failure::first_error(failure, &lines.lines))
        .cloned();
    let now = app.clock.now();
    let kept = app.receipt_of(&deployment).await?;
    let before = match app.deployment_before(&deployment).await? {
        Some(before) => Some(app.deployment(actor, before.as_str()).await?.0),
        None => None,
    };
    let output = app.failed_output(&deployment.id).await?;
    let box_ = deployment.failure.as_ref().map(|failure| {
        let live = overview.live.as_ref();
        let first_error = first_error.as_ref();
        let facts = failure::Facts { timings: &timings, first_error, output: &output, live };
        failure::explain(&deployment, failure, facts, &project)
    });
    Ok(DeploymentPage {
        shell,
        id: deployment.id.to_string(),
        project: project.name.clone(),
        status: show::status(&deployment),
        sentence: sentence(&deployment, position, overview.live.as_ref()),
        commit: show::commit(&deployment),
        trigger: show::trigger(&deployment),
        started_at: show::moment(deployment.created_at),
        progress: show::progress(&deployment, overview.usual_ms, now),
        duration: deployment.duration_ms().map(Millis),
        site: site(pages, &deployment, &project),
        steps: show::steps(&deployment, &timings, now),
        failure: box_,
        plan: deployment.plan.as_ref().map(plan::of),
        receipt: receipt::of(&deployment, &kept, before.as_ref()),
        facts: facts(&deployment),
        branch: deployment
            .branch_label
            .as_deref()
            .map(|label| Site::new(app.hosts.url_of_branch(label))),
        log: log_view(lines, first_error.as_ref()),
        actions: actions(&deployment, overview.live.as_ref()),
    })
}

fn actions(deployment: &Deployment, live: Option<&Deployment>) -> Actions {
    let can = deployment.can();
    // A replaced one is rolled back to, which is said in the audit log as what it is.
    let promote = can.promote && !can.rollback;
    let ended = !deployment.state.unfinished() && deployment.release.is_none();
    Actions {
        cancel: can.cancel,
        redeploy: can.redeploy,
        promote: promote.then(|| release::switch(live, deployment)),
        rollback: can.rollback.then(|| release::switch(live, deployment)),
        delete: ended && !deployment.is_live,
    }
}

/// The last lines; more of them when the first error lies before.
fn log_view(page: LogPage, first_error: Option<&LogLine>) -> LogView {
    let usual = page.lines.len().saturating_sub(SHOWN);
    let from = first_error.map_or(usual, |error| {
        let wanted = error.seq.saturating_sub(BEFORE);
        usual.min(page.lines.partition_point(|line| line.seq < wanted))
    });
    LogView {
        lines: page.lines.iter().skip(from).map(log::view_of).collect(),
        growing: !page.complete,
    }
}

fn sentence(deployment: &Deployment, position: Option<i64>, live: Option<&Deployment>) -> String {
    if deployment.release.is_some() {
        return match live {
            Some(live) if live.id == deployment.id => {
                "Is being restarted. A new container takes over as soon as it answers.".to_owned()
            }
            Some(live) => format!(
                "Gets the traffic as soon as it answers. Visitors see `{}` until then.",
                show::short(live)
            ),
            None => "Gets the traffic as soon as it answers.".to_owned(),
        };
    }
    if let Some(waiting) = &deployment.waiting {
        return waiting.clone();
    }
    match position {
        Some(1) => return "Next in line.".to_owned(),
        Some(position) => return format!("{} in line.", ordinal(position)),
        None => {}
    }
    if deployment.cancel_requested && deployment.state.unfinished() {
        return "Is being canceled.".to_owned();
    }
    let text = match deployment.cancel_reason {
        Some(CancelReason::User) => "Somebody stopped it before it was finished.",
        Some(CancelReason::NewerCommit) => "A newer commit arrived before it was finished.",
        Some(CancelReason::ProjectDeleted) => "The project was deleted before it was finished.",
        Some(CancelReason::BranchDeleted) => "Its branch was deleted before it was finished.",
        Some(CancelReason::ChecksFailed) => "A check of its commit failed at the forge.",
        Some(CancelReason::ChecksTimedOut) => {
            "The checks of its commit were not done within an hour."
        }
        Some(CancelReason::Shutdown) => "The server stopped before it was finished.",
        None => show::status(deployment).sentence(),
    };
    text.to_owned()
}

fn ordinal(number: i64) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Where it answers: the project's address while visitors get it there, else its own.
fn site(pages: &Pages, deployment: &Deployment, project: &Project) -> Option<Site> {
    match deployment.status() {
        Stored::Live => Some(show::project_site(&pages.app, project)),
        Stored::Staged | Stored::Superseded => {
            Some(Site::new(pages.app.hosts.url_of(&deployment.hostname)))
        }
        _ => None,
    }
}

fn facts(deployment: &Deployment) -> Vec<(String, String)> {
    let keys = &deployment.environment_keys;
    if keys.is_empty() {
        return Vec::new();
    }
    let mut names = keys.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if keys.len() > NAMED {
        names.push_str(&format!(" and {} more", keys.len() - NAMED));
    }
    vec![("Variables".to_owned(), names)]
}

/// `POST …/cancel`. Pressing twice is no error.
pub async fn cancel(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    match pages.app.cancel_deployment(&visitor.signed_in.actor, &id, &Terms::none()).await {
        Ok(_) => {}
        Err(AppError::Conflict { .. }) => {
            visitor.tell(Notice::bad("It had already ended. Nothing was canceled.")).await?;
        }
        Err(other) => return Err(other.into()),
    }
    Ok(see_other(&format!("/dashboard/deployments/{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_line_are_read_out_right() {
        let said: Vec<_> = [2, 3, 4, 11, 12, 21, 112].map(ordinal).into();
        assert_eq!(said, ["2nd", "3rd", "4th", "11th", "12th", "21st", "112th"]);
    }
}
