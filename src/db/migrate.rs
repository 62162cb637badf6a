//! Migrations: compiled in, numbered by `user_version`. Those that are missing run in one transaction, so that the
//! program before still finds its own schema when one of them fails.

use rusqlite::Connection;

use super::error::DbError;
use crate::failpoint;

const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_protocol.sql"),
    include_str!("../../migrations/0003_keys.sql"),
    include_str!("../../migrations/0004_env.sql"),
    include_str!("../../migrations/0005_release.sql"),
    include_str!("../../migrations/0006_rate_windows.sql"),
    include_str!("../../migrations/0007_welcome.sql"),
    include_str!("../../migrations/0008_counts.sql"),
    include_str!("../../migrations/0009_pins.sql"),
    include_str!("../../migrations/0010_sources.sql"),
    include_str!("../../migrations/0011_waiting.sql"),
    include_str!("../../migrations/0012_uploads.sql"),
    include_str!("../../migrations/0013_sleep.sql"),
    include_str!("../../migrations/0014_switch.sql"),
    include_str!("../../migrations/0015_receipts.sql"),
    include_str!("../../migrations/0016_retention.sql"),
    include_str!("../../migrations/0017_push_hooks.sql"),
    include_str!("../../migrations/0018_replicas.sql"),
    include_str!("../../migrations/0019_domains.sql"),
    include_str!("../../migrations/0020_webhooks.sql"),
    include_str!("../../migrations/0022_git_pushes.sql"),
    include_str!("../../migrations/0023_forges.sql"),
    include_str!("../../migrations/0024_protocol.sql"),
    include_str!("../../migrations/0025_webhook_formats.sql"),
    include_str!("../../migrations/0026_alarms.sql"),
    include_str!("../../migrations/0027_series.sql"),
    include_str!("../../migrations/0028_claims.sql"),
    include_str!("../../migrations/0029_mail_recipients.sql"),
    include_str!("../../migrations/0030_visits.sql"),
    include_str!("../../migrations/0031_ocsp.sql"),
    include_str!("../../migrations/0032_account_mails.sql"),
];

/// Whether there is something to do for a database with this schema.
///
/// # Errors
/// It was made by a newer Orbitra.
pub fn is_pending(schema: usize) -> Result<bool, DbError> {
    let known = list().len();
    if schema > known {
        return Err(DbError::Broken(format!(
            "the database has schema {schema}, this Orbitra knows {known}: use the newer one"
        )));
    }
    Ok(schema < known)
}

/// The schema that this program brings a database to.
pub fn newest() -> usize {
    list().len()
}

/// Brings the schema up to date, all of it or nothing.
///
/// # Errors
/// A migration failed, or the file was made by a newer Orbitra; it is as it was.
pub fn migrate(connection: &mut Connection) -> Result<(), DbError> {
    if !is_pending(version(connection)?)? {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited.
    let done = version(&transaction)?;
    is_pending(done)?;
    let all = list();
    for sql in all.iter().skip(done) {
        transaction.execute_batch(sql)?;
    }
    failpoint::now("migrate.done").map_err(|error| DbError::Broken(error.to_string()))?;
    transaction.pragma_update(
        None,
        "user_version",
        i64::try_from(all.len()).unwrap_or(i64::MAX),
    )?;
    transaction.commit()?;
    Ok(())
}

/// The schema of a database.
///
/// # Errors
/// It cannot be read.
pub fn version(connection: &Connection) -> Result<usize, DbError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// The migrations, and one more where a test wants a program that is newer than this one.
fn list() -> Vec<&'static str> {
    let mut all = MIGRATIONS.to_vec();
    if failpoint::now("migrate.newer").is_err() {
        all.push("CREATE TABLE of_a_newer_version (id INTEGER PRIMARY KEY) STRICT;");
    }
    all
}
