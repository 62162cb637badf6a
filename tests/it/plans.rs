//! The plan of every example, as a text that is read in reviews.
//!
//! `ORBITRA_RENEW=1` writes the files of `tests/snapshots/plans` anew; look at the difference before it is committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orbitra::builder::{self, Overrides};
use orbitra::git::folder::Folder;
use orbitra::model::plan_text::PlanText;

#[test]
fn every_example_has_the_plan_that_is_written_down() {
    let mut examples = names(&root().join("examples"), "");
    // Those that are broken on purpose have tests of their own.
    assert!(examples.remove("broken"), "{examples:?}");
    assert!(examples.contains("node-hello"), "{examples:?}");
    let renew = std::env::var_os("ORBITRA_RENEW").is_some();
    let mut problems = Vec::new();
    for example in &examples {
        let file = snapshots().join(format!("{example}.txt"));
        let planned = match plan(&root().join("examples").join(example)) {
            Ok(text) => text,
            Err(error) => {
                problems.push(format!("examples/{example} has no plan: {error}"));
                continue;
            }
        };
        if renew {
            std::fs::create_dir_all(snapshots()).unwrap();
            std::fs::write(&file, &planned).unwrap();
        }
        match std::fs::read_to_string(&file) {
            Ok(written) if written == planned => {}
            Ok(written) => problems.push(format!(
                "examples/{example} has another plan than {}:\n{}",
                file.display(),
                difference(&written, &planned)
            )),
            Err(error) => problems.push(format!("{}: {error}", file.display())),
        }
    }
    for orphan in names(&snapshots(), ".txt").difference(&examples) {
        problems.push(format!("tests/snapshots/plans/{orphan}.txt: there is no such example"));
    }
    assert!(
        problems.is_empty(),
        "{}\n\nIs it meant? ORBITRA_RENEW=1 writes the plans anew.",
        problems.join("\n\n")
    );
}

fn plan(folder: &Path) -> Result<String, String> {
    let tree = Folder::open(folder).map_err(|error| error.to_string())?;
    let plan = builder::plan(&tree, &Overrides::default()).map_err(|error| error.to_string())?;
    let dockerfile = plan.dockerfile().map(|text| format!("\n{text}")).unwrap_or_default();
    Ok(format!("{}{dockerfile}", PlanText(&plan)))
}

/// Lines that only one of two texts has.
fn difference(written: &str, planned: &str) -> String {
    let only = |sign: &str, of: &str, other: &str| -> String {
        let known: BTreeSet<&str> = other.lines().collect();
        let lines = of.lines().filter(|line| !known.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    only("-", written, planned) + &only("+", planned, written)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn snapshots() -> PathBuf {
    root().join("tests/snapshots/plans")
}

/// The entries of a directory that end so, without the ending.
fn names(directory: &Path, ending: &str) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}
