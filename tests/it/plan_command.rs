//! `orbitra plan`, as a person types it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn plan(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orbitra"));
    command.env_clear().current_dir(folder).arg("plan").args(more).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_plan_is_shown_and_the_dockerfile_taken_away_once() {
    let folder = folder(&[("main.py", "print()"), (".venv/app.py", "app = Flask()")]);
    let shown = plan(folder.path(), &[]);
    assert!(shown.status.success(), "{}", error(&shown));
    let text = out(&shown);
    assert!(text.starts_with("Framework:  python\nWhy:        There is a `main.py`.\n"), "{text}");
    assert!(text.contains("\nFROM python:3.13-slim-trixie AS build\n"), "{text}");
    // The same as data, and from elsewhere.
    let json = plan(Path::new("/"), &["--json", folder.path().to_str().unwrap()]);
    let value: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(value["framework"], "python");
    assert_eq!(value["versions"][0]["source"], "the default");
    assert!(!folder.path().join("Dockerfile").exists());

    let ejected = plan(folder.path(), &["--eject"]);
    assert!(ejected.status.success(), "{}", error(&ejected));
    assert_eq!(error(&ejected), "Wrote ./Dockerfile.\n");
    let written = std::fs::read_to_string(folder.path().join("Dockerfile")).unwrap();
    assert_eq!(written, value["output"]["dockerfile"].as_str().unwrap());
    // It is the repository's own now, and stays as it is.
    std::fs::write(folder.path().join("Dockerfile"), "FROM mine\n").unwrap();
    let again = plan(folder.path(), &["--eject"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(error(&again).contains("is there already and stays as it is"), "{}", error(&again));
    assert_eq!(out(&again), "");
    let kept = std::fs::read_to_string(folder.path().join("Dockerfile")).unwrap();
    assert_eq!(kept, "FROM mine\n");
}

#[test]
fn what_cannot_be_planned_says_why() {
    let empty = folder(&[]);
    let nothing = plan(empty.path(), &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(error(&nothing).contains("Nothing to build was found in `/`. It is empty."));
    let wrong = folder(&[("main.py", ""), ("orbitra.toml", "framwork = 'go'")]);
    let wrong = plan(wrong.path(), &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(error(&wrong).contains("Is `framework` meant?"), "{}", error(&wrong));
    let gone = plan(empty.path(), &["nowhere"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(error(&gone).contains("`nowhere` cannot be read"), "{}", error(&gone));
    let site = folder(&[("index.html", "")]);
    let site = plan(site.path(), &["--eject"]);
    assert_eq!(site.status.code(), Some(2));
    assert!(error(&site).contains("There is no Dockerfile to write"), "{}", error(&site));
    // A link in the place of the Dockerfile is not written through.
    let linked = folder(&[("main.py", "")]);
    let target = linked.path().join("target");
    std::os::unix::fs::symlink(&target, linked.path().join("Dockerfile")).unwrap();
    assert!(!plan(linked.path(), &["--eject"]).status.success());
    assert!(!target.exists());
}

#[test]
fn a_member_of_a_workspace_is_planned_as_the_server_does_it() {
    let package = r#"{"workspaces":["apps/*"]}"#;
    let member = r#"{"scripts":{"start":"node server.js"}}"#;
    let files = [
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("js/package.json", package),
        ("js/package-lock.json", "{}"),
        ("js/apps/web/package.json", member),
        ("js/apps/web/server.js", ""),
    ];
    let repository = folder(&files);
    let web = repository.path().join("js/apps/web");
    let shown = plan(&web, &[]);
    assert!(shown.status.success(), "{}", error(&shown));
    let text = out(&shown);
    let built = "\nBuilt from: `/js` of the repository, the root of its workspace\n";
    assert!(text.contains(built), "{text}");
    assert!(text.contains("COPY apps/web/package.json ./apps/web/\n"), "{text}");
    // The Dockerfile needs what surrounds the folder, and it is said how it gets that.
    let ejected = plan(&web, &["--eject"]);
    assert_eq!(
        error(&ejected),
        "Wrote ./Dockerfile.\nIt is built with the files of its workspace: set the project's root directory to `/js` \
         and its Dockerfile to `apps/web/Dockerfile`.\n"
    );
    // Messages name the folder as it is called in the repository.
    let empty = repository.path().join("docs");
    std::fs::create_dir(&empty).unwrap();
    assert!(error(&plan(&empty, &[])).contains("Nothing to build was found in `/docs`."));

    // Outside of a repository nothing is looked at but the folder.
    let alone = folder(&files[1..]);
    let shown = plan(&alone.path().join("js/apps/web"), &[]);
    assert!(shown.status.success(), "{}", error(&shown));
    assert!(!out(&shown).contains("Built from"), "{}", out(&shown));
}
