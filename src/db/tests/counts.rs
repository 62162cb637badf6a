use super::{deployment, fixture, project, with_project};
use crate::db::deployments::{self, DeploymentFilter};
use crate::db::page::PageRequest;
use crate::db::projects::{self, ProjectFilter};
use crate::db::{Connection, DbError, removals};
use crate::model::timestamp::Timestamp;

/// Length of the lists of projects, of deployments and of the deployments of project 1: as they are kept, after
/// they were found to be what counting gives.
fn totals(connection: &Connection) -> Result<[u64; 3], DbError> {
    let (team, first) = (Some(project(1, "").team_id), Some(project(1, "").id));
    let counted = |sql: &str| -> Result<u64, DbError> {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let live = "d.deleted_at IS NULL AND p.deleted_at IS NULL";
    let from = "SELECT count(*) FROM deployments d JOIN projects p ON p.id = d.project_id WHERE";
    let mut found = Vec::new();
    for team in [team, None] {
        let filter = ProjectFilter { team: team.clone(), ..ProjectFilter::default() };
        let all = projects::list(connection, &filter, PageRequest::default())?.total;
        assert_eq!(all, counted("SELECT count(*) FROM projects WHERE deleted_at IS NULL")?);
        let filter = DeploymentFilter { team, ..DeploymentFilter::default() };
        let each = deployments::list(connection, &filter, PageRequest::default())?.total;
        assert_eq!(each, counted(&format!("{from} {live}"))?);
        let filter = DeploymentFilter { project: first.clone(), ..filter };
        let own = deployments::list(connection, &filter, PageRequest::default())?;
        found = vec![all, each, own.total];
    }
    Ok([found[0], found[1], found[2]])
}

#[tokio::test]
async fn kept_totals_are_what_counting_gives() {
    let fixture = fixture();
    with_project(&fixture).await;
    let seen = fixture.db.write(|c| -> Result<Vec<[u64; 3]>, DbError> {
        let now = Timestamp(9);
        let mut seen = vec![totals(c)?];
        projects::insert(c, &project(2, "second"))?;
        for (number, owner) in [(1, 1), (2, 1), (3, 2)] {
            deployments::insert(c, &deployment(number, owner))?;
        }
        seen.push(totals(c)?);
        removals::mark(c, &deployment(1, 1), now)?;
        seen.push(totals(c)?);
        removals::purge(c, &deployment(1, 1).id)?;
        seen.push(totals(c)?);
        projects::mark_deleted(c, &project(2, "").id, now)?;
        seen.push(totals(c)?);
        projects::purge(c, &project(2, "").id)?;
        seen.push(totals(c)?);
        Ok(seen)
    });
    assert_eq!(
        seen.await.expect("written"),
        [[1, 0, 0], [2, 3, 2], [2, 2, 1], [2, 2, 1], [1, 1, 1], [1, 1, 1]]
    );
}
