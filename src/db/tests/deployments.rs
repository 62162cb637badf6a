use super::{deployment, fixture, project, with_project};
use crate::db::deployments::{self, DeploymentFilter};
use crate::db::page::PageRequest;
use crate::db::{DbError, deployment_env, deployment_phases, projects, transitions};
use crate::model::deployment::{CancelReason, Deployment, Phase, Status};
use crate::model::failure::{Failure, FailureCode};
use crate::model::timestamp::Timestamp;
use crate::model::transition::{State, Step};

#[tokio::test]
async fn a_step_from_a_state_it_is_not_in_changes_nothing() {
    let fixture = fixture();
    with_project(&fixture).await;
    let id = deployment(1, 1).id;
    let (first, second) = fixture
        .db
        .write(move |c| -> Result<_, DbError> {
            deployments::insert(c, &deployment(1, 1))?;
            let (from, to) = (State::Queued, State::Cloning);
            let first = transitions::advance(c, &id, from, to, Timestamp(3));
            let second = transitions::advance(c, &id, from, to, Timestamp(4));
            Ok((first, second))
        })
        .await
        .expect("written");
    assert!(first.is_ok() && matches!(second, Err(DbError::Stale)));
}

#[tokio::test]
async fn the_status_follows_state_and_pointer() {
    let fixture = fixture();
    with_project(&fixture).await;
    let statuses = fixture
        .db
        .write(|c| -> Result<Vec<Status>, DbError> {
            let now = Timestamp(9);
            let project = project(1, "").id;
            let mut seen = Vec::new();
            let status = |id| -> Result<Status, DbError> {
                Ok(deployments::find(c, id)?.ok_or(DbError::NotFound)?.status())
            };
            let (first, second) = (deployment(1, 1).id, deployment(2, 1).id);
            for (number, id) in [(1, &first), (2, &second)] {
                deployments::insert(c, &deployment(number, 1))?;
                seen.push(status(id)?);
                transitions::advance(c, id, State::Queued, State::Ready, now)?;
                seen.push(status(id)?);
                let live = projects::find(c, &project)?.and_then(|p| p.live_deployment_id);
                projects::point_at(c, &project, live.as_ref(), id, None, now)?;
                transitions::record_live(c, id, now)?;
                seen.push(status(id)?);
            }
            seen.push(status(&first)?);
            transitions::crash_or_recover(c, &second, State::Ready, Step::Crash, now)?;
            seen.push(status(&second)?);
            Ok(seen)
        })
        .await
        .expect("written");
    use Status::{Building, Crashed, Live, Staged, Superseded};
    assert_eq!(statuses, [Building, Staged, Live, Building, Staged, Live, Superseded, Crashed]);
    let listed = |status: Status| {
        let filter = DeploymentFilter { statuses: vec![status], ..DeploymentFilter::default() };
        fixture.db.read(move |c| deployments::list(c, &filter, PageRequest::default()))
    };
    // The list's filter and the status of one object must agree.
    for (status, id) in [(Superseded, deployment(1, 1).id), (Crashed, deployment(2, 1).id)] {
        let page = listed(status).await.expect("read");
        assert_eq!(page.items.iter().map(|d| d.id.clone()).collect::<Vec<_>>(), [id]);
    }
    assert_eq!(listed(Live).await.expect("read").total, 0);
}

#[tokio::test]
async fn two_cannot_both_move_the_pointer() {
    let fixture = fixture();
    with_project(&fixture).await;
    let outcome = fixture
        .db
        .write(|c| -> Result<(), DbError> {
            let project = project(1, "").id;
            for number in [1, 2] {
                deployments::insert(c, &deployment(number, 1))?;
                let id = deployment(number, 1).id;
                projects::point_at(c, &project, None, &id, None, Timestamp(1))?;
            }
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(DbError::Stale)));
}

#[tokio::test]
async fn failure_cancel_restart_and_phases_are_kept() {
    let fixture = fixture();
    with_project(&fixture).await;
    fixture
        .db
        .write(|c| -> Result<(), DbError> {
            for number in 1..=3 {
                deployments::insert(c, &deployment(number, 1))?;
            }
            let id = deployment(1, 1).id;
            deployment_phases::enter(c, &id, Phase::Queued, Timestamp(2_000))?;
            transitions::advance(c, &id, State::Queued, State::Cloning, Timestamp(2_500))?;
            let failure = Failure::new(FailureCode::CloneFailed, "cloning", "no");
            transitions::fail(c, &id, State::Cloning, &failure, Timestamp(3_000))?;
            let id = deployment(2, 1).id;
            transitions::request_cancel(c, &id, CancelReason::ProjectDeleted)?;
            transitions::request_cancel(c, &id, CancelReason::User)?;
            let reason = transitions::requested_cancel(c, &id)?;
            assert_eq!(reason, Some(CancelReason::ProjectDeleted), "the first reason stands");
            transitions::cancel(c, &id, State::Queued, CancelReason::User, Timestamp(4_000))?;
            let id = deployment(3, 1).id;
            transitions::advance(c, &id, State::Queued, State::Building, Timestamp(5_000))?;
            assert_eq!(transitions::restart(c, &id, State::Building, Timestamp(6_000))?, 1);
            let waiting = deployments::unfinished(c)?;
            assert_eq!(waiting.iter().map(|d| &d.id).collect::<Vec<_>>(), [&id]);
            Ok(())
        })
        .await
        .expect("written");
    let id = deployment(1, 1).id;
    let (failed, phases) = fixture
        .db
        .read(move |c| -> Result<_, DbError> {
            Ok((deployments::find(c, &id)?, deployment_phases::list(c, &id)?))
        })
        .await
        .expect("read");
    let failed = failed.expect("there");
    assert_eq!(failed.failure.as_ref().map(|f| f.code), Some(FailureCode::CloneFailed));
    assert_eq!(failed.duration_ms(), Some(1_000));
    let times: Vec<_> =
        phases.iter().map(|p| (p.phase, p.started_at.0, p.finished_at.map(|at| at.0))).collect();
    assert_eq!(times, [(Phase::Queued, 2_000, Some(2_500)), (Phase::Cloning, 2_500, Some(3_000))]);
}

#[tokio::test]
async fn variables_are_kept_sealed_and_only_their_names_are_shown() {
    let fixture = fixture();
    with_project(&fixture).await;
    let id = deployment(1, 1).id;
    let sealed = vec![("B".to_owned(), vec![2]), ("A".to_owned(), vec![1])];
    let read = fixture
        .db
        .write(move |c| -> Result<_, DbError> {
            deployments::insert(c, &deployment(1, 1))?;
            deployment_env::insert(c, &id, &sealed)?;
            Ok((deployment_env::load(c, &id)?, deployments::find(c, &id)?))
        })
        .await
        .expect("written");
    assert_eq!(read.0, [("A".to_owned(), vec![1]), ("B".to_owned(), vec![2])]);
    assert_eq!(read.1.expect("there").environment_keys, ["A", "B"]);
}

#[tokio::test]
async fn a_cache_counts_as_cleared_from_the_deployment_on_that_did_it() {
    let fixture = fixture();
    with_project(&fixture).await;
    let seen = fixture
        .db
        .write(|c| -> Result<Vec<_>, DbError> {
            for number in 1..=4 {
                let clear_cache = number % 2 == 0;
                deployments::insert(c, &Deployment { clear_cache, ..deployment(number, 1) })?;
            }
            let mut seen = Vec::new();
            for number in 1..=4 {
                let found = deployments::find(c, &deployment(number, 1).id)?;
                seen.push(deployments::last_clearing(c, &found.ok_or(DbError::NotFound)?)?);
            }
            Ok(seen)
        })
        .await
        .expect("written");
    let id = |number| Some(deployment(number, 1).id);
    assert_eq!(seen, [None, id(2), id(2), id(4)]);
}
