//! An upstream that closes the connections it is asked over: when they have rested for a while, and after answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::effort::effort;
use crate::support::front::{Front, HOST, to};
use crate::support::toy::{self, Toy, ok};
use crate::support::wire::Wire;

/// Clients at the same time.
const CLIENTS: usize = 64;

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/stale.sh"]
async fn closed_connections_cost_no_request() {
    let requests = effort("REQUESTS", 1_000_000);
    let received: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let (closed, reset) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let toy = Toy::serving({
        let (received, closed, reset) = (received.clone(), closed.clone(), reset.clone());
        move |mut wire, number| {
            let (received, closed, reset) = (received.clone(), closed.clone(), reset.clone());
            let mut dice = Dice((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            async move {
                // Of every four: two close after a few answers, one after many, one after having rested, or after very
                // many answers: one that never closed would be the only one left after a while.
                let kind = dice.roll() % 4;
                let most = [50, 50, 5000, 1000][kind as usize];
                let (every, rest) =
                    (1 + dice.roll() % most, Duration::from_millis(dice.roll() % 5000));
                let mut answers = 0;
                loop {
                    let request = match kind {
                        2 => match tokio::time::timeout(rest, toy::request(&mut wire)).await {
                            Ok(request) => request,
                            Err(_) => break,
                        },
                        _ => toy::request(&mut wire).await,
                    };
                    let Ok(request) = request else { return };
                    if let Some(id) = request.header("x-number") {
                        *received.lock().unwrap().entry(id).or_default() += 1;
                    }
                    wire.send(ok("fine")).await;
                    answers += 1;
                    if answers >= every {
                        break;
                    }
                }
                if dice.roll().is_multiple_of(2) {
                    let socket = socket2::SockRef::from(&wire.stream);
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                    reset.fetch_add(1, Ordering::Relaxed);
                } else {
                    closed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    })
    .await;
    let front = Front::start(to(toy.address));
    let begin = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let address = front.address;
        tokio::spawn(async move {
            let mut dice = Dice(client as u64 + 88_172_645_463_325_252);
            let mut wire = Wire::connect(address).await;
            let (mut gets, mut posts, mut lost) = (0, 0, Vec::new());
            for number in 0..requests / CLIENTS {
                // Now and then so long that connections rest.
                if dice.roll().is_multiple_of(200) {
                    tokio::time::sleep(Duration::from_millis(dice.roll() % 2000)).await;
                }
                if dice.roll().is_multiple_of(2) {
                    gets += 1;
                    let answer = wire.get(HOST, "/").await.unwrap();
                    assert_eq!(answer.status, 200, "GET {number}");
                } else {
                    posts += 1;
                    let id = format!("{client}-{number}");
                    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nX-Number: {id}\r\n");
                    wire.send(format!("{head}Content-Length: 4\r\n\r\nbody")).await;
                    match wire.answer(false).await.unwrap().status {
                        200 => {}
                        502 => lost.push(id),
                        other => panic!("POST {number}: {other}"),
                    }
                }
            }
            (gets, posts, lost)
        })
    });
    let (mut gets, mut posts, mut lost) = (0, 0, Vec::new());
    for client in clients.collect::<Vec<_>>() {
        let (some_gets, some_posts, some_lost) = client.await.unwrap();
        gets += some_gets;
        posts += some_posts;
        lost.extend(some_lost);
    }
    let received = received.lock().unwrap();
    let twice = received.values().filter(|count| **count > 1).count();
    println!(
        "{} requests in {:?}: {gets} GET, failed 0; {posts} POST, of which {} were answered 502 because their connection \
         broke after they were sent; received twice: {twice}; connections closed {} with FIN and {} with RST",
        gets + posts,
        begin.elapsed(),
        lost.len(),
        closed.load(Ordering::Relaxed),
        reset.load(Ordering::Relaxed),
    );
    assert_eq!(twice, 0);
    // What is lost is lost in the moment between the close and its arrival, and that is rare.
    assert!(lost.len() * 1000 <= posts, "{} of {posts}", lost.len());
}
