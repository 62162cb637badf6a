//! What Dockerfiles of several languages have in common: the order of layers, the user, and looks into the tree.

use super::image::{Image, Step};
use super::{DetectError, Project, READ_LIMIT, set};
use crate::git::EntryKind;

/// Base of images that hold a finished program.
pub(super) const SLIM: &str = "debian:bookworm-slim";

/// Name, and home directory, of the user that applications run as.
pub(super) const USER: &str = "app";

impl Image {
    /// Copies what the installation reads, installs, then copies the rest: a change of the sources leaves the
    /// installation as it is. Without `manifests` everything is copied first.
    pub(super) fn install(
        &mut self,
        manifests: Option<&[String]>,
        install: Option<&Step<'_>>,
    ) -> &mut Self {
        match (install, manifests.filter(|list| list.iter().all(|path| is_plain_path(path)))) {
            (Some(install), Some(manifests)) => {
                self.line(format!("COPY {} ./", manifests.join(" "))).run(install).line("COPY . .")
            }
            (Some(install), None) => self.line("COPY . .").run(install),
            (None, _) => self.line("COPY . ."),
        }
    }

    /// A user without rights who owns `/app`. Numbered above those that base images come with, so that the owner of a
    /// volume's files stays the same.
    pub(super) fn app_user(&mut self) -> &mut Self {
        let add = "useradd --uid 10001 --user-group --create-home --home-dir /app --skel /nonexistent \
                   --shell /usr/sbin/nologin app";
        self.run(&Step { command: add, ..Step::default() }).line("WORKDIR /app")
    }

    /// Debian packages that the program needs while it runs.
    pub(super) fn packages(&mut self, packages: &[&str]) -> &mut Self {
        if packages.is_empty() {
            return self;
        }
        let command = format!(
            "apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
            packages.join(" ")
        );
        self.run(&Step { command: &command, ..Step::default() })
    }
}

/// A command of the settings, or the detected one.
pub(super) fn chosen(setting: &Option<String>, detected: Option<String>) -> Option<String> {
    set(setting).map(str::to_owned).or(detected)
}

/// Whether a name means nothing but itself to a shell, a Dockerfile and a command line.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    (1..=100).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.', '+'])
}

/// The same for a relative path of such names.
pub(super) fn is_plain_path(path: &str) -> bool {
    let fits =
        |part: &str| is_plain_name(part) || part.strip_prefix('.').is_some_and(is_plain_name);
    path.len() <= 400 && path.split('/').all(fits)
}

/// Refuses a name that a file of the repository gives and that is not plain.
pub(super) fn plain_name<'a>(name: &'a str, what: &str) -> Result<&'a str, DetectError> {
    if is_plain_name(name) {
        return Ok(name);
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    Err(DetectError::Invalid(format!(
        "The {what} `{shown}` cannot be used: only letters, digits, `.`, `_`, `-` and `+` are accepted."
    )))
}

impl Project<'_> {
    /// A text file of the root that may be missing.
    pub(super) fn text_if_there(&self, name: &str) -> Result<Option<String>, DetectError> {
        if self.has_file(name) { self.text(name) } else { Ok(None) }
    }

    /// A file that is only looked into for signs: one that is missing, too large or not text has none.
    pub(super) fn hints(&self, path: &str) -> String {
        let bytes = self.tree.read(path, READ_LIMIT).ok().flatten().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether there is a regular file at this path, read or not.
    pub(super) fn has_path(&self, path: &str) -> bool {
        matches!(self.tree.kind(path), Ok(Some(EntryKind::File { .. })))
    }

    /// Paths of files, or of directories, directly in a directory; none when it is missing.
    pub(super) fn files_in(&self, directory: &str) -> Vec<String> {
        self.paths(directory, |kind| matches!(kind, EntryKind::File { .. }))
    }

    pub(super) fn directories_in(&self, directory: &str) -> Vec<String> {
        self.paths(directory, |kind| kind == EntryKind::Directory)
    }

    fn paths(&self, directory: &str, wanted: impl Fn(EntryKind) -> bool) -> Vec<String> {
        let entries = self.tree.list(directory).unwrap_or_default();
        entries.into_iter().filter(|entry| wanted(entry.kind)).map(|entry| entry.path).collect()
    }

    /// Whether a detector of another language may take this tree when one does not know how to start it.
    pub(super) fn may_be_another(&self) -> bool {
        let others = [
            "package.json",
            "index.html",
            "requirements.txt",
            "pyproject.toml",
            "Pipfile",
            "deno.json",
            "deno.jsonc",
            "public/index.html",
        ];
        others.iter().any(|path| self.has_path(path))
    }

    /// The answer of a detector that found its language and no way to start it.
    pub(super) fn no_start<T>(
        &self,
        forced: bool,
        message: impl Into<String>,
    ) -> Result<Option<T>, DetectError> {
        if !forced && self.may_be_another() {
            return Ok(None);
        }
        Err(DetectError::Unsupported(message.into()))
    }

    /// The answer of a detector whose file is not there.
    pub(super) fn missing<T>(&self, forced: bool, what: &str) -> Result<Option<T>, DetectError> {
        if !forced {
            return Ok(None);
        }
        Err(DetectError::Invalid(format!("There is no {what} in `{}`.", self.root())))
    }
}
