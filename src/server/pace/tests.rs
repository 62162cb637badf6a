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
