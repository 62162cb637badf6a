//! Files that want to break the builder or its Dockerfile.

use super::*;

/// A plan, when there is one, has only instructions that a plan writes.
fn check(files: &[(&str, &str)]) {
    let Ok(plan) = planned(files) else { return };
    let Some(text) = plan.dockerfile() else { return };
    for line in text.lines().filter(|line| !line.is_empty()) {
        let known = [
            "FROM node:",
            "FROM oven/bun:",
            "FROM denoland/deno:debian-",
            "FROM scratch",
            "WORKDIR /app",
            "ENV N",
            "ENV Y",
            "COPY ",
            "RUN --mount=type=",
            "RUN npm ",
            "RUN rm -rf node_modules",
            "ARG ORBITRA_VARIABLES",
            "USER node",
            "USER bun",
            "USER deno",
            "CMD [",
            "RUN [\"/bin/sh\",\"-c\",",
        ];
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}\n\n{text}");
        // Words of a project stand in lists of JSON, and in paths that mean nothing to a Dockerfile.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+=: ".contains(c);
        let harmless = line.starts_with("CMD [")
            || line.contains("[\"/bin/sh\",\"-c\",")
            || (line.starts_with("COPY ") && line.chars().all(plain));
        assert!(harmless || !line.contains("evil"), "{line}\n\n{text}");
    }
}

const EVIL: &[&str] = &[
    "$(evil)",
    "`evil`",
    "a\nRUN evil",
    "a\r\nUSER root",
    "\\",
    "\"",
    "'; evil #",
    "--mount=type=bind evil",
    "-evil",
    "../../evil",
    "/etc/evil",
    "evil AS x",
    "${evil}",
    "\u{0}evil",
    "\u{2028}evil",
    "evil\\\nRUN evil",
    "<<EOF evil",
    "ééé",
];

#[test]
fn texts_everywhere_inject_nothing() {
    for evil in EVIL {
        let text = serde_json::to_string(evil).unwrap();
        for package in [
            format!(
                r#"{{"name":{text},"version":{text},"main":{text},"scripts":{{"build":"x"}}}}"#
            ),
            format!(r#"{{"main":"index.js","packageManager":{text},"dependencies":{{"a":"1"}}}}"#),
            format!(
                r#"{{"main":"index.js","packageManager":"pnpm@{}","dependencies":{{"a":"1"}}}}"#,
                text.trim_matches('"')
            ),
            format!(
                r#"{{"main":"index.js","engines":{{"node":{text},"pnpm":{text},"bun":{text}}}}}"#
            ),
            format!(
                r#"{{"scripts":{{"start":{text},"build":{text}}},"dependencies":{{{text}:{text}}}}}"#
            ),
            format!(r#"{{"scripts":{{"start":{text}}},"workspaces":[{text},"*",{text}]}}"#),
            format!(
                r#"{{"module":{text},"devEngines":{{"packageManager":{{"name":"pnpm","version":{text}}}}}}}"#
            ),
        ] {
            for other in
                [&[][..], &["index.js"], &["index.js", "bun.lock"], &["index.js", "yarn.lock"]]
            {
                let mut files = vec![("package.json", package.as_str())];
                files.extend(other.iter().map(|path| (*path, "")));
                check(&files);
            }
        }
        for config in ["next", "astro", "vite", "@sveltejs/kit"] {
            let package =
                format!(r#"{{"dependencies":{{"{config}":"1","@sveltejs/adapter-node":"1"}}}}"#);
            let text = format!(
                "distDir: {text}, outDir: {text}, root: {text}, out: {text}, pages: {text}"
            );
            for file in ["next.config.js", "astro.config.mjs", "vite.config.ts", "svelte.config.js"]
            {
                check(&[("package.json", &package), (file, &text), ("index.html", "")]);
            }
        }
        for file in [
            ".nvmrc",
            ".node-version",
            ".tool-versions",
            "mise.toml",
            ".bun-version",
            ".yarnrc.yml",
            "pnpm-workspace.yaml",
            "yarn.lock",
            "pnpm-lock.yaml",
        ] {
            let text = format!(
                "[tools]\nnode = {text}\nyarnPath: .yarn/releases/yarn-{evil}.cjs\nlockfileVersion: {evil}\npackages:\n  - {evil}\n"
            );
            check(&[
                ("package.json", r#"{"dependencies":{"a":"1"}}"#),
                ("index.js", ""),
                (file, &text),
            ]);
            check(&[
                ("package.json", r#"{"dependencies":{"a":"1"}}"#),
                ("index.js", ""),
                (file, evil),
            ]);
        }
        check(&[("deno.json", &format!(r#"{{"tasks":{{"start":{text},"build":{text}}}}}"#))]);
        check(&[("deno.json", "{}"), ("main.ts", ""), (".dvmrc", evil)]);
        let angular = format!(
            r#"{{"projects":{{{text}:{{"architect":{{"build":{{"builder":"a:application","options":{{"outputPath":{text}}}}}}}}}}}}}"#
        );
        check(&[
            ("package.json", r#"{"scripts":{"build":"ng build"}}"#),
            ("angular.json", &angular),
        ]);
        let path = format!("packages/{}/package.json", evil.replace('/', "_"));
        check(&[
            ("package.json", r#"{"main":"index.js","workspaces":["packages/*"]}"#),
            ("index.js", ""),
            (&path, "{}"),
        ]);
    }
}

#[test]
fn values_of_the_wrong_type_count_as_not_there() {
    let keys = [
        "name",
        "main",
        "module",
        "scripts",
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "workspaces",
        "engines",
        "packageManager",
        "devEngines",
        "type",
    ];
    for wrong in [
        "null",
        "true",
        "7",
        "-1e308",
        "[]",
        "{}",
        "[[[]]]",
        "\"\"",
        "[7]",
        r#"{"packages":7}"#,
        r#"{"start":7,"build":[]}"#,
        r#"{"node":{},"packageManager":7}"#,
    ] {
        for key in keys {
            let package = format!("{{\"{key}\":{wrong}}}");
            let plan = planned(&[("package.json", &package), ("index.js", "")]);
            assert!(plan.is_ok(), "{package}: {plan:?}");
        }
        for (file, text) in [("angular.json", wrong), ("deno.json", wrong)] {
            check(&[
                ("package.json", r#"{"scripts":{"build":"x"}}"#),
                (file, text),
                ("main.ts", ""),
            ]);
        }
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(1 << 20);
    for file in ["package.json", "deno.json"] {
        assert!(message(&[(file, &deep), ("main.ts", "")]).contains("is not valid JSON"), "{file}");
    }
    let angular =
        message(&[("package.json", r#"{"scripts":{"build":"x"}}"#), ("angular.json", &deep)]);
    assert_eq!(angular, "`angular.json` is not valid JSON.");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    assert!(message(&[("package.json", &large)]).contains("larger than"), "too large");
    // A lock file may be large; only its beginning matters.
    let lock = format!("lockfileVersion: '6.0'\n{}", "a: b\n".repeat(1 << 19));
    let plan =
        planned(&[("package.json", "{}"), ("index.js", ""), ("pnpm-lock.yaml", &lock)]).unwrap();
    assert_eq!(plan.versions[1].version, "8");
    // Patterns that would visit everything many times over.
    let directories: Vec<String> =
        (0..3000).map(|n| format!("d{}/e{n}/f/g/package.json", n % 30)).collect();
    let mut files: Vec<(&str, &str)> =
        directories.iter().map(|path| (path.as_str(), "{}")).collect();
    let package = r#"{"main":"index.js","dependencies":{"a":"1"},"workspaces":["**/**/**/**/**/**","**","*/*/*/*"]}"#;
    files.extend([("package.json", package), ("index.js", "")]);
    let begin = std::time::Instant::now();
    assert!(dockerfile(&planned(&files).unwrap()).contains("COPY . .\nRUN "));
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
