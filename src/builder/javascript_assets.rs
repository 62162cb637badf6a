//! JavaScript and styles of an application written in another language: a stage with Node.js of its own.

use serde_json::Value;

use super::image::{Image, Step};
use super::javascript::node_version;
use super::layers::is_plain_name;
use super::{DetectError, Project};
use crate::model::build_plan::Version;

/// Lock files, the command that installs by them, and what that command keeps.
const MANAGERS: &[(&str, &str, &str)] = &[
    ("package-lock.json", "npm ci", "/root/.npm"),
    ("npm-shrinkwrap.json", "npm ci", "/root/.npm"),
    ("yarn.lock", "corepack yarn install --immutable", "/root/.yarn/berry/cache"),
    ("pnpm-lock.yaml", "corepack pnpm install --frozen-lockfile", "/root/.local/share/pnpm/store"),
];

/// The `package.json` beside the application.
#[derive(Debug)]
pub(super) struct JavaScriptAssets {
    pub version: Version,
    /// Where the `package.json` lies: `""`, or a directory with `/` at its end.
    at: &'static str,
    manifests: Option<Vec<String>>,
    install: String,
    cache: &'static str,
    /// Whether there is a `build` script.
    pub builds: bool,
    run: &'static str,
}

impl JavaScriptAssets {
    /// `None` when there is no `package.json` in the root.
    pub fn find(
        project: &Project<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, DetectError> {
        Self::find_in(project, "", warnings)
    }

    /// The same for a directory, named with a `/` at its end.
    pub fn find_in(
        project: &Project<'_>,
        at: &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, DetectError> {
        let there = |file: &str| project.has_path(&format!("{at}{file}"));
        let package = format!("{at}package.json");
        if !there("package.json") {
            return Ok(None);
        }
        let text = project.text(&package)?.unwrap_or_default();
        let json: Value = serde_json::from_str(&text).map_err(|error| {
            DetectError::Invalid(format!("`{package}` is not valid JSON: {error}."))
        })?;
        let engines = json.get("engines").and_then(|engines| engines.get("node"));
        let (_, version) =
            node_version::resolve(project, engines.and_then(Value::as_str), warnings)?;
        let scripts = json.get("scripts").and_then(Value::as_object);
        let runs_scripts = ["preinstall", "install", "postinstall", "prepare"];
        let has = |name: &str| scripts.is_some_and(|scripts| scripts.contains_key(name));
        let found = MANAGERS.iter().find(|(lock, ..)| there(lock));
        let (lock, install, cache) = match found {
            // Yarn 1 knows another word for the same.
            Some((lock, ..))
                if *lock == "yarn.lock"
                    && project.hints(&format!("{at}{lock}")).contains("# yarn lockfile v1") =>
            {
                (
                    Some(*lock),
                    "corepack yarn install --frozen-lockfile",
                    "/usr/local/share/.cache/yarn",
                )
            }
            Some((lock, install, cache)) => (Some(*lock), *install, *cache),
            None => {
                warnings.push(
                    format!("There is a `{package}` without a lock file: versions of JavaScript packages may change between builds."),
                );
                (None, "npm install", "/root/.npm")
            }
        };
        let more = [".npmrc", ".yarnrc.yml", "pnpm-workspace.yaml"];
        let more = more.iter().copied().filter(|file| there(file));
        let files = ["package.json"].into_iter().chain(lock).chain(more);
        let files = files.map(|file| format!("{at}{file}"));
        let alone = !runs_scripts.iter().any(|name| has(name)) && json.get("workspaces").is_none();
        let run = match lock {
            Some("yarn.lock") => "corepack yarn run build",
            Some("pnpm-lock.yaml") => "corepack pnpm run build",
            _ => "npm run build",
        };
        Ok(Some(Self {
            version,
            at,
            manifests: alone.then(|| files.collect()),
            install: install.to_owned(),
            cache,
            builds: has("build"),
            run,
        }))
    }

    pub fn cache(&self) -> &'static str {
        self.cache
    }

    /// The stage `assets` with Node.js, and with the sources and `node_modules` when they are the root's.
    pub fn install_stage(&self, image: &mut Image) {
        let base = format!("node:{}-bookworm-slim", self.version.version);
        debug_assert!(is_plain_name(&self.version.version));
        image.from(&base, Some("assets")).line("WORKDIR /app").line(
            "ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false COREPACK_ENABLE_DOWNLOAD_PROMPT=0",
        );
        let caches: &[&str] = &[self.cache];
        let install = Step { command: &self.install, caches, variables: true };
        // Below the root, packages of another language may be imported by path: the stage that has those installs.
        if self.at.is_empty() {
            image.install(self.manifests.as_deref(), Some(&install));
        }
    }

    /// Runs the `build` script in the stage `assets`.
    pub fn build(&self, image: &mut Image) {
        image.variables_follow().run(&Step { command: self.run, caches: &[], variables: true });
    }

    /// Gives Node.js and the installed packages to another stage, whose own tools call them.
    pub fn lend(&self, image: &mut Image) {
        image
            .line("COPY --from=assets /usr/local/bin/node /usr/local/bin/node")
            .line("COPY --from=assets /usr/local/lib/node_modules /usr/local/lib/node_modules")
            .run(&Step {
                command: "ln -sf ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && \
                          ln -sf ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx && \
                          ln -sf ../lib/node_modules/corepack/dist/corepack.js /usr/local/bin/corepack && \
                          corepack enable",
                ..Step::default()
            });
        if self.at.is_empty() {
            image.line("COPY --from=assets /app/node_modules ./node_modules");
            return;
        }
        let command = format!("cd {} && {}", self.at.trim_end_matches('/'), self.install);
        image.run(&Step { command: &command, caches: &[self.cache], variables: true });
    }
}
