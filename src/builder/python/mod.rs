//! Python projects: Django, Flask, FastAPI and its relatives, plain programs; pip, uv, Poetry, PDM, Pipenv.

mod app;
mod django;
mod image;
mod manager;
mod modules;
mod requirements;
mod system;
mod version;

use self::app::{App, Interface};
use self::django::Django;
use self::image::PythonImage;
use self::manager::{Dependencies, Manager, Manifests};
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

/// Files that say that this is Python.
const MANIFESTS: &[&str] =
    &["requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py"];
/// Programs that are started when no application is found.
const PROGRAMS: &[&str] =
    &["main.py", "app.py", "server.py", "start.py", "run.py", "bot.py", "hello.py"];

/// Versions that are taken until a project has its own.
const UV: &str = "0.13.9";
const POETRY: &str = "2.5.1";
const PDM: &str = "2.29.3";
const PIPENV: &str = "2026.10.3";
const GUNICORN: &str = "27.0.1";
const UVICORN: &str = "0.54.0";

/// Port that Python's servers use by themselves.
const PORT: u16 = 8000;

/// How the application is started.
struct Start {
    command: String,
    /// What says so, for the plan's reason.
    reason: String,
    framework: &'static str,
    /// A server that is not among the dependencies.
    missing: Option<Version>,
    port: Option<u16>,
}

/// Takes a tree with Python files at its root.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let marker = MANIFESTS.iter().chain(PROGRAMS).find(|file| project.has_file(file));
    let wanted = set(&project.overrides.framework).filter(|_| forced);
    let Some(marker) = marker.copied().or(wanted.map(|_| "Python files")) else {
        return Ok(None);
    };
    // A tree of another language may have tools written in Python.
    if !forced && !MANIFESTS.contains(&marker) && project.has_file("package.json") {
        return Ok(None);
    }
    let manifests = Manifests::read(project)?;
    let dependencies = manifests.dependencies(project)?;
    let django = match wanted {
        None | Some("django") => django::find(project),
        Some(_) => Ok(None),
    };
    // With a start command it does not matter that a module is missing.
    let django = match django {
        Err(_) if set(&project.overrides.start_command).is_some() => None,
        other => other?,
    };
    let start = match start(project, marker, wanted, django.as_ref(), &dependencies)? {
        Some(start) => start,
        None if !forced && (project.has_file("package.json") || project.has_file("index.html")) => {
            return Ok(None);
        }
        None => return Err(no_start(project, marker, wanted)),
    };
    assemble(project, &manifests, &dependencies, django.as_ref(), start).map(Some)
}

fn no_start(project: &Project<'_>, marker: &str, wanted: Option<&str>) -> DetectError {
    let looked = match wanted {
        Some("django") => {
            return DetectError::Invalid(format!(
                "There is no `manage.py` with Django's settings in `{}`.",
                project.root()
            ));
        }
        Some("flask") => "no `Flask(`",
        Some("fastapi") => "no `FastAPI(`",
        _ => "no `manage.py`, no `FastAPI(` or `Flask(`, and no `main.py` or `app.py`",
    };
    DetectError::Unsupported(format!(
        "This is a Python project (`{marker}`), and what to start was not found: there is {looked} in `{}`. \
         Set the start command, or add a `Procfile` with a line such as `web: python server.py`.",
        project.root()
    ))
}

fn start(
    project: &Project<'_>,
    marker: &str,
    wanted: Option<&str>,
    django: Option<&Django>,
    dependencies: &Dependencies,
) -> Result<Option<Start>, DetectError> {
    let has = |name: &str| dependencies.names.contains(name);
    if let Some(command) = set(&project.overrides.start_command) {
        let known: &'static str = match (wanted, django) {
            (_, Some(_)) | (Some("django"), _) => "django",
            (Some("flask"), _) => "flask",
            (Some("fastapi"), _) => "fastapi",
            (None, _) if has("fastapi") => "fastapi",
            (None, _) if has("flask") => "flask",
            _ => "python",
        };
        return Ok(Some(Start {
            command: command.to_owned(),
            reason: format!("There is a `{marker}`."),
            framework: known,
            missing: None,
            port: None,
        }));
    }
    if let Some(django) = django {
        let directory = Some(django.directory.as_str()).filter(|directory| !directory.is_empty());
        let target = format!("{}:application", django.module);
        let served = serve(project, dependencies, django.interface, directory, &target, false);
        let file = django.manage("").trim_end().trim_start_matches("python ").to_owned();
        let reason = format!("There is a `{file}`; `{}` is served.", django.module);
        return Ok(Some(served.with("django", reason)));
    }
    // What was asked for by name is looked for and nothing else.
    let only = wanted.filter(|id| *id != "python");
    if let Some(app) = app::find(project, only)? {
        let App { kind, module, name, is_factory } = app;
        let target = format!("{}:{name}", module.name);
        let directory = module.directory.as_deref();
        let served = serve(project, dependencies, kind.interface, directory, &target, is_factory);
        let what = if is_factory { "function" } else { "variable" };
        let reason = format!("`{}` has the application, in the {what} `{name}`.", module.path);
        return Ok(Some(served.with(kind.id, reason)));
    }
    if only.is_some() {
        return Ok(None);
    }
    let program = PROGRAMS.iter().copied().find(|file| project.has_file(file));
    Ok(program.map(|file| Start {
        command: format!("python {file}"),
        reason: format!("There is a `{file}`."),
        framework: "python",
        missing: None,
        port: None,
    }))
}

impl Start {
    fn with(self, framework: &'static str, reason: String) -> Self {
        Self { framework, reason, ..self }
    }
}

/// The command of a server that speaks the application's interface: one of the dependencies, else one that is added.
fn serve(
    project: &Project<'_>,
    dependencies: &Dependencies,
    interface: Interface,
    directory: Option<&str>,
    target: &str,
    is_factory: bool,
) -> Start {
    let has = |name: &str| dependencies.names.contains(name);
    let within = |option: &str| match directory {
        Some(directory) => format!(" {option} {directory}"),
        None => String::new(),
    };
    let (command, server) = match interface {
        // Gunicorn binds to 0.0.0.0 and the variable PORT by itself.
        Interface::Wsgi => {
            let call = if is_factory { "()" } else { "" };
            let target = if is_factory { format!("'{target}{call}'") } else { target.to_owned() };
            (format!("gunicorn --threads 4{} {target}", within("--chdir")), ("gunicorn", GUNICORN))
        }
        Interface::Asgi
            if !has("uvicorn") && has("hypercorn") && !is_factory && directory.is_none() =>
        {
            (format!("exec hypercorn --bind 0.0.0.0:$PORT {target}"), ("hypercorn", ""))
        }
        Interface::Asgi => {
            let factory = if is_factory { " --factory" } else { "" };
            (
                format!(
                    "exec uvicorn --host 0.0.0.0 --port $PORT{}{factory} {target}",
                    within("--app-dir")
                ),
                ("uvicorn", UVICORN),
            )
        }
    };
    let missing = (!has(server.0)).then(|| project.overrides.tool(server.0, server.1));
    Start { command, reason: String::new(), framework: "python", missing, port: Some(PORT) }
}

fn assemble(
    project: &Project<'_>,
    manifests: &Manifests,
    dependencies: &Dependencies,
    django: Option<&Django>,
    start: Start,
) -> Result<BuildPlan, DetectError> {
    let overrides = project.overrides;
    let (minor, python) = version::resolve(project, manifests)?;
    let tool = dependencies.manager.tool().map(|name| {
        let default = match dependencies.manager {
            Manager::Poetry => POETRY,
            Manager::Pdm => PDM,
            Manager::Pipenv => PIPENV,
            Manager::Uv | Manager::Pip | Manager::None => UV,
        };
        overrides.tool(name, default)
    });
    let build = match (set(&overrides.build_command), django) {
        (Some(command), _) => Some(command.to_owned()),
        (None, Some(django)) if django.collects_static() => {
            Some(django.manage("collectstatic --noinput"))
        }
        _ => None,
    };
    let release = match (set(&overrides.release_command), django) {
        (Some(command), _) => Some(command.to_owned()),
        (None, Some(django)) if django.has_database() => Some(django.manage("migrate --noinput")),
        _ => None,
    };
    let install = set(&overrides.install_command);
    let image = PythonImage {
        minor,
        dependencies,
        tool: tool.as_ref(),
        install,
        server: start.missing.as_ref(),
        system: system::needs(&dependencies.names),
        build: build.as_deref(),
        start: &start.command,
        port: start.port,
    };
    let mut warnings = dependencies.warnings.clone();
    if let Some(server) = &start.missing {
        warnings.push(format!(
            "{0} {1} is added to serve the application: `{0}` is not among the dependencies.",
            server.name, server.version
        ));
    }
    if let Some(django) = django {
        warnings.extend(django.warnings(dependencies.names.contains("whitenoise")));
    }
    let output = Output::Container { dockerfile: image.dockerfile(), path: None };
    let detected = dependencies.install_command();
    Ok(BuildPlan {
        caches: image.caches(),
        versions: [Some(python), tool, start.missing].into_iter().flatten().collect(),
        install_command: install.map(str::to_owned).or(detected),
        build_command: build,
        start_command: Some(start.command.trim_start_matches("exec ").to_owned()),
        release_command: release,
        port: start.port,
        warnings,
        ..BuildPlan::new(start.framework, start.reason, output)
    })
}
