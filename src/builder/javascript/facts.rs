//! What is known of a project before its image is written, and the commands that follow from it.

use super::super::{Project, set};
use super::manager::{Kind, Manager};
use super::node_image::NodeImage;
use super::package::Package;
use super::start::Start;
use super::workspace::{Home, Workspace};
use crate::model::build_plan::{BuildPlan, Output, Version};

/// Files of the root that an installation may read, when they are there.
const INSTALL_FILES: &[&str] = &[
    "package.json",
    "pnpm-workspace.yaml",
    ".npmrc",
    ".pnpmfile.cjs",
    ".pnpmfile.mjs",
    ".yarnrc",
    ".yarnrc.yml",
    "bunfig.toml",
];
/// Directories of the root that an installation may read.
const INSTALL_DIRECTORIES: &[&str] = &[".yarn", "patches"];

/// Everything that is known before the image is written.
pub(super) struct Facts<'a> {
    pub project: &'a Project<'a>,
    pub package: Package,
    /// The directory that is installed: the project's own, or that of its workspace.
    pub root: &'a Project<'a>,
    pub root_package: Package,
    pub workspace: Option<Workspace>,
    pub manager: Manager,
    pub home: Option<&'a Home>,
}

impl Facts<'_> {
    pub fn directory(&self) -> &str {
        self.home.map_or("", |home| home.directory.as_str())
    }

    /// The build command: settings, script, framework.
    pub fn build(&self, framework: Option<&str>) -> Option<String> {
        if let Some(command) = set(&self.project.overrides.build_command) {
            return Some(command.to_owned());
        }
        if self.package.script("build").is_none() {
            return framework.map(|command| self.manager.execute(command));
        }
        // Packages of the workspace that this one needs are built before it.
        if self.home.is_some()
            && self.root.has_file("turbo.json")
            && self.root_package.depends("turbo")
        {
            return Some(
                self.manager
                    .execute(&format!("turbo run build --filter=./{}...", self.directory())),
            );
        }
        if self.home.is_some() && self.manager.kind == Kind::Pnpm {
            return Some("pnpm --filter \"{.}...\" run build".into());
        }
        Some(self.manager.run("build"))
    }

    /// The install command, and the one that takes out what is for development.
    pub fn installation(
        &self,
        has_build: bool,
        start: Option<&Start>,
        warnings: &mut Vec<String>,
    ) -> (Option<String>, Option<String>) {
        if let Some(command) = set(&self.project.overrides.install_command) {
            return (Some(command.to_owned()), None);
        }
        let manager = &self.manager;
        if manager.lock.is_none() && !self.root_package.installs_something() {
            return (None, None);
        }
        if manager.lock.is_none() {
            warnings.push(manager.no_lock());
        }
        let in_workspace = self.workspace.is_some();
        let scripts = self.root_package.has_install_scripts()
            || self.workspace.as_ref().is_some_and(|workspace| workspace.has_install_scripts);
        let tool = start.and_then(|start| start.development_tool(&self.package));
        if let Some(tool) = tool {
            warnings.push(format!(
                "`{tool}` is a development dependency and is needed to start: development dependencies stay in the image."
            ));
        }
        let develops = in_workspace || self.root_package.has("devDependencies");
        if tool.is_some() || !develops {
            return (Some(manager.install(false)), None);
        }
        // Without a build nothing needs them, unless scripts of the project run while it is installed.
        if !has_build && !scripts && manager.installs_production() {
            return (Some(manager.install(true)), None);
        }
        (Some(manager.install(false)), manager.prune(in_workspace, scripts))
    }

    /// Files that the installation reads, when it reads no others.
    pub fn manifests(&self) -> Option<Vec<(Vec<String>, String)>> {
        let reads_more = set(&self.project.overrides.install_command).is_some()
            || self.root_package.has_install_scripts()
            || self.root_package.has_local_dependencies()
            || self.workspace.as_ref().is_some_and(|workspace| workspace.needs_sources);
        if reads_more {
            return None;
        }
        let files = INSTALL_FILES.iter().copied().chain(self.manager.lock);
        let files = files.filter(|file| self.root.has_file(file)).map(str::to_owned).collect();
        let mut all = vec![(files, "./".to_owned())];
        let has_prisma =
            self.root_package.depends("prisma") || self.root_package.depends("@prisma/client");
        let directories = INSTALL_DIRECTORIES.iter().copied().chain(has_prisma.then_some("prisma"));
        for directory in directories.filter(|directory| self.root.tree.list(directory).is_ok()) {
            all.push((vec![directory.to_owned()], format!("./{directory}/")));
        }
        for member in self.workspace.iter().flat_map(|workspace| &workspace.members) {
            all.push((vec![format!("{member}/package.json")], format!("./{member}/")));
        }
        Some(all)
    }

    /// Puts the plan together.
    #[allow(clippy::too_many_arguments)]
    pub fn plan(
        &self,
        id: &str,
        reason: String,
        output: Output,
        mut versions: Vec<Version>,
        image: &NodeImage,
        start: Option<Start>,
        port: Option<u16>,
        warnings: Vec<String>,
    ) -> BuildPlan {
        if image.setup.is_some() {
            versions.extend(self.manager.version.clone());
        }
        let mut caches: Vec<String> = image.caches.iter().map(|path| (*path).to_owned()).collect();
        if image.setup.is_some() && !caches.iter().any(|path| path == "/root/.npm") {
            caches.push("/root/.npm".into());
        }
        let prefix = match self.directory() {
            "" => "/app".to_owned(),
            directory => format!("/app/{directory}"),
        };
        caches.extend(image.build_caches.iter().map(|path| format!("{prefix}/{path}")));
        BuildPlan {
            versions,
            install_command: image.install.clone(),
            build_command: image.build.clone(),
            start_command: start.map(|start| start.shown),
            release_command: set(&self.project.overrides.release_command).map(str::to_owned),
            port,
            caches,
            warnings,
            context: self.home.map(|home| home.context.clone()),
            ..BuildPlan::new(id, reason, output)
        }
    }
}
