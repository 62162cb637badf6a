//! Writing a Dockerfile.
//!
//! Cache mounts carry a target and no `id`: on the way into a build each gets an `id` of its project.

use super::command::{json, plain_words};

/// Secret that holds the variables of a deployment as lines of `export NAME='value'`, for steps that need them.
pub const VARIABLES_SECRET: &str = "orbitra-variables";

/// Build argument whose value changes with the variables, so that a step that reads them runs again when they change.
/// It is a keyed digest: nothing can be learned from it.
pub const VARIABLES_ARGUMENT: &str = "ORBITRA_VARIABLES";

/// A Dockerfile in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    lines: Vec<String>,
}

/// A step that runs a command.
#[derive(Clone, Debug, Default)]
pub(super) struct Step<'a> {
    pub command: &'a str,
    /// Directories kept between builds.
    pub caches: &'a [&'a str],
    /// Whether the command sees the deployment's variables.
    pub variables: bool,
}

impl Image {
    /// Begins a stage.
    pub fn from(&mut self, base: &str, name: Option<&str>) -> &mut Self {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(match name {
            Some(name) => format!("FROM {base} AS {name}"),
            None => format!("FROM {base}"),
        });
        self
    }

    /// Any one instruction, such as `WORKDIR /app`.
    pub fn line(&mut self, line: impl Into<String>) -> &mut Self {
        self.lines.push(line.into());
        self
    }

    /// Says that the steps that follow in this stage depend on the deployment's variables.
    pub fn variables_follow(&mut self) -> &mut Self {
        self.line(format!("ARG {VARIABLES_ARGUMENT}"))
    }

    /// A `RUN` line.
    pub fn run(&mut self, step: &Step<'_>) -> &mut Self {
        let mut words = vec!["RUN".to_owned()];
        words.extend(step.caches.iter().map(|path| format!("--mount=type=cache,target={path}")));
        if step.variables {
            words.push(format!("--mount=type=secret,id={VARIABLES_SECRET}"));
        }
        words.push(match (plain_words(step.command), step.variables) {
            (Some(plain), false) => plain.join(" "),
            (Some(plain), true) => format!("{}; {}", read_variables(), plain.join(" ")),
            (None, false) => shell(step.command.to_owned()),
            (None, true) => shell(format!("{}; {}", read_variables(), step.command)),
        });
        self.line(words.join(" "))
    }

    /// The program that is run, in exec form.
    pub fn cmd(&mut self, words: &[String]) -> &mut Self {
        self.line(format!("CMD {}", json(words)))
    }

    pub fn finish(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// Reads the variables where they are given; a build by hand has none and goes on.
fn read_variables() -> String {
    let path = format!("/run/secrets/{VARIABLES_SECRET}");
    format!("test ! -f {path} || . {path}")
}

/// A step as its author wrote it: without the mounts and the reading of variables that stand in front of a command here.
pub fn own_words(step: &str) -> String {
    let own = step.replace(&format!("{}; ", read_variables()), "");
    let words = own.split(' ').filter(|word| !word.starts_with("--mount=type="));
    words.collect::<Vec<_>>().join(" ")
}

/// One JSON string for the shell, so that no character of it means anything to the Dockerfile.
fn shell(command: String) -> String {
    json(&["/bin/sh".to_owned(), "-c".to_owned(), command])
}
