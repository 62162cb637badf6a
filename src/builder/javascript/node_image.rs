//! The Dockerfile of a project that Node.js or Bun builds.

use super::super::image::{Image, Step};

/// What the Dockerfile is written from. Paths are below the root of the build context.
#[derive(Clone, Debug)]
pub(super) struct NodeImage {
    /// The image that builds and runs: `node:22-bookworm-slim`.
    pub base: String,
    /// The user of that image who is not root.
    pub user: &'static str,
    /// Settings for the steps of the build.
    pub environment: Vec<&'static str>,
    /// The command that brings the package manager.
    pub setup: Option<String>,
    /// Files that the installation needs, copied before the rest so that it is cached: (sources, target). `None`
    /// copies everything first.
    pub manifests: Option<Vec<(Vec<String>, String)>>,
    pub install: Option<String>,
    /// What installations share.
    pub caches: Vec<&'static str>,
    pub build: Option<String>,
    /// What builds share.
    pub build_caches: Vec<String>,
    /// The command that takes out what is for development.
    pub prune: Option<String>,
    /// Where the project lies in its workspace, `""` for the root.
    pub directory: String,
    pub result: Built,
}

/// What the last stage holds.
#[derive(Clone, Debug)]
pub(super) enum Built {
    /// Everything that is there after the build.
    Application { environment: Vec<&'static str>, with_manager: bool, start: Vec<String> },
    /// Some paths of the project: (from, to).
    Bundle { environment: Vec<&'static str>, copies: Vec<(String, String)>, start: Vec<String> },
    /// The files of a site.
    Site { directory: String },
}

impl NodeImage {
    /// Writes the Dockerfile. `NODE_ENV` is not set while building, so that development dependencies are there.
    pub fn dockerfile(&self) -> String {
        let mut image = Image::default();
        image.from(&self.base, Some("build")).line("WORKDIR /app");
        self.bring_manager(&mut image);
        self.install(&mut image);
        self.build(&mut image);
        match &self.result {
            Built::Site { directory } => {
                image.from("scratch", None);
                image.line(format!("COPY --from=build {} /", self.place(directory)));
            }
            Built::Application { environment, with_manager, start } => {
                image.from(&self.base, None).line("WORKDIR /app");
                if *with_manager {
                    self.bring_manager(&mut image);
                }
                // Programs of dependencies are found by name, as npm would find them.
                let own = match self.directory.as_str() {
                    "" => String::new(),
                    directory => format!("/app/{directory}/node_modules/.bin:"),
                };
                let path = format!("PATH={own}/app/node_modules/.bin:$PATH");
                image
                    .line(format!("ENV {}", [&environment[..], &[&path]].concat().join(" ")))
                    .line(format!("COPY --from=build --chown={0}:{0} /app ./", self.user));
                self.enter(&mut image);
                image.line(format!("USER {}", self.user)).cmd(start);
            }
            Built::Bundle { environment, copies, start } => {
                image.from(&self.base, None).line("WORKDIR /app");
                image.line(format!("ENV {}", environment.join(" ")));
                for (from, to) in copies {
                    let from = self.place(from);
                    image.line(format!(
                        "COPY --from=build --chown={0}:{0} {from} ./{to}",
                        self.user
                    ));
                }
                image.line(format!("USER {}", self.user)).cmd(start);
            }
        }
        image.finish()
    }

    fn bring_manager(&self, image: &mut Image) {
        if !self.environment.is_empty() {
            image.line(format!("ENV {}", self.environment.join(" ")));
        }
        if let Some(command) = &self.setup {
            image.run(&Step { command, caches: &["/root/.npm"], variables: false });
        }
    }

    fn install(&self, image: &mut Image) {
        let caches = &self.caches[..];
        let install =
            self.install.as_deref().map(|command| Step { command, caches, variables: true });
        match (&install, &self.manifests) {
            (Some(install), Some(manifests)) => {
                for (sources, target) in manifests {
                    image.line(format!("COPY {} {target}", sources.join(" ")));
                }
                image.run(install).line("COPY . .");
            }
            (install, _) => {
                image.line("COPY . .");
                install.iter().for_each(|install| {
                    image.run(install);
                });
            }
        }
    }

    fn build(&self, image: &mut Image) {
        if let Some(command) = &self.build {
            self.enter(image);
            let caches: Vec<String> =
                self.build_caches.iter().map(|path| self.place(path)).collect();
            let caches: Vec<&str> = caches.iter().map(String::as_str).collect();
            image.variables_follow().run(&Step { command, caches: &caches, variables: true });
        }
        if let Some(command) = &self.prune {
            if self.build.is_some() && !self.directory.is_empty() {
                image.line("WORKDIR /app");
            }
            image.run(&Step { command, caches: &self.caches, variables: false });
        }
    }

    /// Goes to where the project lies.
    fn enter(&self, image: &mut Image) {
        if !self.directory.is_empty() {
            image.line(format!("WORKDIR /app/{}", self.directory));
        }
    }

    /// A path of the project as an absolute one.
    fn place(&self, path: &str) -> String {
        match (self.directory.as_str(), path) {
            ("", "") => "/app".to_owned(),
            ("", path) => format!("/app/{path}"),
            (directory, "") => format!("/app/{directory}"),
            (directory, path) => format!("/app/{directory}/{path}"),
        }
    }
}
