//! Deno projects: `deno.json`.

use serde_json::Value;

use super::super::command::{exec_form, plain_words};
use super::super::image::{Image, Step};
use super::super::version_files::{Asked, of_files, of_managers};
use super::super::{DetectError, Project, set};
use super::config_text;
use super::tool_versions::{DEFAULT, is_exact, named, pinned, shown};
use super::workspace::is_plain;
use crate::model::build_plan::{BuildPlan, Output, PINNED, Version};

/// Version for projects that name none. There are images of whole versions only.
const USUAL_VERSION: &str = "2.9.6";
const CONFIGS: &[&str] = &["deno.json", "deno.jsonc"];
/// Files that are run when nothing names one.
const USUAL: &[&str] = &[
    "main.ts",
    "server.ts",
    "app.ts",
    "index.ts",
    "mod.ts",
    "main.tsx",
    "main.js",
    "server.js",
    "index.js",
    "src/main.ts",
    "src/server.ts",
    "src/index.ts",
];

/// Takes a tree with a `deno.json`, unless its `package.json` says how Node.js starts it.
pub(in super::super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let file = CONFIGS.iter().copied().find(|file| project.has_file(file));
    let Some(file) = file.or((forced || project.has_file("deno.lock")).then_some("deno.lock"))
    else {
        return Ok(None);
    };
    let config = match file {
        "deno.lock" => Value::Null,
        file => config_text::json(&project.text(file)?.unwrap_or_default()).map_err(|error| {
            DetectError::Invalid(format!("`{file}` is not valid JSON: {error}."))
        })?,
    };
    let task = |name: &str| {
        let task = config.get("tasks")?.get(name)?;
        let command = task.as_str().or_else(|| task.get("command")?.as_str())?;
        Some(command.trim()).filter(|command| !command.is_empty())
    };
    if !forced && task("start").is_none() && project.has_file("package.json") {
        let package = super::Package::read(project)?;
        if package.script("start").is_some() || package.script("build").is_some() {
            return Ok(None);
        }
    }
    let (words, start, source) = if let Some(command) = set(&project.overrides.start_command) {
        (exec_form(command), command.to_owned(), "the start command of the settings".to_owned())
    } else if let Some(command) = task("start") {
        let alone =
            config.get("tasks").and_then(|tasks| tasks.get("start")?.get("dependencies")).is_none();
        let plain = plain_words(command)
            .filter(|words| alone && words.first().is_some_and(|word| word == "deno"));
        let words = plain.unwrap_or_else(|| ["deno", "task", "start"].map(str::to_owned).to_vec());
        (words, "deno task start".to_owned(), "its `start` task".to_owned())
    } else {
        let is_there = |path: &&&str| matches!(project.tree.read(path, u64::MAX), Ok(Some(_)));
        let Some(main) = USUAL.iter().find(is_there) else {
            return Err(DetectError::Unsupported(format!(
                "`{file}` does not say how to start: it has no `start` task, and there is no `main.ts`. Add a task such as \
                 `deno run --allow-net main.ts`, or set the start command."
            )));
        };
        let words = ["deno", "run", "--allow-all", main].map(str::to_owned).to_vec();
        (words.clone(), words.join(" "), format!("`{main}`"))
    };
    let mut warnings = Vec::new();
    let lock = project.has_file("deno.lock").then_some("deno.lock");
    let has_imports = config.get("imports").is_some() || project.has_file("package.json");
    let mut install = set(&project.overrides.install_command).map(str::to_owned);
    let own_install = install.is_some();
    if install.is_none() && has_imports {
        install =
            Some(if lock.is_some() { "deno install --frozen" } else { "deno install" }.to_owned());
        if lock.is_none() {
            warnings.push(
                "There is no `deno.lock`: versions of dependencies may change between builds."
                    .into(),
            );
        }
    }
    let build = set(&project.overrides.build_command).map(str::to_owned);
    let build = build.or_else(|| task("build").map(|_| "deno task build".to_owned()));
    let version = version(project)?;
    let manifests: Vec<&str> = CONFIGS
        .iter()
        .copied()
        .chain(lock)
        .chain(["package.json", ".npmrc", "import_map.json"])
        .filter(|file| project.has_file(file))
        .collect();
    let needs_sources =
        own_install || config.get("workspace").is_some() || config.get("importMap").is_some();
    // What is run is known before it is: its modules are fetched while the image is built.
    let entry = words
        .iter()
        .rev()
        .find(|word| is_plain(word) && matches!(project.tree.read(word, u64::MAX), Ok(Some(_))));
    let image = DenoImage {
        base: format!("denoland/deno:debian-{}", version.version),
        manifests: (!needs_sources && !manifests.is_empty()).then_some(manifests),
        install: install.as_deref(),
        entry: entry.map(String::as_str),
        build: build.as_deref(),
        start: &words,
    };
    let output = Output::Container { dockerfile: image.dockerfile(), path: None };
    let reason = match file {
        "deno.lock" => format!("This is Deno; it starts with {source}."),
        file => format!("There is a `{file}`; it starts with {source}."),
    };
    Ok(Some(BuildPlan {
        versions: vec![version],
        install_command: install,
        build_command: build,
        start_command: Some(start),
        release_command: set(&project.overrides.release_command).map(str::to_owned),
        port: Some(8000),
        warnings,
        ..BuildPlan::new("deno", reason, output)
    }))
}

/// The version: `.deno-version`, `.dvmrc`, mise, pinned, else the usual one.
fn version(project: &Project<'_>) -> Result<Version, DetectError> {
    let of = |version: &str, source: &str| Version {
        name: "deno".into(),
        version: version.to_owned(),
        source: source.to_owned(),
    };
    let mut found = named(project, "deno")?;
    if found.is_none() {
        found = of_files(project, &[".deno-version", ".dvmrc"])?;
    }
    if found.is_none() {
        found = of_managers(project, &["deno"])?;
    }
    if let Some(Asked { text, source }) = found {
        let exact = text.trim_start_matches('v');
        if is_exact(exact) {
            return Ok(of(exact, &source));
        }
        if text != "2" {
            return Err(DetectError::Invalid(format!(
                "`{}` ({source}) is no whole version of Deno, such as `{USUAL_VERSION}`.",
                shown(&text)
            )));
        }
    }
    Ok(match pinned(project, "deno").filter(|pin| is_exact(pin)) {
        Some(pin) => of(pin, PINNED),
        None => of(USUAL_VERSION, DEFAULT),
    })
}

struct DenoImage<'a> {
    base: String,
    /// Files that the installation needs; `None` copies everything first.
    manifests: Option<Vec<&'a str>>,
    install: Option<&'a str>,
    entry: Option<&'a str>,
    build: Option<&'a str>,
    start: &'a [String],
}

impl DenoImage<'_> {
    /// Writes the Dockerfile. What is fetched belongs into the image: `/deno-dir` is no cache here.
    fn dockerfile(&self) -> String {
        let mut image = Image::default();
        let step = |command| Step { command, caches: &[], variables: true };
        image.from(&self.base, Some("build")).line("WORKDIR /app");
        match (self.install, &self.manifests) {
            (Some(install), Some(manifests)) => {
                image.line(format!("COPY {} ./", manifests.join(" ")));
                image.run(&step(install)).line("COPY . .");
            }
            (install, _) => {
                image.line("COPY . .");
                install.into_iter().for_each(|install| {
                    image.run(&step(install));
                });
            }
        }
        if let Some(entry) = self.entry {
            let command = format!("deno cache {entry}");
            image.run(&Step { command: &command, caches: &[], variables: true });
        }
        if let Some(build) = self.build {
            image.variables_follow().run(&step(build));
        }
        image
            .from(&self.base, None)
            .line("WORKDIR /app")
            .line("COPY --from=build --chown=deno:deno /deno-dir /deno-dir")
            .line("COPY --from=build --chown=deno:deno /app ./")
            .line("USER deno")
            .cmd(self.start)
            .finish()
    }
}
