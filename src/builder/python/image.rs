//! The Dockerfile of a Python project.

use super::manager::{Dependencies, Manager};
use super::system::System;
use crate::builder::command::exec_form;
use crate::builder::image::{Image, Step};
use crate::model::build_plan::Version;

/// Where the environment is, in both stages, so that what was installed finds itself.
const VENV: &str = "/opt/venv";
/// Where the tool that installs is, in the build stage only.
const TOOLS: &str = "/opt/tools";
const PIP_CACHE: &str = "/root/.cache/pip";

/// What the Dockerfile is written from.
#[derive(Debug)]
pub(super) struct PythonImage<'a> {
    /// Minor version of Python 3.
    pub minor: u32,
    pub dependencies: &'a Dependencies,
    /// The tool that installs, when it is not pip.
    pub tool: Option<&'a Version>,
    /// The settings' own command to install.
    pub install: Option<&'a str>,
    /// A server that is added to the dependencies.
    pub server: Option<&'a Version>,
    pub system: System,
    pub build: Option<&'a str>,
    pub start: &'a str,
    /// Port of the application when nothing tells it another.
    pub port: Option<u16>,
}

impl Manager {
    /// Name of its package, when it has to be installed.
    pub fn tool(self) -> Option<&'static str> {
        match self {
            Self::Uv => Some("uv"),
            Self::Poetry => Some("poetry"),
            Self::Pdm => Some("pdm"),
            Self::Pipenv => Some("pipenv"),
            Self::Pip | Self::None => None,
        }
    }

    /// What pip is told to install for it.
    fn package(self, tool: &str) -> String {
        match self {
            // With the versions that it was released with: newer ones of what it depends on have broken it.
            Self::Pdm => format!("'{tool}[locked]'"),
            _ => tool.to_owned(),
        }
    }

    /// Directories it keeps between builds.
    fn caches(self) -> &'static [&'static str] {
        match self {
            Self::Uv => &["/root/.cache/uv"],
            Self::Poetry => &["/root/.cache/pypoetry"],
            Self::Pdm => &["/root/.cache/pdm"],
            Self::Pipenv => &["/root/.cache/pipenv", PIP_CACHE],
            Self::Pip | Self::None => &[PIP_CACHE],
        }
    }

    /// What makes it install into the environment, without asking and without looking for news.
    fn environment(self) -> &'static str {
        match self {
            Self::Uv => {
                " UV_PROJECT_ENVIRONMENT=/opt/venv UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never"
            }
            Self::Poetry => " POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1",
            Self::Pdm => " PDM_CHECK_UPDATE=false PDM_USE_VENV=true",
            Self::Pipenv => " PIPENV_VERBOSITY=-1 PIPENV_NOSPIN=1",
            Self::Pip | Self::None => "",
        }
    }
}

impl Dependencies {
    /// Installs what the project depends on, without the project itself.
    pub fn install_command(&self) -> Option<String> {
        let locked = self.lock.is_some();
        let text = match (self.manager, locked) {
            (Manager::None, _) => return None,
            (Manager::Pip, _) => "pip install -r requirements.txt",
            (Manager::Uv, true) => "uv sync --locked --no-dev --no-install-project",
            (Manager::Uv, false) => "uv sync --no-dev --no-install-project",
            (Manager::Poetry, _) => "poetry install --only main --no-root --no-ansi",
            (Manager::Pdm, true) => "pdm install --check --prod --no-self",
            (Manager::Pdm, false) => "pdm install --prod --no-self",
            (Manager::Pipenv, true) => "pipenv install --deploy",
            (Manager::Pipenv, false) => "pipenv install --skip-lock",
        };
        Some(text.to_owned())
    }

    /// Installs the project itself, once all of it is there. What was added stays.
    fn install_package(&self) -> Option<&'static str> {
        match self.manager {
            _ if !self.package => None,
            Manager::Uv if self.lock.is_some() => Some("uv sync --locked --no-dev --inexact"),
            Manager::Uv => Some("uv sync --no-dev --inexact"),
            Manager::Poetry => Some("poetry install --only main --no-ansi"),
            Manager::Pdm => Some("pdm install --prod"),
            Manager::Pip | Manager::Pipenv | Manager::None => None,
        }
    }
}

impl PythonImage<'_> {
    fn base(&self) -> String {
        format!("python:3.{}-slim-trixie", self.minor)
    }

    /// Directories that the build keeps.
    pub fn caches(&self) -> Vec<String> {
        let manager = self.dependencies.manager;
        let mut caches: Vec<&str> = Vec::new();
        if self.tool.is_some() || self.server.is_some() {
            caches.push(PIP_CACHE);
        }
        if self.install.is_some() || manager != Manager::None {
            caches.extend(manager.caches());
        }
        caches.dedup();
        caches.into_iter().map(str::to_owned).collect()
    }

    /// Writes the Dockerfile.
    pub fn dockerfile(&self) -> String {
        let mut image = Image::default();
        self.build_stage(&mut image);
        self.final_stage(&mut image);
        image.finish()
    }

    fn build_stage(&self, image: &mut Image) {
        let dependencies = self.dependencies;
        let manager = dependencies.manager;
        image
            .from(&self.base(), Some("build"))
            .line("WORKDIR /app")
            .line("ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore");
        install_system(image, &self.system.build);
        let mut path = format!("{VENV}/bin");
        if let Some(tool) = self.tool {
            // An environment of its own: what it depends on meets neither the application nor the system.
            let package = manager.package(&tool.name);
            let command = format!("{TOOLS}/bin/pip install {package}=={}", tool.version);
            image.line(format!("RUN python -m venv {TOOLS}"));
            image.run(&Step { command: &command, caches: &[PIP_CACHE], variables: false });
            path.push_str(&format!(":{TOOLS}/bin"));
        }
        image
            .line(format!("RUN python -m venv {VENV}"))
            .line(format!("ENV VIRTUAL_ENV={VENV} PATH={path}:$PATH{}", manager.environment()));
        let detected = dependencies.install_command();
        let install = self.install.or(detected.as_deref());
        let files = dependencies.files.as_deref().filter(|_| self.install.is_none());
        let copied_first = files.is_none();
        if copied_first {
            image.line("COPY . .");
        }
        if let Some(command) = install {
            copy(image, files.unwrap_or_default());
            image.run(&Step { command, caches: manager.caches(), variables: true });
        }
        if let Some(server) = self.server {
            // By the image's own pip: an environment that another tool keeps may have none.
            let command = format!(
                "/usr/local/bin/pip --python {VENV}/bin/python install {}=={}",
                server.name, server.version
            );
            image.run(&Step { command: &command, caches: &[PIP_CACHE], variables: false });
        }
        if !copied_first {
            image.line("COPY . .");
        }
        if let Some(command) = dependencies.install_package().filter(|_| self.install.is_none()) {
            image.run(&Step { command, caches: manager.caches(), variables: true });
        }
        if let Some(command) = self.build {
            image.variables_follow().run(&Step { command, caches: &[], variables: true });
        }
    }

    fn final_stage(&self, image: &mut Image) {
        let port = self.port.map(|port| format!(" PORT={port} FORWARDED_ALLOW_IPS=*"));
        image.from(&self.base(), None).line("WORKDIR /app").line(format!(
            "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VIRTUAL_ENV={VENV} PATH={VENV}/bin:$PATH{}",
            port.unwrap_or_default()
        ));
        install_system(image, &self.system.run);
        image
            .line("RUN useradd --create-home --uid 1000 app")
            .line(format!("COPY --from=build {VENV} {VENV}"))
            .line("COPY --from=build --chown=app:app /app ./")
            .line("USER app")
            .cmd(&exec_form(self.start));
    }
}

fn install_system(image: &mut Image, packages: &[&str]) {
    if packages.is_empty() {
        return;
    }
    image.line(format!(
        "RUN apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        packages.join(" ")
    ));
}

/// A `COPY` line for every directory that files are in.
fn copy(image: &mut Image, files: &[String]) {
    let mut rest: Vec<&str> = files.iter().map(String::as_str).collect();
    while let Some(first) = rest.first() {
        let directory =
            |path: &str| path.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
        let place = directory(first);
        let (here, others): (Vec<&str>, Vec<&str>) =
            rest.iter().partition(|path| directory(path) == place);
        image.line(format!(
            "COPY {} ./{place}{}",
            here.join(" "),
            if place.is_empty() { "" } else { "/" }
        ));
        rest = others;
    }
}
