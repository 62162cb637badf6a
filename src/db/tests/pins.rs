use super::{deployment, fixture, project, with_project};
use crate::db::{DbError, pins, projects};
use crate::model::build_plan::Version;
use crate::model::timestamp::Timestamp;

fn versions(list: &[(&str, &str)]) -> Vec<Version> {
    let version = |(name, version): &(&str, &str)| Version {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        source: "the default".to_owned(),
    };
    list.iter().map(version).collect()
}

#[tokio::test]
async fn a_project_is_pinned_to_the_versions_of_its_last_deployment() {
    let fixture = fixture();
    with_project(&fixture).await;
    let written = fixture.db.write(|c| -> Result<_, DbError> {
        let id = project(1, "").id;
        assert!(pins::of_project(c, &id)?.is_empty());
        let (one, two) = (deployment(1, 1).id, deployment(2, 1).id);
        let first = versions(&[("uv", "0.9"), ("python", "3.13")]);
        pins::replace(c, &id, &first, &one, Timestamp(1))?;
        let own = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(pins::of_project(c, &id)?, [own("python", "3.13"), own("uv", "0.9")]);
        pins::replace(
            c,
            &id,
            &versions(&[("python", "3.13"), ("node", "22")]),
            &two,
            Timestamp(2),
        )?;
        assert_eq!(pins::of_project(c, &id)?, [own("node", "22"), own("python", "3.13")]);
        let by = |name: &str| -> Result<String, DbError> {
            let sql = "SELECT deployment_id FROM project_pins WHERE name = ?1";
            Ok(c.query_row(sql, [name], |row| row.get(0))?)
        };
        // What did not change was brought by the first.
        assert_eq!((by("python")?, by("node")?), (one.to_string(), two.to_string()));
        assert!(pins::of_project(c, &project(2, "").id)?.is_empty());
        projects::mark_deleted(c, &id, Timestamp(3))?;
        projects::purge(c, &id)?;
        pins::of_project(c, &id)
    });
    assert!(written.await.expect("written").is_empty());
}
