//! Migrations: compiled in, numbered by `user_version`, each in its own transaction.

use rusqlite::Connection;

use super::error::DbError;

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
];

/// Brings the schema up to date.
///
/// # Errors
/// A migration failed (nothing of it is kept), or the file was made by a newer Orbitra.
pub fn migrate(connection: &mut Connection) -> Result<(), DbError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(DbError::Broken(format!(
            "the database has schema {version}, this Orbitra knows {}: use the newer one",
            MIGRATIONS.len()
        )));
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have done it while this one waited.
        let now: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if usize::try_from(now).unwrap_or(0) <= index {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(
                None,
                "user_version",
                i64::try_from(index + 1).unwrap_or(i64::MAX),
            )?;
        }
        transaction.commit()?;
    }
    Ok(())
}
