use super::*;

fn upstream() -> Arc<Upstream> {
    Upstream::new("one".into(), ([127, 0, 0, 1], 1).into())
}

#[tokio::test]
async fn a_retired_upstream_drains_with_its_last_guard() {
    let upstream = upstream();
    let first = upstream.acquire().unwrap();
    let second = upstream.acquire().unwrap();
    assert_eq!(upstream.in_flight(), 2);
    upstream.retire();
    assert!(upstream.acquire().is_none());
    let waiting = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { upstream.drained().await }
    });
    drop(first);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(second);
    waiting.await.unwrap();
    assert_eq!(upstream.in_flight(), 0);
    upstream.drained().await;
}

#[test]
fn no_request_slips_through_between_acquire_and_drained() {
    for _ in 0..200 {
        let upstream = upstream();
        let running = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let upstream = Arc::clone(&upstream);
                let running = Arc::clone(&running);
                std::thread::spawn(move || {
                    while let Some(guard) = upstream.acquire() {
                        running.fetch_add(1, Ordering::SeqCst);
                        std::hint::spin_loop();
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(guard);
                    }
                })
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        upstream.retire();
        runtime.block_on(upstream.drained());
        assert_eq!(running.load(Ordering::SeqCst), 0);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[tokio::test]
async fn cut_wakes_the_guards() {
    let upstream = upstream();
    let guard = upstream.acquire().unwrap();
    assert!(!upstream.is_cut());
    upstream.cut();
    guard.cut().await;
    assert!(upstream.is_cut() && upstream.is_retired());
}

#[test]
fn only_an_unused_upstream_is_retired_for_that() {
    let used = upstream();
    drop(used.acquire().unwrap());
    assert!(!used.retire_unused(), "somebody has just been here");
    assert!(used.take_used());
    let guard = used.acquire().unwrap();
    assert!(used.take_used() && !used.retire_unused(), "somebody is here");
    drop(guard);
    assert!(used.retire_unused() && used.is_retired() && used.retire_unused());
}
