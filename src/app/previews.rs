//! The end of what a branch has: previews when it is deleted, pushes that wait when a newer one comes.

use serde_json::json;

use super::deployments::deed;
use super::journal::{self, Deed};
use super::may::{Action, require_scope};
use super::{App, AppError};
use crate::crypto::random;
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::logs::LogName;
use crate::model::actor::Actor;
use crate::model::deployment::{CancelReason, Deployment, RunState};
use crate::model::event;
use crate::model::ids::{DeploymentId, RemovalId};
use crate::model::project::Project;
use crate::model::retention::{Item, Kind, Rule};
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// What became of a deployment whose branch was deleted.
enum End {
    /// It waited and is canceled.
    Canceled(DeploymentId),
    /// It is removed, or the pipeline ends it.
    Other(DeploymentId),
}

/// What a project has for its branches.
#[derive(Clone, Debug)]
pub struct Previews {
    /// The newest preview of each branch that has one, the newest first.
    pub newest: Vec<Deployment>,
    /// Whether a push to another branch makes one.
    pub wanted: bool,
}

impl App {
    /// The previews of a project's branches.
    ///
    /// # Errors
    /// The key lacks `deployments:read`, or the database cannot be read.
    pub async fn previews(&self, actor: &Actor, project: &Project) -> Result<Previews, AppError> {
        require_scope(actor, Action::DeploymentsRead)?;
        let (id, wanted) = (project.id.clone(), project.preview_deployments);
        let read = move |c: &Connection| -> Result<_, DbError> {
            let wanted = wanted || db::previews::by_hook(c, &id)?;
            let ids = db::previews::newest_of_branches(c, &id)?.into_iter();
            let found = ids.filter_map(|id| db::deployments::find(c, &id).transpose());
            Ok(Previews { newest: found.collect::<Result<_, _>>()?, wanted })
        };
        Ok(self.db.read(read).await?)
    }

    /// A branch was deleted: its previews go, wherever they are. What visitors get, or are about to get, stays.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn close_branch(
        &self,
        actor: &Actor,
        project: &Project,
        branch: &str,
    ) -> Result<(), AppError> {
        let (app, actor, owner) = (self.clone(), actor.clone(), project.clone());
        let (branch, now) = (branch.to_owned(), self.clock.now());
        let ended = self
            .db
            .write(move |c| -> Result<Vec<End>, AppError> {
                let mut ended = Vec::new();
                for id in db::previews::of_branch(c, &owner.id, &branch)? {
                    let Some(current) = db::deployments::find(c, &id)? else { continue };
                    match current.state {
                        State::Queued => {
                            let reason = CancelReason::BranchDeleted;
                            app.cancel_waiting(c, &actor, &owner, &current, reason)?;
                            ended.push(End::Canceled(id));
                        }
                        state if state.unfinished() => {
                            db::transitions::request_cancel(c, &id, CancelReason::BranchDeleted)?;
                            ended.push(End::Other(id));
                        }
                        _ => {
                            if remove(c, &current, now)? {
                                ended.push(End::Other(id));
                            }
                        }
                    }
                }
                if !ended.is_empty() {
                    let changes = json!({ "branch": { "from": branch, "to": null } });
                    let deed = Deed::to_project("branch.closed", &owner, json!({}));
                    let deed = Deed { data: None, ..deed }.changing(changes);
                    journal::write(c, &actor, deed, now)?;
                }
                Ok(ended)
            })
            .await?;
        let canceled: Vec<_> = ended
            .iter()
            .filter_map(|end| match end {
                End::Canceled(id) => Some(id.clone()),
                End::Other(_) => None,
            })
            .collect();
        self.end_canceled(project, &canceled).await;
        for end in &ended {
            let (End::Canceled(id) | End::Other(id)) = end;
            self.released(project, id);
        }
        if !ended.is_empty() {
            self.routes.wake();
            // What was written down as removed is taken off the engine.
            self.sweep.wake();
        }
        Ok(())
    }

    /// A push was accepted: older ones of its branch that still wait are not needed. Answers which.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) fn replace_queued(
        &self,
        connection: &Connection,
        actor: &Actor,
        project: &Project,
        newest: &Deployment,
    ) -> Result<Vec<DeploymentId>, AppError> {
        let branch = newest.branch.as_deref().unwrap_or_default();
        let older = db::previews::queued_before(connection, &project.id, branch, newest.seq)?;
        for id in &older {
            if let Some(current) = db::deployments::find(connection, id)? {
                let reason = CancelReason::NewerCommit;
                self.cancel_waiting(connection, actor, project, &current, reason)?;
            }
        }
        Ok(older)
    }

    /// Cancels a deployment that nothing runs for yet.
    fn cancel_waiting(
        &self,
        connection: &Connection,
        actor: &Actor,
        project: &Project,
        current: &Deployment,
        reason: CancelReason,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        db::transitions::cancel(connection, &current.id, current.state, reason, now)?;
        let url = self.hosts.url_of(&current.hostname);
        let mut data = event::deployment(current, "canceled", &url);
        data["cancel_reason"] = reason.as_str().into();
        let deed = deed("deployment.canceled", current, project, data);
        Ok(journal::write(connection, actor, deed, now)?)
    }

    /// Tells everybody who follows deployments that were canceled before anything ran for them.
    pub(super) async fn end_canceled(&self, project: &Project, canceled: &[DeploymentId]) {
        for id in canceled {
            // Nobody will write its log; without this end, whoever follows it would wait for the first line.
            if let Err(error) = self.logs.finish(LogName::Build(id.clone())).await {
                tracing::warn!(deployment = %id, %error, "a log could not be ended");
            }
            let (team, owner) = (project.team_id.clone(), project.id.clone());
            self.bus.send(Change::Deployment(team, owner, id.clone()));
        }
        if !canceled.is_empty() {
            self.pipeline.wake();
        }
    }
}

/// Says that a preview is removed and writes down that it is to be taken off the engine. Answers whether it goes.
fn remove(connection: &Connection, preview: &Deployment, now: Timestamp) -> Result<bool, DbError> {
    let id = &preview.id;
    match db::retention::remove(connection, id, now) {
        // Somebody has promoted it.
        Err(DbError::Stale) => return Ok(false),
        other => other?,
    };
    db::transitions::record_run(connection, id, RunState::None)?;
    let item = Item {
        kind: Kind::Deployment,
        rule: Rule::ClosedBranch,
        project: Some(preview.project_id.clone()),
        deployment: Some(id.clone()),
        names: preview.image.iter().cloned().collect(),
        bytes: 0,
    };
    let removal = RemovalId::from_random(random::bytes());
    db::gc_ledger::begin(connection, &removal, &item, &preview.hostname, None, now)?;
    Ok(true)
}
