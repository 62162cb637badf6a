use super::*;
use crate::db::{DbError, deployments, previews, projects as project_table};

/// A preview, or a deployment to production, in a state.
fn put(
    c: &rusqlite::Connection,
    number: u8,
    branch: &str,
    target: Target,
    state: &str,
) -> Result<(), DbError> {
    let branch = Some(branch.to_owned());
    deployments::insert(c, &Deployment { branch, target, ..deployment(number, 1) })?;
    let id = deployment(number, 1).id;
    c.execute("UPDATE deployments SET state = ?2 WHERE id = ?1", [id.as_str(), state])?;
    Ok(())
}

#[tokio::test]
async fn a_branch_shows_its_newest_preview_for_as_long_as_one_serves_or_may() {
    let fixture = fixture();
    with_project(&fixture).await;
    let seen = fixture.db.write(|c| -> Result<_, DbError> {
        use Target::{Preview, Production};
        put(c, 1, "main", Production, "ready")?;
        put(c, 2, "served", Preview, "ready")?;
        put(c, 3, "closed", Preview, "removed")?;
        put(c, 4, "closed", Preview, "failed")?;
        put(c, 5, "broken", Preview, "ready")?;
        put(c, 6, "broken", Preview, "failed")?;
        put(c, 7, "served", Preview, "building")?;
        put(c, 8, "served", Preview, "canceled")?;
        put(c, 9, "promoted", Preview, "ready")?;
        let (id, promoted) = (project(1, "").id, deployment(9, 1).id);
        project_table::point_at(c, &id, None, &promoted, None, Timestamp(9))?;
        let wanted = previews::by_hook(c, &id)?;
        Ok((previews::newest_of_branches(c, &id)?, previews::newest_beside(c, &id)?, wanted))
    });
    let (branches, beside, wanted) = seen.await.expect("written");
    assert_eq!(branches, [7, 6].map(|number| deployment(number, 1).id));
    assert_eq!(beside, Some(deployment(1, 1).id));
    assert!(!wanted);
}
