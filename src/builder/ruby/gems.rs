//! What a `Gemfile` and its lock file say. Both are read as text: a `Gemfile` is a program, and nothing runs here.

use crate::builder::{DetectError, Project};

/// Gems that need a library of the system while they run, and the package that has it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("pg", &["libpq5"]),
    ("mysql2", &["libmariadb3"]),
    ("sqlite3", &["libsqlite3-0"]),
    ("ruby-vips", &["libvips42"]),
    ("rmagick", &["libmagickwand-6.q16-6"]),
    ("mini_magick", &["imagemagick"]),
    ("psych", &["libyaml-0-2"]),
    ("charlock_holmes", &["libicu72"]),
];

/// Words of a `Gemfile` that say that installing reads more files than these two.
const READS_MORE: &[&str] = &[
    "path:",
    ":path",
    "path '",
    "path \"",
    "gemspec",
    "eval_gemfile",
    "File.",
    "require_relative",
    "__dir__",
];

/// A `Gemfile` with its lock.
pub(super) struct Gems {
    gemfile: String,
    lock: String,
    pub locked: bool,
}

impl Gems {
    pub fn read(project: &Project<'_>) -> Result<Self, DetectError> {
        let gemfile = project.text_if_there("Gemfile")?.unwrap_or_default();
        let locked = project.has_file("Gemfile.lock");
        let lock = if locked { project.hints("Gemfile.lock") } else { String::new() };
        Ok(Self { gemfile, lock, locked })
    }

    /// Whether a gem is installed, directly or for another one.
    pub fn has(&self, gem: &str) -> bool {
        let locked = self.lock.lines().any(|line| {
            line.trim_start().strip_prefix(gem).is_some_and(|rest| rest.starts_with(" ("))
                && line.starts_with("    ")
        });
        locked
            || self.lines().any(|line| {
                let name =
                    line.strip_prefix("gem ").or_else(|| line.strip_prefix("gem(")).map(str::trim);
                name.and_then(quoted).is_some_and(|name| name == gem)
            })
    }

    /// The requirement of a `ruby "3.3.1"` line.
    pub fn ruby(&self) -> Option<String> {
        let line = self.lines().find_map(|line| line.strip_prefix("ruby "))?.trim();
        // Several requirements stand one after another; what comes after them is about the engine.
        let texts: Vec<&str> = line.split(',').map_while(|part| quoted(part.trim())).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    /// The version below `RUBY VERSION`.
    pub fn locked_ruby(&self) -> Option<&str> {
        let mut lines = self.lock.lines().skip_while(|line| *line != "RUBY VERSION").skip(1);
        lines.next()?.trim().strip_prefix("ruby ")
    }

    /// Packages with the libraries that gems load.
    pub fn packages(&self) -> Vec<&'static str> {
        let used = LIBRARIES.iter().filter(|(gem, _)| self.has(gem));
        used.flat_map(|(_, packages)| packages.iter().copied()).collect()
    }

    /// What `bundle install` reads, when it reads no others.
    pub fn manifests(&self, project: &Project<'_>) -> Option<Vec<String>> {
        let more = self.lines().any(|line| {
            let version = line.starts_with("ruby ") && line.contains("file:");
            !version && READS_MORE.iter().any(|word| line.contains(word))
        });
        if more || self.lock.lines().any(|line| line == "PATH") || project.has_path("vendor/cache")
        {
            return None;
        }
        let files = ["Gemfile", "Gemfile.lock", ".ruby-version", ".tool-versions"];
        Some(files.iter().filter(|file| project.has_file(file)).map(|f| (*f).to_owned()).collect())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.gemfile.lines().map(str::trim).filter(|line| !line.starts_with('#'))
    }
}

/// The content of the text in quotes that a line begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}
