//! Which package manager installs a project, in which version, and what its commands are.

use super::super::version_files::{Asked, of_managers};
use super::super::{DetectError, Project};
use super::package::Package;
use super::range::Range;
use super::tool_versions::{self, DEFAULT, is_exact, pinned, shown};
use crate::model::build_plan::{PINNED, Version};

/// Lock files, in the order they are looked for.
const LOCKS: &[(&str, Kind)] = &[
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("bun.lock", Kind::Bun),
    ("bun.lockb", Kind::Bun),
    ("yarn.lock", Kind::Yarn),
    ("package-lock.json", Kind::Npm),
    ("npm-shrinkwrap.json", Kind::Npm),
];
/// Largest lock file whose first lines are looked at, in bytes. One that is larger is taken as the newest format.
const LOCK_LIMIT: u64 = 16 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Npm,
    Pnpm,
    /// Yarn 1.
    Yarn,
    /// Yarn from 2 on.
    Berry,
    Bun,
}

/// The package manager of a project.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub kind: Kind,
    /// What is installed of it; not set for the npm that comes with Node.js.
    pub version: Option<Version>,
    pub lock: Option<&'static str>,
    /// Whether the repository holds the packages themselves.
    has_packages: bool,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn | Self::Berry => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The name of the lock file it writes.
    fn usual_lock(self) -> &'static str {
        match self {
            Self::Npm => "package-lock.json",
            Self::Pnpm => "pnpm-lock.yaml",
            Self::Yarn | Self::Berry => "yarn.lock",
            Self::Bun => "bun.lock",
        }
    }
}

impl Manager {
    /// Chooses by `packageManager`, lock file, `engines`, else npm.
    pub fn choose(
        project: &Project<'_>,
        package: &Package,
        warnings: &mut Vec<String>,
    ) -> Result<Self, DetectError> {
        let locks: Vec<_> = LOCKS.iter().filter(|(file, _)| project.has_file(file)).collect();
        let named = named(package)?;
        let engines = [("pnpm", Kind::Pnpm), ("yarn", Kind::Yarn), ("bun", Kind::Bun)];
        let engine = engines.iter().find(|(name, _)| package.text(&["engines", name]).is_some());
        let kind = match (&named, locks.first(), engine) {
            (Some((kind, _)), ..) => *kind,
            (None, Some((_, kind)), _) | (None, None, Some((_, kind))) => *kind,
            (None, None, None) => Kind::Npm,
        };
        let lock = locks.iter().find(|(_, of)| of.name() == kind.name()).map(|(file, _)| *file);
        let unused = locks.iter().map(|(file, _)| *file).find(|file| Some(*file) != lock);
        match (lock, unused) {
            (Some(lock), Some(unused)) => {
                warnings.push(format!("`{lock}` is used and `{unused}` is not."));
            }
            (None, Some(unused)) => {
                warnings.push(format!(
                    "`{unused}` is not used: {} installs this project.",
                    kind.name()
                ));
            }
            _ => {}
        }
        let head = lock.map(|lock| head(project, lock)).transpose()?.unwrap_or_default();
        let (kind, version) = version(project, package, kind, named, &head)?;
        let has_packages = kind == Kind::Berry && project.tree.list(".yarn/cache").is_ok();
        Ok(Self { kind, version, lock, has_packages })
    }

    /// Bun in its place, for projects that Bun runs: there is no other manager in its image.
    pub fn into_bun(self) -> Self {
        match self.kind {
            Kind::Bun => self,
            _ => Self { kind: Kind::Bun, version: None, lock: None, has_packages: false },
        }
    }

    /// The version as it may stand in a command.
    fn number(&self) -> Option<&str> {
        self.version.as_ref().map(|version| version.version.as_str())
    }

    /// The command that brings the manager itself, from the same registry as everything else.
    pub fn setup(&self) -> Option<String> {
        let version = self.number()?;
        let name = match self.kind {
            Kind::Berry => "@yarnpkg/cli-dist",
            kind => kind.name(),
        };
        // Images of Node.js come with a `yarn`, which npm would not replace otherwise.
        let force = if self.kind.name() == "yarn" { " --force" } else { "" };
        Some(format!("npm install --global{force} {name}@{version}"))
    }

    /// Settings for the steps that install and build.
    pub fn environment(&self) -> Vec<&'static str> {
        let mut all = vec![
            "NPM_CONFIG_AUDIT=false",
            "NPM_CONFIG_FUND=false",
            "NPM_CONFIG_UPDATE_NOTIFIER=false",
        ];
        match self.kind {
            Kind::Pnpm => all.push("PNPM_HOME=/pnpm"),
            // A directory of packages is what every tool can read, and what an image can be cut down to.
            Kind::Berry => all.extend([
                "YARN_NODE_LINKER=node-modules",
                "YARN_ENABLE_TELEMETRY=false",
                if self.has_packages {
                    "YARN_ENABLE_GLOBAL_CACHE=false"
                } else {
                    "YARN_ENABLE_GLOBAL_CACHE=true"
                },
            ]),
            _ => {}
        }
        all
    }

    /// Directories that installations of this project share.
    pub fn caches(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Npm => &["/root/.npm"],
            Kind::Pnpm => &["/pnpm/store"],
            Kind::Yarn => &["/usr/local/share/.cache/yarn"],
            Kind::Berry if self.has_packages => &[],
            Kind::Berry => &["/root/.yarn/berry"],
            Kind::Bun => &["/root/.bun/install/cache"],
        }
    }

    /// Installs exactly what the lock file says, or what fits when there is none. `production` leaves out what is for
    /// development; yarn from 2 on cannot do that in one step.
    pub fn install(&self, production: bool) -> String {
        let locked = self.lock.is_some();
        let (command, production_flag) = match self.kind {
            Kind::Npm => (if locked { "npm ci" } else { "npm install" }, " --omit=dev"),
            Kind::Pnpm if locked => ("pnpm install --frozen-lockfile", " --prod"),
            Kind::Pnpm => ("pnpm install --no-frozen-lockfile", " --prod"),
            Kind::Yarn if locked => {
                ("yarn install --frozen-lockfile --non-interactive", " --production")
            }
            Kind::Yarn => ("yarn install --non-interactive", " --production"),
            Kind::Berry => (
                if locked { "yarn install --immutable" } else { "yarn install --no-immutable" },
                "",
            ),
            Kind::Bun => (
                if locked { "bun install --frozen-lockfile" } else { "bun install" },
                " --production",
            ),
        };
        format!("{command}{}", if production { production_flag } else { "" })
    }

    /// Whether [`Self::install`] can leave out what is for development.
    pub fn installs_production(&self) -> bool {
        self.kind != Kind::Berry
    }

    /// Takes out what is for development after a build. `None` when that cannot be done without harm: when the packages
    /// have to be installed anew and scripts of the project would run, without the tools they may need.
    pub fn prune(&self, in_workspace: bool, has_install_scripts: bool) -> Option<String> {
        let fresh = !has_install_scripts;
        match self.kind {
            Kind::Npm => Some("npm prune --omit=dev --ignore-scripts".into()),
            Kind::Pnpm if in_workspace => {
                fresh.then(|| format!("{} --config.confirmModulesPurge=false", self.install(true)))
            }
            Kind::Pnpm => {
                Some("pnpm prune --prod --ignore-scripts --config.confirmModulesPurge=false".into())
            }
            Kind::Yarn => Some(format!("{} --ignore-scripts --prefer-offline", self.install(true))),
            // The command came with yarn 4; before it was a plugin.
            Kind::Berry => {
                let major = self.number()?.split('.').next()?.parse::<u32>().ok()?;
                (major >= 4).then(|| "yarn workspaces focus --all --production".into())
            }
            Kind::Bun => fresh.then(|| format!("rm -rf node_modules && {}", self.install(true))),
        }
    }

    /// Runs a script of `package.json`.
    pub fn run(&self, script: &str) -> String {
        format!("{} run {script}", self.kind.name())
    }

    /// Runs a program of a dependency.
    pub fn execute(&self, command: &str) -> String {
        match self.kind {
            Kind::Npm => format!("npx {command}"),
            Kind::Pnpm => format!("pnpm exec {command}"),
            Kind::Yarn | Kind::Berry => format!("yarn run {command}"),
            Kind::Bun => format!("bunx {command}"),
        }
    }

    /// What the user should know when there is no lock file.
    pub fn no_lock(&self) -> String {
        format!(
            "There is no `{}`: versions of dependencies may change between builds.",
            self.kind.usual_lock()
        )
    }
}

/// What `packageManager` or `devEngines` name: the manager, and its version with where that is from.
fn named(package: &Package) -> Result<Option<(Kind, Option<Version>)>, DetectError> {
    let source = "packageManager in package.json";
    if let Some(text) = package.text(&["packageManager"]) {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, rest)| {
            (name, Some(rest.split('+').next().unwrap_or_default()))
        });
        let kind = kind(name, version);
        return match (kind, version) {
            (Some(kind), None) => Ok(Some((kind, None))),
            (Some(kind), Some(version)) if is_exact(version) => {
                Ok(Some((kind, Some(of(kind, version, source)))))
            }
            _ => Err(DetectError::Invalid(format!(
                "`{}` ({source}) is no package manager with a version. Write it as `pnpm@10.4.1`; npm, pnpm, yarn and bun are known.",
                shown(text)
            ))),
        };
    }
    let name = package.text(&["devEngines", "packageManager", "name"]);
    let version = package.text(&["devEngines", "packageManager", "version"]);
    let version = version.filter(|version| is_exact(version));
    let source = "devEngines in package.json";
    Ok(name
        .and_then(|name| kind(name, version))
        .map(|kind| (kind, version.map(|version| of(kind, version, source)))))
}

fn kind(name: &str, version: Option<&str>) -> Option<Kind> {
    Some(match name {
        "npm" => Kind::Npm,
        "pnpm" => Kind::Pnpm,
        "yarn"
            if version
                .is_none_or(|version| version.starts_with("1.") || version.starts_with("0.")) =>
        {
            Kind::Yarn
        }
        "yarn" => Kind::Berry,
        "bun" => Kind::Bun,
        _ => return None,
    })
}

fn of(kind: Kind, version: &str, source: &str) -> Version {
    Version { name: kind.name().into(), version: version.to_owned(), source: source.to_owned() }
}

/// The first lines of a lock file.
fn head(project: &Project<'_>, lock: &str) -> Result<String, DetectError> {
    match project.tree.read(lock, LOCK_LIMIT) {
        Ok(bytes) => {
            let bytes = bytes.unwrap_or_default();
            let lines = bytes.split(|byte| *byte == b'\n').take(20);
            Ok(lines.map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect())
        }
        Err(crate::git::TreeError::TooLarge(..)) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// Settles which yarn it is, and the version: named, what a file of it says, mise, pinned, what wrote the lock file.
fn version(
    project: &Project<'_>,
    package: &Package,
    kind: Kind,
    named: Option<(Kind, Option<Version>)>,
    head: &str,
) -> Result<(Kind, Option<Version>), DetectError> {
    if let Some(Asked { text: version, source }) = tool_versions::named(project, kind.name())? {
        let kind = self::kind(kind.name(), Some(&format!("{version}."))).unwrap_or(kind);
        return Ok((kind, Some(of(kind, &version, &source))));
    }
    if let Some((kind, Some(version))) = named {
        return Ok((kind, Some(version)));
    }
    let kind = match kind {
        Kind::Yarn if project.has_file(".yarnrc.yml") || head.contains("__metadata:") => {
            Kind::Berry
        }
        other => other,
    };
    if kind == Kind::Berry
        && let Some(version) = carried_yarn(project)?
    {
        return Ok((kind, Some(of(kind, &version, "yarnPath in .yarnrc.yml"))));
    }
    if let Some(Asked { text: version, source }) = of_managers(project, &[kind.name()])?
        && is_exact(&version)
    {
        return Ok((kind, Some(of(kind, &version, &source))));
    }
    let engines = package.text(&["engines", kind.name()]);
    if let Some(exact) = engines.filter(|text| is_exact(text) && kind != Kind::Npm) {
        return Ok((
            kind,
            Some(of(kind, exact, &format!("engines.{} in package.json", kind.name()))),
        ));
    }
    if let Some(pin) = pinned(project, kind.name()) {
        let is_yarn_1 = pin == "1" || pin.starts_with("1.");
        if kind.name() != "yarn" || is_yarn_1 == (kind == Kind::Yarn) {
            return Ok((kind, Some(of(kind, pin, PINNED))));
        }
    }
    let wrote = |field: &str| {
        let line = head.lines().find_map(|line| line.trim().strip_prefix(field));
        line.and_then(|value| {
            value.trim_matches([' ', '\'', '"', '\r']).split('.').next()?.parse::<u32>().ok()
        })
    };
    // pnpm 9 and 10 write the same format, as do yarn 2 and 3 nearly.
    let (usual, by_lock) = match kind {
        Kind::Npm => return Ok((kind, None)),
        Kind::Pnpm => (
            "10",
            wrote("lockfileVersion:").map(|format| match format {
                0..=5 => "7",
                6..=8 => "8",
                _ => "10",
            }),
        ),
        Kind::Yarn => ("1.22.22", None),
        Kind::Berry => ("4", wrote("version:").map(|format| if format < 8 { "3" } else { "4" })),
        Kind::Bun => ("1", None),
    };
    let range = engines.and_then(Range::parse);
    let fits = |version: &str| {
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        range.as_ref().is_none_or(|range| major.is_some_and(|major| range.reaches(major)))
    };
    let source = format!("format of {}", kind.usual_lock());
    let chosen = match by_lock.filter(|version| fits(version)) {
        Some(version) => (version, source),
        None if fits(usual) => (usual, DEFAULT.to_owned()),
        None => {
            let older =
                ["9", "8", "7"].into_iter().find(|version| kind == Kind::Pnpm && fits(version));
            match older {
                Some(version) => (version, "engines.pnpm in package.json".to_owned()),
                None => (usual, DEFAULT.to_owned()),
            }
        }
    };
    Ok((kind, Some(of(kind, chosen.0, &chosen.1))))
}

/// The version of the yarn that the repository carries: `yarnPath: .yarn/releases/yarn-4.1.0.cjs`.
fn carried_yarn(project: &Project<'_>) -> Result<Option<String>, DetectError> {
    if !project.has_file(".yarnrc.yml") {
        return Ok(None);
    }
    let text = project.text(".yarnrc.yml")?.unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("yarnPath:"));
    let name = path.and_then(|path| path.trim_matches([' ', '\'', '"']).rsplit('/').next());
    let version = name.and_then(|name| name.strip_prefix("yarn-")?.strip_suffix(".cjs"));
    Ok(version.filter(|version| is_exact(version)).map(str::to_owned))
}
