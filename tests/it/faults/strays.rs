//! What lies in the data directory and belongs to nothing that is stored: every file there has its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::orbitra::Orbitra;

/// Files of the instance itself.
const OWN: [&str; 7] = [
    "instance",
    "orbitra.db",
    "orbitra.db-shm",
    "orbitra.db-wal",
    "orbitra.key",
    "orbitra.lock",
    "orbitra.sock",
];
/// Copies of the database from before another version took over, and how many are kept.
const COPY: &str = "orbitra.db.before-";
const COPIES: usize = 3;
/// The most that database and log take together in these tests. SQLite's log begins anew after 4 MiB.
const DATABASE: u64 = 64 << 20;

/// Everything in the data directory that no row stands for, and a database that only grows.
pub fn found(orbitra: &Orbitra) -> Vec<String> {
    let data = orbitra.data();
    let known = Known::of(orbitra);
    let mut problems = Vec::new();
    for name in names(&data) {
        let below = data.join(&name);
        let strays: Vec<PathBuf> = match name.as_str() {
            own if OWN.contains(&own) || own.starts_with(COPY) => Vec::new(),
            "logs" => known.logs(&below),
            // Whose they are is looked at with what runs.
            "sites" => Vec::new(),
            "uploads" => others(&below, |name| {
                name.strip_suffix(".tar.gz").is_some_and(|id| known.uploads.contains(id))
            }),
            "mirrors" => known.mirrors(&below),
            "repositories" => known.repositories(&below),
            _ => vec![below],
        };
        problems.extend(strays.iter().map(|path| format!("{} is nobody's", path.display())));
    }
    let copies = names(&data).into_iter().filter(|name| name.starts_with(COPY)).count();
    if copies > COPIES {
        problems.push(format!("{copies} copies of the database"));
    }
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    let database = size("orbitra.db") + size("orbitra.db-wal");
    if database > DATABASE {
        problems.push(format!("the database has {database} bytes"));
    }
    problems
}

/// What is stored, by ids.
struct Known {
    deployments: BTreeSet<String>,
    projects: BTreeSet<String>,
    uploads: BTreeSet<String>,
}

impl Known {
    fn of(orbitra: &Orbitra) -> Self {
        let database = orbitra.database();
        let ids = |table: &str| {
            let mut statement = database.prepare(&format!("SELECT id FROM {table}")).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        Self { deployments: ids("deployments"), projects: ids("projects"), uploads: ids("uploads") }
    }

    fn logs(&self, logs: &Path) -> Vec<PathBuf> {
        let mut strays = others(logs, |name| ["access", "build", "runtime"].contains(&name));
        strays.extend(others(&logs.join("build"), |name| self.deployments.contains(name)));
        strays.extend(others(&logs.join("runtime"), |name| self.projects.contains(name)));
        strays
    }

    /// Mirrors of public repositories, and below a project's id those that are its own.
    fn mirrors(&self, mirrors: &Path) -> Vec<PathBuf> {
        let mut strays = Vec::new();
        for name in names(mirrors) {
            let path = mirrors.join(&name);
            match Path::new(&name).extension().and_then(|end| end.to_str()) {
                Some("git") => strays.extend(half(&path)),
                Some("lfs") if path.with_extension("git").exists() => {}
                None if self.projects.contains(&name) => strays.extend(self.mirrors(&path)),
                _ => strays.push(path),
            }
        }
        strays
    }

    fn repositories(&self, repositories: &Path) -> Vec<PathBuf> {
        let mut strays = others(repositories, |name| {
            name.strip_suffix(".git").is_some_and(|id| self.projects.contains(id))
        });
        for name in names(repositories) {
            let path = repositories.join(name);
            strays.extend(half(&path));
            strays.extend(others(&path, |name| {
                ["HEAD", "config", "objects", "refs"].contains(&name)
            }));
        }
        strays
    }
}

/// What a fetch or a push that was cut off has left in a repository.
fn half(repository: &Path) -> Vec<PathBuf> {
    let packs = repository.join("objects/pack");
    let whole = |name: &str| {
        let path = packs.join(name);
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("pack" | "idx"))
            && path.with_extension("pack").exists()
            && path.with_extension("idx").exists()
    };
    let mut strays = others(&packs, whole);
    strays.extend(others(repository, |name| !name.ends_with(".tmp") && !name.ends_with(".lock")));
    strays
}

/// What a directory has beside what is expected there; nothing when it is not there.
fn others(directory: &Path, expected: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let names = names(directory).into_iter().filter(|name| !expected(name));
    names.map(|name| directory.join(name)).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
