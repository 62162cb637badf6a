//! Copies of the database file: one before each change of the program, to go back to, and one to try a migration on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::DbError;
use super::migrate;
use crate::model::timestamp::Timestamp;

/// Copies from before an upgrade that are kept.
const KEPT: usize = 3;
/// What the name of such a copy has after the database's own.
const BEFORE: &str = ".before-";
/// Names the copy that is to be put back; while it is there, the database is not to be used.
const WANTED: &str = "-restore";
/// A copy that is being made.
const UNFINISHED: &str = "-unfinished";
/// A copy that a migration is tried on.
const REHEARSAL: &str = "-rehearsal";

/// The schema of a database that nobody has to have open.
///
/// # Errors
/// It is not a database, or not there.
pub fn schema(database: &Path) -> Result<usize, DbError> {
    read(database, migrate::version)
}

/// Reads from a database that another process works with.
///
/// # Errors
/// It is not a database, or whatever `work` says.
pub fn read<T>(
    database: &Path,
    work: impl FnOnce(&Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    work(&connection)
}

/// Copies the database as it is now, beside it, for its owner alone. Older copies than the newest three are deleted.
///
/// # Errors
/// There is no room, or the database cannot be read.
pub fn take(database: &Path, now: Timestamp) -> Result<PathBuf, DbError> {
    let unfinished = beside(database, UNFINISHED);
    copy(database, &unfinished)?;
    // The names sort by time: milliseconds since the epoch have thirteen digits until the year 2286.
    let snapshot = beside(database, &format!("{BEFORE}{:013}", now.0));
    rename(&unfinished, &snapshot)?;
    let mut all = snapshots(database)?;
    all.sort();
    for old in all.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(old);
    }
    Ok(snapshot)
}

/// Puts a copy in the place of the database. Nobody may have it open. Whatever interrupts this, the next [`finish`]
/// goes on with it.
///
/// # Errors
/// There is no room, or no copy.
pub fn put_back(database: &Path, snapshot: &Path) -> Result<(), DbError> {
    let name = snapshot.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (wanted, unfinished) = (beside(database, WANTED), beside(database, UNFINISHED));
    fs::write(&unfinished, name).and_then(|()| File::open(&unfinished)?.sync_all()).map_err(io)?;
    rename(&unfinished, &wanted)?;
    finish(database)
}

/// Goes on with a [`put_back`] that was interrupted; does nothing when there was none. To be called before the database
/// is opened.
///
/// # Errors
/// There is no room, or the copy is gone.
pub fn finish(database: &Path) -> Result<(), DbError> {
    let wanted = beside(database, WANTED);
    let name = match fs::read_to_string(&wanted) {
        Ok(name) => name,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let snapshot = database.with_file_name(name.trim());
    if !snapshots(database)?.contains(&snapshot) {
        let text = format!("{} names no copy of it", wanted.display());
        return Err(DbError::Broken(text));
    }
    let unfinished = beside(database, UNFINISHED);
    fs::copy(&snapshot, &unfinished)
        .and_then(|_| File::open(&unfinished)?.sync_all())
        .map_err(io)?;
    // They belong to the file that goes.
    for extra in ["-wal", "-shm"] {
        match fs::remove_file(beside(database, extra)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    rename(&unfinished, database)?;
    fs::remove_file(&wanted).and_then(|()| sync_directory(database)).map_err(io)
}

/// Brings a copy up to date, to see whether it can be done, and throws it away. The database stays as it is.
///
/// # Errors
/// It was made by a newer Orbitra, or a migration fails on it.
pub fn rehearse(database: &Path) -> Result<(), DbError> {
    if !migrate::is_pending(schema(database)?)? {
        return Ok(());
    }
    let trial = beside(database, REHEARSAL);
    copy(database, &trial)?;
    let migrated = Connection::open(&trial).map_err(DbError::from).and_then(|mut connection| {
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate::migrate(&mut connection)
    });
    for extra in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(&trial, extra));
    }
    migrated
}

/// Writes a copy and brings it to the disk.
fn copy(database: &Path, to: &Path) -> Result<(), DbError> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let path = to.to_str().ok_or_else(|| DbError::Broken("its path is no text".to_owned()))?;
    read(database, |connection| Ok(connection.execute("VACUUM INTO ?1", [path])?))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(io)
}

fn snapshots(database: &Path) -> Result<Vec<PathBuf>, DbError> {
    let name = database.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let begin = format!("{name}{BEFORE}");
    let directory = database.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(directory).map_err(io)?.flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&begin));
    Ok(ours.map(|entry| entry.path()).collect())
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    database.with_file_name(name)
}

fn rename(from: &Path, to: &Path) -> Result<(), DbError> {
    fs::rename(from, to).and_then(|()| sync_directory(to)).map_err(io)
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn io(error: std::io::Error) -> DbError {
    DbError::Unwritable(error.to_string())
}
