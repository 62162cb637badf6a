//! Rust projects: packages and workspaces, one program of possibly several.

mod targets;

use self::targets::{Targets, parse};
use crate::builder::image::{Image, Step};
use crate::builder::layers::{SLIM, USER, chosen};
use crate::builder::runtime::Runtime;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "rust",
    title: "Rust",
    known: &[(1, 90), (1, 91), (1, 92), (1, 93), (1, 94), (1, 95)],
    oldest: (1, 71),
    parts: 2,
};

/// Compiled code is kept beside what was downloaded: a change of the sources, or of one dependency, compiles only what
/// depends on it. A layer of dependencies would be compiled anew with every change of `Cargo.lock`.
const CACHES: &[&str] = &["/usr/local/cargo/registry", "/usr/local/cargo/git", "/app/target"];

/// Crates that link to a library of the system, and the package that has it.
const LIBRARIES: &[(&str, &str)] = &[
    ("openssl-sys", "libssl3"),
    ("pq-sys", "libpq5"),
    ("mysqlclient-sys", "libmariadb3"),
    ("libsqlite3-sys", "libsqlite3-0"),
    ("curl-sys", "libcurl4"),
];

/// Takes a tree with a `Cargo.toml`.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let Some(text) = project.text_if_there("Cargo.toml")? else {
        return project.missing(forced, "`Cargo.toml`");
    };
    let manifest = parse("Cargo.toml", &text)?;
    let targets = Targets::read(project, &manifest)?;
    let overrides = project.overrides;
    let Some(program) = targets.chosen() else {
        return project.no_start(
            forced,
            "`Cargo.toml` has no program: there is no `src/main.rs`, no `[[bin]]`, and none in the members of the workspace. \
             Set the root directory, or add a `Dockerfile`.",
        );
    };
    let mut warnings = Vec::new();
    if targets.programs.len() > 1 {
        let others = targets.programs.iter().filter(|other| *other != program);
        let others: Vec<&str> = others.take(10).map(String::as_str).collect();
        warnings.push(format!(
            "`{program}` is built and started; there are more programs: {}. The variable `RUST_BIN` or `default-run` chooses another one.",
            others.join(", ")
        ));
    }
    let locked = project.has_file("Cargo.lock");
    if !locked {
        warnings.push(
            "There is no `Cargo.lock`: versions of dependencies may change between builds.".into(),
        );
    }
    let detected = format!(
        "cargo build --release{}{} --bin \"${{RUST_BIN:-{program}}}\"",
        if locked { " --locked" } else { "" },
        if targets.workspace { " --workspace" } else { "" },
    );
    let build = chosen(&overrides.build_command, Some(detected)).unwrap_or_default();
    let lock = if locked { project.hints("Cargo.lock") } else { String::new() };
    let uses = |name: &str| lock.contains(&format!("name = \"{name}\"")) || targets.depends(name);
    let packages: Vec<&str> =
        LIBRARIES.iter().filter(|(name, _)| uses(name)).map(|(_, package)| *package).collect();
    let rocket = uses("rocket");
    let version = resolve(project, &manifest)?;
    let install = set(&overrides.install_command);
    let start = set(&overrides.start_command).unwrap_or("bin/app");

    let mut image = Image::default();
    image.from(&format!("rust:{}-bookworm", version.version), Some("build"));
    image.line("WORKDIR /app").line("ENV CARGO_TARGET_DIR=/app/target");
    let install = install.map(|command| Step { command, caches: CACHES, variables: true });
    image.install(None, install.as_ref()).variables_follow().run(&Step {
        command: &compile(&build, program, set(&overrides.build_command).is_some()),
        caches: CACHES,
        variables: true,
    });
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    image
        .from(SLIM, None)
        .packages(&packages)
        .line(format!("COPY --from=build {certificates} {certificates}"))
        .app_user()
        .line(format!("COPY --from=build --chown={USER}:{USER} /app ./"));
    if rocket {
        image.line("ENV ROCKET_ADDRESS=0.0.0.0");
    }
    image.line(format!("USER {USER}"));
    let words = match (rocket, set(&overrides.start_command)) {
        (true, None) => {
            crate::builder::command::exec_form("export ROCKET_PORT=\"${PORT:-8000}\"; exec bin/app")
        }
        _ => crate::builder::command::exec_form(start),
    };
    let dockerfile = image.cmd(&words).finish();
    let reason = format!("There is a `Cargo.toml`; its program is `{program}`.");
    Ok(Some(BuildPlan {
        versions: vec![version],
        install_command: set(&overrides.install_command).map(str::to_owned),
        build_command: Some(build),
        start_command: Some(start.to_owned()),
        release_command: set(&overrides.release_command).map(str::to_owned),
        port: rocket.then_some(8000),
        caches: CACHES.iter().map(|path| (*path).to_owned()).collect(),
        warnings,
        ..BuildPlan::new("rust", reason, Output::Container { dockerfile, path: None })
    }))
}

/// The build with what is around it. Files of a commit carry its time, and Cargo knows a change only by a time that is
/// newer than its last build: without new times it would take a kept program of another commit for this one's. The program is copied out because
/// `target` is not part of the image; a build command of the settings may have put its own elsewhere.
fn compile(build: &str, program: &str, own: bool) -> String {
    let result = format!("\"target/release/${{RUST_BIN:-{program}}}\"");
    let missing = if own { format!("! test -f {result} || ") } else { String::new() };
    format!(
        "find . -path ./target -prune -o -type f -exec touch {{}} + && {{ {build}; }} && \
         mkdir -p bin && {{ {missing}cp {result} bin/app; }}"
    )
}

/// `rust-toolchain.toml`, `rust-toolchain`, `.tool-versions`, else the oldest that `rust-version` allows.
fn resolve(project: &Project<'_>, manifest: &toml::Table) -> Result<Version, DetectError> {
    let channel = match project.text_if_there("rust-toolchain.toml")? {
        Some(text) => {
            let table = parse("rust-toolchain.toml", &text)?;
            let channel = table.get("toolchain").and_then(|section| section.get("channel"));
            channel
                .and_then(toml::Value::as_str)
                .map(|text| Asked::new(text, "rust-toolchain.toml"))
        }
        None => of_files(project, &["rust-toolchain"])?,
    };
    // A channel with a date is fetched by the image itself.
    let channel = channel.filter(|asked| {
        !["stable", "beta", "nightly"].iter().any(|name| asked.text.starts_with(name))
    });
    let asked = match channel {
        Some(asked) => Some(asked),
        None => of_managers(project, &["rust"])?,
    };
    let oldest = || {
        let package = manifest.get("package").or(manifest.get("workspace")?.get("package"))?;
        let text = package.get("rust-version")?.as_str()?;
        Some(Asked::new(format!(">={}", text.trim()), "rust-version in Cargo.toml"))
    };
    RUNTIME.resolve(project, asked.or_else(oldest))
}
