//! How many acknowledged durable writes a second 64 clients get, beside one transaction for each write.
//!
//!     durable_writes DIRECTORY SECONDS

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orbitra::db::{self, Db, DbError};
use orbitra::model::event::Event;
use orbitra::model::ids::{EventId, TeamId};
use orbitra::model::timestamp::Timestamp;

const CLIENTS: u32 = 64;

fn event(number: u64) -> Event {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    Event {
        id: EventId::from_random(random),
        event: "project.updated".into(),
        team_id: TeamId::from_random([1; 10]),
        project_id: None,
        data: serde_json::json!({ "project_id": "prj_abc123", "number": number }),
        created_at: Timestamp(0),
    }
}

/// Writes per second of this many clients.
async fn measure(db: &Db, clients: u32, next: &Arc<AtomicU64>, time: Duration) -> f64 {
    let (begin, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (db, next, done) = (db.clone(), next.clone(), done.clone());
            tokio::spawn(async move {
                while begin.elapsed() < time {
                    let event = event(next.fetch_add(1, Ordering::Relaxed));
                    db.write(move |c| -> Result<(), DbError> { db::events::append(c, &event) })
                        .await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), DbError>(())
            })
        })
        .collect();
    for task in tasks {
        if let Ok(Err(error)) = task.await {
            eprintln!("a write failed: {error}");
        }
    }
    done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("a directory is missing")?);
    let time = Duration::from_secs(arguments.next().ok_or("seconds are missing")?.parse()?);
    let db = Db::open(&directory.join("bench.db"))?;
    let next = Arc::new(AtomicU64::new(1));
    // In turns, so that a disk that gets slower or faster meanwhile does so for both.
    for _ in 0..3 {
        // One client waits for its commit before it writes again: a transaction and an fsync for each write.
        let single = measure(&db, 1, &next, time).await;
        let many = measure(&db, CLIENTS, &next, time).await;
        println!("{single:.0} {many:.0} {:.1}", many / single);
    }
    Ok(())
}
