//! `/dashboard/projects/{name}`: what visitors get, what happened lately, and deploying again.

use axum::extract::{Path, State};

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::{PageError, Pages, Visitor, release, show, variables};
use crate::app::AppError;
use crate::app::overview::Overview;
use crate::db;
use crate::db::deployments::DeploymentFilter;
use crate::db::page::PageRequest;
use crate::model::actor::Actor;
use crate::model::deployment::Deployment;
use crate::model::project::Project;
use crate::model::proxy_settings::SignIn;
use crate::model::retention::PREVIEW_BRANCHES;
use crate::web::csrf::Fields;
use crate::web::view::parts::Site;
use crate::web::view::previews::{PreviewRow, Previews};
use crate::web::view::project::{
    Actions, HeldBack, LiveDeployment, ProjectPage, RunningDeployment, Source,
};
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::status::{Phase, Status};
use crate::web::view::text::Foreign;

/// Deployments the list shows.
const LISTED: usize = 10;

/// The page, or one of its regions with `?part=`.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let part = params.get("part");
    let shell = if part.is_empty() { visitor.shell().await? } else { visitor.bare_shell() };
    let newest = params.get("newest");
    let page = page(&pages, &visitor, &name, shell, newest).await?;
    match part {
        "" => respond::html(&page),
        "tile" => respond::html(&page.as_tile()),
        "previews" => respond::html(&page.as_previews()),
        "list" => respond::html(&page.as_list()),
        _ => Err(PageError::not_found()),
    }
}

/// Fills the page. The list begins with the deployment `newest`, if it is given: rows never move under the pointer.
async fn page(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    shell: Shell,
    newest: &str,
) -> Result<ProjectPage, PageError> {
    let actor = &visitor.signed_in.actor;
    let overview = pages.app.overview(actor, name).await?;
    let request = PageRequest { page: 1, limit: 100 };
    let filter = DeploymentFilter::default();
    let id = overview.project.id.as_str();
    let found = pages.app.deployments(actor, Some(id), filter, request).await?.items;
    let first = found.iter().position(|d| d.id.as_str() == newest).unwrap_or(0);
    let (status, sentence) = state(&overview);
    let project = &overview.project;
    let now = pages.app.clock.now();
    let paused = project.paused_at.is_some();
    let earlier = release::last(pages, project).await?;
    let owner = project.id.clone();
    let build_cache = pages.app.db.read(move |c| db::build_cache::of_project(c, &owner));
    Ok(ProjectPage {
        shell,
        id: project.id.to_string(),
        name: project.name.clone(),
        status,
        sentence,
        sites: overview.live.iter().map(|_| show::project_site(&pages.app, project)).collect(),
        live: overview.live.as_ref().map(live),
        outdated: project.pending_redeploy,
        held_back: project
            .release_paused_at
            .zip(project.live_deployment_id.as_ref())
            .map(|(since, live)| HeldBack { since: show::moment(since), live: live.to_string() }),
        running: overview.latest.as_ref().and_then(|latest| {
            Some(RunningDeployment {
                id: latest.id.to_string(),
                phase: show::phase(latest.phase()).unwrap_or(Phase::Switching),
                progress: show::progress(latest, overview.usual_ms, now)?,
            })
        }),
        source: Source {
            git_url: project
                .source
                .git_url
                .clone()
                .map(|url| pages.app.hosts.shown_source(url))
                .unwrap_or_default(),
            branch: branch(&overview),
            build_cache: build_cache.await.map_err(AppError::from)?,
        },
        previews: previews(pages, actor, project).await?,
        deployments: found.iter().skip(first).take(LISTED).map(show::row).collect(),
        unseen: u32::try_from(first).unwrap_or(0),
        actions: Actions {
            rollback: earlier.map(|to| release::switch(overview.live.as_ref(), &to)),
            restart: overview
                .live
                .as_ref()
                .is_some_and(|live| !paused && !release::serves_files(live)),
            pause: !paused && overview.live.is_some(),
            resume: paused,
            redeploy: variables::repeated(project).filter(|_| variables::may_redeploy(project)),
        },
    })
}

/// What its branches have.
async fn previews(pages: &Pages, actor: &Actor, project: &Project) -> Result<Previews, PageError> {
    let found = pages.app.previews(actor, project).await?;
    let row = |newest: &Deployment| PreviewRow {
        branch: Foreign(newest.branch.clone().unwrap_or_default()),
        deployment: newest.id.to_string(),
        status: show::status(newest),
        site: newest.branch_label.as_deref().map(|l| Site::new(pages.app.hosts.url_of_branch(l))),
        commit: show::commit(newest),
        at: show::moment(newest.created_at),
    };
    Ok(Previews {
        rows: found.newest.iter().map(row).collect(),
        most: PREVIEW_BRANCHES,
        days: pages.app.config.preview_age.map(|age| age.as_secs() / (24 * 3600)),
        wanted: found.wanted,
        walled: project.runtime.proxy.sign_in != SignIn::Nowhere,
    })
}

/// The project's branch; where none was chosen, the one the repository calls its default.
fn branch(overview: &Overview) -> String {
    let chosen = overview.project.source.branch.clone();
    let found = overview.latest.as_ref().and_then(|latest| latest.branch.clone());
    chosen.or(found).unwrap_or_else(|| "the default branch".to_owned())
}

/// What visitors get; before there is anything, how the first deployment goes.
fn state(overview: &Overview) -> (Status, String) {
    match overview.live {
        Some(_) => show::production_state(overview),
        None => show::project_state(overview),
    }
}

fn live(deployment: &Deployment) -> LiveDeployment {
    LiveDeployment {
        id: deployment.id.to_string(),
        commit: show::commit(deployment).unwrap_or_else(|| show::unknown_commit(deployment)),
        since: show::moment(deployment.live_at.unwrap_or(deployment.created_at)),
        runtime: deployment.plan.as_ref().map(show::runtime).unwrap_or_default(),
    }
}

/// `POST …/deploy`: like the last deployment, or the one named `from`, with the newest commit.
pub async fn deploy(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let from = Some(fields.trimmed("from")).filter(|from| !from.is_empty());
    match pages.app.deploy_newest(&visitor.signed_in.actor, &name, from).await {
        Ok(deployment) => Ok(see_other(&format!("/dashboard/deployments/{}", deployment.id))),
        Err(AppError::Invalid(problems)) => {
            visitor.tell(Notice::bad(format!("Not deployed. {}", problems.summary()))).await?;
            let project = pages.app.project(&visitor.signed_in.actor, &name).await?;
            Ok(see_other(&format!("/dashboard/projects/{}", project.name)))
        }
        Err(AppError::Conflict { message, .. }) => {
            visitor.tell(Notice::bad(format!("Not deployed. {message}"))).await?;
            Ok(see_other(&format!("/dashboard/projects/{name}")))
        }
        Err(other) => Err(other.into()),
    }
}
