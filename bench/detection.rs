//! How long a plan takes for 10,000 files of the shapes that make detection look at most.
//!
//!     detection write SHAPE DIRECTORY     writes the files
//!     detection folder DIRECTORY RUNS     plans a folder
//!     detection git URL DIRECTORY RUNS    fetches into mirrors below DIRECTORY and plans from the object database
//!
//! `bench/git.sh` runs all of it.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use orbitra::builder::{self, DetectError, Overrides};
use orbitra::egress::{Client, Policy};
use orbitra::git::folder::Folder;
use orbitra::git::libgit::{LibGit, Limits};
use orbitra::git::{FetchRequest, SourceFetcher, SourceTree};

const FILES: usize = 10_000;
const MODULE: &str = "def value(number):\n    return number + 1\n";

fn put(root: &Path, path: &str, text: &str) -> std::io::Result<()> {
    let path = root.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text)
}

fn write(shape: &str, root: &Path) -> Result<(), Box<dyn Error>> {
    for number in 0..FILES {
        let text = format!("{}# {number}\n", MODULE.repeat(20));
        let (deep, part) = (number % 40, number / 40 % 10);
        let path = match shape {
            "deep" => format!("package_{deep}/part_{part}/module_{number}.py"),
            "flat" => format!("module_{number}.py"),
            "wide" => format!("package_{number}/module.py"),
            // As many members as are looked at, and many more.
            "members" if number < 990 => format!("packages/part-{number}/package.json"),
            "members" => format!("packages/part-{}/module_{number}.js", number % 990),
            "many" if number % 2 == 0 => format!("packages/part-{number}/package.json"),
            "many" => format!("packages/part-{}/index.js", number - 1),
            _ => return Err("a shape is deep, flat, wide, members or many".into()),
        };
        let member = format!("{{\"name\":\"part-{number}\",\"version\":\"1.0.0\"}}\n");
        put(root, &path, if path.ends_with("package.json") { &member } else { &text })?;
    }
    if matches!(shape, "members" | "many") {
        let workspaces =
            r#"{"private":true,"workspaces":["packages/*"],"scripts":{"start":"node ."}}"#;
        put(root, "package.json", workspaces)?;
        put(root, "index.js", "require('node:http')\n")?;
        return Ok(());
    }
    put(root, "requirements.txt", "flask==3.1.1\n")?;
    // No file has the application: all that may be read is read.
    Ok(put(root, "main.py", "print()\n")?)
}

/// Plans `runs` times, the tree opened anew each time; prints the times.
fn measure<T: AsRef<dyn SourceTree>>(
    runs: usize,
    open: impl Fn() -> Result<T, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let tree = open()?;
        let begin = Instant::now();
        let planned = builder::plan(tree.as_ref(), &Overrides::default());
        // That no application is found in what may be read is an answer too.
        if let Err(DetectError::Unreadable(error)) = planned {
            return Err(error.into());
        }
        times.push(begin.elapsed());
    }
    let first = times[0];
    times.sort();
    let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("median {middle:.1?}, {least:.1?} to {most:.1?}, the first {first:.1?}, {runs} runs");
    Ok(())
}

/// Resident memory of this process in MB: now (`VmRSS`) or at its highest (`VmHWM`).
fn memory(which: &str) -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    Ok(kilobytes.ok_or("/proc/self/status has no such line")? / 1024.0)
}

fn from_git(url: &str, mirrors: &Path, runs: usize) -> Result<(), Box<dyn Error>> {
    let policy = Policy::parse(&["127.0.0.1/32"], true)?;
    let request = FetchRequest {
        url: policy.git_url(url)?,
        branch: None,
        access: None,
        commit: None,
        timeout: Duration::from_secs(120),
    };
    let git = LibGit::new(mirrors.to_owned(), Client::new(policy)?, Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetch = |request: FetchRequest| {
        runtime.block_on(git.fetch(request, Arc::new(|_| {}), CancellationToken::new()))
    };
    let begin = Instant::now();
    let commit = fetch(request.clone())?;
    println!("fetch {:.1?}", begin.elapsed());
    // From here on it is known by its name: it is opened without asking the server.
    let request = FetchRequest { commit: Some(commit.sha.clone()), ..request };
    drop(commit);
    let before = memory("VmRSS")?;
    // Forgets the highest so far.
    std::fs::write("/proc/self/clear_refs", "5")?;
    measure(runs, || Ok(fetch(request.clone())?.tree))?;
    let (highest, after) = (memory("VmHWM")?, memory("VmRSS")?);
    println!(
        "resident memory: {before:.1} MB before, {highest:.1} MB at its highest, {after:.1} MB after"
    );
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["write", shape, root] => write(shape, Path::new(root)),
        ["folder", root, runs] => count(runs).and_then(|runs| {
            measure(runs, || Ok(Arc::new(Folder::open(Path::new(root))?) as Arc<dyn SourceTree>))
        }),
        ["git", url, mirrors, runs] => {
            count(runs).and_then(|runs| from_git(url, Path::new(mirrors), runs))
        }
        _ => {
            Err("detection write SHAPE DIRECTORY | folder DIRECTORY RUNS | git URL DIRECTORY RUNS"
                .into())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn count(text: &str) -> Result<usize, Box<dyn Error>> {
    match text.parse() {
        Ok(0) => Err("at least one run".into()),
        other => Ok(other?),
    }
}
