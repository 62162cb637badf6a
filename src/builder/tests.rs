//! Plans of whole trees.

mod languages;
mod python;
mod settings;

use super::*;
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::Output;

fn planned(files: &[(&str, &str)]) -> Result<BuildPlan, DetectError> {
    plan(&MemoryTree::new(files), &Overrides::default())
}

fn dockerfile(plan: &BuildPlan) -> &str {
    match &plan.output {
        Output::Container { dockerfile, .. } => dockerfile,
        _ => panic!("no container"),
    }
}

fn message(files: &[(&str, &str)]) -> String {
    planned(files).unwrap_err().to_string()
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
    assert!(text.contains(r#"["/bin/sh","-c","test ! -f /run/secrets/orbitra-variables || . /run/secrets/orbitra-variables; npm i && echo \"x\""]"#), "{text}");
    assert!(
        text.contains("; npm run all\n")
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
        "Nothing to build was found in `/`. It holds: README.md, docs/. Add a `Dockerfile`, a file that names a language such as `package.json` or `requirements.txt`, or an `index.html`, or set the root directory."
    );
    assert!(message(&[]).starts_with("Nothing to build was found in `/`. It is empty."));
    let many: Vec<(String, &str)> = (10..25).map(|n| (format!("f{n}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), *b)).collect();
    assert!(message(&many).contains("f19 and 5 more."));
    let sub = Overrides { root_directory: Some("apps/web".into()), ..Overrides::default() };
    let error = plan(&MemoryTree::new(&[("a", "")]), &sub).unwrap_err().to_string();
    assert!(error.starts_with("Nothing to build was found in `/apps/web`."), "{error}");
}

#[test]
fn a_step_is_told_as_its_author_wrote_it() {
    let step = "RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=orbitra-variables test ! -f \
                /run/secrets/orbitra-variables || . /run/secrets/orbitra-variables; npm run build";
    assert_eq!(image::own_words(step), "RUN npm run build");
    assert_eq!(image::own_words("COPY . ."), "COPY . .");
}
