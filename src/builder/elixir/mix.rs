//! What a `mix.exs` says, read as text: it is a program, and nothing runs here.

use crate::builder::layers::plain_name;
use crate::builder::{DetectError, Project};

/// A `mix.exs` without its comments.
pub(super) struct Mix {
    text: String,
    lock: String,
    /// Files of `config/` that are read when dependencies are compiled.
    pub config: Vec<String>,
}

impl Mix {
    /// `None` when there is no `mix.exs`.
    pub fn read(project: &Project<'_>) -> Result<Option<Self>, DetectError> {
        let Some(text) = project.text_if_there("mix.exs")? else { return Ok(None) };
        let lines = text.lines().map(|line| match line.trim_start().starts_with('#') {
            true => "",
            false => line,
        });
        let config = ["config/config.exs", "config/prod.exs"];
        let config = config.iter().filter(|path| project.has_path(path));
        Ok(Some(Self {
            text: lines.collect::<Vec<_>>().join("\n"),
            lock: project.hints("mix.lock"),
            config: config.map(|path| (*path).to_owned()).collect(),
        }))
    }

    pub fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Whether the project names this dependency, or has it locked.
    pub fn depends(&self, name: &str) -> bool {
        self.text.contains(&format!("{{:{name},")) || self.lock.contains(&format!("\"{name}\": {{"))
    }

    pub fn has_dependencies(&self) -> bool {
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find("{:") {
            rest = &rest[at + 2..];
            let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let after = name.map(|end| rest[end..].trim_start());
            // `{:plug, "~> 1.0"}` or `{:own, path: …}`, not the `{:ok, pid}` of a function.
            if after.is_some_and(|after| {
                let after = after.trim_start_matches(',').trim_start();
                ["\"", "path:", "git:", "github:", "in_umbrella:", ">="]
                    .iter()
                    .any(|start| after.starts_with(start))
            }) {
                return true;
            }
        }
        self.lock.contains("{:hex,")
    }

    /// The requirement of `elixir: "~> 1.14"`.
    pub fn elixir(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("elixir:")?;
        rest.trim_start().strip_prefix('"')?.split_once('"').map(|(text, _)| text)
    }

    /// Name of the release, and whether `releases:` lists it: the first one there, else the application's. An umbrella
    /// has only the former.
    pub fn release(&self) -> Result<Option<(&str, bool)>, DetectError> {
        let word = |text: &'static str, end: fn(char) -> bool| -> Option<&str> {
            let (_, rest) = self.text.split_once(text)?;
            let rest = rest.trim_start();
            rest.find(end).map(|at| &rest[..at])
        };
        let listed = word("releases: [", |c| matches!(c, ':' | ']'));
        let application = word("app: :", |c| matches!(c, ',' | ']' | '\n' | ' '));
        let umbrella = self.text.contains("apps_path:");
        let listed = listed.map(str::trim).filter(|name| !name.is_empty()).map(|name| (name, true));
        let found = listed.or(application.filter(|_| !umbrella).map(|name| (name, false)));
        let what = "name of the release in mix.exs";
        found.map(|(name, listed)| Ok((plain_name(name, what)?, listed))).transpose()
    }

    /// What fetching dependencies reads, when it reads no others.
    pub fn manifests(&self, project: &Project<'_>) -> Option<Vec<String>> {
        if ["path:", "apps_path:", "in_umbrella:", "File.", "Code."]
            .iter()
            .any(|word| self.says(word))
        {
            return None;
        }
        let lock = project.has_file("mix.lock").then(|| "mix.lock".to_owned());
        Some(["mix.exs".to_owned()].into_iter().chain(lock).collect())
    }
}
