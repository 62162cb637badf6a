//! Table `webhook_attempts`: requests of deliveries and what was answered.

use rusqlite::{Connection, Row, params};

use super::DbError;
use crate::model::delivery::{Attempt, AttemptError};
use crate::model::ids::DeliveryId;
use crate::model::timestamp::Timestamp;

/// Adds an attempt.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    delivery: &DeliveryId,
    attempt: &Attempt,
) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, signature, response_status,
                response_headers, response_body, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            delivery.as_str(), attempt.number, attempt.started_at.0,
            i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX), attempt.signature, attempt.response_status,
            serde_json::to_string(&attempt.response_headers).unwrap_or_default(), attempt.response_body,
            attempt.error.map(AttemptError::as_str),
        ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        number: row.get(0)?,
        started_at: Timestamp(row.get(1)?),
        duration_ms: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
        signature: row.get(3)?,
        response_status: row.get(4)?,
        response_headers: super::read::json(row, 5)?,
        response_body: row.get(6)?,
        error: super::read::optional(row, 7, AttemptError::parse)?,
    })
}

/// The attempts of a delivery in order.
///
/// # Errors
/// The database cannot be read.
pub fn of_delivery(
    connection: &Connection,
    delivery: &DeliveryId,
) -> Result<Vec<Attempt>, DbError> {
    let sql = "SELECT number, started_at, duration_ms, signature, response_status, response_headers, response_body, error
        FROM webhook_attempts WHERE delivery_id = ?1 ORDER BY number";
    let attempts = connection
        .prepare_cached(sql)?
        .query_map([delivery.as_str()], read)?
        .collect::<Result<_, _>>()?;
    Ok(attempts)
}
