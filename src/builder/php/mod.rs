//! PHP projects: Laravel, and everything else with an `index.php` or a `composer.json`. Apache serves them, with PHP
//! inside: the official image, `.htaccess` files work, and no process but the server's own.

mod composer;
mod image;

use self::composer::Composer;
use self::image::{PhpImage, START};
use crate::builder::command::exec_form;
use crate::builder::image::{Image, Step};
use crate::builder::javascript_assets::JavaScriptAssets;
use crate::builder::layers::chosen;
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output};

/// What Composer downloads.
const CACHE: &str = "/root/.cache/composer";
/// Extensions that Laravel applications expect without naming them.
const LARAVEL: &[&str] = &["bcmath", "opcache", "pcntl", "pdo_mysql", "pdo_pgsql"];
/// What a project without a `composer.json` cannot ask for.
const PLAIN: &[&str] = &["mysqli", "opcache", "pdo_mysql"];

/// Takes a Laravel application.
pub(super) fn detect_laravel(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let laravel = match Composer::read(project)? {
        Some(composer) if project.has_file("artisan") => {
            composer.requires("laravel/framework").then_some(composer)
        }
        _ => None,
    };
    let Some(composer) = laravel else {
        return project.missing(forced, "`artisan` with `laravel/framework` in `composer.json`");
    };
    let mut warnings =
        vec!["Set the variable `APP_KEY` (`php artisan key:generate --show`): Laravel answers nothing without it.".to_owned()];
    let migrates = !project.files_in("database/migrations").is_empty();
    let made = Php {
        framework: "laravel",
        reason: "There is an `artisan`, and `composer.json` requires `laravel/framework`.".into(),
        extensions: LARAVEL,
        environment: Some("APP_ENV=production LOG_CHANNEL=stderr"),
        root: "public",
        release: migrates.then(|| "php artisan migrate --force".to_owned()),
        assets: JavaScriptAssets::find(project, &mut warnings)?,
        composer: Some(composer),
    };
    made.plan(project, warnings).map(Some)
}

/// Takes any other tree with PHP in it.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let composer = Composer::read(project)?;
    let index = ["public/index.php", "web/index.php", "index.php"];
    let index = index.into_iter().find(|path| project.has_path(path));
    if composer.is_none() && index.is_none() {
        return project.missing(forced, "`index.php` or `composer.json`");
    }
    let Some(index) = index else {
        if set(&project.overrides.start_command).is_some() {
            return plain(project, composer, "", "the settings say how it starts").map(Some);
        }
        return project.no_start(
            forced,
            "There is a `composer.json`, but nothing to serve: no `index.php`, `public/index.php` or `web/index.php`. Add one, or set the start command.",
        );
    };
    let (root, _) = index.rsplit_once('/').unwrap_or(("", index));
    plain(project, composer, root, &format!("`{index}` is served")).map(Some)
}

fn plain(
    project: &Project<'_>,
    composer: Option<Composer>,
    root: &'static str,
    because: &str,
) -> Result<BuildPlan, DetectError> {
    let mut warnings = Vec::new();
    let assets = JavaScriptAssets::find(project, &mut warnings)?.filter(|assets| assets.builds);
    if assets.is_none() {
        // A `package.json` that builds nothing is not used.
        warnings.clear();
    }
    let reason = match &composer {
        Some(_) => format!("There is a `composer.json`; {because}."),
        None => format!("There is PHP: {because}."),
    };
    let made = Php {
        framework: "php",
        reason,
        extensions: if composer.is_some() { &["opcache"] } else { PLAIN },
        environment: None,
        root,
        release: None,
        assets,
        composer,
    };
    made.plan(project, warnings)
}

/// What differs between the kinds of PHP applications.
struct Php {
    framework: &'static str,
    reason: String,
    /// Extensions beside those that `composer.json` and its lock ask for.
    extensions: &'static [&'static str],
    environment: Option<&'static str>,
    /// Directory that is served; `""` is the project's own.
    root: &'static str,
    release: Option<String>,
    assets: Option<JavaScriptAssets>,
    composer: Option<Composer>,
}

impl Php {
    fn plan(
        &self,
        project: &Project<'_>,
        mut warnings: Vec<String>,
    ) -> Result<BuildPlan, DetectError> {
        let overrides = project.overrides;
        let composer = self.composer.as_ref();
        let version = Composer::resolve(composer, project)?;
        if composer.is_some_and(|composer| !composer.locked && composer.has_packages()) {
            warnings.push(
                "There is no `composer.lock`: versions of packages may change between builds."
                    .into(),
            );
        }
        let mut extensions: Vec<String> =
            self.extensions.iter().map(|name| (*name).to_owned()).collect();
        extensions.extend(composer.iter().flat_map(|composer| composer.extensions()));
        let base = PhpImage::new(&version.version, &extensions, self.root, project, &mut warnings);

        let own_install = set(&overrides.install_command);
        let detected = composer.map(|_| {
            "composer install --no-dev --prefer-dist --no-scripts --no-autoloader".to_owned()
        });
        let install = chosen(&overrides.install_command, detected);
        // Scripts of packages and of the project need the sources.
        let detected = (composer.is_some() && own_install.is_none())
            .then(|| "composer install --no-dev --prefer-dist --optimize-autoloader".to_owned());
        let build = chosen(&overrides.build_command, detected);
        let start = chosen(&overrides.start_command, Some(START.into())).unwrap_or_default();

        let mut image = Image::default();
        base.runtime_stage(&mut image, self.environment);
        image.from("runtime", Some("build"));
        if composer.is_some() {
            image.line("COPY --from=composer:2 /usr/bin/composer /usr/bin/composer").line(format!(
                "ENV COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_NO_INTERACTION=1 COMPOSER_CACHE_DIR={CACHE}"
            ));
        }
        if composer.is_some_and(Composer::has_packages) {
            image.packages(&["git", "unzip"]);
        }
        let caches: &[&str] = if composer.is_some() { &[CACHE] } else { &[] };
        let manifests = composer.and_then(|composer| composer.manifests(project));
        let manifests = manifests.filter(|_| own_install.is_none());
        let step = install.as_deref().map(|command| Step { command, caches, variables: true });
        image.install(manifests.as_deref(), step.as_ref());
        if let Some(command) = &build {
            image.variables_follow().run(&Step { command, caches, variables: true });
        }
        if let Some(assets) = &self.assets {
            assets.install_stage(&mut image);
            // Styles and scripts may import files of PHP packages.
            if composer.is_some_and(Composer::has_packages) {
                image.line("COPY --from=build /app/vendor ./vendor");
            }
            if assets.builds {
                assets.build(&mut image);
            }
            image.run(&Step { command: "rm -rf node_modules vendor", ..Step::default() });
        }
        image.from("runtime", None).line("COPY --from=build --chown=www-data:www-data /app ./");
        if self.assets.is_some() {
            let path = if self.root.is_empty() { "." } else { self.root };
            image
                .line(format!("COPY --from=assets --chown=www-data:www-data /app/{path} ./{path}"));
        }
        let dockerfile = image.line("USER www-data").cmd(&exec_form(&start)).finish();
        let mut kept: Vec<String> = caches.iter().map(|path| (*path).to_owned()).collect();
        kept.extend(self.assets.iter().map(|assets| assets.cache().to_owned()));
        let node = self.assets.iter().map(|assets| assets.version.clone());
        Ok(BuildPlan {
            versions: [version].into_iter().chain(node).collect(),
            install_command: install,
            build_command: build,
            start_command: Some(start),
            release_command: chosen(&overrides.release_command, self.release.clone()),
            port: Some(8080),
            caches: kept,
            warnings,
            ..BuildPlan::new(
                self.framework,
                self.reason.clone(),
                Output::Container { dockerfile, path: None },
            )
        })
    }
}
