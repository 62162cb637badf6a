use super::{deployment, fixture, project, user, with_project};
use crate::db::page::PageRequest;
use crate::db::projects::{self, ProjectFilter};
use crate::db::{DbError, deployments, users};
use crate::model::project::ProjectStatus;
use crate::model::timestamp::Timestamp;

#[tokio::test]
async fn a_name_is_free_again_once_its_project_is_deleted() {
    let fixture = fixture();
    with_project(&fixture).await;
    let taken = fixture.db.write(|c| projects::insert(c, &project(2, "app"))).await;
    assert!(matches!(taken, Err(DbError::Unique(_))));
    let id = project(1, "app").id;
    fixture
        .db
        .write(move |c| -> Result<(), DbError> {
            projects::mark_deleted(c, &id, Timestamp(5))?;
            assert!(projects::find(c, &id)?.is_none());
            assert_eq!(projects::deleted(c)?, std::slice::from_ref(&id));
            projects::insert(c, &project(2, "app"))?;
            projects::purge(c, &id)?;
            assert!(projects::find_any(c, &id)?.is_none());
            Ok(())
        })
        .await
        .expect("written");
}

#[tokio::test]
async fn subnets_are_taken_from_the_lowest_free_number() {
    let fixture = fixture();
    with_project(&fixture).await;
    let indexes = fixture
        .db
        .write(|c| -> Result<Vec<u32>, DbError> {
            for number in 2..=4 {
                projects::insert(c, &project(number, &format!("app{number}")))?;
            }
            let second = project(2, "").id;
            projects::mark_deleted(c, &second, Timestamp(1))?;
            projects::purge(c, &second)?;
            projects::insert(c, &project(5, "app5"))?;
            let moved = projects::move_network(c, &project(1, "").id)?;
            let mut indexes = vec![moved];
            for number in 3..=5 {
                let found = projects::find(c, &project(number, "").id)?.ok_or(DbError::NotFound)?;
                indexes.push(found.network_index);
            }
            Ok(indexes)
        })
        .await
        .expect("written");
    assert_eq!(indexes, [4, 2, 3, 1]);
}

#[tokio::test]
async fn a_change_on_an_old_reading_is_refused() {
    let fixture = fixture();
    with_project(&fixture).await;
    let outcome = fixture
        .db
        .write(|c| -> Result<(), DbError> {
            let read = projects::find(c, &project(1, "").id)?.ok_or(DbError::NotFound)?;
            projects::update(c, &read)?;
            projects::update(c, &read)
        })
        .await;
    assert!(matches!(outcome, Err(DbError::Stale)));
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let fixture = fixture();
    with_project(&fixture).await;
    fixture
        .db
        .write(|c| -> Result<(), DbError> {
            users::insert(c, &user(2), None)?;
            for (number, name) in [(2, "beta"), (3, "alpha"), (4, "gamma")] {
                let mut project = project(number, name);
                if number == 4 {
                    project.team_id = user(2).team_id;
                }
                projects::insert(c, &project)?;
            }
            deployments::insert(c, &deployment(1, 2))?;
            let (beta, live) = (project(2, "").id, deployment(1, 2).id);
            projects::point_at(c, &beta, None, &live, Some("nodejs"), Timestamp(9))
        })
        .await
        .expect("written");
    let names = |filter: ProjectFilter, page, limit| {
        let db = fixture.db.clone();
        async move {
            let found = db.read(move |c| projects::list(c, &filter, PageRequest { page, limit }));
            let found = found.await.expect("read");
            let names = found.items.into_iter().map(|project| project.name).collect::<Vec<_>>();
            (names.join(" "), found.total)
        }
    };
    let own = || ProjectFilter { team: Some(user(1).team_id), ..ProjectFilter::default() };
    assert_eq!(names(own(), 1, 20).await, ("alpha beta app".to_owned(), 3));
    assert_eq!(names(own(), 2, 2).await, ("app".to_owned(), 3));
    let sort = Some(("name".to_owned(), false));
    assert_eq!(names(ProjectFilter { sort, ..own() }, 1, 9).await.0, "alpha app beta");
    let statuses = vec![ProjectStatus::Active];
    assert_eq!(names(ProjectFilter { statuses, ..own() }, 1, 9).await, ("beta".to_owned(), 1));
    let frameworks = vec!["nodejs".to_owned()];
    assert_eq!(names(ProjectFilter { frameworks, ..own() }, 1, 9).await.0, "beta");
    let query = Some("A' OR 1=1 --".to_owned());
    assert_eq!(names(ProjectFilter { query, ..own() }, 1, 9).await.1, 0);
    let query = Some("PH".to_owned());
    assert_eq!(names(ProjectFilter { query, ..own() }, 1, 9).await.0, "alpha");
    assert_eq!(names(ProjectFilter::default(), 1, 9).await.1, 4);
}
