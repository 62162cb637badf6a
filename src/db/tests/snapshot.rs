//! Copies of the database, and the way back.

use std::path::{Path, PathBuf};

use crate::db::{Connection, Db, DbError, meta, migrate, snapshot};
use crate::model::timestamp::Timestamp;

async fn set(db: &Db, value: &'static str) {
    db.write(move |c| -> Result<(), DbError> { meta::set(c, meta::INSTANCE_ID, value) })
        .await
        .unwrap();
}

async fn value(path: &Path) -> Option<String> {
    let db = Db::open(path).unwrap();
    let value =
        db.read(|c| -> Result<_, DbError> { meta::get(c, meta::INSTANCE_ID) }).await.unwrap();
    db.close().await;
    value
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_database_is_put_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orbitra.db");
    let db = Db::open(&path).unwrap();
    set(&db, "before").await;
    db.close().await;
    let refused = db.write(|_| -> Result<(), DbError> { Ok(()) }).await;
    assert!(matches!(refused, Err(DbError::Closed)));
    let copy = snapshot::take(&path, Timestamp(1_700_000_000_000)).unwrap();
    let db = Db::open(&path).unwrap();
    set(&db, "after").await;
    db.close().await;
    snapshot::put_back(&path, &copy).unwrap();
    assert_eq!(value(&path).await.as_deref(), Some("before"));
    assert_eq!(names(directory.path()), [path.clone(), copy.clone()], "nothing else is left");
    // One that was interrupted is finished when the database is opened, and by nothing else that stands there.
    let db = Db::open(&path).unwrap();
    set(&db, "after").await;
    db.close().await;
    let wanted = directory.path().join("orbitra.db-restore");
    std::fs::write(&wanted, copy.file_name().unwrap().to_str().unwrap()).unwrap();
    assert_eq!(value(&path).await.as_deref(), Some("before"));
    std::fs::write(&wanted, "../elsewhere").unwrap();
    assert!(matches!(Db::open(&path), Err(DbError::Broken(_))));
}

#[tokio::test]
async fn the_newest_copies_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orbitra.db");
    Db::open(&path).unwrap().close().await;
    let copies: Vec<_> = (1..=5).map(|at| snapshot::take(&path, Timestamp(at)).unwrap()).collect();
    // Whoever reads a database makes the files beside it that its log needs.
    let mut kept = names(directory.path());
    kept.retain(|path| path.to_str().unwrap().contains(".before-"));
    assert_eq!(kept, copies[2..]);
}

#[tokio::test]
async fn a_migration_is_tried_on_a_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orbitra.db");
    Db::open(&path).unwrap().close().await;
    let schema = snapshot::schema(&path).unwrap();
    assert_eq!(schema, migrate::newest());
    let older = Connection::open(&path).unwrap();
    older.pragma_update(None, "user_version", (schema - 1) as i64).unwrap();
    drop(older);
    // The last migration has run already and cannot again.
    assert!(snapshot::rehearse(&path).is_err());
    assert_eq!(snapshot::schema(&path).unwrap(), schema - 1);
    assert!(Db::open(&path).is_err());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", (schema + 1) as i64).unwrap();
    drop(newer);
    assert!(matches!(snapshot::rehearse(&path), Err(DbError::Broken(_))));
    let left = names(directory.path());
    assert!(left.iter().all(|path| !path.to_str().unwrap().contains("rehearsal")), "{left:?}");
}
