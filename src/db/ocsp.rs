//! Table `certificates`: what the responders of their authorities have answered.

use rusqlite::{Connection, Row, params};

use super::DbError;
use crate::model::ids::CertificateId;
use crate::model::ocsp::OcspStanding;
use crate::model::timestamp::Timestamp;

/// A certificate whose responder is to be asked.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: CertificateId,
    pub hostname: String,
    /// PEM.
    pub chain: String,
    /// It runs out, and nobody has to be asked any more.
    pub not_after: Timestamp,
    /// When it was so that was answered last.
    pub from: Option<Timestamp>,
    pub revoked: bool,
    /// Questions in a row that were not answered.
    pub failures: u32,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The answer that is shown, DER; `None` when it is not to be.
    pub shown: Option<Vec<u8>>,
    pub from: Timestamp,
    pub until: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub ask_at: Timestamp,
}

/// Certificates whose responders are to be asked now, those first that have waited longest.
///
/// # Errors
/// The database cannot be read.
pub fn due(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Due>, DbError> {
    let sql =
        "SELECT id, hostname, chain, not_after, ocsp_from, revoked_at IS NOT NULL, ocsp_failures
        FROM certificates WHERE (ocsp_ask_at IS NULL OR ocsp_ask_at <= ?1) AND not_after > ?1
        ORDER BY ocsp_ask_at LIMIT ?2";
    let rows = connection
        .prepare_cached(sql)?
        .query_map(params![now.0, limit], |row| {
            Ok(Due {
                id: super::read::id(row, 0, CertificateId::parse)?,
                hostname: row.get(1)?,
                chain: row.get(2)?,
                not_after: Timestamp(row.get(3)?),
                from: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                revoked: row.get(5)?,
                failures: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Keeps an answer. False when the certificate is not there any more.
///
/// # Errors
/// The database cannot be written.
pub fn answered(
    connection: &Connection,
    id: &CertificateId,
    answered: &Answered,
) -> Result<bool, DbError> {
    let sql = "UPDATE certificates SET ocsp = ?2, ocsp_from = ?3, ocsp_until = ?4, revoked_at = ?5, ocsp_ask_at = ?6,
        ocsp_failures = 0, ocsp_error = NULL WHERE id = ?1";
    let changed = connection.execute(
        sql,
        params![
            id.as_str(),
            answered.shown,
            answered.from.0,
            answered.until.0,
            answered.revoked_at.map(|at| at.0),
            answered.ask_at.0,
        ],
    )?;
    Ok(changed > 0)
}

/// Notes that there was no answer; what was answered before stays. Without a reason there is nobody to ask.
///
/// # Errors
/// The database cannot be written.
pub fn unanswered(
    connection: &Connection,
    id: &CertificateId,
    failures: u32,
    error: Option<&str>,
    ask_at: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE certificates SET ocsp_failures = ?2, ocsp_error = ?3, ocsp_ask_at = ?4 WHERE id = ?1";
    connection.execute(sql, params![id.as_str(), failures, error, ask_at.0])?;
    Ok(())
}

/// Columns of a standing, in the order in which [`read_standing`] wants them.
pub(super) const STANDING: &str =
    "CASE WHEN c.ocsp IS NOT NULL THEN c.ocsp_until END, c.revoked_at, c.ocsp_error";

/// Reads a standing from a row, its first column at `index`.
pub(super) fn read_standing(row: &Row<'_>, index: usize) -> rusqlite::Result<OcspStanding> {
    Ok(OcspStanding {
        good_until: row.get::<_, Option<i64>>(index)?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>(index + 1)?.map(Timestamp),
        error: row.get(index + 2)?,
    })
}
