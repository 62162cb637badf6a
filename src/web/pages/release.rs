//! What can be done to a deployment that is finished, and to the traffic of a project: promote, roll back,
//! deploy again, delete, pause, resume, restart. Every result is a page that goes on by itself.

use axum::extract::{Path, State};

use super::objection::objection;
use super::respond::{Answer, see_other};
use super::show;
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::promote::RollbackTo;
use crate::app::redeploy::Again;
use crate::app::terms::Terms;
use crate::db;
use crate::model::deployment::{Deployment, RunState};
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::release::Variables;
use crate::web::csrf::Fields;
use crate::web::view::parts::Switch;
use crate::web::view::shell::Notice;

/// Whether nothing has to be started for visitors: the deployment serves files.
pub(super) fn serves_files(deployment: &Deployment) -> bool {
    deployment.run_state == RunState::Files
}

/// What a switch of the traffic to a deployment means.
pub(super) fn switch(live: Option<&Deployment>, to: &Deployment) -> Switch {
    Switch {
        deployment: to.id.to_string(),
        from: live.map(show::short),
        to: show::short(to),
        made: show::moment(to.created_at),
        starts: !serves_files(to),
    }
}

/// What a project can be rolled back to: the deployment that lost the traffic last.
pub(super) async fn last(
    pages: &Pages,
    project: &Project,
) -> Result<Option<Deployment>, PageError> {
    let id = project.id.clone();
    let read = pages.app.db.read(move |c| db::deployments::last_superseded(c, &id));
    let found = read.await.map_err(AppError::from)?;
    Ok(found.filter(|deployment| deployment.can().rollback))
}

async fn told(visitor: &Visitor, done: Result<String, AppError>, page: String) -> Answer {
    let notice = match done {
        Ok(said) => Notice::good(said),
        Err(error) => Notice::bad(format!("Nothing was changed. {}", objection(error)?)),
    };
    visitor.tell(notice).await?;
    Ok(see_other(&page))
}

fn page_of(id: &str) -> String {
    format!("/dashboard/deployments/{id}")
}

/// `POST /dashboard/deployments/{id}/promote`.
pub async fn promote(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let (_, project) = pages.app.deployment(actor, &id).await?;
    let waited = project.release_paused_at.is_some();
    let done = pages.app.promote_deployment(actor, &id, &Terms::none()).await;
    let said = done.map(|deployment| match deployment.is_live && waited {
        true => "New deployments get the traffic by themselves again.".to_owned(),
        false => said(&deployment, "gets the traffic"),
    });
    told(&visitor, said, page_of(&id)).await
}

/// `POST /dashboard/deployments/{id}/rollback`: to this one.
pub async fn rollback(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let (deployment, project) = pages.app.deployment(actor, &id).await?;
    let to = RollbackTo {
        deployment: Some(deployment.id.to_string()),
        variables: variables(&fields),
        ..RollbackTo::default()
    };
    let none = Problems::default();
    let done = pages.app.rollback(actor, project.id.as_str(), to, none, &Terms::none()).await;
    let said = done.map(|deployment| said(&deployment, "gets the traffic back"));
    told(&visitor, said, page_of(&id)).await
}

/// With which variables: those it was made with, unless those of today were chosen.
fn variables(fields: &Fields) -> Variables {
    Variables::parse(fields.get("environment")).unwrap_or_default()
}

fn said(deployment: &Deployment, what: &str) -> String {
    let short = show::short(deployment);
    if deployment.is_live {
        return format!("Visitors get `{short}` already.");
    }
    format!("`{short}` {what} as soon as it answers. Until then visitors stay where they are.")
}

/// `POST /dashboard/deployments/{id}/redeploy`: the same commit with the variables of today.
pub async fn redeploy(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let again = Again { clear_cache: !fields.get("clear_cache").is_empty(), ..Again::default() };
    let actor = &visitor.signed_in.actor;
    match pages.app.redeploy(actor, &id, again, Problems::default(), &Terms::none()).await {
        Ok(deployment) => Ok(see_other(&page_of(deployment.id.as_str()))),
        Err(error) => told(&visitor, Err(error), page_of(&id)).await,
    }
}

/// `POST /dashboard/deployments/{id}/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let (deployment, project) = pages.app.deployment(actor, &id).await?;
    match pages.app.delete_deployment(actor, &id, &Terms::none()).await {
        Ok(()) => {
            let said = format!("Deployment `{}` is deleted.", show::short(&deployment));
            told(&visitor, Ok(said), format!("/dashboard/projects/{}", project.name)).await
        }
        Err(error) => told(&visitor, Err(error), page_of(&id)).await,
    }
}

/// `POST /dashboard/projects/{name}/rollback`, to the deployment the page showed.
pub async fn project_rollback(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let shown = fields.trimmed("deployment");
    let to = RollbackTo {
        deployment: (!shown.is_empty()).then(|| shown.to_owned()),
        variables: variables(&fields),
        ..RollbackTo::default()
    };
    let done = pages.app.rollback(actor, &name, to, Problems::default(), &Terms::none()).await;
    match done {
        Ok(deployment) => {
            let page = page_of(deployment.id.as_str());
            told(&visitor, Ok(said(&deployment, "gets the traffic back")), page).await
        }
        Err(error) => {
            told(&visitor, Err(error), project_page(&pages, &visitor, &name).await?).await
        }
    }
}

async fn project_page(pages: &Pages, visitor: &Visitor, name: &str) -> Result<String, PageError> {
    let project = pages.app.project(&visitor.signed_in.actor, name).await?;
    Ok(format!("/dashboard/projects/{}", project.name))
}

/// `POST /dashboard/projects/{name}/pause`.
pub async fn pause(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let done = pages.app.pause_project(&visitor.signed_in.actor, &name, &Terms::none()).await;
    let said = done.map(|_| "Paused. Visitors see the paused page.".to_owned());
    let page = project_page(&pages, &visitor, &name).await?;
    told(&visitor, said, page).await
}

/// `POST /dashboard/projects/{name}/resume`.
pub async fn resume(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let done = pages.app.resume_project(&visitor.signed_in.actor, &name, &Terms::none()).await;
    let said = done.map(|_| "Resumed.".to_owned());
    let page = project_page(&pages, &visitor, &name).await?;
    told(&visitor, said, page).await
}

/// `POST /dashboard/projects/{name}/restart`.
pub async fn restart(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let done = pages.app.restart_project(&visitor.signed_in.actor, &name, &Terms::none()).await;
    let page = project_page(&pages, &visitor, &name).await?;
    let notice = match done {
        Ok(project) if project.paused_at.is_some() || project.live_deployment_id.is_none() => {
            Notice::bad("Nothing was restarted: nothing runs.")
        }
        Ok(_) => {
            Notice::good("A new container takes over as soon as it answers. No request is lost.")
        }
        Err(error) => Notice::bad(format!("Nothing was changed. {}", objection(error)?)),
    };
    visitor.tell(notice).await?;
    Ok(see_other(&page))
}
