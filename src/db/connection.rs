//! One writer thread with group commit, a few readers.
//!
//! The writer takes every write that waits, runs each in a savepoint of one transaction, commits once
//! (one fsync) and only then answers all of them: an answer means that it is on the disk. A write is a
//! plain function, so no `await` can happen inside a transaction.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::hooks::Action;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot, watch};

use super::error::DbError;
use crate::failpoint;

/// Most writes of one commit; a bound on how long the first one waits.
const BATCH: usize = 256;
/// Pages that a connection keeps for itself, in KiB. What it does not keep the kernel has, once for all of them.
const CACHE_KIB: i32 = 512;
/// Readers that run at the same time.
const READERS: usize = 4;

/// What a read or a write answers, whatever it is.
type Answer = Box<dyn Any + Send>;
/// One read.
type Read = Box<dyn FnOnce(&Connection) -> Answer + Send>;

/// What a write does: runs in a savepoint and says whether to keep it.
type Work = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;

/// One write and who waits for it.
struct Write {
    work: Work,
    /// Told when it is on the disk, or why it is not.
    waits: oneshot::Sender<Result<Answer, DbError>>,
}

enum Job {
    Write(Write),
    /// The last one.
    Close,
}

/// The database. Clones share the same connections.
#[derive(Clone)]
pub struct Db {
    writer: Sender<Job>,
    readers: Arc<Readers>,
    commits: watch::Receiver<u64>,
    outboxes: [watch::Receiver<u64>; 2],
    identities: Arc<AtomicU64>,
    /// The last write was refused.
    refuses: Arc<AtomicBool>,
    /// Ends with the writer.
    closed: watch::Receiver<()>,
}

/// Tables that say who somebody is and what they may do.
const IDENTITIES: [&str; 2] = ["api_keys", "users"];

/// Tables of what is still to be sent: to webhooks, and to accounts by mail.
const OUTBOXES: [&str; 2] = ["webhook_deliveries", "account_mails"];

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // FULL: a commit that was answered survives a power loss (NORMAL may lose the newest ones).
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

impl Db {
    /// Opens (and migrates) the database file.
    ///
    /// # Errors
    /// The file cannot be opened, is not a database, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        super::snapshot::finish(path)?;
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        configure(&connection)?;
        super::migrate::migrate(&mut connection)?;
        let (closing, closed) = watch::channel(());
        let (writer, jobs) = channel::<Job>();
        let (committed, commits) = watch::channel(0);
        let identities = Arc::new(AtomicU64::new(0));
        let touched = Arc::new(AtomicBool::new(false));
        let filled = OUTBOXES.map(|_| watch::Sender::new(0));
        let outboxes = std::array::from_fn(|outbox| filled[outbox].subscribe());
        let filling = Arc::new(OUTBOXES.map(|_| AtomicBool::new(false)));
        let (seen, fills) = (touched.clone(), filling.clone());
        // The database itself says what a write touches: no statement can be forgotten.
        connection.update_hook(Some(move |action, _: &str, table: &str, _| {
            if IDENTITIES.contains(&table) {
                seen.store(true, Ordering::Relaxed);
            } else if action == Action::SQLITE_INSERT
                && let Some(outbox) = OUTBOXES.iter().position(|one| *one == table)
            {
                fills[outbox].store(true, Ordering::Relaxed);
            }
        }))?;
        let refuses = Arc::new(AtomicBool::new(false));
        let (count, refused) = (identities.clone(), refuses.clone());
        let count_identities = move || {
            if touched.swap(false, Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Release);
            }
        };
        let count_commits = move || {
            committed.send_modify(|count| *count += 1);
            for (filling, filled) in filling.iter().zip(&filled) {
                if filling.swap(false, Ordering::Relaxed) {
                    filled.send_modify(|count: &mut u64| *count += 1);
                }
            }
        };
        std::thread::Builder::new()
            .name("orbitra-db".to_owned())
            .spawn(move || {
                run_writer(&connection, &jobs, &count_commits, &count_identities, &refused);
                drop((connection, closing));
            })
            .map_err(|error| DbError::Unwritable(error.to_string()))?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(READERS),
        };
        Ok(Self {
            writer,
            readers: Arc::new(readers),
            commits,
            outboxes,
            identities,
            refuses,
            closed,
        })
    }

    /// Ends all connections, for every clone: what was written before is on the disk, and whatever is asked for
    /// afterwards is refused. Returns when another process may have the file.
    pub async fn close(&self) {
        let _all = self.readers.permits.acquire_many(READERS as u32).await;
        self.readers.permits.close();
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // The writer is the last one, because only it may tidy up behind them all. Both fail where it has ended.
        let _ = self.writer.send(Job::Close);
        let _ = self.closed.clone().changed().await;
    }

    /// Counts the commits of this process: whoever waits for rows looks again when it changes.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Counts the commits of this process that added deliveries to webhooks.
    pub fn deliveries(&self) -> watch::Receiver<u64> {
        self.outboxes[0].clone()
    }

    /// Counts the commits of this process that added mails to accounts.
    pub fn account_mails(&self) -> watch::Receiver<u64> {
        self.outboxes[1].clone()
    }

    /// Counts the commits of this process that touched accounts or keys. Whoever keeps what it read of them
    /// asks before it reads, and again before it uses what it kept.
    pub fn identities(&self) -> u64 {
        self.identities.load(Ordering::Acquire)
    }

    /// Whether something can be stored. When the last write was refused, it is tried once more.
    ///
    /// # Errors
    /// Why not.
    pub async fn can_store(&self) -> Result<(), DbError> {
        if !self.refuses.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.write(super::meta::try_disk).await
    }

    /// Runs `work` in a transaction; `Ok` is answered after the commit has reached the disk, an error undoes it.
    ///
    /// # Errors
    /// Whatever `work` says, or that the commit failed.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (waits, answered) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| {
            let answer = work(connection);
            (answer.is_ok(), Box::new(answer) as Answer)
        });
        self.writer
            .send(Job::Write(Write { work, waits }))
            .map_err(|_| E::from(DbError::Closed))?;
        unpack(answered.await.map_err(|_| DbError::Closed).flatten())
    }

    /// Runs `work` on a reader off the async threads. It sees everything that was committed before.
    ///
    /// # Errors
    /// Whatever `work` says.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        unpack(self.read_any(Box::new(move |connection| Box::new(work(connection)))).await)
    }

    /// The same for whatever there is to read. It is there once: for each kind of work the runtime's part of a task
    /// would be made anew, which is more than most of them are.
    async fn read_any(&self, work: Read) -> Result<Answer, DbError> {
        let readers = self.readers.clone();
        let _permit = readers.permits.acquire().await.map_err(|_| DbError::Closed)?;
        let pool = self.readers.clone();
        tokio::task::spawn_blocking(move || -> Result<_, DbError> {
            let connection = pool.take()?;
            let answer = work(&connection);
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(answer)
        })
        .await
        .map_err(|_| DbError::Closed)?
    }
}

/// The answer as what it was made as.
fn unpack<T: 'static, E: From<DbError> + 'static>(answer: Result<Answer, DbError>) -> Result<T, E> {
    match answer?.downcast::<Result<T, E>>() {
        Ok(answer) => *answer,
        Err(_) => Err(E::from(DbError::Closed)),
    }
}

impl Readers {
    fn take(&self) -> Result<Connection, DbError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        configure(&connection)?;
        Ok(connection)
    }
}

/// Why nothing of a transaction was stored, for everybody who waits.
fn refusal(error: &DbError) -> DbError {
    match error {
        DbError::Full(reason) => DbError::Full(reason.clone()),
        other => DbError::Unwritable(other.to_string()),
    }
}

/// Runs until every `Db` is gone, or until it is closed.
fn run_writer(
    connection: &Connection,
    jobs: &Receiver<Job>,
    count_commits: &dyn Fn(),
    count_identities: &dyn Fn(),
    refuses: &AtomicBool,
) {
    let mut closing = false;
    while !closing {
        let Ok(Job::Write(first)) = jobs.recv() else { return };
        let mut answers = Vec::new();
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            refuses.store(true, Ordering::Relaxed);
            let _ = first.waits.send(Err(refusal(&error.into())));
            continue;
        }
        let committed = (|| {
            let more = jobs.try_iter().map_while(|job| match job {
                Job::Write(job) => Some(job),
                Job::Close => {
                    closing = true;
                    None
                }
            });
            for Write { work, waits } in std::iter::once(first).chain(more.take(BATCH - 1)) {
                connection.execute_batch("SAVEPOINT one")?;
                let outcome =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(connection)));
                let keep = matches!(outcome, Ok((true, _)));
                // First of all: on a full disk SQLite has ended the transaction, and what follows fails.
                if let Ok((_, answer)) = outcome {
                    answers.push((waits, answer));
                }
                if !keep {
                    connection.execute_batch("ROLLBACK TO one")?;
                }
                connection.execute_batch("RELEASE one")?;
            }
            if let Err(injected) = failpoint::now("db.before_commit") {
                return Err(rusqlite::Error::InvalidPath(injected.to_string().into()));
            }
            connection.execute_batch("COMMIT")
        })()
        .map_err(DbError::from);
        refuses.store(committed.is_err(), Ordering::Relaxed);
        if committed.is_err() && !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        // Before anybody is answered: an answer means that nobody goes by the old rows any more.
        count_identities();
        if committed.is_ok() {
            // An error here would be a lie: it is on the disk.
            let _ = failpoint::now("db.after_commit");
            count_commits();
        }
        for (waits, answer) in answers {
            let _ = waits.send(committed.as_ref().map(|()| answer).map_err(refusal));
        }
    }
}
