//! kill -9 while a push to Orbitra is taken in: it happened or it did not, and pushing again is always right.

use serde_json::json;

use super::{DOCKERFILE, Place};
use crate::support::pusher::Pusher;
use crate::support::until::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_was_cut_off_changes_nothing_or_is_deployed() {
    let mut place = Place::start().await;
    let project = place.project("shop").await;
    let app = json!({"body": "0"}).to_string();
    let pusher = Pusher::new(&[("Dockerfile", DOCKERFILE), ("app.json", &app)]);
    let address = |place: &Place| {
        let (key, port) = (&place.orbitra.api.key, place.orbitra.port);
        format!("http://x:{key}@127.0.0.1:{port}/git/shop.git")
    };
    let refs = |place: &Place| -> Vec<String> {
        let database = place.orbitra.database();
        let mut all = database.prepare("SELECT object FROM pushed_refs").unwrap();
        let rows = all.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    pusher.push(&address(&place), &["main"]).taken();
    let mut before = refs(&place);
    let points = ["push.begin=kill", "push.taken=kill", "change.before_commit=kill"];
    for (number, point) in points.into_iter().enumerate() {
        place.rearm(point).await;
        let body = (number + 1).to_string();
        let commit = pusher.commit("app.json", &json!({ "body": body }).to_string());
        let cut = pusher.push(&address(&place), &["main"]);
        assert!(!cut.ok, "{point}: {}", cut.said);
        place.orbitra.killed().await;
        place.orbitra.restart().await;
        assert_eq!(refs(&place), before, "{point}");
        assert_eq!(place.site("shop").await, number.to_string(), "{point}");
        let again = pusher.push(&address(&place), &["main"]).taken();
        assert!(again.said.contains("Live: "), "{point}: {}", again.said);
        assert_eq!(place.site("shop").await, body, "{point}");
        before = vec![commit];
        assert_eq!(refs(&place), before);
        let left = place.orbitra.data().join(format!("repositories/{project}.git/incoming"));
        assert!(!left.exists(), "{point}");
        place.sound().await;
    }
    // Once it is written, the deployment comes about whatever happens to the program and to whoever pushed.
    place.rearm("clone.start=kill").await;
    pusher.commit("app.json", &json!({"body": "last"}).to_string());
    pusher.push(&address(&place), &["main"]);
    place.orbitra.killed().await;
    place.orbitra.restart().await;
    until("it is live", async || (place.site("shop").await == "last").then_some(())).await;
    place.sound_for_good().await;
}
