//! Several packages in one repository.

use super::*;

const ROOT: &str = r#"{"workspaces":["apps/*","packages/**","!packages/old"],"scripts":{"start":"node apps/web"},"devDependencies":{"turbo":"2"}}"#;

fn files<'a>(root: &'a str, lock: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("package.json", root),
        (lock, ""),
        (
            "apps/web/package.json",
            r#"{"name":"web","scripts":{"start":"node server.js","build":"tsc"}}"#,
        ),
        ("apps/web/server.js", ""),
        ("packages/ui/package.json", "{}"),
        ("packages/deep/er/package.json", "{}"),
        ("packages/old/package.json", "{}"),
        ("packages/.hidden/x", ""),
        ("docs/package.json", "{}"),
    ]
}

#[test]
fn every_manifest_of_a_workspace_is_copied_before_the_installation() {
    let plan = planned(&files(ROOT, "package-lock.json")).unwrap();
    let text = dockerfile(&plan);
    assert!(
        text.contains(
            "COPY package.json package-lock.json ./\nCOPY apps/web/package.json ./apps/web/\nCOPY packages/deep/er/package.json ./packages/deep/er/\nCOPY packages/ui/package.json ./packages/ui/\nRUN "
        ),
        "{text}"
    );
    assert!(text.contains("npm ci --omit=dev\nCOPY . .\n"), "{text}");
    assert_eq!(last(&plan), r#"CMD ["node","apps/web"]"#);
    assert_eq!(plan.context, None);
}

#[test]
fn pnpm_names_its_workspace_in_a_file_of_its_own() {
    for yaml in [
        "# all\npackages:\n  # one\n  - 'apps/*' # two\n  - \"packages/ui\"\n\ncatalog:\n  a: 1\n",
        "packages: [\"apps/*\", 'packages/ui']\n",
    ] {
        let mut all = files(
            r#"{"scripts":{"start":"node apps/web"},"devDependencies":{"x":"1"}}"#,
            "pnpm-lock.yaml",
        );
        all.push(("pnpm-workspace.yaml", yaml));
        let plan = planned(&all).unwrap();
        let text = dockerfile(&plan);
        assert!(
            text.contains("COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./\nCOPY apps/web/package.json ./apps/web/\nCOPY packages/ui/package.json ./packages/ui/\nRUN "),
            "{text}"
        );
    }
    // Settings only.
    let alone = planned(&[
        ("package.json", r#"{"main":"a.js","dependencies":{"a":"1"}}"#),
        ("a.js", ""),
        ("pnpm-lock.yaml", ""),
        ("pnpm-workspace.yaml", "onlyBuiltDependencies:\n  - esbuild\n"),
    ])
    .unwrap();
    assert!(
        dockerfile(&alone)
            .contains("COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./\nRUN ")
    );
}

#[test]
fn members_with_scripts_or_too_many_of_them_are_copied_whole() {
    let mut all = files(ROOT, "package-lock.json");
    all.push(("packages/native/package.json", r#"{"scripts":{"postinstall":"node build.js"}}"#));
    let plan = planned(&all).unwrap();
    assert!(dockerfile(&plan).contains("COPY . .\nRUN "), "{}", dockerfile(&plan));
    let many: Vec<String> = (0..60).map(|n| format!("packages/p{n}/package.json")).collect();
    let mut all = files(ROOT, "package-lock.json");
    all.extend(many.iter().map(|path| (path.as_str(), "{}")));
    assert!(dockerfile(&planned(&all).unwrap()).contains("COPY . .\nRUN "));
}

fn member(files: &[(&str, &str)], directory: &str) -> Result<BuildPlan, DetectError> {
    let overrides = Overrides { root_directory: Some(directory.into()), ..Overrides::default() };
    plan_within(&MemoryTree::new(files), &overrides, &Overrides::default())
}

#[test]
fn a_member_is_built_in_its_workspace() {
    let plan = member(&files(ROOT, "package-lock.json"), "apps/web").unwrap();
    assert_eq!(plan.context.as_deref(), Some(""));
    let text = dockerfile(&plan);
    assert!(text.contains("COPY apps/web/package.json ./apps/web/\n"), "{text}");
    assert!(
        text.contains("COPY . .\nWORKDIR /app/apps/web\nARG ORBITRA_VARIABLES\nRUN "),
        "{text}"
    );
    assert!(
        text.contains(
            "; npm run build\nWORKDIR /app\nRUN --mount=type=cache,target=/root/.npm npm prune"
        ),
        "{text}"
    );
    assert!(
        text.ends_with(
            "PATH=/app/apps/web/node_modules/.bin:/app/node_modules/.bin:$PATH\nCOPY --from=build --chown=node:node /app ./\nWORKDIR /app/apps/web\nUSER node\nCMD [\"node\",\"server.js\"]\n"
        ),
        "{text}"
    );
    // What the member needs of the workspace is built before it.
    let mut all = files(ROOT, "package-lock.json");
    all.push(("turbo.json", "{}"));
    let turbo = member(&all, "apps/web").unwrap();
    assert_eq!(turbo.build_command.as_deref(), Some("npx turbo run build --filter=./apps/web..."));
    let mut all = files("{}", "pnpm-lock.yaml");
    all.push(("pnpm-workspace.yaml", "packages:\n- apps/*\n"));
    let pnpm = member(&all, "apps/web").unwrap();
    assert_eq!(pnpm.build_command.as_deref(), Some("pnpm --filter \"{.}...\" run build"));
    // The workspace may lie below the root itself.
    let moved: Vec<(String, &str)> = files(ROOT, "package-lock.json")
        .into_iter()
        .map(|(path, text)| (format!("js/{path}"), text))
        .collect();
    let moved: Vec<(&str, &str)> =
        moved.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    assert_eq!(member(&moved, "js/apps/web").unwrap().context.as_deref(), Some("js"));
}

#[test]
fn a_directory_that_is_no_member_is_built_alone() {
    let all = files(ROOT, "package-lock.json");
    let error = member(&all, "docs").unwrap_err().to_string();
    assert!(error.starts_with("`package.json` does not say how to start"), "{error}");
    let mut own = files(ROOT, "package-lock.json");
    own.push(("apps/web/yarn.lock", ""));
    let plan = member(&own, "apps/web").unwrap();
    assert_eq!((plan.context, plan.versions[1].name.as_str()), (None, "yarn"));
    assert!(matches!(member(&all, "none"), Err(DetectError::Unreadable(_))));
    for broken in ["{", "[]", r#"{"workspaces":7}"#, r#"{"workspaces":{"packages":[7,{}]}}"#] {
        let mut all = files(broken, "package-lock.json");
        all.retain(|(path, _)| *path != "package-lock.json");
        assert_eq!(member(&all, "apps/web").unwrap().context, None, "{broken}");
    }
}

#[test]
fn a_site_and_a_server_of_a_member_lie_in_its_directory() {
    let mut all = files(ROOT, "package-lock.json");
    all.push((
        "apps/site/package.json",
        r#"{"devDependencies":{"vite":"8"},"scripts":{"build":"vite build"}}"#,
    ));
    all.push(("apps/site/index.html", ""));
    assert_eq!(
        last(&member(&all, "apps/site").unwrap()),
        "COPY --from=build /app/apps/site/dist /"
    );
    all.push((
        "apps/next/package.json",
        r#"{"dependencies":{"next":"16"},"scripts":{"build":"next build"}}"#,
    ));
    all.push(("apps/next/next.config.js", "module.exports = { output: 'standalone' }"));
    let next = member(&all, "apps/next").unwrap();
    let text = dockerfile(&next);
    assert!(
        text.contains("COPY --from=build --chown=node:node /app/apps/next/.next/standalone ./\n"),
        "{text}"
    );
    assert!(text.contains("/app/apps/next/.next/static ./apps/next/.next/static\n"), "{text}");
    assert_eq!(last(&next), r#"CMD ["node","apps/next/server.js"]"#);
}
