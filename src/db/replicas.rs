//! Table `replicas`: the containers of a deployment.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::deployment::Replica;
use crate::model::ids::{DeploymentId, ProjectId};

/// Writes down how many containers a deployment is to have, before any is made.
///
/// # Errors
/// The database cannot be written.
pub fn plan(connection: &Connection, id: &DeploymentId, count: u32) -> Result<(), DbError> {
    connection.execute("DELETE FROM replicas WHERE deployment_id = ?1", [id.as_str()])?;
    for number in 1..=count {
        connection.execute(
            "INSERT INTO replicas (deployment_id, number) VALUES (?1, ?2)",
            params![id.as_str(), number],
        )?;
    }
    Ok(())
}

/// A container was made.
///
/// # Errors
/// The database cannot be written.
pub fn made(
    connection: &Connection,
    id: &DeploymentId,
    number: u32,
    container: &str,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE replicas SET container_id = ?3, serves = 0 WHERE deployment_id = ?1 AND number = ?2",
        params![id.as_str(), number, container],
    )?)
}

/// A container is at this address, and so nobody else is.
///
/// # Errors
/// The database cannot be written.
pub fn serve(
    connection: &Connection,
    id: &DeploymentId,
    number: u32,
    container: &str,
    address: &str,
) -> Result<(), DbError> {
    leave_address(connection, container, address)?;
    exactly_one(connection.execute(
        "UPDATE replicas SET container_id = ?3, address = ?4, serves = 1 WHERE deployment_id = ?1 AND number = ?2",
        params![id.as_str(), number, container, address],
    )?)
}

/// The same, unless the deployment rests by now or the container is not its own any more. Answers whether it serves.
///
/// # Errors
/// The database cannot be written.
pub fn serve_again(
    connection: &Connection,
    id: &DeploymentId,
    number: u32,
    container: &str,
    address: &str,
) -> Result<bool, DbError> {
    let wanted: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM replicas r JOIN deployments d ON d.id = r.deployment_id
            WHERE r.deployment_id = ?1 AND r.number = ?2 AND r.container_id = ?3 AND d.run_state = 'running')",
        params![id.as_str(), number, container],
        |row| row.get(0),
    )?;
    if wanted {
        serve(connection, id, number, container, address)?;
    }
    Ok(wanted)
}

/// It is not there any more.
///
/// # Errors
/// The database cannot be written.
pub fn out(connection: &Connection, id: &DeploymentId, number: u32) -> Result<(), DbError> {
    connection.execute(
        "UPDATE replicas SET serves = 0 WHERE deployment_id = ?1 AND number = ?2",
        params![id.as_str(), number],
    )?;
    Ok(())
}

/// None of them is there any more.
///
/// # Errors
/// The database cannot be written.
pub fn all_out(connection: &Connection, id: &DeploymentId) -> Result<(), DbError> {
    connection.execute(
        "UPDATE replicas SET serves = 0 WHERE deployment_id = ?1 AND serves = 1",
        [id.as_str()],
    )?;
    Ok(())
}

/// Other containers take the place of those there were.
///
/// # Errors
/// The database cannot be written.
pub fn replace(
    connection: &Connection,
    id: &DeploymentId,
    replicas: &[Replica],
) -> Result<(), DbError> {
    plan(connection, id, u32::try_from(replicas.len()).unwrap_or(0))?;
    for replica in replicas {
        if let (Some(container), Some(address)) = (&replica.container, &replica.address) {
            serve(connection, id, replica.number, container, address)?;
        }
    }
    Ok(())
}

/// Whoever was thought to be at this address is not there any more: the engine has given it to `container`. A
/// deployment of which nothing is left has stopped. Answers whose it was.
///
/// # Errors
/// The database cannot be written.
pub fn leave_address(
    connection: &Connection,
    container: &str,
    address: &str,
) -> Result<Vec<DeploymentId>, DbError> {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    // Ports differ between deployments; a prefix that ends with the colon is no other address.
    let mut statement = connection.prepare_cached(
        "UPDATE replicas SET serves = 0
         WHERE serves = 1 AND container_id IS NOT ?1 AND substr(address, 1, length(?2)) = ?2 RETURNING deployment_id",
    )?;
    let left: HashSet<DeploymentId> = statement
        .query_map(params![container, format!("{ip}:")], |row| {
            super::read::id(row, 0, DeploymentId::parse)
        })?
        .collect::<Result<_, _>>()?;
    for id in &left {
        connection.execute(
            "UPDATE deployments SET run_state = 'stopped', revision = revision + 1
             WHERE id = ?1 AND run_state IN ('running', 'paused')
                AND NOT EXISTS (SELECT 1 FROM replicas WHERE deployment_id = ?1 AND serves = 1)",
            [id.as_str()],
        )?;
    }
    Ok(left.into_iter().collect())
}

/// A container that gets requests when its deployment runs.
#[derive(Clone, Debug)]
pub struct Serving {
    pub deployment: DeploymentId,
    pub container: String,
    /// `address:port`.
    pub address: String,
}

/// All of them, those of one deployment by their numbers.
///
/// # Errors
/// The database cannot be read.
pub fn serving(connection: &Connection) -> Result<Vec<Serving>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT deployment_id, container_id, address FROM replicas
         WHERE serves = 1 AND container_id IS NOT NULL AND address IS NOT NULL ORDER BY deployment_id, number",
    )?;
    let all = statement
        .query_map([], |row| {
            Ok(Serving {
                deployment: super::read::id(row, 0, DeploymentId::parse)?,
                container: row.get(1)?,
                address: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}

/// A container of a deployment that runs.
#[derive(Clone, Debug)]
pub struct Running {
    pub project: ProjectId,
    pub deployment: DeploymentId,
    pub number: u32,
    pub container: String,
}

/// All of them, without those of deployments that sleep.
///
/// # Errors
/// The database cannot be read.
pub fn running(connection: &Connection) -> Result<Vec<Running>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.project_id, r.deployment_id, r.number, r.container_id
         FROM replicas r JOIN deployments d ON d.id = r.deployment_id
         WHERE r.serves = 1 AND r.container_id IS NOT NULL AND d.run_state = 'running'",
    )?;
    let all = statement
        .query_map([], |row| {
            Ok(Running {
                project: super::read::id(row, 0, ProjectId::parse)?,
                deployment: super::read::id(row, 1, DeploymentId::parse)?,
                number: row.get(2)?,
                container: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}

/// Which containers are whose.
///
/// # Errors
/// The database cannot be read.
pub fn containers(
    connection: &Connection,
) -> Result<HashMap<DeploymentId, HashSet<String>>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT deployment_id, container_id FROM replicas WHERE container_id IS NOT NULL",
    )?;
    let mut all: HashMap<_, HashSet<String>> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = super::read::id(row, 0, DeploymentId::parse)?;
        all.entry(id).or_default().insert(row.get(1)?);
    }
    Ok(all)
}
