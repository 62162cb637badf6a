use std::rc::Rc;

use tokio::runtime::{Builder, LocalOptions};

use super::*;

#[test]
fn everybody_else_has_a_turn_between_a_few_of_these() {
    let runtime = Builder::new_current_thread().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(take_turns());
}

async fn take_turns() {
    let pace = Rc::new(Pace::default());
    tokio::task::spawn_local({
        let pace = Rc::clone(&pace);
        async move { pace.run().await }
    });
    let (done, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let since = Rc::new(Cell::new(0));
    for _ in 0..200 {
        let (done, since, most) = (Rc::clone(&done), Rc::clone(&since), Rc::clone(&most));
        tokio::task::spawn_local(pace.by_turns(Kind::Bulk, async move {
            since.set(since.get() + 1);
            most.set(most.get().max(since.get()));
            done.set(done.get() + 1);
        }));
    }
    while done.get() < 200 {
        since.set(0);
        tokio::task::yield_now().await;
    }
    assert!(most.get() <= 2 * Kind::Bulk.turns(), "{}", most.get());
}

/// Whether a ticket has its turn, or waits for it from now on.
fn has_turn(ticket: &Ticket) -> bool {
    ticket.poll_turn(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn who_leaves_is_not_waited_for() {
    let pace = Rc::new(Pace::default());
    let queue = &pace.queues[Kind::Bulk as usize];
    let tickets =
        |count: usize| -> Vec<_> { (0..count).map(|_| Ticket::new(&pace, Kind::Bulk)).collect() };
    let first = Ticket::new(&pace, Kind::Bulk);
    assert!(has_turn(&first), "nobody was there");
    let mut waiting = tickets(1000);
    assert!(!waiting.iter().any(has_turn));
    let last = waiting.split_off(999);
    // All but the first and the last of them.
    waiting.truncate(1);
    assert_eq!(queue.waiting.get(), 2);
    queue.call();
    assert!(has_turn(&waiting[0]) && !has_turn(&last[0]));
    queue.call();
    assert!(has_turn(&last[0]), "places of those who left are passed over");
    assert!(!queue.is_waited_for() && queue.places.borrow().is_empty());
    let mut waiting = tickets(1000);
    assert!(!waiting.iter().any(has_turn));
    waiting.clear();
    assert!(queue.places.borrow().is_empty(), "nothing is left of those who left");
    // A place is another's after that.
    let (one, other) = (Ticket::new(&pace, Kind::Bulk), Ticket::new(&pace, Kind::Bulk));
    assert!(!has_turn(&one) && !has_turn(&other));
    drop(other);
    let next = Ticket::new(&pace, Kind::Bulk);
    assert!(!has_turn(&next));
    queue.call();
    assert!(has_turn(&one) && !has_turn(&next));
}

#[test]
fn a_round_is_of_one_kind_and_all_kinds_have_theirs() {
    let runtime = Builder::new_current_thread().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let pace = Rc::new(Pace::default());
        let kinds = [Kind::Arrival, Kind::Handshake, Kind::Stream, Kind::Bulk];
        let tickets: Vec<_> = kinds
            .iter()
            .flat_map(|kind| (0..20).map(|_| Ticket::new(&pace, *kind)).collect::<Vec<_>>())
            .collect();
        // Those of the first round, which nobody had to wait for.
        let mut waiting: Vec<_> = tickets.iter().filter(|ticket| !has_turn(ticket)).collect();
        let rounds = async {
            while !waiting.is_empty() {
                tokio::task::yield_now().await;
                let (now, later): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|ticket| has_turn(ticket));
                let kinds: std::collections::HashSet<_> =
                    now.iter().map(|ticket| ticket.kind as usize).collect();
                assert!(kinds.len() <= 1, "{kinds:?}");
                waiting = later;
            }
        };
        tokio::select! {
            biased;
            () = pace.run() => {}
            () = rounds => {}
        }
    });
}
