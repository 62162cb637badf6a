//! Tables `mail_recipients` and `mail_questions`: addresses that webhooks send mail to, and whether they want it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::{TeamId, UserId, WebhookId};
use crate::model::timestamp::Timestamp;

/// Joins the address of a webhook `w`.
pub(super) const RECIPIENT: &str =
    "LEFT JOIN mail_recipients r ON w.format = 'email' AND r.team_id = w.team_id
    AND r.address = lower(substr(w.address, 8))";

/// The webhook `w`, joined with [`RECIPIENT`], may be told of events.
pub(super) const AGREED: &str =
    "(w.format <> 'email' OR (r.declined_at IS NULL AND (r.confirmed_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM users u WHERE u.email = substr(w.address, 8) AND u.suspended = 0))))";

/// What a link asks.
#[derive(Clone, Debug)]
pub struct Question {
    pub team_id: TeamId,
    /// In lower case.
    pub address: String,
    /// The account that wanted it.
    pub asked_by: UserId,
    pub expires_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
    pub declined_at: Option<Timestamp>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Question> {
    let moment = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
    Ok(Question {
        team_id: super::read::id(row, 0, TeamId::parse)?,
        address: row.get(1)?,
        asked_by: super::read::id(row, 2, UserId::parse)?,
        expires_at: moment(3)?.unwrap_or(Timestamp(0)),
        confirmed_at: moment(4)?,
        declined_at: moment(5)?,
    })
}

/// The question of the link with this hash, whether it still works or not.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, token_hash: &[u8; 32]) -> Result<Option<Question>, DbError> {
    Ok(connection
        .prepare_cached(
            "SELECT team_id, address, asked_by, expires_at, confirmed_at, declined_at FROM mail_recipients
             WHERE token_hash = ?1",
        )?
        .query_row([token_hash], read)
        .optional()?)
}

/// Writes down that an address is asked. Until the mail goes out there is no link.
///
/// # Errors
/// The database cannot be written.
pub fn ask(
    connection: &Connection,
    team: &TeamId,
    address: &str,
    by: &UserId,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO mail_recipients (team_id, address, asked_by, asked_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (team_id, address) DO UPDATE SET asked_by = ?3, asked_at = ?4, expires_at = ?5",
        params![team.as_str(), address, by.as_str(), now.0, until.0],
    )?;
    connection.execute(
        "INSERT INTO mail_questions (address, team_id, asked_at) VALUES (?1, ?2, ?3)",
        params![address, team.as_str(), now.0],
    )?;
    Ok(())
}

/// Gives a question that is open its link, in place of the one before. Answers whether it is open.
///
/// # Errors
/// The database cannot be written.
pub fn link(
    connection: &Connection,
    team: &TeamId,
    address: &str,
    token_hash: &[u8; 32],
    until: Timestamp,
) -> Result<bool, DbError> {
    let changed = connection.execute(
        "UPDATE mail_recipients SET token_hash = ?3, expires_at = ?4
         WHERE team_id = ?1 AND address = ?2 AND confirmed_at IS NULL AND declined_at IS NULL",
        params![team.as_str(), address, token_hash, until.0],
    )?;
    Ok(changed == 1)
}

/// Stores the answer to a link, which is used up by it. Consent can be taken back later; a refusal stays.
///
/// # Errors
/// `Stale` when it was answered, has expired or was replaced.
pub fn answer(
    connection: &Connection,
    token_hash: &[u8; 32],
    wanted: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE mail_recipients SET confirmed_at = iif(?2, ?3, NULL), declined_at = iif(?2, NULL, ?3)
         WHERE token_hash = ?1 AND declined_at IS NULL
            AND iif(confirmed_at IS NULL, expires_at > ?3, NOT ?2)",
        params![token_hash, wanted, now.0],
    )?)
}

/// When an address was asked since a moment, the oldest first; by this team, by any, and by this team whomever.
#[derive(Debug, Default)]
pub struct Questions {
    pub of_both: Vec<Timestamp>,
    pub of_address: Vec<Timestamp>,
    pub of_team: Vec<Timestamp>,
}

/// What was asked since a moment.
///
/// # Errors
/// The database cannot be read.
pub fn asked_since(
    connection: &Connection,
    team: &TeamId,
    address: &str,
    since: Timestamp,
) -> Result<Questions, DbError> {
    let mut found = Questions::default();
    let mut statement = connection.prepare_cached(
        "SELECT asked_at, address = ?2, team_id = ?1 FROM mail_questions
         WHERE asked_at > ?3 AND (address = ?2 OR team_id = ?1) ORDER BY asked_at",
    )?;
    let rows = statement.query_map(params![team.as_str(), address, since.0], |row| {
        Ok((Timestamp(row.get(0)?), row.get(1)?, row.get(2)?))
    })?;
    for row in rows {
        let (at, same_address, same_team): (Timestamp, bool, bool) = row?;
        if same_address {
            found.of_address.push(at);
        }
        if same_team {
            found.of_team.push(at);
        }
        if same_address && same_team {
            found.of_both.push(at);
        }
    }
    Ok(found)
}

/// A team's webhooks that send mail to an address.
///
/// # Errors
/// The database cannot be read.
pub fn webhooks(
    connection: &Connection,
    team: &TeamId,
    address: &str,
) -> Result<Vec<WebhookId>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM webhooks WHERE team_id = ?1 AND format = 'email' AND lower(substr(address, 8)) = ?2",
    )?;
    let ids = statement
        .query_map([team.as_str(), address], |row| super::read::id(row, 0, WebhookId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Forgets questions that do not count any more.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM mail_questions WHERE asked_at <= ?1", [until.0])?;
    Ok(())
}
