//! Table `certificates`: chains and sealed keys for TLS, one a host name.

use rusqlite::{Connection, Row, params};

use super::DbError;
use crate::model::certificate::{Certificate, CertificateFacts, Origin};
use crate::model::ids::CertificateId;
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, hostname, origin, chain, issuer, not_before, not_after, created_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Certificate> {
    Ok(Certificate {
        id: super::read::id(row, 0, CertificateId::parse)?,
        hostname: row.get(1)?,
        origin: super::read::word(row, 2, Origin::parse)?,
        chain: row.get(3)?,
        issuer: row.get(4)?,
        not_before: Timestamp(row.get(5)?),
        not_after: Timestamp(row.get(6)?),
        created_at: Timestamp(row.get(7)?),
    })
}

/// Keeps a certificate in the place of the one that its host name had.
///
/// # Errors
/// The database cannot be written.
pub fn put(
    connection: &Connection,
    certificate: &Certificate,
    sealed: &[u8],
) -> Result<(), DbError> {
    connection.execute(
        "INSERT OR REPLACE INTO certificates
            (id, hostname, origin, chain, sealed, issuer, not_before, not_after, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            certificate.id.as_str(),
            certificate.hostname,
            certificate.origin.as_str(),
            certificate.chain,
            sealed,
            certificate.issuer,
            certificate.not_before.0,
            certificate.not_after.0,
            certificate.created_at.0,
        ],
    )?;
    Ok(())
}

/// All of them, with their sealed keys.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<(Certificate, Vec<u8>)>, DbError> {
    let sql = format!("SELECT {COLUMNS}, sealed FROM certificates ORDER BY hostname");
    let rows = connection
        .prepare_cached(&sql)?
        .query_map([], |row| Ok((read(row)?, row.get(8)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// What decides about renewals, of all of them.
///
/// # Errors
/// The database cannot be read.
pub fn facts(connection: &Connection) -> Result<Vec<CertificateFacts>, DbError> {
    let sql = "SELECT id, hostname, origin, not_before, not_after, warned FROM certificates";
    let rows = connection
        .prepare_cached(sql)?
        .query_map([], |row| {
            Ok(CertificateFacts {
                id: super::read::id(row, 0, CertificateId::parse)?,
                hostname: row.get(1)?,
                origin: super::read::word(row, 2, Origin::parse)?,
                not_before: Timestamp(row.get(3)?),
                not_after: Timestamp(row.get(4)?),
                warned: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// People were told that it runs out.
///
/// # Errors
/// The database cannot be written.
pub fn warned(connection: &Connection, id: &CertificateId, days: u32) -> Result<(), DbError> {
    let sql = "UPDATE certificates SET warned = ?2 WHERE id = ?1";
    connection.execute(sql, params![id.as_str(), days])?;
    Ok(())
}

/// Forgets the certificate of a host name.
///
/// # Errors
/// The database cannot be written.
pub fn delete(connection: &Connection, hostname: &str) -> Result<(), DbError> {
    connection.execute("DELETE FROM certificates WHERE hostname = ?1", [hostname])?;
    Ok(())
}

/// Forgets the certificate that somebody uploaded for a host name. Answers whether there was one.
///
/// # Errors
/// The database cannot be written.
pub fn delete_uploaded(connection: &Connection, hostname: &str) -> Result<bool, DbError> {
    let sql = "DELETE FROM certificates WHERE hostname = ?1 AND origin = ?2";
    let values = [hostname, Origin::Uploaded.as_str()];
    Ok(connection.execute(sql, values)? > 0)
}

/// What a private key is sealed for.
pub fn identity(id: &CertificateId) -> String {
    format!("certificates/{id}/key")
}
