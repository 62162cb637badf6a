use rusqlite::Connection;

use super::fixture;
use crate::db::{Db, DbError, meta};

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_and_those_beside_it_stay() {
    let fixture = fixture();
    let writes = (0..50).map(|number| {
        let db = fixture.db.clone();
        async move {
            db.write(move |c| {
                meta::set(c, &format!("k{number}"), "v")?;
                if number % 2 == 0 { Ok(()) } else { Err(DbError::Stale) }
            })
            .await
        }
    });
    let outcomes = futures_util::future::join_all(writes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 25);
    let kept = fixture.db.read(|c| -> Result<i64, DbError> {
        Ok(c.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?)
    });
    assert_eq!(kept.await.expect("read"), 25);
}

#[tokio::test]
async fn a_write_that_panics_is_undone_and_the_next_one_works() {
    let fixture = fixture();
    let lost = fixture.db.write(|c| -> Result<(), DbError> {
        meta::set(c, "half", "done")?;
        panic!("a defect");
    });
    assert!(matches!(lost.await, Err(DbError::Closed)));
    fixture.db.write(|c| meta::set(c, "next", "one")).await.expect("written");
    let half = fixture.db.read(|c| meta::get(c, "half")).await.expect("read");
    assert_eq!(half, None);
}

#[tokio::test]
async fn what_was_answered_is_there_after_the_process_is_gone() {
    let fixture = fixture();
    fixture.db.write(|c| meta::set(c, "kept", "yes")).await.expect("written");
    // A copy of the files as a crash would leave them: nothing was closed.
    let copy = tempfile::tempdir().expect("a directory");
    for name in ["orbitra.db", "orbitra.db-wal"] {
        let from = fixture.path.with_file_name(name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).expect("copied");
        }
    }
    let again = Db::open(&copy.path().join("orbitra.db")).expect("opens");
    assert_eq!(again.read(|c| meta::get(c, "kept")).await.expect("read").as_deref(), Some("yes"));
}

#[tokio::test]
async fn readers_cannot_write_and_extensions_cannot_be_loaded() {
    let fixture = fixture();
    let written = fixture.db.read(|c| meta::set(c, "a", "b")).await;
    assert!(matches!(written, Err(DbError::Unwritable(_))), "{written:?}");
    let loaded = fixture.db.read(|c| -> Result<(), DbError> {
        Ok(c.query_row("SELECT load_extension('x')", [], |_| Ok(()))?)
    });
    assert!(loaded.await.is_err());
}

#[test]
fn a_file_of_a_newer_version_is_refused_unchanged() {
    let fixture = fixture();
    let connection = Connection::open(&fixture.path).expect("opens");
    connection.pragma_update(None, "user_version", 999).expect("set");
    let refused = Db::open(&fixture.path);
    assert!(matches!(refused, Err(DbError::Broken(_))));
}

#[test]
fn the_schema_is_sound() {
    let fixture = fixture();
    let connection = Connection::open(&fixture.path).expect("opens");
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(check, "ok");
    let mode: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("read");
    assert_eq!(mode, "wal");
}
