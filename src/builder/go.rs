//! Go projects: modules and workspaces, one program of possibly several.

use super::image::{Image, Step};
use super::layers::{SLIM, USER, chosen, is_plain_path};
use super::requirement::Number;
use super::runtime::Runtime;
use super::version_files::{Asked, of_managers};
use super::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "go",
    title: "Go",
    known: &[(1, 25), (1, 26), (1, 24), (1, 23), (1, 22), (1, 21)],
    oldest: (1, 20),
    parts: 2,
};

const CACHES: &[&str] = &["/go/pkg/mod", "/root/.cache/go-build"];
/// Modules that are C code in part, so that a compiler is needed.
const WITH_C: &[&str] = &[
    "github.com/mattn/go-sqlite3",
    "github.com/confluentinc/confluent-kafka-go",
    "github.com/davidbyttow/govips",
    "github.com/h2non/bimg",
];
/// Names of directories in `cmd/` that are taken before others.
const SERVERS: &[&str] = &["server", "web", "api", "app", "http"];
/// Most directories and files that are looked into for a main package.
const MOST_LOOKS: usize = 200;

/// What is built: the package's directory below the root, `""` for the root itself.
struct Programs {
    chosen: String,
    /// All programs of `cmd/`, when there are several.
    commands: Vec<String>,
}

/// Takes a tree with a `go.mod` or a `go.work`.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let work = project.text_if_there("go.work")?;
    let module = project.text_if_there("go.mod")?;
    let (file, text) = match (&module, &work) {
        (Some(text), _) => ("go.mod", text),
        (None, Some(text)) => ("go.work", text),
        (None, None) if project.has_file("main.go") && !project.may_be_another() => {
            return Err(DetectError::Invalid(
                "There is a `main.go` and no `go.mod`. Run `go mod init NAME` and commit what it makes.".into(),
            ));
        }
        (None, None) => return project.missing(forced, "`go.mod` or `go.work`"),
    };
    let overrides = project.overrides;
    let mut warnings = Vec::new();
    let programs = find_programs(project, work.as_deref());
    let (build, reason) = match (set(&overrides.build_command), programs) {
        (Some(command), _) => {
            (command.to_owned(), format!("There is a `{file}`; the settings say how it is built."))
        }
        (None, Some(programs)) => {
            let shown = match programs.chosen.as_str() {
                "" => "the root directory".to_owned(),
                path => format!("`{path}`"),
            };
            let others = programs.commands.iter().filter(|path| **path != programs.chosen);
            let others: Vec<&str> = others.take(10).map(String::as_str).collect();
            if !others.is_empty() {
                warnings.push(format!(
                    "{shown} is built and started; there are more programs: {}. The variable `GO_BIN` chooses another one.",
                    others.join(", ")
                ));
            }
            (programs.command(), format!("There is a `{file}`; the main package is in {shown}."))
        }
        (None, None) => {
            return project.no_start(
                forced,
                format!(
                    "`{file}` says that this is a Go project, but no main package was found in `{}`, in `cmd/*` or in the modules of `go.work`. \
                     Set the root directory, or build and start commands.",
                    project.root()
                ),
            );
        }
    };
    let required = text.lines().any(|line| line.trim_start().starts_with("require"));
    let vendored = project.has_path("vendor/modules.txt");
    let install = match file {
        "go.mod" if required && !vendored => Some("go mod download".to_owned()),
        _ => None,
    };
    let install = chosen(&overrides.install_command, install);
    if required && !vendored && !project.has_file("go.sum") {
        warnings.push(
            "There is no `go.sum`: what is downloaded cannot be verified, and Go refuses to build. Run `go mod tidy` and commit it.".into(),
        );
    }
    let version = resolve(project, text, file)?;
    let manifests = manifests(project, text, file);
    let with_c = WITH_C.iter().any(|module| text.contains(module));
    let start = chosen(&overrides.start_command, Some("bin/app".into()));
    let dockerfile = dockerfile(
        &version,
        manifests.as_deref(),
        install.as_deref(),
        &build,
        start.as_deref().unwrap_or_default(),
        with_c,
    );
    Ok(Some(BuildPlan {
        versions: vec![version],
        install_command: install,
        build_command: Some(build),
        start_command: start,
        release_command: set(&overrides.release_command).map(str::to_owned),
        port: None,
        caches: CACHES.iter().map(|path| (*path).to_owned()).collect(),
        warnings,
        ..BuildPlan::new("go", reason, Output::Container { dockerfile, path: None })
    }))
}

fn dockerfile(
    version: &Version,
    manifests: Option<&[String]>,
    install: Option<&str>,
    build: &str,
    start: &str,
    with_c: bool,
) -> String {
    let mut image = Image::default();
    image
        .from(&format!("golang:{}-bookworm", version.version), Some("build"))
        .line("WORKDIR /app")
        // A patch release newer than the image's is fetched when `go.mod` asks for it.
        .line(format!("ENV CGO_ENABLED={} GOTOOLCHAIN=auto", u8::from(with_c)));
    let install = install.map(|command| Step { command, caches: CACHES, variables: true });
    image.install(manifests, install.as_ref()).variables_follow().run(&Step {
        command: build,
        caches: CACHES,
        variables: true,
    });
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    image
        .from(SLIM, None)
        .line(format!("COPY --from=build {certificates} {certificates}"))
        .line("COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/local/go/lib/time/zoneinfo.zip")
        .line("ENV ZONEINFO=/usr/local/go/lib/time/zoneinfo.zip")
        .app_user()
        .line(format!("COPY --from=build --chown={USER}:{USER} /app ./"))
        .line(format!("USER {USER}"))
        .cmd(&super::command::exec_form(start))
        .finish()
}

impl Programs {
    /// `GO_BIN` is a variable of the deployment: its value is known to the build, not to the plan.
    fn command(&self) -> String {
        let package = match (self.chosen.as_str(), self.commands.len()) {
            ("", _) => ".".to_owned(),
            (path, 0 | 1) => format!("./{path}"),
            (path, _) => {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                format!("\"./{parent}/${{GO_BIN:-{name}}}\"")
            }
        };
        format!("go build -trimpath -ldflags=\"-s -w\" -o bin/app {package}")
    }
}

/// The root, the directories of `cmd/`, then the same in the modules of a workspace.
fn find_programs(project: &Project<'_>, work: Option<&str>) -> Option<Programs> {
    let mut looks = 0;
    let mut modules = vec![String::new()];
    modules.extend(work.map(workspace_modules).unwrap_or_default());
    for module in modules {
        if is_main(project, &module, &mut looks) {
            return Some(Programs { chosen: module, commands: Vec::new() });
        }
        let cmd = if module.is_empty() { "cmd".to_owned() } else { format!("{module}/cmd") };
        let mut commands = project.directories_in(&cmd);
        commands.retain(|path| is_plain_path(path) && is_main(project, path, &mut looks));
        let named = |name: &&str| {
            let ends = |path: &&String| path.rsplit('/').next() == Some(*name);
            commands.iter().find(ends).cloned()
        };
        if let Some(first) = SERVERS.iter().find_map(named).or(commands.first().cloned()) {
            return Some(Programs { chosen: first, commands });
        }
        if is_main(project, &cmd, &mut looks) {
            return Some(Programs { chosen: cmd, commands: Vec::new() });
        }
    }
    None
}

/// Whether a directory holds a main package: a file other than a test says `package main`.
fn is_main(project: &Project<'_>, directory: &str, looks: &mut usize) -> bool {
    for path in project.files_in(directory) {
        if !path.ends_with(".go") || path.ends_with("_test.go") {
            continue;
        }
        *looks += 1;
        if *looks > MOST_LOOKS {
            return false;
        }
        let text = project.hints(&path);
        // Files that `go run` uses on their own carry this constraint and are no part of the package.
        let ignored = text.lines().take(30).any(|line| {
            matches!(line.trim(), "//go:build ignore" | "// +build ignore" | "//go:build tools")
        });
        let main = text.lines().any(|line| {
            line.strip_prefix("package").is_some_and(|name| {
                name.split("//").next().is_some_and(|name| name.trim() == "main")
            })
        });
        if main && !ignored {
            return true;
        }
    }
    false
}

/// Directories that `use` lines of a `go.work` name, in their order.
fn workspace_modules(text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("").trim();
        let path = match line {
            "use (" => {
                inside = true;
                continue;
            }
            ")" => {
                inside = false;
                continue;
            }
            _ if inside => line,
            _ => line.strip_prefix("use ").unwrap_or("").trim(),
        };
        let path = path.trim_matches('"').trim_start_matches("./").trim_end_matches('/');
        if path != "." && is_plain_path(path) && modules.len() < 50 {
            modules.push(path.to_owned());
        }
    }
    modules
}

/// What `go mod download` reads; nothing when modules lie in the repository itself.
fn manifests(project: &Project<'_>, text: &str, file: &str) -> Option<Vec<String>> {
    let local = text.lines().any(|line| {
        let target = line.split_once("=>").map(|(_, target)| target.trim_start());
        target.is_some_and(|target| target.starts_with(['.', '/']))
    });
    if file != "go.mod"
        || local
        || project.has_file("go.work")
        || set(&project.overrides.install_command).is_some()
    {
        return None;
    }
    let sum = project.has_file("go.sum").then(|| "go.sum".to_owned());
    Some(["go.mod".to_owned()].into_iter().chain(sum).collect())
}

/// `.tool-versions`, else `go.mod`, whose version is the oldest that does.
fn resolve(project: &Project<'_>, text: &str, file: &str) -> Result<Version, DetectError> {
    if let Some(asked) = of_managers(project, &["golang", "go"])? {
        return RUNTIME.resolve(project, Some(asked));
    }
    let line = |start: &str| {
        text.lines().find_map(|line| {
            line.trim().strip_prefix(start).map(|rest| rest.split("//").next().unwrap_or("").trim())
        })
    };
    let toolchain = line("toolchain ").filter(|text| *text != "default");
    let asked = match (toolchain, line("go ")) {
        (Some(text), _) => Some((text, "toolchain")),
        (None, Some(text)) => Some((text, "go")),
        (None, None) => None,
    };
    let Some((version, what)) = asked else { return RUNTIME.resolve(project, None) };
    let text =
        Number::parse(version).map_or(version.to_owned(), |number| format!(">={}", number.text(2)));
    RUNTIME.resolve(project, Some(Asked::new(text, format!("the `{what}` line of {file}"))))
}
