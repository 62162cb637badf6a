//! Ruby projects: Rails, anything that speaks Rack, and Sinatra's own server.

mod gems;

use self::gems::Gems;
use crate::builder::command::exec_form;
use crate::builder::image::{Image, Step};
use crate::builder::javascript_assets::JavaScriptAssets;
use crate::builder::layers::{USER, chosen};
use crate::builder::runtime::Runtime;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "ruby",
    title: "Ruby",
    known: &[(3, 4), (3, 3), (3, 2), (3, 1)],
    oldest: (3, 1),
    parts: 3,
};

/// Downloaded gems, which are not part of the image.
const CACHE: &str = "/usr/local/bundle/cache";

/// Takes a Rails application.
pub(super) fn detect_rails(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    if !project.has_file("Gemfile") {
        return project.missing(forced, "`Gemfile`");
    }
    let gems = Gems::read(project)?;
    if !gems.has("rails") && !gems.has("railties") || !project.has_path("config/application.rb") {
        return project.missing(forced, "`config/application.rb` with the gem `rails`");
    }
    let mut warnings = Vec::new();
    let assets = ["sprockets", "propshaft", "vite_rails", "shakapacker", "webpacker"];
    let has_assets = assets.iter().any(|gem| gems.has(gem)) || project.has_file("package.json");
    // Rails wants a key even to prepare assets. This one signs nothing.
    let precompile = has_assets.then(|| {
        "SECRET_KEY_BASE_DUMMY=1 SECRET_KEY_BASE=${SECRET_KEY_BASE:-unused} bundle exec rails assets:precompile"
            .to_owned()
    });
    let migrates = !project.files_in("db/migrate").is_empty();
    if project.has_path("config/credentials.yml.enc") {
        warnings.push(
            "There is a `config/credentials.yml.enc`: set the variable `RAILS_MASTER_KEY`, or the application does not start.".into(),
        );
    } else {
        warnings
            .push("Set the variable `SECRET_KEY_BASE`: Rails does not start without it.".into());
    }
    let made = Ruby {
        framework: "rails",
        reason: "There is a `Gemfile` with Rails and a `config/application.rb`.".into(),
        build: precompile,
        start: "bundle exec rails server -b 0.0.0.0".into(),
        release: migrates.then(|| "bundle exec rails db:migrate".to_owned()),
        environment: "RAILS_ENV=production RACK_ENV=production RAILS_LOG_TO_STDOUT=1 RAILS_SERVE_STATIC_FILES=1",
        assets: JavaScriptAssets::find(project, &mut warnings)?,
        port: 3000,
    };
    made.plan(project, &gems, warnings).map(Some)
}

/// Takes any other project with a `Gemfile`.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    if !project.has_file("Gemfile") {
        return project.missing(forced, "`Gemfile`");
    }
    let gems = Gems::read(project)?;
    let (start, because) = match rack_start(project, &gems) {
        Some(found) => found,
        None if set(&project.overrides.start_command).is_some() => {
            (String::new(), "the settings say how it starts".to_owned())
        }
        None => {
            return project.no_start(
                forced,
                "There is a `Gemfile`, but nothing says how to start: there is no `config.ru`. Add one, or set the start command.",
            );
        }
    };
    let made = Ruby {
        framework: "ruby",
        reason: format!("There is a `Gemfile`; {because}."),
        build: None,
        start,
        release: None,
        environment: "RACK_ENV=production APP_ENV=production",
        assets: None,
        port: 9292,
    };
    made.plan(project, &gems, Vec::new()).map(Some)
}

/// How a project without Rails starts, and why.
fn rack_start(project: &Project<'_>, gems: &Gems) -> Option<(String, String)> {
    if project.has_file("config.ru") {
        let start = if gems.has("puma") {
            "exec bundle exec puma --bind \"tcp://0.0.0.0:${PORT:-9292}\""
        } else if gems.has("unicorn") {
            "exec bundle exec unicorn --listen \"0.0.0.0:${PORT:-9292}\""
        } else if gems.has("falcon") {
            "exec bundle exec falcon serve --bind \"http://0.0.0.0:${PORT:-9292}\""
        } else {
            "exec bundle exec rackup --host 0.0.0.0 --port \"${PORT:-9292}\""
        };
        return Some((start.to_owned(), "there is a `config.ru`".to_owned()));
    }
    let files = ["app.rb", "main.rb", "server.rb"];
    let file = files.iter().find(|file| gems.has("sinatra") && project.has_file(file))?;
    let start = format!("exec bundle exec ruby {file} -o 0.0.0.0 -p \"${{PORT:-9292}}\"");
    Some((start, format!("`{file}` is an application of Sinatra")))
}

/// What differs between the kinds of Ruby applications.
struct Ruby {
    framework: &'static str,
    reason: String,
    build: Option<String>,
    start: String,
    release: Option<String>,
    environment: &'static str,
    assets: Option<JavaScriptAssets>,
    port: u16,
}

impl Ruby {
    fn plan(
        self,
        project: &Project<'_>,
        gems: &Gems,
        mut warnings: Vec<String>,
    ) -> Result<BuildPlan, DetectError> {
        let overrides = project.overrides;
        let version = resolve(project, gems)?;
        if !gems.locked {
            warnings.push(
                "There is no `Gemfile.lock`: versions of gems may change between builds.".into(),
            );
        }
        let install = chosen(&overrides.install_command, Some("bundle install".into()));
        let build = chosen(&overrides.build_command, self.build);
        let start = chosen(&overrides.start_command, Some(self.start)).unwrap_or_default();
        let release = chosen(&overrides.release_command, self.release);

        let mut image = Image::default();
        if let Some(assets) = &self.assets {
            assets.install_stage(&mut image);
        }
        let frozen = if gems.locked { " BUNDLE_FROZEN=1" } else { "" };
        image
            .from(&format!("ruby:{}-bookworm", version.version), Some("build"))
            .line("WORKDIR /app")
            .line(format!("ENV {} BUNDLE_WITHOUT=development:test{frozen}", self.environment));
        let command = install.as_deref().unwrap_or_default();
        let own = set(&overrides.install_command).is_some();
        let manifests = if own { None } else { gems.manifests(project) };
        let step = Step { command, caches: &[CACHE], variables: true };
        image.install(manifests.as_deref(), Some(&step));
        if let Some(assets) = &self.assets {
            assets.lend(&mut image);
        }
        if let Some(command) = &build {
            image.variables_follow().run(&Step { command, caches: &[], variables: true });
        }
        if self.assets.is_some() {
            image.run(&Step { command: "rm -rf node_modules", ..Step::default() });
        }
        let dockerfile = image
            .from(&format!("ruby:{}-slim-bookworm", version.version), None)
            .packages(&gems.packages())
            .line(format!(
                "ENV {} BUNDLE_WITHOUT=development:test{frozen} MALLOC_ARENA_MAX=2",
                self.environment
            ))
            .line("COPY --from=build /usr/local/bundle /usr/local/bundle")
            .app_user()
            .line(format!("COPY --from=build --chown={USER}:{USER} /app ./"))
            .line(format!("USER {USER}"))
            .cmd(&exec_form(&start))
            .finish();
        let mut caches = vec![CACHE.to_owned()];
        caches.extend(self.assets.iter().map(|assets| assets.cache().to_owned()));
        Ok(BuildPlan {
            versions: [version]
                .into_iter()
                .chain(self.assets.map(|assets| assets.version))
                .collect(),
            install_command: install,
            build_command: build,
            start_command: Some(start),
            release_command: release,
            port: Some(self.port),
            caches,
            warnings,
            ..BuildPlan::new(
                self.framework,
                self.reason,
                Output::Container { dockerfile, path: None },
            )
        })
    }
}

/// `.ruby-version`, the `Gemfile`, `.tool-versions`, the lock file.
fn resolve(project: &Project<'_>, gems: &Gems) -> Result<Version, DetectError> {
    let asked = match of_files(project, &[".ruby-version"])? {
        Some(asked) => Some(asked),
        None => gems.ruby().map(|text| Asked::new(text, "Gemfile")),
    };
    let asked = match asked {
        Some(asked) => Some(asked),
        None => of_managers(project, &["ruby"])?,
    };
    let asked = asked.or_else(|| gems.locked_ruby().map(|text| Asked::new(text, "Gemfile.lock")));
    RUNTIME.resolve(project, asked)
}
