//! Plans of whole trees.

use super::*;
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::Output;

fn planned(files: &[(&str, &str)]) -> Result<BuildPlan, DetectError> {
    plan(&MemoryTree::new(files), &Overrides::default())
}

fn dockerfile(plan: &BuildPlan) -> &str {
    match &plan.output {
        Output::Container { dockerfile, .. } => dockerfile,
        Output::Static { .. } => panic!("a static plan"),
    }
}

fn message(files: &[(&str, &str)]) -> String {
    planned(files).unwrap_err().to_string()
}

#[test]
fn a_node_project_with_a_lock_file_and_a_build() {
    let plan = planned(&[
        (
            "package.json",
            r#"{"scripts":{"build":"tsc","start":"node dist/server.js"},"dependencies":{"a":"1"},"devDependencies":{"typescript":"5"},"engines":{"node":">=20"}}"#,
        ),
        ("package-lock.json", "{}"),
        ("src/server.ts", ""),
    ])
    .unwrap();
    assert_eq!(
        dockerfile(&plan),
        r#"FROM node:22-bookworm-slim AS build
WORKDIR /app
ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
RUN npm run build
RUN --mount=type=cache,target=/root/.npm npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH
COPY --from=build --chown=node:node /app ./
USER node
CMD ["node","dist/server.js"]
"#
    );
    assert_eq!(plan.framework, "nodejs");
    assert_eq!(plan.reason, "There is a `package.json`; it starts with its `start` script.");
    assert_eq!(plan.versions[0].version, "22");
    assert_eq!(plan.versions[0].source, "engines.node in package.json");
    assert_eq!(plan.install_command.as_deref(), Some("npm ci"));
    assert_eq!(plan.build_command.as_deref(), Some("npm run build"));
    assert_eq!(plan.start_command.as_deref(), Some("npm start"));
    assert!(plan.warnings.is_empty());
}

#[test]
fn a_node_project_without_dependencies_installs_nothing() {
    let plan = planned(&[("package.json", r#"{"name":"a"}"#), ("index.js", "")]).unwrap();
    assert_eq!(
        dockerfile(&plan),
        r#"FROM node:22-bookworm-slim AS build
WORKDIR /app
ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false
COPY . .

FROM node:22-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH
COPY --from=build --chown=node:node /app ./
USER node
CMD ["node","index.js"]
"#
    );
    assert_eq!(plan.versions[0].source, "the default");
}

#[test]
fn a_node_project_without_a_lock_file_is_warned() {
    let plan = planned(&[
        ("package.json", r#"{"scripts":{"start":"next start -p $PORT","postinstall":"node x.js"},"dependencies":{"next":"15"}}"#),
        (".npmrc", ""),
        (".nvmrc", "v20.1.0\n"),
    ])
    .unwrap();
    let text = dockerfile(&plan);
    // The script of the installation needs its file.
    assert!(
        text.contains("COPY . .\nRUN --mount=type=cache,target=/root/.npm npm install\n"),
        "{text}"
    );
    assert!(text.ends_with("CMD [\"npm\",\"start\"]\n"), "{text}");
    assert!(text.starts_with("FROM node:20-bookworm-slim AS build\n"));
    assert_eq!(plan.warnings.len(), 1);
}

#[test]
fn start_commands() {
    let start = |package: &str, files: &[(&str, &str)]| {
        let mut all = vec![("package.json", package)];
        all.extend(files);
        let plan = planned(&all).unwrap();
        dockerfile(&plan).lines().last().unwrap().to_owned()
    };
    assert_eq!(start(r#"{"scripts":{"start":"next start"}}"#, &[]), r#"CMD ["next","start"]"#);
    assert_eq!(start(r#"{"scripts":{"start":"A=1 node x"}}"#, &[]), r#"CMD ["npm","start"]"#);
    assert_eq!(
        start(r#"{"scripts":{"start":"node x","prestart":"y"}}"#, &[]),
        r#"CMD ["npm","start"]"#
    );
    assert_eq!(
        start(r#"{"main":"./lib/app"}"#, &[("lib/app.js", "")]),
        r#"CMD ["node","lib/app.js"]"#
    );
    assert_eq!(
        start(r#"{"main":"dist/a.js","scripts":{"build":"x"}}"#, &[]),
        r#"CMD ["node","dist/a.js"]"#
    );
    assert_eq!(start(r#"{"main":"gone.js"}"#, &[("server.js", "")]), r#"CMD ["node","server.js"]"#);
}

#[test]
fn what_node_projects_cannot_do_yet_is_said() {
    assert!(
        message(&[("package.json", "{"), ("index.js", "")])
            .starts_with("`package.json` is not valid JSON: ")
    );
    assert_eq!(message(&[("package.json", "[]")]), "`package.json` is not a JSON object.");
    let yarn = message(&[("package.json", r#"{"main":"a.js"}"#), ("a.js", ""), ("yarn.lock", "")]);
    assert!(
        yarn.starts_with("This project uses Yarn (`yarn.lock`); only npm is supported for now."),
        "{yarn}"
    );
    let pnpm = message(&[("package.json", r#"{"packageManager":"pnpm@9.1.0"}"#), ("index.js", "")]);
    assert!(pnpm.starts_with("This project uses pnpm"), "{pnpm}");
    let none = message(&[("package.json", "{}")]);
    assert!(none.starts_with("`package.json` does not say how to start"), "{none}");
    let old = message(&[("package.json", r#"{"engines":{"node":"12"}}"#), ("index.js", "")]);
    assert!(old.starts_with("Node.js 12 (engines.node in package.json) is too old"), "{old}");
    let both = planned(&[
        ("package.json", "{}"),
        ("index.js", ""),
        ("yarn.lock", ""),
        ("package-lock.json", "{}"),
    ])
    .unwrap();
    assert_eq!(both.warnings, ["`package-lock.json` is used and `yarn.lock` is not."]);
}

#[test]
fn settings_win_over_detection() {
    let tree = MemoryTree::new(&[
        ("package.json", "{}"),
        ("Dockerfile", "FROM x"),
        ("public/index.html", ""),
    ]);
    let nodejs = Overrides {
        framework: Some("nodejs".into()),
        install_command: Some("npm i && echo \"x\"".into()),
        build_command: Some("npm run all".into()),
        start_command: Some("node a.js | tee log".into()),
        ..Overrides::default()
    };
    let made = plan(&tree, &nodejs).unwrap();
    let text = dockerfile(&made);
    assert!(text.contains(r#"npm ["/bin/sh","-c","npm i && echo \"x\""]"#), "{text}");
    assert!(
        text.contains("RUN npm run all\n")
            && text.ends_with("CMD [\"/bin/sh\",\"-c\",\"node a.js | tee log\"]\n"),
        "{text}"
    );
    let site = Overrides { framework: Some("static".into()), ..Overrides::default() };
    assert_eq!(plan(&tree, &site).unwrap().output, Output::Static { directory: "public".into() });
    let blank = Overrides { framework: Some(" ".into()), ..Overrides::default() };
    assert_eq!(plan(&tree, &blank).unwrap().framework, "dockerfile");
    for wrong in [
        Overrides { framework: Some("cobol".into()), ..Overrides::default() },
        Overrides {
            start_command: Some("a\nRUN --security=insecure x".into()),
            ..Overrides::default()
        },
        Overrides { dockerfile: Some("no/Dockerfile".into()), ..Overrides::default() },
    ] {
        assert!(matches!(plan(&tree, &wrong), Err(DetectError::Invalid(_))), "{wrong:?}");
    }
}

#[test]
fn a_dockerfile_wins_and_its_path_stays_inside() {
    let tree = MemoryTree::new(&[
        ("Dockerfile", "FROM x\n"),
        ("docker/prod", "FROM y\n"),
        ("package.json", "{}"),
    ])
    .link("link", "/etc/passwd")
    .link("sub", "/etc");
    let made = plan(&tree, &Overrides::default()).unwrap();
    assert_eq!(
        made.output,
        Output::Container { dockerfile: "FROM x\n".into(), path: Some("Dockerfile".into()) }
    );
    let at = |path: &str| {
        plan(&tree, &Overrides { dockerfile: Some(path.into()), ..Overrides::default() })
    };
    assert_eq!(
        at("./docker/prod").unwrap().output,
        Output::Container { dockerfile: "FROM y\n".into(), path: Some("docker/prod".into()) }
    );
    for path in [
        "../Dockerfile",
        "/etc/passwd",
        "a/../../b",
        "a\\..\\b",
        "Dockerfile\u{0}x",
        "%2e%2e/x",
        "~/x",
        ".git/config",
        "./././x",
        "link",
        "sub/passwd",
        "docker",
        "none",
        &"x".repeat(5000),
    ] {
        assert!(matches!(at(path), Err(DetectError::Invalid(_))), "{path}");
    }
    let link =
        plan(&MemoryTree::default().link("Dockerfile", "/etc/passwd"), &Overrides::default());
    assert!(link.unwrap_err().to_string().contains("symbolic link"));
    assert!(
        message(&[("Dockerfile", "# syntax=evil/x\nFROM a")])
            .contains("`Dockerfile` has a `# syntax=evil/x` line")
    );
}

#[test]
fn static_sites() {
    for (files, directory) in [
        (&[("index.html", ""), ("public/index.html", "")][..], ""),
        (&[("public/index.html", ""), ("README.md", "")], "public"),
        (&[("dist/index.html", "")], "dist"),
        (&[("index.html", ""), ("package.json", r#"{"devDependencies":{"prettier":"3"}}"#)], ""),
    ] {
        let made = planned(files).unwrap();
        assert_eq!(made.output, Output::Static { directory: directory.into() });
    }
    let tree = MemoryTree::new(&[("out/a.html", ""), ("index.html", "")]);
    let at = |path: &str| {
        plan(&tree, &Overrides { output_directory: Some(path.into()), ..Overrides::default() })
    };
    assert_eq!(at("out/").unwrap().output, Output::Static { directory: "out".into() });
    assert_eq!(at(".").unwrap().output, Output::Static { directory: String::new() });
    assert!(at("../out").is_err() && at("none").is_err());
}

#[test]
fn when_nothing_fits_the_answer_names_what_is_there() {
    assert_eq!(
        message(&[("README.md", ""), ("docs/a.md", "")]),
        "Nothing to build was found in `/`. It holds: README.md, docs/. Add a `Dockerfile`, a `package.json` or an `index.html`, or set the root directory."
    );
    assert!(message(&[]).starts_with("Nothing to build was found in `/`. It is empty."));
    let many: Vec<(String, &str)> = (10..25).map(|n| (format!("f{n}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), *b)).collect();
    assert!(message(&many).contains("f19 and 5 more."));
    assert!(
        message(&[("go.mod", ""), ("public/index.html", "")])
            .starts_with("This is a Go project (`go.mod`)")
    );
    let sub = Overrides { root_directory: Some("apps/web".into()), ..Overrides::default() };
    let error = plan(&MemoryTree::new(&[("a", "")]), &sub).unwrap_err().to_string();
    assert!(error.starts_with("Nothing to build was found in `/apps/web`."), "{error}");
}
