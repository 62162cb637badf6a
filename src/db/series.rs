//! Tables `series` and `series_blocks`: figures over time.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::series::{Block, Point, Resolution, Span};
use crate::model::timestamp::Timestamp;

/// What was seen of a deployment in an interval.
#[derive(Clone, Debug)]
pub struct Seen {
    pub project: ProjectId,
    pub deployment: DeploymentId,
    /// Which of its containers, from 1; 0 is its requests.
    pub instance: u32,
    pub point: Point,
}

/// Whose figures.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Of all deployments of a project, also of those that are gone.
    Project(ProjectId),
    Deployment(DeploymentId),
}

/// Adds what was seen to the intervals that `at` is in, in every resolution. A project that is gone has none.
///
/// # Errors
/// The database cannot be written, or a block in it is none.
pub fn add(connection: &Connection, at: Timestamp, seen: &Seen) -> Result<(), DbError> {
    let Some(series) = series(connection, seen)? else { return Ok(()) };
    for resolution in Resolution::ALL {
        let (start, place) = resolution.place(at.seconds());
        let key = params![series, resolution.seconds(), start];
        let stored: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT points FROM series_blocks WHERE series = ?1 AND step = ?2 AND start = ?3",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let mut block = match stored {
            Some(bytes) => read_block(&bytes)?,
            None => Block::default(),
        };
        block.add(place, &seen.point);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO series_blocks (series, step, start, points) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![series, resolution.seconds(), start, block.write()])?;
    }
    Ok(())
}

fn read_block(bytes: &[u8]) -> Result<Block, DbError> {
    Block::read(bytes).ok_or_else(|| DbError::Broken("a block of figures".to_owned()))
}

/// The number of a series, which is made when there is none.
fn series(connection: &Connection, seen: &Seen) -> Result<Option<i64>, DbError> {
    let find = "SELECT id FROM series WHERE deployment_id = ?1 AND instance = ?2";
    let key = params![seen.deployment.as_str(), seen.instance];
    let mut find = connection.prepare_cached(find)?;
    if let Some(id) = find.query_row(key, |row| row.get(0)).optional()? {
        return Ok(Some(id));
    }
    let made = connection
        .prepare_cached(
            "INSERT INTO series (project_id, deployment_id, instance) SELECT id, ?2, ?3 FROM projects WHERE id = ?1",
        )?
        .execute(params![seen.project.as_str(), seen.deployment.as_str(), seen.instance])?;
    Ok((made > 0).then(|| connection.last_insert_rowid()))
}

/// Hands every interval of a time to `each`: the number of the series, which container it is of (0 for requests), the
/// second it begins at, and what was seen. A series comes as a whole, in the order of time.
///
/// # Errors
/// The database cannot be read, or a block in it is none.
pub fn read(
    connection: &Connection,
    whose: &Whose,
    span: Span,
    mut each: impl FnMut(i64, u32, i64, &Point),
) -> Result<(), DbError> {
    let source = span.source();
    let (column, id) = match whose {
        Whose::Project(id) => ("project_id", id.as_str()),
        Whose::Deployment(id) => ("deployment_id", id.as_str()),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT s.id, s.instance, b.start, b.points FROM series s JOIN series_blocks b ON b.series = s.id
         WHERE s.{column} = ?1 AND b.step = ?2 AND b.start > ?3 AND b.start < ?4 ORDER BY s.id, b.start"
    ))?;
    let before = span.from - source.block_seconds();
    let mut rows = statement.query(params![id, source.seconds(), before, span.to])?;
    while let Some(row) = rows.next()? {
        let (series, instance, start): (i64, u32, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let bytes =
            row.get_ref(3)?.as_blob().map_err(|error| DbError::Broken(error.to_string()))?;
        for (place, point) in read_block(bytes)?.points() {
            let at = start + i64::from(*place) * source.seconds();
            if (span.from..span.to).contains(&at) {
                each(series, instance, at, point);
            }
        }
    }
    Ok(())
}

/// Forgets what is kept long enough. Answers how many rows went.
///
/// # Errors
/// The database cannot be written.
pub fn forget(connection: &Connection, now: Timestamp) -> Result<usize, DbError> {
    let mut gone = 0;
    for resolution in Resolution::ALL {
        gone += connection.execute(
            "DELETE FROM series_blocks WHERE (series, step, start) IN (
                SELECT b.series, b.step, b.start FROM series s JOIN series_blocks b
                ON b.series = s.id AND b.step = ?1 AND b.start < ?2)",
            params![resolution.seconds(), resolution.forgotten_before(now)],
        )?;
    }
    connection.execute(
        "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM series_blocks WHERE series = series.id)",
        [],
    )?;
    Ok(gone)
}
