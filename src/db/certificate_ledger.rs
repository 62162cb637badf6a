//! The ledger of certificates, over the tables `certificates`, `certificate_orders` and `certificate_issues`: each host name
//! that has one or was asked one for.

use rusqlite::{Connection, Row, params};

use super::DbError;
use super::ocsp::STANDING;
use super::page::{Page, PageRequest};
use crate::model::certificate::{Held, Origin, Standing, Tried};
use crate::model::issuance::registered;
use crate::model::timestamp::Timestamp;

const NAMES: &str =
    "(SELECT hostname FROM certificates UNION SELECT hostname FROM certificate_orders) names";

fn read(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let moment = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(Timestamp));
    let held = match row.get::<_, Option<String>>(1)? {
        None => None,
        Some(_) => Some(Held {
            origin: super::read::word(row, 1, Origin::parse)?,
            issuer: row.get(2)?,
            not_before: Timestamp(row.get(3)?),
            not_after: Timestamp(row.get(4)?),
            renew_at: moment(5)?,
            ocsp: super::ocsp::read_standing(row, 9)?,
        }),
    };
    let tried = match row.get::<_, Option<u32>>(6)? {
        None => None,
        Some(failures) => {
            Some(Tried { failures, next_at: Timestamp(row.get(7)?), error: row.get(8)? })
        }
    };
    Ok(Standing { hostname: row.get(0)?, held, tried, counted: 0 })
}

/// A page of it by host name. What was signed `since` then counts.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    since: Timestamp,
    page: PageRequest,
) -> Result<Page<Standing>, DbError> {
    let total = super::page::count(connection, NAMES, &[])?;
    let sql = format!(
        "SELECT names.hostname, c.origin, c.issuer, c.not_before, c.not_after, c.renewal_at, o.failures, o.next_at, o.error, {STANDING}
         FROM {NAMES}
         LEFT JOIN certificates c ON c.hostname = names.hostname
         LEFT JOIN certificate_orders o ON o.hostname = names.hostname
         ORDER BY names.hostname LIMIT ?1 OFFSET ?2"
    );
    let mut items: Vec<Standing> = connection
        .prepare_cached(&sql)?
        .query_map(params![page.limit, page.offset()], read)?
        .collect::<Result<_, _>>()?;
    for item in &mut items {
        let domain = registered(&item.hostname);
        item.counted = super::issuance::counted(connection, domain, since)?.0;
    }
    Ok(Page { items, total })
}
