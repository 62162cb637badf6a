//! Many projects and few places to build in.

use std::collections::BTreeMap;

use serde_json::json;

use super::Place;
use crate::support::effort::effort;
use crate::support::until::within;

#[tokio::test]
async fn everybody_gets_a_turn_before_anybody_gets_a_second() {
    let mut place = Place::start_with(&[("ORBITRA_BUILD_CONCURRENCY", "2")]).await;
    let repository = place.repository("app", &json!({"body": "here", "build_takes": 150}));
    let (projects, each) =
        (effort("ORBITRA_TEST_PROJECTS", 10), effort("ORBITRA_TEST_DEPLOYMENTS", 6));
    let mut ids = Vec::new();
    for number in 0..projects {
        ids.push(place.project(&format!("shop-{number}")).await);
    }
    // The first asks for all of its own before the others ask at all.
    for project in &ids {
        for _ in 0..each {
            place.deploy(project, &repository).await;
        }
    }
    let limit = std::time::Duration::from_secs(120);
    within(limit, "all have ended", async || {
        let left: i64 = place
            .orbitra
            .database()
            .query_row("SELECT count(*) FROM deployments WHERE finished_at IS NULL", [], |row| {
                row.get(0)
            })
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(place.engine.builds(), (0, 2), "both places were used, and no third");
    // How many of its own each project had begun to build, whenever one was begun.
    let database = place.orbitra.database();
    let mut statement = database
        .prepare(
            "SELECT d.project_id FROM deployments d JOIN deployment_phases f ON f.deployment_id = d.id
             WHERE f.phase = 'cloning' ORDER BY f.started_at, d.seq",
        )
        .unwrap();
    let order = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let order: Vec<_> = order.map(Result::unwrap).collect();
    let last = order.len() - projects;
    let mut begun: BTreeMap<&str, usize> = ids.iter().map(|id| (id.as_str(), 0)).collect();
    for (number, project) in order.iter().enumerate() {
        *begun.get_mut(project.as_str()).unwrap() += 1;
        // At the begin the first one is alone, at the end the last ones are.
        if number > projects && number < last {
            let (least, most) = (begun.values().min().unwrap(), begun.values().max().unwrap());
            assert!(most - least <= each / 2 + 1, "after {number}: {begun:?}");
        }
    }
    drop(statement);
    drop(database);
    place.sound_for_good().await;
}
