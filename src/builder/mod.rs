//! From a commit's files to a `BuildPlan`. Detection and plans are data, tested without Docker. One file per language.
//!
//! Adding a language is a file with a [`Detector`] and a line in [`DETECTORS`].

mod command;
mod directory;
pub mod dockerfile;
pub mod node;
mod node_image;
mod node_version;
pub mod static_site;
#[cfg(test)]
mod tests;

use crate::git::{Entry, EntryKind, SourceTree, TreeError};
use crate::model::build_plan::BuildPlan;

/// Name the generated Dockerfile has inside the build context.
pub const GENERATED_DOCKERFILE: &str = ".orbitra.Dockerfile";

/// Largest file that detection reads, in bytes.
const READ_LIMIT: u64 = 1024 * 1024;

/// What the project's settings say instead of what is detected. Empty texts count as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `dockerfile`, `nodejs` or `static`; skips detection.
    pub framework: Option<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
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
    /// Entries of the root directory.
    entries: Vec<Entry>,
}

/// Makes a plan when the tree is of its kind. `forced` says that the settings name this framework: what is missing is an error then.
type Detector = fn(project: &Project<'_>, forced: bool) -> Result<Option<BuildPlan>, DetectError>;

/// Framework ids and their detectors; the first that makes a plan wins.
const DETECTORS: &[(&str, Detector)] = &[
    ("dockerfile", dockerfile::detect),
    ("nodejs", node::detect),
    ("static", static_site::detect),
];

/// Decides how a tree is built. Blocks.
pub fn plan(tree: &dyn SourceTree, overrides: &Overrides) -> Result<BuildPlan, DetectError> {
    let project = Project { tree, overrides, entries: tree.list("")? };
    for (name, command) in [
        ("install", &overrides.install_command),
        ("build", &overrides.build_command),
        ("start", &overrides.start_command),
    ] {
        if command.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(DetectError::Invalid(format!(
                "The {name} command must be one line without control characters."
            )));
        }
    }
    if let Some(framework) = set(&overrides.framework) {
        let Some((_, detect)) = DETECTORS.iter().find(|(id, _)| *id == framework) else {
            return Err(DetectError::Invalid(format!("There is no framework `{framework}`.")));
        };
        return detect(&project, true)?.ok_or_else(|| project.nothing());
    }
    for (_, detect) in DETECTORS {
        if let Some(plan) = detect(&project, false)? {
            return Ok(plan);
        }
    }
    Err(project.nothing())
}

/// A setting that is there and not blank.
fn set(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

impl Project<'_> {
    /// Whether the root directory has a regular file of this name.
    fn has_file(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.path == name && matches!(entry.kind, EntryKind::File { .. }))
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

    /// The answer when nothing fits: what there is, or which language it is that is not known yet.
    fn nothing(&self) -> DetectError {
        if let Some((file, language)) = self.other_language() {
            return DetectError::Unsupported(format!(
                "This is a {language} project (`{file}`), which cannot be built without a `Dockerfile` yet. Add one to `{}`.",
                self.root()
            ));
        }
        DetectError::Nothing(format!(
            "Nothing to build was found in `{}`. {} Add a `Dockerfile`, a `package.json` or an `index.html`, or set the root directory.",
            self.root(),
            directory::describe(&self.entries)
        ))
    }

    /// A language whose projects are recognised but not built yet: (file that proves it, name).
    fn other_language(&self) -> Option<(&'static str, &'static str)> {
        OTHER_LANGUAGES.iter().copied().find(|(file, _)| self.has_file(file))
    }
}

const OTHER_LANGUAGES: &[(&str, &str)] = &[
    ("composer.json", "PHP"),
    ("index.php", "PHP"),
    ("go.mod", "Go"),
    ("pom.xml", "Java"),
    ("build.gradle", "Java"),
    ("build.gradle.kts", "Java"),
    ("Cargo.toml", "Rust"),
    ("Gemfile", "Ruby"),
    ("mix.exs", "Elixir"),
    ("requirements.txt", "Python"),
    ("pyproject.toml", "Python"),
    ("Pipfile", "Python"),
    ("deno.json", "Deno"),
    ("deno.jsonc", "Deno"),
];
