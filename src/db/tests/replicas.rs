use rusqlite::Connection;

use super::{Fixture, deployment, fixture, with_project};
use crate::db::{DbError, deployments, replicas, transitions};
use crate::model::deployment::{Deployment, Replica, RunState};
use crate::model::ids::DeploymentId;

/// Deployments of one project, as many as asked for.
async fn with_deployments(numbers: &'static [u8]) -> (Fixture, Vec<DeploymentId>) {
    let fixture = fixture();
    with_project(&fixture).await;
    let written = fixture.db.write(move |c| -> Result<(), DbError> {
        for number in numbers {
            deployments::insert(c, &deployment(*number, 1))?;
        }
        Ok(())
    });
    written.await.unwrap();
    let ids = numbers.iter().map(|number| deployment(*number, 1).id).collect();
    (fixture, ids)
}

fn serve(c: &Connection, id: &DeploymentId, number: u32, ip: u8) -> Result<(), DbError> {
    let container = format!("{id}.{number}");
    replicas::serve(c, id, number, &container, &format!("10.0.0.{ip}:3000"))
}

fn serving(deployment: &Deployment) -> Vec<u32> {
    deployment.replicas.iter().filter(|one| one.serves).map(|one| one.number).collect()
}

#[tokio::test]
async fn they_are_planned_made_and_serve() {
    let (fixture, ids) = with_deployments(&[1]).await;
    let id = ids[0].clone();
    let read = fixture.db.write(move |c| -> Result<_, DbError> {
        replicas::plan(c, &id, 11)?;
        replicas::made(c, &id, 2, "two")?;
        let planned = deployments::find_any(c, &id)?.unwrap();
        transitions::record_run(c, &id, RunState::Running)?;
        serve(c, &id, 11, 9)?;
        Ok((planned, deployments::find_any(c, &id)?.unwrap(), replicas::serving(c)?))
    });
    let (planned, running, all) = read.await.unwrap();
    let numbers: Vec<_> = planned.replicas.iter().map(|one| one.number).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    let two = Replica { number: 2, container: Some("two".into()), address: None, serves: false };
    assert_eq!((&planned.replicas[1], planned.containers().count()), (&two, 1));
    assert_eq!((serving(&running), all.len()), (vec![11], 1));
    assert_eq!(all[0].address, "10.0.0.9:3000");
}

#[tokio::test]
async fn what_rests_is_nowhere_and_what_comes_too_late_does_not_serve() {
    let (fixture, ids) = with_deployments(&[1]).await;
    let id = ids[0].clone();
    let read = fixture.db.write(move |c| -> Result<_, DbError> {
        replicas::plan(c, &id, 2)?;
        transitions::record_run(c, &id, RunState::Running)?;
        serve(c, &id, 1, 1)?;
        serve(c, &id, 2, 2)?;
        transitions::record_run(c, &id, RunState::Paused)?;
        let paused = serving(&deployments::find_any(c, &id)?.unwrap());
        transitions::record_run(c, &id, RunState::Stopped)?;
        let stopped = deployments::find_any(c, &id)?.unwrap();
        let own = format!("{id}.2");
        let late = replicas::serve_again(c, &id, 2, &own, "10.0.0.2:3000")?;
        transitions::record_run(c, &id, RunState::Running)?;
        let other = replicas::serve_again(c, &id, 2, "another", "10.0.0.2:3000")?;
        let again = replicas::serve_again(c, &id, 2, &own, "10.0.0.2:3000")?;
        Ok((paused, stopped, [late, other, again]))
    });
    let (paused, stopped, served) = read.await.unwrap();
    assert_eq!((paused, serving(&stopped)), (vec![1, 2], vec![]));
    assert!(stopped.replicas.iter().all(|one| one.address.is_some()), "the port stays known");
    assert_eq!(served, [false, false, true]);
}

#[tokio::test]
async fn an_address_is_the_last_ones_and_who_has_none_left_has_stopped() {
    let (fixture, ids) = with_deployments(&[1, 2]).await;
    let (one, two) = (ids[0].clone(), ids[1].clone());
    let read = fixture.db.write(move |c| -> Result<_, DbError> {
        for id in [&one, &two] {
            replicas::plan(c, id, 2)?;
            transitions::record_run(c, id, RunState::Running)?;
        }
        serve(c, &one, 1, 1)?;
        serve(c, &one, 2, 11)?;
        serve(c, &two, 1, 2)?;
        let left = replicas::leave_address(c, "new", "10.0.0.1:0")?;
        let half = deployments::find_any(c, &one)?.unwrap();
        serve(c, &two, 2, 11)?;
        let own = replicas::leave_address(c, &format!("{two}.2"), "10.0.0.11:0")?;
        let all = deployments::find_any(c, &one)?.unwrap();
        Ok((left, half, own, all, deployments::find_any(c, &two)?.unwrap()))
    });
    let (left, half, own, all, other) = read.await.unwrap();
    assert_eq!(left, [ids[0].clone()]);
    assert_eq!((half.run_state, serving(&half)), (RunState::Running, vec![2]));
    assert!(own.is_empty(), "its own address is taken from nobody");
    assert_eq!((all.run_state, serving(&all)), (RunState::Stopped, vec![]));
    assert_eq!((other.run_state, serving(&other)), (RunState::Running, vec![1, 2]));
}

#[test]
fn what_ran_in_one_container_before_runs_in_it_afterwards() {
    let sql = include_str!("../../../migrations/0018_replicas.sql");
    let columns = "CREATE TABLE deployments (id TEXT PRIMARY KEY, container_id TEXT, address TEXT, run_state TEXT);
        CREATE INDEX deployments_with_container ON deployments (container_id) WHERE container_id IS NOT NULL;
        INSERT INTO deployments VALUES ('runs', 'a', '10.0.0.1:3000', 'running'), ('sleeps', 'b', '10.0.0.2:80', 'stopped'),
            ('fresh', 'c', NULL, 'none'), ('files', NULL, NULL, 'files');";
    let before = Connection::open_in_memory().unwrap();
    before.execute_batch(columns).unwrap();
    before.execute_batch(sql).unwrap();
    let mut statement = before
        .prepare("SELECT deployment_id, number, container_id, address, serves FROM replicas")
        .unwrap();
    let rows = statement.query_map([], |row| {
        let address: Option<String> = row.get(3)?;
        let (id, container): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "{id} {} {container} {address:?} {}",
            row.get::<_, u32>(1)?,
            row.get::<_, bool>(4)?
        ))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(
        rows,
        [
            "fresh 1 c None false",
            "runs 1 a Some(\"10.0.0.1:3000\") true",
            "sleeps 1 b Some(\"10.0.0.2:80\") false",
        ]
    );
}
