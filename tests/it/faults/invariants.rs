//! What must hold after every fault, seen from outside the program.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orbitra::docker::ContainerEngine;
use rusqlite::types::ValueRef;

use super::held::Held;
use super::{CANARY, Place, strays};
use crate::support::api_client::try_visit;
use crate::support::until::{until, within};

/// A deployment as it is stored.
struct Row {
    id: String,
    hostname: String,
    project: String,
    state: String,
    run: String,
    /// Its containers, and whether each is thought to be there.
    containers: Vec<(String, bool)>,
    live: bool,
    paused: bool,
    /// Whether it ever had the traffic.
    was_live: bool,
}

impl Row {
    /// Whether it may have something on the engine.
    fn kept(&self) -> bool {
        matches!(self.state.as_str(), "ready" | "crashed")
    }
}

impl Place {
    /// Waits until nothing is under way, then holds everything that can be seen against the invariants.
    pub async fn sound(&mut self) {
        self.quiet().await;
        // Database, routes and engine agree within 10 s, without a trace of what is over.
        let mut problems = Vec::new();
        let limit = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let before = std::mem::replace(&mut problems, self.disagreements().await);
            if problems.is_empty() {
                break;
            }
            let late = tokio::time::Instant::now() >= limit;
            assert!(!late, "they do not agree: {problems:#?}\nbefore: {before:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.intact();
        let told = self.orbitra.files_with(CANARY.as_bytes());
        assert!(told.is_empty(), "a secret stands in {told:?}");
    }

    /// The same, and that one more restart changes nothing.
    pub async fn sound_for_good(&mut self) {
        self.sound().await;
        // What was live before has gone to sleep by now, if nobody asked for it.
        until("nothing drains", async || {
            // A staged one never had the traffic; it runs until nobody has asked for it for minutes.
            let resting =
                |row: &Row| row.live || !row.was_live || !row.kept() || row.run != "running";
            self.rows().iter().all(resting).then_some(())
        })
        .await;
        self.sound().await;
        let held = self.rested().await;
        let (before, files) = (self.everything().await, self.orbitra.files());
        self.orbitra.kill9();
        self.orbitra.restart().await;
        let begin = tokio::time::Instant::now();
        while begin.elapsed() < Duration::from_secs(2) {
            let now = self.everything().await;
            let gone: Vec<_> = before.difference(&now).collect();
            let new: Vec<_> = now.difference(&before).collect();
            assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // What only a start tidies up was a leftover.
        let now: BTreeSet<_> = self.orbitra.files().into_iter().map(|(path, _)| path).collect();
        let tidied: Vec<_> = files.iter().filter(|(path, _)| !now.contains(path)).collect();
        assert!(tidied.is_empty(), "a start has removed {tidied:#?}");
        // The fresh one has done for its visitors what the one before did.
        let problems = self.disagreements().await;
        assert!(problems.is_empty(), "after one more start: {problems:#?}");
        held.no_more_than(Held::by(self.orbitra.pid()));
    }

    /// Every deployment comes to its end, and so does every release and every removal. A long queue takes its time, but
    /// never stands still.
    pub async fn quiet(&self) {
        let mut left = i64::MAX;
        while left > 0 {
            left = within(Duration::from_secs(90), "something comes to its end", async || {
                let now = self.under_way();
                (now < left).then_some(now)
            })
            .await;
        }
    }

    fn under_way(&self) -> i64 {
        let sql =
            "SELECT (SELECT count(*) FROM deployments WHERE deleted_at IS NOT NULL OR state IN
                ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking'))
            + (SELECT count(*) FROM releases)
            + (SELECT count(*) FROM projects WHERE deleted_at IS NOT NULL)";
        self.orbitra.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn rows(&self) -> Vec<Row> {
        let database = self.orbitra.database();
        let mut statement = database
            .prepare(
                "SELECT d.id, d.project_id, d.state, d.run_state,
                    (SELECT json_group_array(json_array(r.container_id, json(iif(r.serves, 'true', 'false'))))
                        FROM replicas r WHERE r.deployment_id = d.id AND r.container_id IS NOT NULL),
                    p.live_deployment_id IS d.id, p.paused_at IS NOT NULL, d.hostname, d.live_at IS NOT NULL
                 FROM deployments d JOIN projects p ON p.id = d.project_id",
            )
            .unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Row {
                id: row.get(0)?,
                project: row.get(1)?,
                state: row.get(2)?,
                run: row.get(3)?,
                containers: serde_json::from_str(&row.get::<_, String>(4)?).unwrap(),
                live: row.get(5)?,
                paused: row.get(6)?,
                hostname: row.get(7)?,
                was_live: row.get(8)?,
            })
        };
        statement.query_map([], read).unwrap().map(Result::unwrap).collect()
    }

    async fn disagreements(&self) -> Vec<String> {
        let (rows, owned) = (self.rows(), self.engine.owned().await.unwrap());
        let mut problems = Vec::new();
        let row_of = |id: Option<&str>| rows.iter().find(|row| Some(row.id.as_str()) == id);
        let running: BTreeMap<_, _> =
            owned.containers.iter().map(|one| (one.id.0.as_str(), one.running)).collect();
        for row in rows.iter().filter(|row| row.kept()) {
            let runs: Vec<_> = row
                .containers
                .iter()
                .map(|(id, serves)| (*serves, running.get(id.as_str()).copied().unwrap_or(false)))
                .collect();
            let agree = match row.run.as_str() {
                // One that is missing is on its way back.
                "running" => !runs.is_empty() && runs.iter().all(|one| *one == (true, true)),
                "paused" => runs.contains(&(true, true)) && runs.iter().all(|(a, b)| a == b),
                "stopped" => runs.iter().all(|(_, runs)| !runs),
                stored => stored == "files",
            };
            if !agree {
                let stored = &row.run;
                problems
                    .push(format!("{} is stored as {stored}, (serves, runs): {runs:?}", row.id));
            }
        }
        for container in &owned.containers {
            let owner = container.owner.as_ref().and_then(|owner| owner.deployment.as_ref());
            let row = row_of(owner.map(|id| id.as_str()));
            let its_own = row.is_some_and(|row| {
                row.kept() && row.containers.iter().any(|(id, _)| *id == container.id.0)
            });
            if !its_own {
                problems.push(format!("the container {} is nobody's", container.id.0));
            }
        }
        for image in &owned.images {
            let owner = image.owner.deployment.as_ref().map(|id| id.as_str());
            if !row_of(owner).is_some_and(Row::kept) {
                problems.push(format!("the image {} is nobody's", image.name));
            }
        }
        let projects = self.projects();
        for network in &owned.networks {
            let whose = network.owner.deployment.as_ref().map(|id| id.as_str());
            let gone = whose.is_some() && !row_of(whose).is_some_and(Row::kept);
            if gone || !projects.contains_key(network.owner.project.as_str()) {
                problems.push(format!("the network {} is nobody's", network.name));
            }
        }
        let sites = std::fs::read_dir(self.orbitra.data().join("sites"));
        for site in sites.into_iter().flatten() {
            let name = site.unwrap().file_name().into_string().unwrap();
            if !row_of(Some(&name)).is_some_and(|row| row.kept() && row.run == "files") {
                problems.push(format!("the files {name} are nobody's"));
            }
        }
        problems.extend(strays::found(&self.orbitra));
        for row in rows.iter().filter(|row| row.live && !row.paused) {
            let port = self.orbitra.port;
            let of_project = format!("{}.localhost", projects[&row.project]);
            let whole = try_visit(port, &of_project, "/").await.unwrap();
            let own = try_visit(port, &row.hostname, "/").await.unwrap();
            if whole.status != 200 || (whole.status, &whole.body) != (own.status, &own.body) {
                problems.push(format!("{} is live: {whole:?}, at its own URL {own:?}", row.id));
            }
        }
        problems
    }

    /// Projects that are there: names by their ids.
    fn projects(&self) -> BTreeMap<String, String> {
        let database = self.orbitra.database();
        let mut statement = database.prepare("SELECT id, name FROM projects").unwrap();
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        pairs.unwrap().map(Result::unwrap).collect()
    }

    /// The database is whole, and each project's pointer points at something of its own that is ready.
    fn intact(&self) {
        let database = self.orbitra.database();
        let told: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(told, "ok");
        let broken: i64 = database
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(broken, 0, "references to nothing");
        let wrong: i64 = database
            .query_row(
                "SELECT count(*) FROM projects p JOIN deployments d ON d.id = p.live_deployment_id
                 WHERE d.project_id <> p.id OR d.state NOT IN ('ready', 'crashed') OR d.live_at IS NULL",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(wrong, 0, "a pointer at something that is not ready");
    }

    /// Everything that is stored and everything on the engine, but for what a look alone changes, or time.
    async fn everything(&self) -> BTreeSet<String> {
        let database = self.orbitra.database();
        let tables =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
            AND name NOT IN ('rate_windows', 'sessions', 'watches', 'series', 'series_blocks')";
        let mut statement = database.prepare(tables).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut all = BTreeSet::new();
        for table in names.map(Result::unwrap) {
            let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values =
                    columns.iter().enumerate().filter(|(_, name)| !name.contains("last_used"));
                let values: Vec<_> = values
                    .map(|(index, name)| format!("{name}={}", shown(row.get_ref(index).unwrap())))
                    .collect();
                all.insert(format!("{table}: {}", values.join(" ")));
            }
        }
        for container in self.engine.owned().await.unwrap().containers {
            let starts = self.engine.starts_of(&container.id.0);
            all.insert(format!(
                "{} runs: {}, starts: {starts:?}",
                container.id.0, container.running
            ));
        }
        all
    }
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => format!("{bytes:02x?}"),
    }
}
