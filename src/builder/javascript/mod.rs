//! JavaScript and TypeScript projects with a `package.json`: Node.js, the frameworks on it, and Bun.

mod bun;
mod config_text;
mod deno;
mod facts;
mod framework;
mod manager;
mod node_image;
pub(super) mod node_version;
mod package;
mod range;
mod sites;
mod start;
#[cfg(test)]
mod tests;
mod tool_versions;
mod workspace;

pub(super) use deno::detect as deno;

use self::facts::Facts;
use self::framework::{Framework, Shape, Subject};
use self::manager::Manager;
use self::node_image::{Built, NodeImage};
use self::package::Package;
use self::start::Start;
use self::workspace::{Home, Workspace, is_plain};
use super::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output};

/// Every lock file, to tell a project that has one of its own.
const LOCKS: &[&str] = &[
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "yarn.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
];

/// Takes a tree with a `package.json`, whichever framework it is. Forced, it is plain Node.js.
pub(super) fn nodejs(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    decide(project, forced.then_some("nodejs"))
}

/// The frameworks by name. Unforced, [`nodejs`] has found them already.
pub(super) fn nextjs(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "nextjs")
}

pub(super) fn nuxt(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "nuxt")
}

pub(super) fn remix(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "remix")
}

pub(super) fn astro(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "astro")
}

pub(super) fn sveltekit(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "sveltekit")
}

pub(super) fn vite(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "vite")
}

pub(super) fn bun(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError> {
    named(project, forced, "bun")
}

fn named(
    project: &Project<'_>,
    forced: bool,
    id: &'static str,
) -> Result<Option<BuildPlan>, DetectError> {
    if forced { decide(project, Some(id)) } else { Ok(None) }
}

fn decide(
    project: &Project<'_>,
    wanted: Option<&'static str>,
) -> Result<Option<BuildPlan>, DetectError> {
    if !project.has_file("package.json") {
        return match wanted {
            Some(_) => Err(DetectError::Invalid(format!(
                "There is no `package.json` in `{}`.",
                project.root()
            ))),
            None => Ok(None),
        };
    }
    let package = Package::read(project)?;
    let home = Home::find(project, LOCKS)?;
    let above;
    let root = match &home {
        Some(home) => {
            let tree = home.tree.as_deref().or(project.repository).unwrap_or(project.tree);
            above = Project {
                tree,
                overrides: project.overrides,
                entries: tree.list("")?,
                repository: None,
            };
            &above
        }
        None => project,
    };
    let root_package = if home.is_some() { Package::read(root)? } else { package.clone() };
    let mut warnings = Vec::new();
    let manager = Manager::choose(root, &root_package, &mut warnings)?;
    let workspace = Workspace::read(root, &root_package)?;
    let facts =
        Facts { project, package, root, root_package, workspace, manager, home: home.as_ref() };
    let subject = Subject {
        project,
        package: &facts.package,
        directory: home.as_ref().map_or("", |home| home.directory.as_str()),
    };
    let framework = match wanted {
        Some("nodejs" | "bun") => None,
        _ => framework::find(&subject)?,
    };
    match (wanted, &framework) {
        (None | Some("nodejs" | "bun"), _) => {}
        (Some(wanted), Some(found)) if found.id == wanted => {}
        (Some(wanted), _) => {
            return Err(DetectError::Invalid(format!(
                "The settings name `{wanted}`, and `package.json` does not have its packages."
            )));
        }
    }
    let by_bun = wanted == Some("bun")
        || (wanted.is_none()
            && framework.is_none()
            && bun::runs(project, &facts.package, &facts.manager));
    if by_bun {
        let manager = facts.manager.clone().into_bun();
        return bun::plan(&Facts { manager, ..facts }, warnings).map(Some);
    }
    node_plan(&facts, framework, wanted.is_some(), warnings)
}

fn node_plan(
    facts: &Facts<'_>,
    framework: Option<Framework>,
    forced: bool,
    mut warnings: Vec<String>,
) -> Result<Option<BuildPlan>, DetectError> {
    let (project, package) = (facts.project, &facts.package);
    let has_build = package.script("build").is_some() || framework.is_some();
    let mut shape = match &framework {
        Some(framework) => {
            warnings.extend(framework.warnings.iter().cloned());
            Some(framework.shape.clone())
        }
        None => None,
    };
    let of_settings = Start::of_settings(project);
    if let (Some(directory), None) = (set(&project.overrides.output_directory), &of_settings)
        && (has_build || set(&project.overrides.build_command).is_some())
    {
        shape = Some(named_site(directory, shape.as_ref())?);
    }
    // What serves files only, or is cut down to its own server, cannot run another command.
    if of_settings.is_some() {
        shape = Some(Shape::Application { start: Vec::new() });
    }
    let name = framework.as_ref().map_or("Node.js", |framework| framework.name);
    let start = match &shape {
        Some(Shape::Site { .. }) => None,
        Some(Shape::Bundle { start, .. }) => Some(Start {
            shown: start.join(" "),
            words: start.clone(),
            source: format!("the server that {name} makes"),
        }),
        Some(Shape::Application { start }) => {
            let own: Vec<&str> = start.iter().map(String::as_str).collect();
            let own = || Start::of_framework(&own, name);
            Some(of_settings.or_else(|| Start::of_script(package)).unwrap_or_else(own))
        }
        None => {
            let usual = ["index.js", "server.js", "index.mjs", "index.cjs"];
            let found = match Start::of_script(package) {
                Some(start) => Some(start),
                None => Start::of_file(project, package, "node", &usual)?,
            };
            if found.is_none() && !forced && !has_build && project.has_file("index.html") {
                // A site that only has tools in its `package.json`.
                return Ok(None);
            }
            Some(found.ok_or_else(no_start)?)
        }
    };
    let build = facts.build(framework.as_ref().map(|framework| framework.build.as_str()));
    let engines = package.text(&["engines", "node"]);
    let engines = engines.or_else(|| facts.root_package.text(&["engines", "node"]));
    let (major, version) = node_version::resolve(facts.root, engines, &mut warnings)?;
    let (install, prune) = facts.installation(build.is_some(), start.as_ref(), &mut warnings);
    let environment = |host: bool| {
        let own = framework.iter().flat_map(|framework| framework.environment).copied();
        ["NODE_ENV=production"].into_iter().chain(own.filter(|_| host)).collect::<Vec<_>>()
    };
    let (result, prune) = match (shape, start.as_ref()) {
        (Some(Shape::Site { directory, .. }), _) => (Built::Site { directory }, None),
        (Some(Shape::Bundle { copies, start }), _) => {
            (Built::Bundle { environment: environment(true), copies, start }, None)
        }
        (_, start) => {
            let manager = facts.manager.kind.name();
            let with_manager =
                manager != "npm" && start.is_some_and(|start| start.needs(manager, package));
            let words = start.map(|start| start.words.clone()).unwrap_or_default();
            (
                Built::Application { environment: environment(true), with_manager, start: words },
                prune,
            )
        }
    };
    let fallback =
        matches!(&framework, Some(Framework { shape: Shape::Site { fallback: true, .. }, .. }));
    let is_site = matches!(result, Built::Site { .. });
    let mut build_environment = facts.manager.environment();
    let telemetry = framework.iter().flat_map(|framework| framework.environment).copied();
    build_environment.extend(telemetry.filter(|setting| setting.contains("TELEMETRY")));
    let build_caches: Vec<String> = match (&build, &framework) {
        (Some(_), Some(framework)) => {
            framework.caches.iter().map(|path| (*path).to_owned()).collect()
        }
        _ => Vec::new(),
    };
    let image = NodeImage {
        base: format!("node:{major}-bookworm-slim"),
        user: "node",
        environment: build_environment,
        setup: facts.manager.setup(),
        manifests: facts.manifests(),
        caches: if install.is_some() { facts.manager.caches().to_vec() } else { Vec::new() },
        install,
        build,
        build_caches,
        prune,
        directory: facts.directory().to_owned(),
        result,
    };
    let reason = match (&framework, &start) {
        (Some(framework), Some(start)) => {
            format!("This is {name}: {}. It starts with {}.", framework.proof, start.source)
        }
        (Some(framework), None) => {
            format!("This is {name}: {}. Its build makes a site.", framework.proof)
        }
        (None, Some(start)) => {
            format!("There is a `package.json`; it starts with {}.", start.source)
        }
        (None, None) => "There is a `package.json`; its build makes a site.".to_owned(),
    };
    let output = if is_site {
        Output::StaticBuild { dockerfile: image.dockerfile(), fallback }
    } else {
        Output::Container { dockerfile: image.dockerfile(), path: None }
    };
    let id = framework.as_ref().map_or("nodejs", |framework| framework.id);
    let port = framework.as_ref().and_then(|framework| framework.port).filter(|_| !is_site);
    Ok(Some(facts.plan(id, reason, output, vec![version], &image, start, port, warnings)))
}

/// The site that the settings name.
fn named_site(configured: &str, shape: Option<&Shape>) -> Result<Shape, DetectError> {
    let directory = super::directory::relative("output directory", configured)?;
    if !is_plain(&directory) {
        return Err(DetectError::Invalid(format!(
            "The output directory `{}` has characters that cannot be used here: letters, digits and `-_./@+` can.",
            tool_versions::shown(&directory)
        )));
    }
    let fallback = matches!(shape, Some(Shape::Site { fallback: true, .. }));
    Ok(Shape::Site { directory, fallback })
}

fn no_start() -> DetectError {
    DetectError::Unsupported(
        "`package.json` does not say how to start: it has no `start` script and no `main`, and there is no `index.js`. \
         Add a `start` script such as `node server.js`, set the start command, or, when the build makes a site, set the \
         output directory."
            .into(),
    )
}
