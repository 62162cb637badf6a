//! The rules of who may import whom, held against the sources. A rule is changed here, in the open,
//! with its reason.

mod source;

use std::path::{Path, PathBuf};

use source::{External, Source};

/// One line of the table: a module, what it may import from the crate, and why no more.
struct Rule {
    module: &'static str,
    may: &'static [&'static str],
    reason: &'static str,
}

/// What those may use who do the work behind a request: everything but the proxy and each other.
const WORK: &[&str] = &[
    "model",
    "clock",
    "events",
    "config",
    "crypto",
    "egress",
    "db",
    "logs",
    "docker",
    "git",
    "task",
    "builder",
    "routing",
    "failpoint",
];

/// Use cases also read certificates that are sent.
const APP: &[&str] = &[
    "model",
    "clock",
    "events",
    "config",
    "crypto",
    "egress",
    "db",
    "logs",
    "docker",
    "git",
    "task",
    "builder",
    "routing",
    "failpoint",
    "tls",
    "notify",
];

const RULES: [Rule; 26] = [
    Rule { module: "model", may: &[], reason: "rules without I/O can be read and tested alone" },
    leaf("clock"),
    leaf("events"),
    leaf("failpoint"),
    leaf("handover"),
    leaf("config"),
    leaf("crypto"),
    Rule {
        module: "db",
        may: &["model", "failpoint"],
        reason: "it stores rows and knows nobody who reads them",
    },
    leaf("logs"),
    leaf("docker"),
    Rule {
        module: "egress",
        may: &["model", "config"],
        reason: "the guarded way out knows its policy and nothing of who asks",
    },
    Rule {
        module: "git",
        may: &["model", "egress", "crypto"],
        reason: "a fetcher brings commits; what happens to them is decided elsewhere",
    },
    Rule {
        module: "builder",
        may: &["model", "git"],
        reason: "a plan follows from a source tree alone, so that detection is tested without Docker",
    },
    Rule { module: "task", may: &["clock"], reason: "tasks are never given input" },
    Rule {
        module: "routing",
        may: &["model", "config", "db", "task"],
        reason: "the table is derived from the database, never told",
    },
    Rule {
        module: "proxy",
        may: &["model", "clock", "config", "crypto", "routing", "tls"],
        reason: "visitors are served when the database, Docker or a build is in trouble",
    },
    Rule {
        module: "tls",
        may: &["model", "clock", "config", "crypto", "db", "egress", "events", "failpoint", "task"],
        reason: "certificates follow from the database; who asks for them is decided elsewhere",
    },
    Rule {
        module: "notify",
        may: &["model", "clock", "crypto", "db", "egress", "events", "task"],
        reason: "what is sent follows from the rows; who wants to be told is decided elsewhere",
    },
    Rule {
        module: "forges",
        may: &["model", "clock", "config", "crypto", "db", "egress", "task"],
        reason: "what a forge is told follows from the database; no deployment waits for it",
    },
    Rule {
        module: "meter",
        may: &["model", "clock", "db", "docker", "routing", "task"],
        reason: "figures are seen and stored; nothing else goes by them",
    },
    Rule {
        module: "pipeline",
        may: WORK,
        reason: "it moves deployments and knows neither the proxy nor who asked",
    },
    Rule {
        module: "app",
        may: APP,
        reason: "a use case writes rows and wakes tasks; it does no work of the pipeline or the proxy",
    },
    Rule {
        module: "web",
        may: &["app", "db", "logs", "model", "config", "crypto", "events", "git"],
        reason: "every change goes through a use case; pages and API only read beside it, and Git's protocol is spoken",
    },
    Rule {
        module: "server",
        may: &["model", "config", "task", "web", "proxy", "tls", "routing"],
        reason: "sockets hand requests on, with the visitor's address and the newest routes; nothing else",
    },
    Rule {
        module: "boot",
        may: &[
            "model",
            "clock",
            "events",
            "config",
            "crypto",
            "egress",
            "db",
            "logs",
            "docker",
            "git",
            "task",
            "builder",
            "routing",
            "proxy",
            "pipeline",
            "app",
            "web",
            "server",
            "tls",
            "notify",
            "forges",
            "meter",
            "failpoint",
            "handover",
        ],
        reason: "the composition root builds every part; commands call it, not the other way round",
    },
    Rule {
        module: "cli",
        may: &["boot", "config", "app", "model", "clock", "git", "builder", "handover"],
        reason: "a command parses, calls and prints; a plan of a local folder needs no server",
    },
];

const fn leaf(module: &'static str) -> Rule {
    Rule { module, may: &["model"], reason: "it offers one thing and knows nobody who uses it" }
}

/// An external crate, where it may be named (path prefixes inside `src`), and why nowhere else.
struct Home {
    name: &'static str,
    only: &'static [&'static str],
    reason: &'static str,
}

const HOMES: [Home; 14] = [
    Home { name: "rusqlite", only: &["db/"], reason: "all SQL is in one place" },
    Home {
        name: "bollard",
        only: &["docker/bollard"],
        reason: "the engine is reached through a port, so that another can take its place",
    },
    Home { name: "tonic", only: &["docker/bollard"], reason: "only a build session speaks it" },
    Home { name: "git2", only: &["git/object_store.rs"], reason: "C code gets a small door" },
    Home {
        name: "russh",
        only: &["git/ssh.rs"],
        reason: "an SSH connection is one way to a Git server and nothing else",
    },
    Home {
        name: "lettre",
        only: &["notify/mail.rs"],
        reason: "mail is written and handed over in one place",
    },
    Home { name: "ring", only: &["crypto/"], reason: "cryptography is reviewed in one place" },
    Home { name: "der", only: &["tls/"], reason: "what authorities send is read in one place" },
    Home {
        name: "webpki",
        only: &["tls/"],
        reason: "what authorities send is checked in one place",
    },
    Home { name: "axum", only: &["web/", "server/"], reason: "use cases know no HTTP" },
    Home {
        name: "tower_sessions",
        only: &["web/", "server/"],
        reason: "a session is a matter of the browser",
    },
    Home { name: "utoipa", only: &["web/api/"], reason: "the model knows no API description" },
    Home { name: "utoipa_axum", only: &["web/api/"], reason: "the model knows no API description" },
    Home {
        name: "askama",
        only: &["web/view/", "proxy/error_page"],
        reason: "templates get values that are ready to be shown",
    },
];

/// Longest file that a reader is asked to take in at once.
const LONGEST: usize = 450;

/// Names that say nothing, so that everything ends up there.
const NAMELESS: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let sources = Source::all(&root());
    let modules: Vec<_> = RULES.iter().map(|rule| rule.module).collect();
    let mut problems = Vec::new();
    for source in &sources {
        let own = source.module();
        if matches!(own, "main" | "lib") {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.module == own) else {
            problems.push(format!("src/{}: the module `{own}` is not in the table", source.path));
            continue;
        };
        for used in source.modules_used(&modules) {
            if used.name != own && !rule.may.contains(&used.name.as_str()) {
                problems.push(format!(
                    "src/{}:{}: `{}`\n    `{own}` must not import `{}`: {}",
                    source.path,
                    used.line,
                    source.line(used.line),
                    used.name,
                    rule.reason
                ));
            }
        }
    }
    none(&problems);
}

#[test]
fn external_crates_stay_in_their_homes() {
    let mut problems = Vec::new();
    for source in Source::all(&root()) {
        for home in &HOMES {
            if home.only.iter().any(|prefix| source.path.starts_with(prefix)) {
                continue;
            }
            for External { line } in source.externals(home.name) {
                problems.push(format!(
                    "src/{}:{line}: `{}`\n    `{}` is only for {}: {}",
                    source.path,
                    source.line(line),
                    home.name,
                    home.only.join(", "),
                    home.reason
                ));
            }
        }
    }
    none(&problems);
}

#[test]
fn the_program_itself_only_calls_commands() {
    let sources = Source::all(&root());
    let main = sources.iter().find(|source| source.path == "main.rs").unwrap();
    let used: Vec<_> = main.paths_after("orbitra").into_iter().map(|used| used.name).collect();
    assert!(!used.is_empty() && used.iter().all(|name| name == "cli"), "{used:?}");
}

#[test]
fn every_module_is_in_the_table_once_and_the_table_has_no_circle() {
    let sources = Source::all(&root());
    let lib = sources.iter().find(|source| source.path == "lib.rs").unwrap();
    let mut declared: Vec<_> = lib
        .text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut ruled: Vec<_> = RULES.iter().map(|rule| rule.module).collect();
    declared.sort_unstable();
    ruled.sort_unstable();
    assert_eq!(declared, ruled);
    // Modules that nothing left over imports are taken away until none is left.
    let mut left: Vec<&Rule> = RULES.iter().collect();
    while !left.is_empty() {
        let before = left.len();
        let needed: Vec<_> = left.iter().flat_map(|rule| rule.may).copied().collect();
        left.retain(|rule| needed.contains(&rule.module));
        let names: Vec<_> = left.iter().map(|rule| rule.module).collect();
        assert!(left.len() < before, "these import each other: {names:?}");
    }
}

#[test]
fn files_can_be_read_in_one_sitting_and_have_names_that_say_what_is_in_them() {
    let mut problems = Vec::new();
    for source in Source::all(&root()) {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            problems.push(format!("src/{}: {lines} lines, more than {LONGEST}", source.path));
        }
        let path = source.path.trim_end_matches(".rs");
        if let Some(name) = path.split('/').find(|part| NAMELESS.contains(part)) {
            problems.push(format!("src/{}: `{name}` says nothing", source.path));
        }
    }
    none(&problems);
}
