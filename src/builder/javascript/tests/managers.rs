//! Package managers: which one, which version, which commands.

use super::*;

fn with_dependencies(more: &str) -> String {
    format!(r#"{{"main":"a.js","engines":{{"node":"22"}},"dependencies":{{"a":"1"}}{more}}}"#)
}

/// The manager's version and where it is from.
fn version(plan: &BuildPlan) -> Option<(String, String)> {
    plan.versions
        .get(1)
        .map(|version| (format!("{} {}", version.name, version.version), version.source.clone()))
}

#[test]
fn a_lock_file_tells_the_manager_and_its_version() {
    for (lock, text, manager, install) in [
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n", "pnpm 10", "pnpm install --frozen-lockfile"),
        ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n", "pnpm 8", "pnpm install --frozen-lockfile"),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4\r\n", "pnpm 7", "pnpm install --frozen-lockfile"),
        (
            "yarn.lock",
            "# yarn lockfile v1\n",
            "yarn 1.22.22",
            "yarn install --frozen-lockfile --non-interactive",
        ),
        ("yarn.lock", "__metadata:\n  version: 8\n", "yarn 4", "yarn install --immutable"),
        ("yarn.lock", "__metadata:\n  version: 6\n", "yarn 3", "yarn install --immutable"),
        ("bun.lock", "{}", "bun 1", "bun install --frozen-lockfile"),
    ] {
        let package = with_dependencies(r#","scripts":{"start":"node a.js"}"#);
        let plan = planned(&[("package.json", &package), (lock, text), ("a.js", "")]).unwrap();
        assert_eq!(version(&plan).unwrap().0, manager, "{lock} {text}");
        assert_eq!(plan.install_command.as_deref(), Some(install));
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        assert!(
            dockerfile(&plan)
                .contains(&format!("COPY package.json {lock} ./\nRUN --mount=type=cache"))
        );
        let (setup, _) = dockerfile(&plan).split_once("COPY").unwrap();
        assert!(setup.contains("npm install --global"), "{setup}");
        // The image that runs needs no manager.
        let (_, run) = dockerfile(&plan).rsplit_once("FROM").unwrap();
        assert!(!run.contains("--global"), "{run}");
    }
}

#[test]
fn what_package_json_names_wins_over_lock_files() {
    let package = with_dependencies(r#","packageManager":"pnpm@9.15.0+sha512.abc""#);
    let plan = of(&package, &["a.js", "yarn.lock"]);
    assert_eq!(
        version(&plan),
        Some(("pnpm 9.15.0".into(), "packageManager in package.json".into()))
    );
    assert_eq!(plan.install_command.as_deref(), Some("pnpm install --no-frozen-lockfile"));
    assert_eq!(
        plan.warnings,
        [
            "`yarn.lock` is not used: pnpm installs this project.",
            "There is no `pnpm-lock.yaml`: versions of dependencies may change between builds."
        ]
    );
    let berry = of(&with_dependencies(r#","packageManager":"yarn@4.1.0""#), &["a.js", "yarn.lock"]);
    assert!(dockerfile(&berry).contains("RUN --mount=type=cache,target=/root/.npm npm install --global --force @yarnpkg/cli-dist@4.1.0\n"));
    assert!(dockerfile(&berry).contains("YARN_NODE_LINKER=node-modules"));
    let npm =
        of(&with_dependencies(r#","packageManager":"npm@10.2.0""#), &["a.js", "package-lock.json"]);
    assert_eq!(version(&npm).unwrap().0, "npm 10.2.0");
    let engines =
        r#"{"main":"a.js","dependencies":{"a":"1"},"engines":{"node":"22","pnpm":">=9 <10"}}"#;
    assert_eq!(version(&of(engines, &["a.js"])).unwrap().0, "pnpm 9");
    let development = r#","devEngines":{"packageManager":{"name":"pnpm","version":"10.1.0"}}"#;
    assert_eq!(version(&of(&with_dependencies(development), &["a.js"])).unwrap().0, "pnpm 10.1.0");
    let both = of("{}", &["index.js", "yarn.lock", "package-lock.json"]);
    assert_eq!(both.warnings, ["`yarn.lock` is used and `package-lock.json` is not."]);
}

#[test]
fn a_pinned_manager_stays_until_a_file_names_another() {
    let tree = MemoryTree::new(&[
        ("package.json", &with_dependencies("")),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ("a.js", ""),
    ]);
    let pins = vec![("pnpm".to_owned(), "9".to_owned())];
    let pinned = plan(&tree, &Overrides { pins, ..Overrides::default() }).unwrap();
    assert_eq!(version(&pinned), Some(("pnpm 9".into(), "pinned by an earlier deployment".into())));
    let named = MemoryTree::new(&[
        ("package.json", &with_dependencies(r#","packageManager":"pnpm@10.1.0""#)),
        ("a.js", ""),
    ]);
    let pins = vec![("pnpm".to_owned(), "9".to_owned())];
    let file = plan(&named, &Overrides { pins, ..Overrides::default() }).unwrap();
    assert_eq!(version(&file).unwrap().0, "pnpm 10.1.0");
    // The settings count more than any file.
    let versions =
        vec![("pnpm".to_owned(), "9.1.0".to_owned()), ("node".to_owned(), "20".to_owned())];
    let settings = plan(&named, &Overrides { versions, ..Overrides::default() }).unwrap();
    assert_eq!(version(&settings).unwrap().0, "pnpm 9.1.0");
    assert_eq!(settings.versions[0].version, "20");
    let versions = vec![("pnpm".to_owned(), "next-11".to_owned())];
    let refused = plan(&named, &Overrides { versions, ..Overrides::default() });
    assert!(matches!(refused, Err(DetectError::Invalid(_))), "{refused:?}");
}

#[test]
fn what_is_for_development_is_taken_out_after_a_build() {
    let package = |manager: &str| {
        format!(
            r#"{{"packageManager":"{manager}","scripts":{{"build":"b","start":"node a"}},"devDependencies":{{"b":"1"}}}}"#
        )
    };
    for (manager, lock, command) in [
        (
            "pnpm@10.0.0",
            "pnpm-lock.yaml",
            "RUN --mount=type=cache,target=/pnpm/store pnpm prune --prod --ignore-scripts",
        ),
        (
            "yarn@1.22.22",
            "yarn.lock",
            "yarn install --frozen-lockfile --non-interactive --production --ignore-scripts --prefer-offline\n",
        ),
        (
            "yarn@4.0.0",
            "yarn.lock",
            "RUN --mount=type=cache,target=/root/.yarn/berry yarn workspaces focus --all --production\n",
        ),
        (
            "bun@1.1.0",
            "bun.lock",
            "rm -rf node_modules && bun install --frozen-lockfile --production",
        ),
        ("npm@10.0.0", "package-lock.json", "npm prune --omit=dev --ignore-scripts\n"),
    ] {
        let plan = of(&package(manager), &[lock]);
        assert!(dockerfile(&plan).contains(command), "{}", dockerfile(&plan));
        let name = manager.split('@').next().unwrap();
        assert_eq!(plan.build_command, Some(format!("{name} run build")));
    }
    // It came with yarn 4.
    assert!(!dockerfile(&of(&package("yarn@3.0.0"), &["yarn.lock"])).contains("focus"));
}

#[test]
fn files_that_an_installation_reads_are_copied_with_the_lock_file() {
    let plan = planned(&[
        ("package.json", r#"{"main":"a.js","packageManager":"yarn@4.1.0","dependencies":{"@prisma/client":"6"}}"#),
        ("a.js", ""),
        ("yarn.lock", ""),
        (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-4.1.0.cjs\n"),
        (".yarn/releases/yarn-4.1.0.cjs", ""),
        (".yarn/cache/a.zip", ""),
        ("patches/a.patch", ""),
        ("prisma/schema.prisma", ""),
    ])
    .unwrap();
    let text = dockerfile(&plan);
    assert!(text.contains("COPY package.json .yarnrc.yml yarn.lock ./\nCOPY .yarn ./.yarn/\nCOPY patches ./patches/\nCOPY prisma ./prisma/\nRUN "), "{text}");
    // The packages are in the repository: there is nothing to keep between builds.
    assert!(
        text.contains("YARN_ENABLE_GLOBAL_CACHE=false") && !text.contains("/root/.yarn"),
        "{text}"
    );
}

#[test]
fn bun_runs_what_asks_for_it_and_installs_the_rest() {
    let plan =
        of(r#"{"scripts":{"start":"bun run server.ts"},"dependencies":{"a":"1"}}"#, &["bun.lock"]);
    assert_eq!(plan.framework, "bun");
    assert!(
        dockerfile(&plan).starts_with("FROM oven/bun:1-slim AS build\n"),
        "{}",
        dockerfile(&plan)
    );
    assert!(dockerfile(&plan).contains("RUN --mount=type=cache,target=/root/.bun/install/cache"));
    assert!(dockerfile(&plan).ends_with("USER bun\nCMD [\"bun\",\"run\",\"server.ts\"]\n"));
    assert_eq!(plan.reason, "There is a `package.json`; Bun runs it with its `start` script.");
    let file = of(r#"{"packageManager":"bun@1.2.3"}"#, &["bun.lock", "src/index.ts"]);
    assert!(dockerfile(&file).starts_with("FROM oven/bun:1.2.3-slim AS build\n"));
    assert_eq!(last(&file), r#"CMD ["bun","src/index.ts"]"#);
    let script = of(r#"{"scripts":{"start":"bun run a && b"}}"#, &["bun.lock"]);
    assert_eq!(last(&script), r#"CMD ["bun","run","start"]"#);
    let node = of(r#"{"scripts":{"start":"node a.js"}}"#, &["bun.lock"]);
    assert_eq!((node.framework.as_str(), last(&node)), ("nodejs", r#"CMD ["node","a.js"]"#));
    let site = of(
        r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"8"}}"#,
        &["bun.lock", "index.html"],
    );
    assert_eq!(site.framework, "vite");
    assert_eq!(site.build_command.as_deref(), Some("bun run build"));
    let none = message(&[("package.json", "{}"), ("bun.lock", "")]);
    assert!(none.contains("`bun run server.ts`"), "{none}");
    let version = planned(&[
        ("package.json", "{}"),
        ("bunfig.toml", ""),
        (".bun-version", "1.1\n"),
        ("index.ts", ""),
    ]);
    assert_eq!(version.unwrap().versions[0].version, "1.1");
}

#[test]
fn deno_projects() {
    let plan = planned(&[
        ("deno.jsonc", "{ // tasks\n \"imports\": {\"a\": \"npm:a\"}, \"tasks\": {\"start\": \"deno run -A main.ts\", \"build\": \"x\",}, }"),
        ("deno.lock", "{}"),
        ("main.ts", ""),
    ])
    .unwrap();
    assert_eq!((plan.framework.as_str(), plan.port), ("deno", Some(8000)));
    let text = dockerfile(&plan);
    assert!(text.starts_with("FROM denoland/deno:debian-2"), "{text}");
    assert!(
        text.contains("COPY deno.jsonc deno.lock ./\n")
            && text.contains("; deno install --frozen\nCOPY . .\n"),
        "{text}"
    );
    assert!(
        text.contains("; deno cache main.ts\nARG ORBITRA_VARIABLES\n")
            && text.contains("; deno task build\n"),
        "{text}"
    );
    assert!(text.ends_with("USER deno\nCMD [\"deno\",\"run\",\"-A\",\"main.ts\"]\n"), "{text}");
    let plain = planned(&[("deno.json", "{}"), ("server.ts", ""), (".dvmrc", "v2.1.4\n")]).unwrap();
    assert_eq!(plain.versions[0].version, "2.1.4");
    assert_eq!(last(&plain), r#"CMD ["deno","run","--allow-all","server.ts"]"#);
    assert!(!dockerfile(&plain).contains("deno install"));
    let object =
        planned(&[("deno.json", r#"{"tasks":{"start":{"command":"deno run -A x && y"}}}"#)])
            .unwrap();
    assert_eq!(last(&object), r#"CMD ["deno","task","start"]"#);
    // Deno is there for one of the tools.
    let node =
        planned(&[("deno.json", "{}"), ("package.json", r#"{"scripts":{"start":"node a"}}"#)])
            .unwrap();
    assert_eq!(node.framework, "nodejs");
    assert!(message(&[("deno.json", "{}")]).starts_with("`deno.json` does not say how to start"));
    assert!(message(&[("deno.json", "{")]).starts_with("`deno.json` is not valid JSON"));
    assert!(
        message(&[("deno.json", "{}"), ("main.ts", ""), (".deno-version", "1.x")])
            .contains("is no whole version of Deno")
    );
}
