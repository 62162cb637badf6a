//! Plans of JavaScript projects.

use super::super::{DetectError, Overrides, plan, plan_within};
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::{BuildPlan, Output};

mod frameworks;
mod hostile;
mod managers;
mod workspaces;

fn planned(files: &[(&str, &str)]) -> Result<BuildPlan, DetectError> {
    plan(&MemoryTree::new(files), &Overrides::default())
}

/// The plan of a `package.json` and other files, all but it empty.
fn of(package: &str, others: &[&str]) -> BuildPlan {
    let mut files = vec![("package.json", package)];
    files.extend(others.iter().map(|path| (*path, "")));
    planned(&files).unwrap_or_else(|error| panic!("{package} {others:?}: {error}"))
}

fn message(files: &[(&str, &str)]) -> String {
    planned(files).unwrap_err().to_string()
}

fn dockerfile(plan: &BuildPlan) -> &str {
    plan.dockerfile().expect("a Dockerfile")
}

/// The last line: how it is started, or what is copied.
fn last(plan: &BuildPlan) -> &str {
    dockerfile(plan).lines().last().unwrap()
}

#[test]
fn a_node_project_with_a_lock_file_and_a_build() {
    let plan = planned(&[
        (
            "package.json",
            r#"{"scripts":{"build":"tsc","start":"node dist/server.js"},"dependencies":{"a":"1"},"devDependencies":{"typescript":"5"},"engines":{"node":"22.x"}}"#,
        ),
        ("package-lock.json", "{}"),
        ("src/server.ts", ""),
    ])
    .unwrap();
    let read = "--mount=type=secret,id=orbitra-variables test ! -f /run/secrets/orbitra-variables || . /run/secrets/orbitra-variables;";
    assert_eq!(
        dockerfile(&plan),
        format!(
            r#"FROM node:22-bookworm-slim AS build
WORKDIR /app
ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm {read} npm ci
COPY . .
ARG ORBITRA_VARIABLES
RUN {read} npm run build
RUN --mount=type=cache,target=/root/.npm npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH
COPY --from=build --chown=node:node /app ./
USER node
CMD ["node","dist/server.js"]
"#
        )
    );
    assert_eq!(plan.framework, "nodejs");
    assert_eq!(plan.reason, "There is a `package.json`; it starts with its `start` script.");
    assert_eq!(plan.versions.len(), 1);
    assert_eq!(plan.versions[0].version, "22");
    assert_eq!(plan.versions[0].source, "engines.node in package.json");
    assert_eq!(plan.install_command.as_deref(), Some("npm ci"));
    assert_eq!(plan.build_command.as_deref(), Some("npm run build"));
    assert_eq!(plan.start_command.as_deref(), Some("npm start"));
    assert_eq!(plan.caches, ["/root/.npm"]);
    assert!(plan.warnings.is_empty() && plan.port.is_none());
}

#[test]
fn a_node_project_without_dependencies_installs_nothing() {
    let plan = of(r#"{"name":"a"}"#, &["index.js"]);
    assert!(!dockerfile(&plan).contains("RUN"), "{}", dockerfile(&plan));
    assert_eq!(last(&plan), r#"CMD ["node","index.js"]"#);
    assert_eq!(plan.versions[0].source, "the default");
    assert!(plan.caches.is_empty());
}

#[test]
fn without_a_build_what_is_for_development_is_never_installed() {
    let plan = of(
        r#"{"scripts":{"start":"node a.js"},"devDependencies":{"eslint":"9"}}"#,
        &["package-lock.json"],
    );
    assert_eq!(plan.install_command.as_deref(), Some("npm ci --omit=dev"));
    assert!(!dockerfile(&plan).contains("prune"));
    // A script of the installation may need it.
    let plan = of(
        r#"{"scripts":{"start":"node a.js","prepare":"husky"},"devDependencies":{"husky":"9"}}"#,
        &["package-lock.json"],
    );
    assert_eq!(plan.install_command.as_deref(), Some("npm ci"));
    assert!(dockerfile(&plan).contains("COPY . .\nRUN --mount"), "{}", dockerfile(&plan));
    assert!(dockerfile(&plan).contains("npm prune --omit=dev --ignore-scripts"));
    // The start command may, too.
    let plan = of(
        r#"{"scripts":{"start":"tsx server.ts"},"devDependencies":{"tsx":"4"}}"#,
        &["package-lock.json"],
    );
    assert_eq!(plan.install_command.as_deref(), Some("npm ci"));
    assert_eq!(
        plan.warnings,
        [
            "`tsx` is a development dependency and is needed to start: development dependencies stay in the image."
        ]
    );
}

#[test]
fn a_node_project_without_a_lock_file_is_warned() {
    let plan = planned(&[
        ("package.json", r#"{"scripts":{"start":"node x $PORT","postinstall":"node x.js"},"dependencies":{"a":"15"}}"#),
        (".npmrc", ""),
        (".nvmrc", "v20.1.0\n"),
    ])
    .unwrap();
    assert!(
        last(&plan) == "CMD [\"npm\",\"start\"]"
            && dockerfile(&plan).starts_with("FROM node:20-bookworm-slim AS build\n")
    );
    assert_eq!(plan.install_command.as_deref(), Some("npm install"));
    assert_eq!(
        plan.warnings,
        ["There is no `package-lock.json`: versions of dependencies may change between builds."]
    );
}

#[test]
fn start_commands() {
    let start = |package: &str, files: &[&str]| last(&of(package, files)).to_owned();
    assert_eq!(start(r#"{"scripts":{"start":"A=1 node x"}}"#, &[]), r#"CMD ["npm","start"]"#);
    assert_eq!(
        start(r#"{"scripts":{"start":"node x","prestart":"y"}}"#, &[]),
        r#"CMD ["npm","start"]"#
    );
    assert_eq!(start(r#"{"main":"./lib/app"}"#, &["lib/app.js"]), r#"CMD ["node","lib/app.js"]"#);
    assert_eq!(
        start(r#"{"main":"dist/a.js","scripts":{"build":"x"}}"#, &[]),
        r#"CMD ["node","dist/a.js"]"#
    );
    assert_eq!(start(r#"{"main":"gone.js"}"#, &["server.js"]), r#"CMD ["node","server.js"]"#);
}

#[test]
fn what_cannot_be_started_is_said() {
    assert!(
        message(&[("package.json", "{"), ("index.js", "")])
            .starts_with("`package.json` is not valid JSON: ")
    );
    assert_eq!(message(&[("package.json", "[]")]), "`package.json` is not a JSON object.");
    let none = message(&[("package.json", "{}")]);
    assert!(none.starts_with("`package.json` does not say how to start"), "{none}");
    let old = message(&[("package.json", r#"{"engines":{"node":"12"}}"#), ("index.js", "")]);
    assert!(old.starts_with("Node.js 12 (engines.node in package.json) is too old"), "{old}");
}

#[test]
fn a_framework_that_the_settings_name_must_be_there() {
    let tree =
        MemoryTree::new(&[("package.json", r#"{"dependencies":{"next":"16"}}"#), ("index.js", "")]);
    let forced =
        |id: &str| plan(&tree, &Overrides { framework: Some(id.into()), ..Overrides::default() });
    assert_eq!(forced("nextjs").unwrap().framework, "nextjs");
    assert_eq!(last(&forced("nodejs").unwrap()), r#"CMD ["node","index.js"]"#);
    for id in ["nuxt", "remix", "astro", "sveltekit", "vite"] {
        let error = forced(id).unwrap_err().to_string();
        assert!(error.starts_with(&format!("The settings name `{id}`")), "{error}");
    }
    let empty = MemoryTree::new(&[("a.txt", "")]);
    for id in ["nodejs", "nextjs", "vite", "bun"] {
        let overrides = Overrides { framework: Some(id.into()), ..Overrides::default() };
        assert_eq!(
            plan(&empty, &overrides).unwrap_err().to_string(),
            "There is no `package.json` in `/`."
        );
    }
}
