//! What can go wrong in the database.

/// A read or write that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique column already holds this value; names it as `table.column`.
    #[error("{0} is taken")]
    Unique(String),
    /// A guarded change met another state than it expected; nothing was written.
    #[error("the row was changed by somebody else")]
    Stale,
    /// There is no such row.
    #[error("no such row")]
    NotFound,
    /// The disk is full; worth another try when there is space.
    #[error("the database cannot be written: {0}")]
    Full(String),
    /// The data directory is read-only, or its disk answers with errors; worth another try when that is mended.
    #[error("the database cannot be used: {0}")]
    Unwritable(String),
    /// A stored value cannot be read back.
    #[error("a stored value is broken: {0}")]
    Broken(String),
    /// The writer has stopped.
    #[error("the database is closed")]
    Closed,
    #[error("database: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match &error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
            rusqlite::Error::SqliteFailure(inner, message) => match inner.code {
                ErrorCode::ConstraintViolation
                    // Unique, primary key, and a trigger of ours that says `taken`.
                    if matches!(inner.extended_code, 2067 | 1555)
                        || message.as_ref().is_some_and(|text| text.starts_with("taken: ")) =>
                {
                    let text = message.as_deref().unwrap_or_default();
                    Self::Unique(text.rsplit(": ").next().unwrap_or_default().to_owned())
                }
                ErrorCode::DiskFull => Self::Full(error.to_string()),
                ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => {
                    Self::Unwritable(error.to_string())
                }
                _ => Self::Sqlite(error),
            },
            _ => Self::Sqlite(error),
        }
    }
}

/// Exactly one row must have changed.
///
/// # Errors
/// `Stale` when it was none (or, which no statement here can do, more).
pub fn exactly_one(changed: usize) -> Result<(), DbError> {
    if changed == 1 { Ok(()) } else { Err(DbError::Stale) }
}
