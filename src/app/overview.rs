//! A project with what people look at first: what visitors get, what happened last, how long it usually takes.

use super::{App, AppError};
use crate::db::page::{Page, PageRequest};
use crate::db::projects::ProjectFilter;
use crate::db::{self, Connection, DbError};
use crate::model::actor::Actor;
use crate::model::deployment::{Deployment, Target};
use crate::model::ids::DeploymentId;
use crate::model::project::Project;

/// How many deployments the usual duration is taken from.
const USUAL_OF: u32 = 5;

/// A project and its deployments that matter now.
#[derive(Clone, Debug)]
pub struct Overview {
    pub project: Project,
    pub live: Option<Deployment>,
    /// The newest that is no preview: what becomes of a branch says nothing of what visitors get.
    pub latest: Option<Deployment>,
    /// Median of the last successful deployments, in milliseconds.
    pub usual_ms: Option<u64>,
}

impl App {
    /// A page of the projects this actor sees.
    ///
    /// # Errors
    /// The key lacks `projects:read`.
    pub async fn overviews(
        &self,
        actor: &Actor,
        filter: ProjectFilter,
        page: PageRequest,
    ) -> Result<Page<Overview>, AppError> {
        let projects = self.projects(actor, filter, page).await?;
        self.db
            .read(move |c| {
                let total = projects.total;
                let items = projects.items.into_iter().map(|project| of(c, project));
                Ok(Page { items: items.collect::<Result<_, DbError>>()?, total })
            })
            .await
    }

    /// One project, by id or name.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `projects:read`.
    pub async fn overview(&self, actor: &Actor, id_or_name: &str) -> Result<Overview, AppError> {
        let project = self.project(actor, id_or_name).await?;
        Ok(self.db.read(move |c| of(c, project)).await?)
    }
}

fn of(connection: &Connection, project: Project) -> Result<Overview, DbError> {
    let find = |id: &Option<DeploymentId>| match id {
        Some(id) => db::deployments::find(connection, id),
        None => Ok(None),
    };
    let live = find(&project.live_deployment_id)?;
    let latest = match find(&project.latest_deployment_id)? {
        Some(latest) if latest.target == Target::Preview => {
            find(&db::previews::newest_beside(connection, &project.id)?)?
        }
        other => other,
    };
    let mut durations = db::deployments::recent_durations(connection, &project.id, USUAL_OF)?;
    durations.sort_unstable();
    let usual_ms = durations.get(durations.len() / 2).copied();
    Ok(Overview { project, live, latest, usual_ms })
}
