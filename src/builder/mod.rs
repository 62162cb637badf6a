//! From a commit's files to a `BuildPlan`. Detection and plans are data, tested without Docker. One file per language.
//!
//! Adding a language is a file with a [`Detector`] and a line in [`DETECTORS`] for each of its ids.

pub mod arguments;
pub mod cache_mounts;
mod command;
mod directory;
pub mod dockerfile;
mod dotnet;
mod elixir;
mod go;
pub mod image;
mod java;
mod javascript;
mod javascript_assets;
mod layers;
mod orbitra_toml;
mod php;
mod pins;
mod procfile;
pub mod python;
pub mod remote_files;
mod requirement;
mod ruby;
mod runtime;
mod rust;
mod settings;
pub mod static_site;
#[cfg(test)]
mod tests;
mod version_files;
mod xml;

use settings::Settings;

use crate::git::{Entry, EntryKind, SourceTree, TreeError};
use crate::model::build_plan::BuildPlan;
use crate::model::catalogue;

/// Name the generated Dockerfile has inside the build context.
pub const GENERATED_DOCKERFILE: &str = ".orbitra.Dockerfile";

/// Largest file that detection reads, in bytes.
const READ_LIMIT: u64 = 1024 * 1024;

/// What is said from outside instead of what is detected: by a request, `orbitra.toml`, or the project's settings. Empty
/// texts count as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// An id of `GET /frameworks`; skips detection.
    pub framework: Option<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
    pub release_command: Option<String>,
    /// Versions that somebody names: (`python`, `3.12`). They are used or refused, never replaced.
    pub versions: Vec<(String, String)>,
    /// Versions that an earlier build of the project resolved: (`node`, `22`). They win over defaults and ranges, and
    /// lose against a file that names another version exactly.
    pub pins: Vec<(String, String)>,
    /// Directory of a static site's files.
    pub output_directory: Option<String>,
    /// Path of the Dockerfile.
    pub dockerfile: Option<String>,
    /// The directory the tree was taken from, for messages only; not set for the repository's root.
    pub root_directory: Option<String>,
}

/// No plan could be made. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// No file tells what this is.
    #[error("{0}")]
    Nothing(String),
    /// It is known what this is, and it cannot be built yet.
    #[error("{0}")]
    Unsupported(String),
    /// A setting or a file is wrong.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unreadable(String),
}

impl From<TreeError> for DetectError {
    fn from(error: TreeError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What detectors look at.
struct Project<'a> {
    tree: &'a dyn SourceTree,
    overrides: &'a Overrides,
    /// Entries of the root directory, in byte order.
    entries: Vec<Entry>,
    /// The whole repository, when it is known; the tree is the directory of it that the settings name.
    repository: Option<&'a dyn SourceTree>,
}

/// Makes a plan when the tree is of its kind. `forced` says that the settings name this framework: what is missing is an error then.
type Detector = fn(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError>;

/// Framework ids and their detectors; the first that makes a plan wins. A language stands before Node.js when its
/// applications have a `package.json` for their assets.
const DETECTORS: &[(&str, Detector)] = &[
    ("dockerfile", dockerfile::detect),
    ("laravel", php::detect_laravel),
    ("php", php::detect),
    ("go", go::detect),
    ("spring", java::detect_spring),
    ("java", java::detect),
    ("rust", rust::detect),
    ("rails", ruby::detect_rails),
    ("ruby", ruby::detect),
    ("phoenix", elixir::detect_phoenix),
    ("elixir", elixir::detect),
    ("python", python::detect),
    ("django", python::detect),
    ("flask", python::detect),
    ("fastapi", python::detect),
    ("deno", javascript::deno),
    ("dotnet", dotnet::detect),
    ("nodejs", javascript::nodejs),
    ("nextjs", javascript::nextjs),
    ("nuxt", javascript::nuxt),
    ("remix", javascript::remix),
    ("astro", javascript::astro),
    ("sveltekit", javascript::sveltekit),
    ("vite", javascript::vite),
    ("bun", javascript::bun),
    ("static", static_site::detect),
];

/// Decides how a tree is built when a request says nothing of it. Blocks.
///
/// # Errors
/// No plan could be made; the text is for the user.
pub fn plan(tree: &dyn SourceTree, project: &Overrides) -> Result<BuildPlan, DetectError> {
    plan_for(tree, &Overrides::default(), project)
}

/// Decides how a tree is built. What the request says counts most, then `orbitra.toml`, then the project's settings,
/// then what is detected. Blocks.
///
/// # Errors
/// No plan could be made; the text is for the user.
pub fn plan_for(
    tree: &dyn SourceTree,
    request: &Overrides,
    project: &Overrides,
) -> Result<BuildPlan, DetectError> {
    plan_in(tree, None, request, project)
}

/// Decides how the directory of a repository is built that the request or the settings name. What surrounds it may
/// matter: a workspace has its lock file at its root, and [`BuildPlan::context`] says then that more than the directory
/// is built. Blocks.
///
/// # Errors
/// No plan could be made, or there is no such directory; the text is for the user.
pub fn plan_within(
    repository: &dyn SourceTree,
    request: &Overrides,
    project: &Overrides,
) -> Result<BuildPlan, DetectError> {
    let directory = set(&request.root_directory).or(set(&project.root_directory)).unwrap_or("");
    let directory = directory.trim_matches('/');
    if directory.is_empty() {
        return plan_for(repository, request, project);
    }
    let tree = repository.subtree(directory)?;
    plan_in(tree.as_ref(), Some(repository), request, project)
}

fn plan_in(
    tree: &dyn SourceTree,
    repository: Option<&dyn SourceTree>,
    request: &Overrides,
    project: &Overrides,
) -> Result<BuildPlan, DetectError> {
    let mut settings = Settings::resolve(tree, request, project)?;
    let entries = tree.list("")?;
    let look = |overrides: &Overrides, ids: &dyn Fn(&str) -> bool, forced: bool| {
        let project = Project { tree, overrides, entries: entries.clone(), repository };
        for (id, detect) in DETECTORS.iter().filter(|(id, _)| ids(id)) {
            if let Some(plan) = detect(&project, forced)? {
                debug_assert!(catalogue::is_framework(&plan.framework), "{id}: {}", plan.framework);
                return Ok(Some(plan));
            }
        }
        Ok::<_, DetectError>(None)
    };
    let named = set(&settings.overrides.framework).map(str::to_owned);
    let mut planned = match named.as_deref() {
        None | Some("dockerfile") => {
            look(&settings.overrides, &|id| id == "dockerfile", named.is_some())?
        }
        Some(_) => None,
    };
    if planned.is_none() {
        settings.apply_procfile();
        planned = match named.as_deref() {
            Some(named) => look(&settings.overrides, &|id| id == named, true)?,
            None => look(&settings.overrides, &|id| id != "dockerfile", false)?,
        };
    }
    let Some(mut plan) = planned else {
        return Err(Project { tree, overrides: &settings.overrides, entries, repository }.nothing());
    };
    pins::check(&settings.overrides, &mut plan)?;
    settings.complete(&mut plan);
    Ok(plan)
}

/// A setting that is there and not blank.
fn set(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

impl Project<'_> {
    /// Whether the root directory has a regular file of this name.
    fn has_file(&self, name: &str) -> bool {
        let found = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(name));
        found.is_ok_and(|at| matches!(self.entries[at].kind, EntryKind::File { .. }))
    }

    /// Whether a path of the tree is a regular file.
    fn is_file(&self, path: &str) -> Result<bool, DetectError> {
        Ok(matches!(self.tree.kind(path)?, Some(EntryKind::File { .. })))
    }

    /// A text file; `None` when there is none.
    fn text(&self, path: &str) -> Result<Option<String>, DetectError> {
        let Some(bytes) = self.tree.read(path, READ_LIMIT)? else {
            return Ok(None);
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
            Err(_) => Err(DetectError::Invalid(format!("`{path}` is not UTF-8 text."))),
        }
    }

    fn root(&self) -> String {
        format!("/{}", set(&self.overrides.root_directory).unwrap_or("").trim_matches('/'))
    }

    /// The answer when nothing fits: what there is.
    fn nothing(&self) -> DetectError {
        DetectError::Nothing(format!(
            "Nothing to build was found in `{}`. {} Add a `Dockerfile`, a file that names a language such as `package.json` or `requirements.txt`, or an `index.html`, or set the root directory.",
            self.root(),
            directory::describe(&self.entries)
        ))
    }
}
