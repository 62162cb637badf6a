use super::*;
use crate::db::{DbError, branch_hosts, deployments, projects as project_table, removals};

fn labels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Two ready deployments of `main`.
async fn two_ready(fixture: &Fixture) {
    with_project(fixture).await;
    let written = fixture.db.write(|c| -> Result<(), DbError> {
        for number in [1, 2] {
            deployments::insert(c, &deployment(number, 1))?;
            c.execute("UPDATE deployments SET state = 'ready' WHERE state = 'queued'", [])?;
        }
        Ok(())
    });
    written.await.expect("written");
}

#[tokio::test]
async fn it_follows_the_newest_and_goes_back_when_that_one_goes() {
    let fixture = fixture();
    two_ready(&fixture).await;
    let seen = fixture.db.write(|c| -> Result<Vec<_>, DbError> {
        let (one, two) = (deployment(1, 1), deployment(2, 1));
        let names = labels(&["app-git-main", "app-git-main-00"]);
        let mut seen = Vec::new();
        for id in [&one.id, &two.id, &one.id] {
            branch_hosts::follow(c, &one.project_id, "main", id, &names)?;
            seen.push(branch_hosts::all(c)?);
        }
        removals::mark(c, &two, Timestamp(1))?;
        seen.push(branch_hosts::all(c)?);
        removals::mark(c, &one, Timestamp(1))?;
        seen.push(branch_hosts::all(c)?);
        Ok(seen)
    });
    let at = |number| vec![("app-git-main".to_owned(), deployment(number, 1).id)];
    // The third time an older one was slower.
    assert_eq!(seen.await.expect("written"), [at(1), at(2), at(2), at(1), Vec::new()]);
}

#[tokio::test]
async fn a_name_is_one_things_alone() {
    let fixture = fixture();
    two_ready(&fixture).await;
    let seen = fixture.db.write(|c| -> Result<Vec<_>, DbError> {
        let one = deployment(1, 1);
        let follow = |branch: &str, names: &[&str]| -> Result<(), DbError> {
            branch_hosts::follow(c, &one.project_id, branch, &one.id, &labels(names))
        };
        // A project's, a deployment's, a branch's; then one that is free.
        follow("a", &["app", "app-1", "app-git-a"])?;
        follow("b", &["app-git-a", "app-git-b"])?;
        // None is left.
        follow("c", &["app", "app-1", "app-git-a"])?;
        let taken = |result: Result<(), DbError>| match result {
            Err(DbError::Unique(column)) => column,
            other => panic!("{other:?}"),
        };
        let mut named = project(2, "app-git-a");
        assert_eq!(taken(project_table::insert(c, &named)), "projects.name");
        named.name = "other".to_owned();
        project_table::insert(c, &named)?;
        named.name = "app-git-b".to_owned();
        assert_eq!(taken(project_table::update(c, &named)), "projects.name");
        let mut late = deployment(3, 1);
        late.hostname = "app-git-a.localhost".to_owned();
        assert_eq!(taken(deployments::insert(c, &late)), "deployments.hostname");
        let mut all: Vec<_> = branch_hosts::all(c)?.into_iter().map(|(label, _)| label).collect();
        all.sort();
        Ok(all)
    });
    assert_eq!(seen.await.expect("written"), ["app-git-a", "app-git-b"]);
}
