//! Table `certificates`: chains and sealed keys for TLS, one a host name.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use crate::model::certificate::{Certificate, CertificateFacts, Origin};
use crate::model::ids::CertificateId;
use crate::model::issuance::Renewal;
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

/// A certificate as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub certificate: Certificate,
    /// Its private key.
    pub sealed: Vec<u8>,
    /// The answer of its responder that it is good, DER, and until when that holds.
    pub ocsp: Option<(Vec<u8>, Timestamp)>,
}

/// All of them, with their sealed keys.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<Stored>, DbError> {
    let sql =
        format!("SELECT {COLUMNS}, sealed, ocsp, ocsp_until FROM certificates ORDER BY hostname");
    let rows = connection
        .prepare_cached(&sql)?
        .query_map([], |row| {
            let (answer, until): (Option<Vec<u8>>, Option<i64>) = (row.get(9)?, row.get(10)?);
            let ocsp = answer.zip(until.map(Timestamp));
            Ok(Stored { certificate: read(row)?, sealed: row.get(8)?, ocsp })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// What decides about renewals, of all of them.
///
/// # Errors
/// The database cannot be read.
pub fn facts(connection: &Connection) -> Result<Vec<CertificateFacts>, DbError> {
    let sql = "SELECT id, hostname, origin, not_before, not_after, warned, renewal_from, renewal_to, renewal_at,
        renewal_ask_at, revoked_at IS NOT NULL FROM certificates";
    let moment = |row: &Row<'_>, index| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp))
    };
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
                renewal: match (moment(row, 6)?, moment(row, 7)?, moment(row, 8)?) {
                    (Some(from), Some(to), Some(at)) => Some(Renewal { from, to, at }),
                    _ => None,
                },
                ask_at: moment(row, 9)?,
                revoked: row.get(10)?,
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

/// The chain that a host name is served with, as PEM.
///
/// # Errors
/// The database cannot be read.
pub fn chain(connection: &Connection, hostname: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT chain FROM certificates WHERE hostname = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([hostname], |row| row.get(0)).optional()?)
}

/// What the authority said of the renewal of a certificate, and when it is asked again.
///
/// # Errors
/// The database cannot be written.
pub fn set_renewal(
    connection: &Connection,
    id: &CertificateId,
    renewal: Option<Renewal>,
    ask_at: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE certificates SET renewal_from = ?2, renewal_to = ?3, renewal_at = ?4, renewal_ask_at = ?5
        WHERE id = ?1";
    let part = |part: fn(Renewal) -> Timestamp| renewal.map(|renewal| part(renewal).0);
    connection.execute(
        sql,
        params![
            id.as_str(),
            part(|one| one.from),
            part(|one| one.to),
            part(|one| one.at),
            ask_at.0
        ],
    )?;
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
