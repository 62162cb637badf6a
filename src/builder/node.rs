//! Node.js projects: `package.json`, npm.

use serde_json::Value;

use super::command::{exec_form, plain_words};
use super::node_image::NodeImage;
use super::{DetectError, Project, node_version, set};
use crate::model::build_plan::{BuildPlan, Output};

const LOCKS: &[&str] = &["package-lock.json", "npm-shrinkwrap.json"];
const OTHER_LOCKS: &[(&str, &str)] =
    &[("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "Yarn"), ("bun.lock", "Bun"), ("bun.lockb", "Bun")];
/// Scripts that npm runs while it installs; they may need files of the project.
const INSTALL_SCRIPTS: &[&str] =
    &["preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare"];

/// Takes a tree with a `package.json` that says how to start.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    if !project.has_file("package.json") {
        if forced {
            return Err(DetectError::Invalid(format!(
                "There is no `package.json` in `{}`.",
                project.root()
            )));
        }
        return Ok(None);
    }
    let package = Package::read(project)?;
    let Some(start) = package.start(project)? else {
        // A site that only has tools in its `package.json`.
        if !forced && package.script("build").is_none() && project.has_file("index.html") {
            return Ok(None);
        }
        return Err(package.no_start());
    };
    let mut warnings = Vec::new();
    let lock = LOCKS.iter().copied().find(|lock| project.has_file(lock));
    let install = package.install(project, lock, &mut warnings)?;
    let build = match set(&project.overrides.build_command) {
        Some(command) => Some(command.to_owned()),
        None => package.script("build").map(|_| "npm run build".to_owned()),
    };
    let (major, version) = node_version::resolve(project, package.text(&["engines", "node"]))?;
    let image = NodeImage {
        major,
        manifests: package.manifests(project, lock),
        prune: install.is_some()
            && package.has("devDependencies")
            && set(&project.overrides.install_command).is_none(),
        install: install.clone(),
        build: build.clone(),
        start: start.words,
    };
    Ok(Some(BuildPlan {
        framework: "nodejs".into(),
        reason: format!("There is a `package.json`; it starts with {}.", start.source),
        output: Output::Container { dockerfile: image.dockerfile(), path: None },
        versions: vec![version],
        install_command: install,
        build_command: build,
        start_command: Some(start.shown),
        warnings,
    }))
}

/// A parsed `package.json`.
struct Package(Value);

/// How the application is started.
struct Start {
    words: Vec<String>,
    shown: String,
    /// What says so, for the plan's reason.
    source: String,
}

impl Package {
    fn read(project: &Project<'_>) -> Result<Self, DetectError> {
        let text = project.text("package.json")?.unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(value @ Value::Object(_)) => Ok(Self(value)),
            Ok(_) => Err(DetectError::Invalid("`package.json` is not a JSON object.".into())),
            Err(error) => {
                Err(DetectError::Invalid(format!("`package.json` is not valid JSON: {error}.")))
            }
        }
    }

    fn text(&self, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(&self.0, |value, key| value.get(key))?;
        found.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.text(&["scripts", name])
    }

    /// Whether an object or a list of this name has entries.
    fn has(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Object(entries)) => !entries.is_empty(),
            Some(Value::Array(entries)) => !entries.is_empty(),
            _ => false,
        }
    }

    /// The start command: settings, `start` script, `main`, `index.js`, `server.js`.
    fn start(&self, project: &Project<'_>) -> Result<Option<Start>, DetectError> {
        if let Some(command) = set(&project.overrides.start_command) {
            return Ok(Some(Start {
                words: exec_form(command),
                shown: command.to_owned(),
                source: "the start command of the settings".into(),
            }));
        }
        if let Some(script) = self.script("start") {
            // Without npm and a shell in between, signals reach the program. Scripts around it need npm.
            let alone = self.script("prestart").is_none() && self.script("poststart").is_none();
            let words = plain_words(script).filter(|_| alone);
            return Ok(Some(Start {
                words: words.unwrap_or_else(|| vec!["npm".into(), "start".into()]),
                shown: "npm start".into(),
                source: "its `start` script".into(),
            }));
        }
        let main = self.text(&["main"]).map(|main| main.trim_start_matches("./"));
        let is_there = |path: &str| -> Result<bool, DetectError> {
            Ok(project.tree.read(path, u64::MAX)?.is_some())
        };
        if let Some(main) = main.filter(|main| !main.starts_with(['-', '/'])) {
            let built = self.script("build").is_some();
            for path in [main.to_owned(), format!("{main}.js"), format!("{main}/index.js")] {
                if is_there(&path)? {
                    return Ok(Some(Start::file(&path, "its `main` file")));
                }
            }
            if built {
                return Ok(Some(Start::file(main, "its `main` file, which the build makes")));
            }
        }
        for file in ["index.js", "server.js", "index.mjs", "index.cjs"] {
            if project.has_file(file) {
                return Ok(Some(Start::file(file, &format!("`{file}`"))));
            }
        }
        Ok(None)
    }

    fn no_start(&self) -> DetectError {
        let built = match self.script("build") {
            Some(_) => " Building static files from `package.json` is not supported yet.",
            None => "",
        };
        DetectError::Unsupported(format!(
            "`package.json` does not say how to start: it has no `start` script and no `main`, and there is no `index.js`.{built} \
             Add a `start` script such as `node server.js`, or set the start command."
        ))
    }

    /// The install command; `None` when there is nothing to install.
    fn install(
        &self,
        project: &Project<'_>,
        lock: Option<&str>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<String>, DetectError> {
        if let Some(command) = set(&project.overrides.install_command) {
            return Ok(Some(command.to_owned()));
        }
        let other_lock = OTHER_LOCKS.iter().find(|(file, _)| project.has_file(file));
        let manager = self.text(&["packageManager"]).and_then(|text| text.split('@').next());
        match (lock, other_lock, manager) {
            (Some(lock), Some((other, _)), _) => {
                warnings.push(format!("`{lock}` is used and `{other}` is not."));
            }
            (None, Some((file, manager)), _) => {
                return Err(DetectError::Unsupported(format!(
                    "This project uses {manager} (`{file}`); only npm is supported for now. Commit a `package-lock.json`, set the install command, or add a `Dockerfile`."
                )));
            }
            (None, None, Some(manager @ ("pnpm" | "yarn" | "bun"))) => {
                return Err(DetectError::Unsupported(format!(
                    "This project uses {manager} (`packageManager` in package.json); only npm is supported for now. Commit a `package-lock.json`, set the install command, or add a `Dockerfile`."
                )));
            }
            _ => {}
        }
        if lock.is_some() {
            return Ok(Some("npm ci".into()));
        }
        let something = [
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
            "workspaces",
        ]
        .iter()
        .any(|key| self.has(key))
            || INSTALL_SCRIPTS.iter().any(|name| self.script(name).is_some());
        if !something {
            return Ok(None);
        }
        warnings.push(
            "There is no `package-lock.json`: versions of dependencies may change between builds."
                .into(),
        );
        Ok(Some("npm install".into()))
    }

    /// Files the installation reads, when it reads no others.
    fn manifests(
        &self,
        project: &Project<'_>,
        lock: Option<&'static str>,
    ) -> Option<Vec<&'static str>> {
        let local = ["dependencies", "devDependencies", "optionalDependencies"].iter().any(|key| {
            let list = self.0.get(key).and_then(Value::as_object);
            let is_path = |text: &str| {
                ["file:", "link:", ".", "/", "~"].iter().any(|start| text.starts_with(start))
                    && !text.starts_with("~1")
            };
            list.is_some_and(|list| list.values().filter_map(Value::as_str).any(is_path))
        });
        let needs_all = local
            || self.has("workspaces")
            || set(&project.overrides.install_command).is_some()
            || INSTALL_SCRIPTS.iter().any(|name| self.script(name).is_some());
        if needs_all {
            return None;
        }
        let npmrc = project.has_file(".npmrc").then_some(".npmrc");
        Some(["package.json"].into_iter().chain(lock).chain(npmrc).collect())
    }
}

impl Start {
    fn file(path: &str, source: &str) -> Self {
        Self {
            words: vec!["node".into(), path.to_owned()],
            shown: format!("node {path}"),
            source: source.to_owned(),
        }
    }
}
