//! What of the rows matters for what may be removed.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::deployment::{Deployment, Target};
use crate::model::disk::Rows;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::retention::Kept;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// Everything that may serve, and what is on its way.
///
/// # Errors
/// The database cannot be read.
pub fn rows(connection: &Connection) -> Result<Rows, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.project_id, d.seq, d.target, d.branch, p.keep_images, p.live_deployment_id IS d.id,
            d.id IS (SELECT x.id FROM deployments x WHERE x.project_id = d.project_id AND x.superseded_at IS NOT NULL
                AND x.state IN ('ready', 'crashed') AND x.deleted_at IS NULL AND x.id IS NOT p.live_deployment_id
                ORDER BY x.superseded_at DESC, x.seq DESC LIMIT 1),
            EXISTS (SELECT 1 FROM releases r WHERE r.deployment_id = d.id)
                OR EXISTS (SELECT 1 FROM deployments u WHERE u.source_deployment_id = d.id
                AND u.state IN ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking')),
            d.run_state = 'running', max(coalesce(d.superseded_at, 0), coalesce(d.live_at, 0), coalesce(d.finished_at, d.created_at)),
            coalesce(d.finished_at, d.created_at), d.image, d.image_pulled,
            coalesce(d.used_at, 0)
         FROM deployments d JOIN projects p ON p.id = d.project_id
         WHERE d.state IN ('ready', 'crashed') AND d.deleted_at IS NULL AND p.deleted_at IS NULL",
    )?;
    let kept = statement
        .query_map([], |row| {
            let kept = Kept {
                id: super::read::id(row, 0, DeploymentId::parse)?,
                project: super::read::id(row, 1, ProjectId::parse)?,
                seq: row.get(2)?,
                target: super::read::word(row, 3, Target::parse)?,
                branch: row.get(4)?,
                keep: row.get::<_, u32>(5)?.try_into().unwrap_or(usize::MAX),
                live: row.get(6)?,
                rollback_target: row.get(7)?,
                wanted: row.get(8)?,
                running: row.get(9)?,
                served_at: Timestamp(row.get(10)?),
                ready_at: Timestamp(row.get(11)?),
                used_at: Timestamp(row.get(14)?),
                image: row.get(12)?,
                layers: Vec::new(),
                file_bytes: 0,
            };
            Ok((kept, row.get(13)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT id FROM deployments WHERE state IN ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking')",
    )?;
    let unfinished = statement
        .query_map([], |row| super::read::id(row, 0, DeploymentId::parse))?
        .collect::<Result<HashSet<_>, _>>()?;
    Ok(Rows { kept, unfinished })
}

/// Says that a deployment is removed, unless visitors get it or may get it soon.
///
/// # Errors
/// `Stale` when it is needed by now, or was removed before.
pub fn remove(
    connection: &Connection,
    id: &DeploymentId,
    now: Timestamp,
) -> Result<Deployment, DbError> {
    let deployment = super::deployments::find(connection, id)?.ok_or(DbError::Stale)?;
    let target = super::deployments::last_superseded(connection, &deployment.project_id)?;
    let wanted: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM releases WHERE deployment_id = ?1)",
        params![id.as_str()],
        |row| row.get(0),
    )?;
    let needed = deployment.is_live || wanted || target.is_some_and(|target| target.id == *id);
    if needed || !matches!(deployment.state, State::Ready | State::Crashed) {
        return Err(DbError::Stale);
    }
    super::transitions::remove(connection, id, deployment.state, now)?;
    Ok(deployment)
}
