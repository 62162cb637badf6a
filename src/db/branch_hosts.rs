//! Table `branch_hosts`: the addresses of branches. Each follows the newest ready deployment of its branch.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::ids::{DeploymentId, ProjectId};

/// Lets a branch's address answer with a deployment that is becoming ready, unless a newer one has been faster. `labels`
/// are the names it may have, the best one first; when each of them is somebody else's, the branch has no address.
///
/// # Errors
/// The database cannot be written.
pub fn follow(
    connection: &Connection,
    project: &ProjectId,
    branch: &str,
    deployment: &DeploymentId,
    labels: &[String],
) -> Result<(), DbError> {
    let now: Option<(String, bool)> = connection
        .query_row(
            "SELECT b.label, (SELECT seq FROM deployments WHERE id = b.deployment_id)
                > (SELECT seq FROM deployments WHERE id = ?3)
             FROM branch_hosts b WHERE b.project_id = ?1 AND b.branch = ?2",
            params![project.as_str(), branch, deployment.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match now {
        Some((_, true)) => return Ok(()),
        // One that had to take another name once keeps it: people know it.
        Some((label, false)) if labels.contains(&label) => {
            connection.execute(
                "UPDATE branch_hosts SET deployment_id = ?2 WHERE label = ?1",
                params![label, deployment.as_str()],
            )?;
            return Ok(());
        }
        // The project has another name now.
        Some((label, false)) => {
            connection.execute("DELETE FROM branch_hosts WHERE label = ?1", [label])?;
        }
        None => {}
    }
    for label in labels {
        let added = connection.execute(
            "INSERT INTO branch_hosts (label, project_id, branch, deployment_id) VALUES (?1, ?2, ?3, ?4)",
            params![label, project.as_str(), branch, deployment.as_str()],
        );
        match added.map_err(DbError::from) {
            Ok(_) => {
                connection.execute("DELETE FROM gone_branches WHERE label = ?1", [label])?;
                return Ok(());
            }
            Err(DbError::Unique(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// Names of gone branches that a project keeps; the oldest are forgotten.
const KEPT: u32 = 1000;

/// A deployment goes: its branch answers with the newest of the others, or not any more.
///
/// # Errors
/// The database cannot be written.
pub fn leave(connection: &Connection, deployment: &DeploymentId) -> Result<(), DbError> {
    const OTHER: &str = "SELECT d.id FROM deployments d
        WHERE d.project_id = branch_hosts.project_id AND d.branch = branch_hosts.branch AND d.id <> ?1
            AND d.state IN ('ready', 'crashed') AND d.deleted_at IS NULL
        ORDER BY d.seq DESC LIMIT 1";
    let id = [deployment.as_str()];
    connection.execute(
        &format!(
            "INSERT OR REPLACE INTO gone_branches (label, project_id) SELECT label, project_id FROM branch_hosts
             WHERE deployment_id = ?1 AND NOT EXISTS ({OTHER})"
        ),
        id,
    )?;
    connection.execute(
        "DELETE FROM gone_branches WHERE project_id = (SELECT project_id FROM deployments WHERE id = ?1) AND seq NOT IN
            (SELECT g.seq FROM gone_branches g WHERE g.project_id = gone_branches.project_id ORDER BY g.seq DESC LIMIT ?2)",
        params![deployment.as_str(), KEPT],
    )?;
    connection.execute(
        &format!("DELETE FROM branch_hosts WHERE deployment_id = ?1 AND NOT EXISTS ({OTHER})"),
        id,
    )?;
    connection.execute(
        &format!("UPDATE branch_hosts SET deployment_id = ({OTHER}) WHERE deployment_id = ?1"),
        id,
    )?;
    Ok(())
}

/// Labels of branches that have no address any more.
///
/// # Errors
/// The database cannot be read.
pub fn gone(connection: &Connection) -> Result<Vec<String>, DbError> {
    let sql = "SELECT g.label FROM gone_branches g JOIN projects p ON p.id = g.project_id WHERE p.deleted_at IS NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let labels = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(labels)
}

/// A deleted project has no addresses.
///
/// # Errors
/// The database cannot be written.
pub fn drop_of_project(connection: &Connection, project: &ProjectId) -> Result<(), DbError> {
    connection.execute("DELETE FROM branch_hosts WHERE project_id = ?1", [project.as_str()])?;
    Ok(())
}

/// Every address, as its label and the deployment that answers.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<(String, DeploymentId)>, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT label, deployment_id FROM branch_hosts")?;
    let all = statement
        .query_map([], |row| Ok((row.get(0)?, super::read::id(row, 1, DeploymentId::parse)?)))?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
