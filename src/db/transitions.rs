//! What moves a deployment on: every change is guarded by the state it starts from and touches exactly one row.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::build_plan::BuildPlan;
use crate::model::deployment::{CancelReason, Commit, Phase, RunState};
use crate::model::failure::Failure;
use crate::model::ids::DeploymentId;
use crate::model::project::Protocol;
use crate::model::timestamp::Timestamp;
use crate::model::transition::{State, Step, transition};

fn step(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    step: Step,
    now: Timestamp,
) -> Result<State, DbError> {
    let to = transition(from, step).map_err(|_| DbError::Stale)?;
    let finished = (!to.unfinished()).then_some(now.0);
    exactly_one(connection.execute(
        "UPDATE deployments SET state = ?3, started_at = coalesce(started_at, ?4), finished_at = coalesce(finished_at, ?5),
            revision = revision + 1
         WHERE id = ?1 AND state = ?2",
        params![id.as_str(), from.as_str(), to.as_str(), now.0, finished],
    )?)?;
    Ok(to)
}

/// Begins the next stage.
///
/// # Errors
/// `Stale` when the deployment is not in `from` any more or may not go there.
pub fn advance(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    to: State,
    now: Timestamp,
) -> Result<(), DbError> {
    step(connection, id, from, Step::Advance(to), now)?;
    let phase = Phase::parse(to.as_str()).unwrap_or(Phase::Done);
    super::deployment_phases::enter(connection, id, phase, now)
}

/// Ends it with a failure.
///
/// # Errors
/// `Stale` when it is not in `from` any more.
pub fn fail(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), DbError> {
    step(connection, id, from, Step::Fail, now)?;
    let text =
        serde_json::to_string(failure).map_err(|error| DbError::Broken(error.to_string()))?;
    connection
        .execute("UPDATE deployments SET failure = ?2 WHERE id = ?1", params![id.as_str(), text])?;
    super::deployment_phases::enter(connection, id, Phase::Done, now)
}

/// Ends it because somebody wanted it to end.
///
/// # Errors
/// `Stale` when it is not in `from` any more.
pub fn cancel(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    reason: CancelReason,
    now: Timestamp,
) -> Result<(), DbError> {
    step(connection, id, from, Step::Cancel, now)?;
    connection.execute(
        "UPDATE deployments SET cancel_reason = ?2 WHERE id = ?1",
        params![id.as_str(), reason.as_str()],
    )?;
    super::deployment_phases::enter(connection, id, Phase::Done, now)
}

/// Asks the pipeline to cancel; the first reason stands.
///
/// # Errors
/// The database cannot be written.
pub fn request_cancel(
    connection: &Connection,
    id: &DeploymentId,
    reason: CancelReason,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET cancel_requested = coalesce(cancel_requested, ?2) WHERE id = ?1",
        params![id.as_str(), reason.as_str()],
    )?;
    Ok(())
}

/// The reason somebody gave who asked to cancel it.
///
/// # Errors
/// The database cannot be read.
pub fn requested_cancel(
    connection: &Connection,
    id: &DeploymentId,
) -> Result<Option<CancelReason>, DbError> {
    Ok(connection.query_row(
        "SELECT cancel_requested FROM deployments WHERE id = ?1",
        [id.as_str()],
        |row| super::read::optional(row, 0, CancelReason::parse),
    )?)
}

/// The commit that was found.
///
/// # Errors
/// The database cannot be written.
pub fn record_commit(
    connection: &Connection,
    id: &DeploymentId,
    branch: &str,
    commit: &Commit,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE deployments SET branch = ?2, commit_sha = ?3, commit_message = ?4, commit_author = ?5, revision = revision + 1
         WHERE id = ?1",
        params![id.as_str(), branch, commit.sha, commit.message, commit.author],
    )?)
}

/// The plan that was made.
///
/// # Errors
/// The database cannot be written.
pub fn record_plan(
    connection: &Connection,
    id: &DeploymentId,
    plan: &BuildPlan,
) -> Result<(), DbError> {
    let text = serde_json::to_string(plan).map_err(|error| DbError::Broken(error.to_string()))?;
    exactly_one(connection.execute(
        "UPDATE deployments SET plan = ?2, revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), text],
    )?)
}

/// The image that was built.
///
/// # Errors
/// The database cannot be written.
pub fn record_image(
    connection: &Connection,
    id: &DeploymentId,
    image: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE deployments SET image = ?2, built_at = ?3, revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), image, now.0],
    )?)
}

/// The image that is about to be pulled, with its digest. `absent` says that the engine does not have it. One that is
/// there because of another deployment counts as pulled as well.
///
/// # Errors
/// The database cannot be written.
pub fn record_pin(
    connection: &Connection,
    id: &DeploymentId,
    pin: &str,
    absent: bool,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE deployments SET image_pin = ?2, image_pulled = image_pulled OR ?3
            OR EXISTS (SELECT 1 FROM deployments o WHERE o.image_pin = ?2 AND o.image_pulled
                AND o.state NOT IN ('failed', 'canceled', 'removed')),
            revision = revision + 1
         WHERE id = ?1",
        params![id.as_str(), pin, absent],
    )?)
}

/// Whether a deployment's image was pulled for it and no other deployment needs it.
///
/// # Errors
/// The database cannot be read.
pub fn is_last_of_pin(connection: &Connection, id: &DeploymentId) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT image_pulled AND image_pin IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM deployments o JOIN projects p ON p.id = o.project_id
            WHERE o.image_pin = d.image_pin AND o.id <> d.id AND o.state NOT IN ('failed', 'canceled', 'removed')
                AND o.deleted_at IS NULL AND p.deleted_at IS NULL)
         FROM deployments d WHERE d.id = ?1",
        [id.as_str()],
        |row| row.get(0),
    )?)
}

/// Whether a deployment has processes. Which of its replicas are there is written in [`super::replicas`]; of one that
/// runs nowhere none is.
///
/// # Errors
/// The database cannot be written.
pub fn record_run(
    connection: &Connection,
    id: &DeploymentId,
    run_state: RunState,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE deployments SET run_state = ?2, revision = revision + 1,
             used_at = CASE WHEN ?2 IN ('running', 'paused') THEN CAST(unixepoch('subsec') * 1000 AS INTEGER) ELSE used_at END
          WHERE id = ?1",
        params![id.as_str(), run_state.as_str()],
    )?)?;
    if !matches!(run_state, RunState::Running | RunState::Paused) {
        super::replicas::all_out(connection, id)?;
    }
    Ok(())
}

/// Whether it may not run beside another deployment of its project, and what its application speaks.
///
/// # Errors
/// The database cannot be written.
pub fn record_manner(
    connection: &Connection,
    id: &DeploymentId,
    alone: bool,
    protocol: Protocol,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET alone = ?2, protocol = ?3 WHERE id = ?1",
        params![id.as_str(), alone, protocol.as_str()],
    )?;
    Ok(())
}

/// It got production traffic for the first time.
///
/// # Errors
/// The database cannot be written.
pub fn record_live(
    connection: &Connection,
    id: &DeploymentId,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE deployments SET live_at = coalesce(live_at, ?2), revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), now.0],
    )?)
}

/// It stopped for good by itself, or answers again.
///
/// # Errors
/// `Stale` when the state does not allow it.
pub fn crash_or_recover(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    change: Step,
    now: Timestamp,
) -> Result<(), DbError> {
    step(connection, id, from, change, now).map(|_| ())
}

/// Puts an unfinished deployment back at the start; answers how often that has happened.
///
/// # Errors
/// `Stale` when it is not in `from` any more.
pub fn restart(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    now: Timestamp,
) -> Result<u32, DbError> {
    step(connection, id, from, Step::Restart, now)?;
    super::deployment_phases::enter(connection, id, Phase::Queued, now)?;
    // Their rows stay: they name what there may be to remove.
    super::replicas::all_out(connection, id)?;
    Ok(connection.query_row(
        "UPDATE deployments SET restarts = restarts + 1, run_state = 'none'
         WHERE id = ?1 RETURNING restarts",
        [id.as_str()],
        |row| row.get(0),
    )?)
}

/// Counts that a check which was cut off is gone on with; answers how often the deployment was cut off.
///
/// # Errors
/// `Stale` when it is not being checked any more.
pub fn resume(connection: &Connection, id: &DeploymentId) -> Result<u32, DbError> {
    let restarts = connection.query_row(
        "UPDATE deployments SET restarts = restarts + 1, run_state = 'none'
         WHERE id = ?1 AND state = 'checking' RETURNING restarts",
        [id.as_str()],
        |row| row.get(0),
    );
    // Until it was found healthy again it is not looked after as one that serves.
    super::replicas::all_out(connection, id)?;
    restarts.optional()?.ok_or(DbError::Stale)
}

/// Writes down what a queued deployment waits for. Answers whether that is news.
///
/// # Errors
/// The database cannot be written.
pub fn record_waiting(
    connection: &Connection,
    id: &DeploymentId,
    waiting: Option<&str>,
) -> Result<bool, DbError> {
    let changed = connection.execute(
        "UPDATE deployments SET waiting = ?2, revision = revision + 1 WHERE id = ?1 AND waiting IS NOT ?2",
        params![id.as_str(), waiting],
    )?;
    Ok(changed > 0)
}

/// Writes down why it could not be released, or that it could.
///
/// # Errors
/// The database cannot be written.
pub fn record_failure(
    connection: &Connection,
    id: &DeploymentId,
    failure: Option<&Failure>,
) -> Result<(), DbError> {
    let text = failure
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| DbError::Broken(error.to_string()))?;
    exactly_one(connection.execute(
        "UPDATE deployments SET failure = ?2, revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), text],
    )?)
}

/// Its image or its files are gone.
///
/// # Errors
/// `Stale` when the state does not allow it.
pub fn remove(
    connection: &Connection,
    id: &DeploymentId,
    from: State,
    now: Timestamp,
) -> Result<(), DbError> {
    super::branch_hosts::leave(connection, id)?;
    step(connection, id, from, Step::Remove, now).map(|_| ())
}
