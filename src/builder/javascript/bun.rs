//! Projects that Bun itself runs.

use super::super::version_files::{of_files, of_managers};
use super::super::{DetectError, Project, set};
use super::Facts;
use super::manager::{Kind, Manager};
use super::node_image::{Built, NodeImage};
use super::package::Package;
use super::start::Start;
use super::tool_versions::{DEFAULT, is_exact, is_number, named, pinned};
use crate::model::build_plan::{BuildPlan, Output, PINNED, Version};

/// Files that are run when nothing names one.
const USUAL: &[&str] = &[
    "index.ts",
    "server.ts",
    "main.ts",
    "app.ts",
    "src/index.ts",
    "src/server.ts",
    "src/main.ts",
    "index.tsx",
    "index.js",
    "server.js",
    "src/index.js",
];

/// Whether Bun is what runs the project, and not only what installs it: its `start` script says so, or there is none
/// and Bun is the package manager.
pub(super) fn runs(project: &Project<'_>, package: &Package, manager: &Manager) -> bool {
    let by_bun = |command: &str| matches!(command.split_whitespace().next(), Some("bun" | "bunx"));
    match set(&project.overrides.start_command).or_else(|| package.script("start")) {
        Some(command) => by_bun(command),
        None => manager.kind == Kind::Bun || project.has_file("bunfig.toml"),
    }
}

/// Plans a project that Bun installs, builds and runs.
pub(super) fn plan(facts: &Facts<'_>, mut warnings: Vec<String>) -> Result<BuildPlan, DetectError> {
    let (project, package) = (facts.project, &facts.package);
    let start = match Start::of_settings(project).or_else(|| of_script(package)) {
        Some(start) => start,
        None => of_file(project, package)?,
    };
    let version = version(facts)?;
    let (install, prune) =
        facts.installation(package.script("build").is_some(), Some(&start), &mut warnings);
    let image = NodeImage {
        base: format!("oven/bun:{}-slim", version.version),
        user: "bun",
        environment: Vec::new(),
        setup: None,
        manifests: facts.manifests(),
        caches: if install.is_some() { facts.manager.caches().to_vec() } else { Vec::new() },
        install,
        build: facts.build(None),
        build_caches: Vec::new(),
        prune,
        directory: facts.directory().to_owned(),
        result: Built::Application {
            environment: vec!["NODE_ENV=production"],
            with_manager: false,
            start: start.words.clone(),
        },
    };
    let reason = format!("There is a `package.json`; Bun runs it with {}.", start.source);
    let output = Output::Container { dockerfile: image.dockerfile(), path: None };
    Ok(facts.plan("bun", reason, output, vec![version], &image, Some(start), Some(3000), warnings))
}

fn of_script(package: &Package) -> Option<Start> {
    let start = Start::of_script(package)?;
    let by_npm = start.words.first().is_some_and(|word| word == "npm");
    // There is no npm in the image.
    let words = if by_npm { vec!["bun".into(), "run".into(), "start".into()] } else { start.words };
    Some(Start { words, shown: "bun run start".into(), ..start })
}

fn of_file(project: &Project<'_>, package: &Package) -> Result<Start, DetectError> {
    let module = package.text(&["module"]).map(|module| module.trim_start_matches("./"));
    let module = module.filter(|module| super::is_plain(module));
    let usual: Vec<&str> = module.into_iter().chain(USUAL.iter().copied()).collect();
    Start::of_file(project, package, "bun", &usual)?.ok_or_else(|| {
        DetectError::Unsupported(
            "`package.json` does not say how to start: it has no `start` script and no `main`, and there is no `index.ts`. \
             Add a `start` script such as `bun run server.ts`, or set the start command."
                .into(),
        )
    })
}

/// The version: what the project names for its package manager, `.bun-version`, mise, pinned, else the newest 1.
fn version(facts: &Facts<'_>) -> Result<Version, DetectError> {
    let of = |version: &str, source: &str| Version {
        name: "bun".into(),
        version: version.to_owned(),
        source: source.to_owned(),
    };
    if let Some(asked) = named(facts.root, "bun")? {
        return Ok(of(&asked.text, &asked.source));
    }
    let manager = facts.manager.version.as_ref().filter(|_| facts.manager.kind == Kind::Bun);
    if let Some(version) = manager.filter(|version| is_exact(&version.version)) {
        return Ok(version.clone());
    }
    let found = match of_files(facts.root, &[".bun-version"])? {
        Some(found) => Some(found),
        None => of_managers(facts.root, &["bun"])?,
    };
    let found = found.filter(|asked| is_number(&asked.text) || is_exact(&asked.text));
    Ok(match (found, pinned(facts.root, "bun")) {
        (Some(asked), _) => of(&asked.text, &asked.source),
        (None, Some(pin)) => of(pin, PINNED),
        (None, None) => of("1", DEFAULT),
    })
}
