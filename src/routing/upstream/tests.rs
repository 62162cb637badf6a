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

fn places(numbers: &[u8]) -> Vec<Place> {
    let place = |number: &u8| Place {
        container: format!("container {number}"),
        address: ([127, 0, 0, *number], 1).into(),
    };
    numbers.iter().map(place).collect()
}

fn several(numbers: &[u8]) -> Arc<Upstream> {
    Upstream::of("several".into(), &places(numbers))
}

fn asked(guard: &Guard) -> u8 {
    let std::net::IpAddr::V4(ip) = guard.replica().address().ip() else { unreachable!() };
    ip.octets()[3]
}

#[test]
fn requests_go_where_the_fewest_are() {
    let upstream = several(&[1, 2, 3]);
    let mut guards: Vec<_> = (0..30).map(|_| upstream.acquire().unwrap()).collect();
    let counts = |upstream: &Upstream| -> Vec<_> {
        upstream.replicas().iter().map(|one| one.in_flight()).collect()
    };
    assert_eq!(counts(&upstream), [10, 10, 10]);
    // Two is done with four of its own.
    for _ in 0..4 {
        let at = guards.iter().position(|guard| asked(guard) == 2).unwrap();
        guards.remove(at);
    }
    assert_eq!(counts(&upstream), [10, 6, 10]);
    for _ in 0..4 {
        let guard = upstream.acquire().unwrap();
        assert_eq!(asked(&guard), 2);
        guards.push(guard);
    }
    assert_eq!((counts(&upstream), upstream.in_flight()), (vec![10, 10, 10], 30));
    guards.clear();
    assert_eq!((counts(&upstream), upstream.in_flight()), (vec![0, 0, 0], 0));
}

#[test]
fn where_all_have_as_much_to_do_they_take_turns() {
    let upstream = several(&[1, 2, 3]);
    let mut counts = [0; 4];
    for _ in 0..30 {
        counts[usize::from(asked(&upstream.acquire().unwrap()))] += 1;
    }
    assert_eq!(counts, [0, 10, 10, 10]);
}

#[test]
fn what_did_not_answer_comes_last_and_what_is_gone_or_was_tried_never() {
    let upstream = several(&[1, 2, 3]);
    upstream.replicas()[0].fails();
    let guards: Vec<_> = (0..8).map(|_| upstream.acquire().unwrap()).collect();
    assert!(guards.iter().all(|guard| asked(guard) != 1), "others are free, as busy as they are");
    upstream.replicas()[1].lose();
    assert_eq!(asked(&upstream.acquire().unwrap()), 3);
    let tried = [upstream.replicas()[2].id()];
    assert_eq!(asked(&upstream.acquire_other(&tried).unwrap()), 1, "it is the only one left");
    let tried: Vec<_> = upstream.replicas().iter().map(|one| one.id()).collect();
    let before = upstream.in_flight();
    assert!(upstream.acquire_other(&tried).is_none());
    assert_eq!(upstream.in_flight(), before, "one that was refused does not count");
    upstream.lose(None);
    assert!(upstream.acquire().is_none() && !upstream.is_retired());
}

#[tokio::test]
async fn one_that_goes_and_one_that_comes_change_nothing_for_the_others() {
    let before = several(&[1, 2]);
    let guards: Vec<_> = (0..4).map(|_| before.acquire().unwrap()).collect();
    assert!(Arc::ptr_eq(&before, &before.moved(&places(&[2, 1]))));
    let after = before.moved(&places(&[2, 3]));
    assert!(after.id() > before.id() && after.counts_as() == before.counts_as());
    assert!(before.replicas()[0].is_gone() && !before.replicas()[1].is_gone());
    before.replicas()[0].gone().await;
    assert_eq!((after.in_flight(), after.replicas()[0].in_flight()), (4, 2));
    assert_eq!(asked(&after.acquire().unwrap()), 3);
    // Whoever still has the old value asks nobody who is gone.
    assert!((0..4).all(|_| asked(&before.acquire().unwrap()) == 2));
    after.retire();
    assert!(before.is_retired() && before.acquire().is_none());
    drop(guards);
    after.drained().await;
}

#[test]
fn other_containers_count_anew_and_those_of_before_finish_what_they_have() {
    let before = several(&[1, 2]);
    let guard = before.acquire().unwrap();
    let after = before.moved(&places(&[3, 4]));
    assert_ne!(after.counts_as(), before.counts_as());
    assert_eq!((after.in_flight(), before.in_flight()), (0, 1));
    assert!(!guard.replica().is_gone());
    // The same container at another address is not at the first one any more.
    let mut moved = places(&[3, 4]);
    moved.iter_mut().for_each(|place| place.address.set_port(2));
    after.moved(&moved);
    assert!(after.replicas().iter().all(|one| one.is_gone()));
}
