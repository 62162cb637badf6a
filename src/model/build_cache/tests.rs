use super::*;

fn project(number: u8) -> ProjectId {
    ProjectId::from_random([number; 10])
}

fn build(number: u8, began: i64, ended: i64, dockerfile: &str) -> Build {
    Build {
        project: project(number),
        began_at: Timestamp(began),
        ended_at: Timestamp(ended),
        steps: squashed(dockerfile),
    }
}

fn record(id: &str, parents: &[&str], description: &str, at: i64) -> Record {
    Record {
        id: id.to_owned(),
        parents: parents.iter().map(|id| (*id).to_owned()).collect(),
        description: description.to_owned(),
        bytes: 1,
        in_use: false,
        shared: false,
        created_at: Timestamp(at),
        last_used_at: Timestamp(at),
    }
}

fn said(records: Vec<Record>, builds: &[Build]) -> Vec<(String, Option<ProjectId>, bool, bool)> {
    attribute(records, builds, &HashMap::new())
        .into_iter()
        .map(|one| (one.record.id, one.whose.project, one.whose.ours, one.whose.counts))
        .collect()
}

#[test]
fn a_step_that_one_project_has_names_it_however_it_is_written() {
    let builds = [
        build(
            1,
            0,
            10_000,
            "FROM node\nRUN --mount=type=cache,target=/root/.npm npm ci \\\n  --no-audit\n",
        ),
        build(2, 0, 10_000, "FROM node\nRUN [\"npm\", \"run\", \"build\"]\n"),
    ];
    let records = vec![
        record("a", &[], "mount / from exec /bin/sh -c npm ci   --no-audit", 5_000),
        record("b", &[], "mount / from exec npm run build", 900_000),
        record(
            "c",
            &[],
            "cached mount /root/.npm from exec /bin/sh -c npm ci --no-audit with id \"/x//y\"",
            5_000,
        ),
    ];
    assert_eq!(
        said(records, &builds),
        [
            ("a".to_owned(), Some(project(1)), true, true),
            ("b".to_owned(), Some(project(2)), true, true),
            ("c".to_owned(), Some(project(1)), true, true),
        ]
    );
}

#[test]
fn a_step_of_several_is_shared_unless_only_one_was_built_then() {
    let text = "FROM node\nRUN npm ci\n";
    let builds = [build(1, 0, 10_000, text), build(2, 50_000, 60_000, text)];
    let step = "mount / from exec /bin/sh -c npm ci";
    let records = vec![record("a", &[], step, 55_000), record("b", &[], step, 30_000)];
    assert_eq!(
        said(records, &builds),
        [("a".to_owned(), Some(project(2)), true, true), ("b".to_owned(), None, true, true),]
    );
}

#[test]
fn what_others_build_on_the_same_engine_is_never_ours() {
    let builds = [build(1, 0, 10_000, "FROM node\nCOPY . .\nRUN npm ci\n")];
    let records = vec![
        // At the same time as ours, but a step that nobody here has.
        record("theirs", &["files"], "mount / from exec /bin/sh -c make world", 5_000),
        record("files", &[], "fileop target", 5_000),
        record("old", &[], "mount / from exec /bin/sh -c make", 900_000),
        record("base", &[], "from local sha256:abc", 5_000),
        record("pulled", &[], "pulled from docker.io/library/node:22", 5_000),
    ];
    assert_eq!(
        said(records, &builds),
        [
            ("theirs".to_owned(), None, false, true),
            ("files".to_owned(), None, false, true),
            ("old".to_owned(), None, false, false),
            ("base".to_owned(), None, false, false),
            ("pulled".to_owned(), None, false, false),
        ]
    );
}

#[test]
fn files_belong_to_whoever_the_steps_around_them_do() {
    let builds = [
        build(1, 0, 10_000, "FROM node\nCOPY . .\nRUN npm ci\n"),
        build(2, 0, 10_000, "FROM python\nCOPY . .\nRUN pip install x\n"),
    ];
    let records = vec![
        record("copy", &["base"], "fileop target", 5_000),
        record("run", &["copy"], "mount / from exec /bin/sh -c npm ci", 5_000),
        record("base", &[], "from local ", 5_000),
        // On the same base, but of the other project.
        record("other", &["base"], "mount / from exec /bin/sh -c pip install x", 5_000),
        // Two were being built: it cannot be told.
        record("context", &[], "http url http://build-context-abc", 5_000),
    ];
    assert_eq!(
        said(records, &builds),
        [
            ("copy".to_owned(), Some(project(1)), true, true),
            ("run".to_owned(), Some(project(1)), true, true),
            ("base".to_owned(), None, false, false),
            ("other".to_owned(), Some(project(2)), true, true),
            ("context".to_owned(), None, true, true),
        ]
    );
}

#[test]
fn what_was_known_of_a_record_stays_known_when_the_build_is_forgotten() {
    let whose = Whose { project: Some(project(1)), ours: true, counts: true };
    let known = HashMap::from([("a".to_owned(), whose.clone())]);
    let records = vec![record("a", &[], "mount / from exec /bin/sh -c npm ci", 5_000)];
    assert_eq!(attribute(records, &[], &known)[0].whose, whose);
}
