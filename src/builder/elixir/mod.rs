//! Elixir projects: a release of the Mix project, and Phoenix.

mod mix;

use self::mix::Mix;
use crate::builder::command::exec_form;
use crate::builder::image::{Image, Step};
use crate::builder::javascript_assets::JavaScriptAssets;
use crate::builder::layers::{USER, chosen};
use crate::builder::runtime::Runtime;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "elixir",
    title: "Elixir",
    known: &[(1, 18), (1, 19), (1, 17), (1, 16), (1, 15), (1, 14)],
    oldest: (1, 14),
    parts: 2,
};

/// Downloaded packages.
const CACHES: &[&str] = &["/root/.hex/packages", "/root/.cache/rebar3"];

/// Takes a Phoenix application.
pub(super) fn detect_phoenix(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    match Mix::read(project)? {
        Some(mix) if mix.depends("phoenix") => plan(project, &mix, true, forced),
        _ => project.missing(forced, "`mix.exs` with the dependency `phoenix`"),
    }
}

/// Takes every other Mix project.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    match Mix::read(project)? {
        Some(mix) => plan(project, &mix, false, forced),
        None => project.missing(forced, "`mix.exs`"),
    }
}

fn plan(
    project: &Project<'_>,
    mix: &Mix,
    phoenix: bool,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let overrides = project.overrides;
    let Some((release, listed)) = mix.release()? else {
        return project.no_start(
            forced,
            "`mix.exs` names no application to release: there is no `app: :name`, and for an umbrella no `releases:`. \
             Add one, or add a `Dockerfile`.",
        );
    };
    let mut warnings = Vec::new();
    if mix.has_dependencies() && !project.has_file("mix.lock") {
        warnings.push(
            "There is no `mix.lock`: versions of dependencies may change between builds.".into(),
        );
    }
    let migrate = project.has_path("rel/overlays/bin/migrate").then(|| "bin/migrate".to_owned());
    if migrate.is_none() && mix.depends("ecto_sql") {
        warnings.push(
            "There is no `rel/overlays/bin/migrate`, so migrations are not run. `mix phx.gen.release` makes one.".into(),
        );
    }
    if phoenix {
        warnings.push("Set the variable `SECRET_KEY_BASE` (`mix phx.gen.secret`): Phoenix does not start without it.".into());
    }
    let version = resolve(project, mix)?;
    let own_install = set(&overrides.install_command);
    let fetch = mix.has_dependencies().then(|| "mix deps.get --only prod".to_owned());
    let install = chosen(&overrides.install_command, fetch);
    let assets = if mix.says("\"assets.deploy\"") { "mix assets.deploy && " } else { "" };
    // Mix knows a release of the application's name only when nothing is asked for by name.
    let named = if listed { format!(" {release}") } else { String::new() };
    let detected = format!("mix compile && {assets}mix release{named} --overwrite --path /out");
    let build = chosen(&overrides.build_command, Some(detected)).unwrap_or_default();
    let start = chosen(&overrides.start_command, Some(format!("bin/{release} start")));
    let start = start.unwrap_or_default();
    let node = JavaScriptAssets::find_in(project, "assets/", &mut warnings)?;

    let mut image = Image::default();
    if let Some(node) = &node {
        node.install_stage(&mut image);
    }
    image
        .from(&format!("elixir:{}", version.version), Some("build"))
        .line("WORKDIR /app")
        .line("ENV MIX_ENV=prod LANG=C.UTF-8");
    if mix.has_dependencies() {
        let tools = "mix local.hex --force && mix local.rebar --force";
        image.run(&Step { command: tools, ..Step::default() });
    }
    let manifests = mix.manifests(project).filter(|_| own_install.is_none());
    let step = install.as_deref().map(|command| Step { command, caches: CACHES, variables: true });
    // Compiled dependencies depend on the settings they are compiled with, and on nothing else of the project.
    match (&step, manifests) {
        (Some(step), Some(manifests)) => {
            image.line(format!("COPY {} ./", manifests.join(" "))).run(step);
            if !mix.config.is_empty() {
                image.line(format!("COPY {} ./config/", mix.config.join(" ")));
            }
            image.run(&Step { command: "mix deps.compile", caches: CACHES, variables: false });
            image.line("COPY . .");
        }
        (step, _) => {
            image.install(None, step.as_ref());
        }
    }
    if let Some(node) = &node {
        node.lend(&mut image);
    }
    image.variables_follow().run(&Step { command: &build, caches: CACHES, variables: true });
    image
        // The same system as the build's, whose libraries the release's Erlang was linked with.
        .from(&format!("elixir:{}-slim", version.version), None)
        .line("ENV MIX_ENV=prod LANG=C.UTF-8");
    if phoenix {
        image.line("ENV PHX_SERVER=true");
    }
    let words = match (phoenix, set(&overrides.start_command)) {
        (true, None) => exec_form(&phoenix_start(&start)),
        _ => exec_form(&start),
    };
    let dockerfile = image
        .app_user()
        .line(format!("COPY --from=build --chown={USER}:{USER} /out ./"))
        .line(format!("USER {USER}"))
        .cmd(&words)
        .finish();
    let reason = match phoenix {
        true => "There is a `mix.exs` with Phoenix.".to_owned(),
        false => format!("There is a `mix.exs`; the release `{release}` is started."),
    };
    let mut caches: Vec<String> = CACHES.iter().map(|path| (*path).to_owned()).collect();
    caches.extend(node.iter().map(|node| node.cache().to_owned()));
    Ok(Some(BuildPlan {
        versions: [version].into_iter().chain(node.map(|node| node.version)).collect(),
        install_command: install,
        build_command: Some(build),
        start_command: Some(start),
        release_command: chosen(&overrides.release_command, migrate),
        port: phoenix.then_some(4000),
        caches,
        warnings,
        ..BuildPlan::new(
            if phoenix { "phoenix" } else { "elixir" },
            reason,
            Output::Container { dockerfile, path: None },
        )
    }))
}

/// Phoenix compares the origin of a WebSocket with `PHX_HOST`: without one it is the site's own name.
fn phoenix_start(start: &str) -> String {
    format!(
        "host=\"${{ORBITRA_URL#*://}}\"; host=\"${{host%%[:/]*}}\"; export PHX_HOST=\"${{PHX_HOST:-${{host:-localhost}}}}\"; exec {start}"
    )
}

/// `.tool-versions`, `.elixir-version`, the requirement in `mix.exs`.
fn resolve(project: &Project<'_>, mix: &Mix) -> Result<Version, DetectError> {
    let asked = match of_managers(project, &["elixir"])? {
        Some(asked) => Some(asked),
        None => of_files(project, &[".elixir-version"])?,
    };
    let own = || Some(Asked::new(mix.elixir()?, "`elixir:` in mix.exs"));
    RUNTIME.resolve(project, asked.or_else(own))
}
