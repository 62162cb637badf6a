//! `orbitra.toml` in the directory a project lives in: how the repository itself wants to be built and run.
//!
//! `docs/orbitra-toml.md` describes every key. The server's own file of the same name in its data directory has nothing
//! to do with it.

use toml::{Table, Value};

use super::settings::{self, command_problem};
use super::{DetectError, Overrides, directory, pins};
use crate::git::SourceTree;
use crate::model::build_plan::RepositorySettings;
use crate::model::catalogue;
use crate::model::project::{Protocol, Strategy, valid_health_path};
use crate::model::suggest::nearest;

const FILE: &str = "orbitra.toml";
/// Most patterns of `watch`.
const MOST_PATTERNS: usize = 100;
const LONGEST_PATTERN: usize = 500;

const TOP: &[&str] = &["framework", "build", "runtime", "versions"];
const BUILD: &[&str] = &["install_command", "command", "output_dir", "dockerfile", "watch"];
const RUNTIME: &[&str] =
    &["start_command", "release_command", "port", "protocol", "healthcheck", "strategy"];

/// Names that are used elsewhere, and what is meant by them here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("build_command", "`command` in `[build]`"),
    ("install", "`install_command` in `[build]`"),
    ("output", "`output_dir` in `[build]`"),
    ("output_directory", "`output_dir` in `[build]`"),
    ("start", "`start_command` in `[runtime]`"),
    ("release", "`release_command` in `[runtime]`"),
    ("health_path", "`healthcheck` in `[runtime]`"),
    ("health", "`healthcheck` in `[runtime]`"),
    ("deploy", "`[runtime]`"),
    ("run", "`[runtime]`"),
    ("root", "the project's root directory, which is where this file is read from"),
    ("root_dir", "the project's root directory, which is where this file is read from"),
    ("env", "the project's variables: values do not belong into a repository"),
];

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FromFile {
    pub overrides: Overrides,
    pub repository: RepositorySettings,
    /// The keys it has: `framework`, `build.command`.
    pub keys: Vec<String>,
}

/// Reads the file; `None` when there is none.
pub(super) fn read(tree: &dyn SourceTree) -> Result<Option<FromFile>, DetectError> {
    settings::file(tree, FILE)?.map(|text| parse(&text)).transpose()
}

fn wrong(what: impl std::fmt::Display) -> DetectError {
    DetectError::Invalid(format!("`{FILE}` {what}"))
}

fn parse(text: &str) -> Result<FromFile, DetectError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        wrong(format!("is not valid TOML: line {line}: {}.", printable(&message)))
    })?;
    let mut file = FromFile::default();
    for (key, value) in &table {
        match key.as_str() {
            "framework" => file.overrides.framework = Some(framework(value)?),
            "build" => {
                for (key, value) in section("build", value)? {
                    file.build(key, value)?;
                    file.keys.push(format!("build.{key}"));
                }
                continue;
            }
            "runtime" => {
                for (key, value) in section("runtime", value)? {
                    file.runtime(key, value)?;
                    file.keys.push(format!("runtime.{key}"));
                }
                continue;
            }
            "versions" => {
                for (key, value) in section("versions", value)? {
                    file.version(key, value)?;
                    file.keys.push(format!("versions.{key}"));
                }
                continue;
            }
            other => return Err(unknown("", other, TOP)),
        }
        file.keys.push(key.clone());
    }
    Ok(file)
}

impl FromFile {
    fn build(&mut self, key: &str, value: &Value) -> Result<(), DetectError> {
        let name = format!("build.{key}");
        let overrides = &mut self.overrides;
        match key {
            "install_command" => overrides.install_command = Some(command(&name, value)?),
            "command" => overrides.build_command = Some(command(&name, value)?),
            "output_dir" => overrides.output_directory = Some(path(&name, value)?),
            "dockerfile" => overrides.dockerfile = Some(path(&name, value)?),
            "watch" => self.repository.watch = patterns(value)?,
            other => return Err(unknown("build", other, BUILD)),
        }
        Ok(())
    }

    fn runtime(&mut self, key: &str, value: &Value) -> Result<(), DetectError> {
        let name = format!("runtime.{key}");
        match key {
            "start_command" => self.overrides.start_command = Some(command(&name, value)?),
            "release_command" => self.overrides.release_command = Some(command(&name, value)?),
            "port" => {
                let port = value.as_integer().and_then(|port| u16::try_from(port).ok());
                let port = port.filter(|port| *port > 0);
                let port = port.ok_or_else(|| bad(&name, "must be a number from 1 to 65535"))?;
                self.repository.port = Some(port);
            }
            "healthcheck" => {
                let path = text(&name, value)?;
                if !valid_health_path(path) {
                    return Err(bad(&name, "must be a path such as \"/healthz\""));
                }
                self.repository.health_path = Some(path.to_owned());
            }
            "protocol" => {
                let protocol = value.as_str().and_then(Protocol::parse);
                let problem = "must be \"http1\" or \"h2c\"";
                self.repository.protocol = Some(protocol.ok_or_else(|| bad(&name, problem))?);
            }
            "strategy" => {
                let strategy = value.as_str().and_then(Strategy::parse);
                let problem = "must be \"rolling\" or \"single\"";
                self.repository.strategy = Some(strategy.ok_or_else(|| bad(&name, problem))?);
            }
            other => return Err(unknown("runtime", other, RUNTIME)),
        }
        Ok(())
    }

    fn version(&mut self, key: &str, value: &Value) -> Result<(), DetectError> {
        if !pins::NAMES.contains(&key) {
            return Err(unknown("versions", key, pins::NAMES));
        }
        let name = format!("versions.{key}");
        let version = value.as_str().map(str::trim).filter(|text| pins::is_version(text));
        let problem = "must be a version as text, such as \"3.12\"";
        let version = version.ok_or_else(|| bad(&name, problem))?;
        self.overrides.versions.push((key.to_owned(), version.to_owned()));
        Ok(())
    }
}

fn section<'a>(name: &str, value: &'a Value) -> Result<&'a Table, DetectError> {
    value.as_table().ok_or_else(|| bad(name, "must be a table"))
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, DetectError> {
    let text = value.as_str().map(str::trim);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| bad(name, "must be a text that is not empty"))
}

fn framework(value: &Value) -> Result<String, DetectError> {
    let id = text("framework", value)?;
    if catalogue::is_framework(id) {
        return Ok(id.to_owned());
    }
    let hint = nearest(id, &catalogue::FRAMEWORKS);
    let hint = hint.map(|near| format!(" Is `{near}` meant?")).unwrap_or_default();
    Err(wrong(format!("names the framework `{}`, which does not exist.{hint}", printable(id))))
}

fn command(name: &str, value: &Value) -> Result<String, DetectError> {
    let command = text(name, value)?;
    match command_problem(command) {
        Some(problem) => Err(bad(name, problem)),
        None => Ok(command.to_owned()),
    }
}

fn path(name: &str, value: &Value) -> Result<String, DetectError> {
    let given = text(name, value)?;
    directory::relative(&format!("path of `{name}` in `{FILE}`"), given)?;
    Ok(given.to_owned())
}

fn patterns(value: &Value) -> Result<Vec<String>, DetectError> {
    const NAME: &str = "build.watch";
    let list = value.as_array().filter(|list| list.len() <= MOST_PATTERNS);
    let list = list.ok_or_else(|| bad(NAME, "must be a list of at most 100 patterns"))?;
    let pattern = |value: &Value| {
        let text = value.as_str().map(str::trim).filter(|text| {
            let inside = text.trim_start_matches('!');
            !inside.is_empty()
                && text.len() <= LONGEST_PATTERN
                && !inside.starts_with('/')
                && !inside.split('/').any(|part| part == "..")
                && !text.chars().any(char::is_control)
        });
        let problem = "must hold patterns of paths inside the repository, such as \"apps/web/**\"";
        text.map(str::to_owned).ok_or_else(|| bad(NAME, problem))
    };
    list.iter().map(pattern).collect()
}

fn bad(name: &str, problem: &str) -> DetectError {
    wrong(format!("is wrong: `{name}` {problem}."))
}

fn unknown(table: &str, key: &str, known: &[&str]) -> DetectError {
    let place = if table.is_empty() { String::new() } else { format!(" in `[{table}]`") };
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == key).map(|(_, meant)| *meant);
    let hint = match (elsewhere, nearest(key, known)) {
        (_, Some(near)) => format!("Is `{near}` meant?"),
        (Some(meant), None) => format!("What is meant is {meant}."),
        (None, None) => format!("It knows {}.", known.join(", ")),
    };
    wrong(format!("has the unknown key `{}`{place}. {hint}", printable(key)))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_line_of_the_documentation_is_read() {
        let page = include_str!("../../docs/orbitra-toml.md");
        let (_, rest) = page.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let file = parse(example).unwrap();
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(
            file.overrides,
            Overrides {
                framework: own("django"),
                install_command: own("pip install -r requirements/production.txt"),
                build_command: own("python manage.py collectstatic --noinput"),
                output_directory: own("dist"),
                dockerfile: own("deploy/Dockerfile"),
                start_command: own("gunicorn shop.wsgi"),
                release_command: own("python manage.py migrate --noinput"),
                versions: vec![("node".into(), "22".into()), ("python".into(), "3.12".into())],
                ..Overrides::default()
            }
        );
        assert_eq!(
            file.repository,
            RepositorySettings {
                port: Some(8000),
                protocol: Some(Protocol::Http1),
                health_path: own("/healthz"),
                strategy: Some(Strategy::Single),
                watch: vec!["apps/shop/**".into(), "packages/**".into(), "!**/*.md".into()],
            }
        );
        // Every key that is known stands in the example, and in a line of the text that explains it.
        for (table, keys) in [("build.", BUILD), ("runtime.", RUNTIME)] {
            for key in keys {
                assert!(file.keys.contains(&format!("{table}{key}")), "{table}{key}");
                assert!(page.contains(&format!("| `{table}{key}` |")), "{table}{key}");
            }
        }
        for name in pins::NAMES {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(parse("").unwrap(), FromFile::default());
        assert_eq!(parse("# only a comment\n[build]\n").unwrap(), FromFile::default());
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        for (text, expected) in [
            ("framwork = 'go'", "has the unknown key `framwork`. Is `framework` meant?"),
            ("[biuld]", "has the unknown key `biuld`. Is `build` meant?"),
            (
                "[build]\ninstal_command = 'x'",
                "has the unknown key `instal_command` in `[build]`. Is `install_command` meant?",
            ),
            (
                "build_command = 'x'",
                "has the unknown key `build_command`. What is meant is `command` in `[build]`.",
            ),
            (
                "root = 'apps/web'",
                "has the unknown key `root`. What is meant is the project's root directory, which is where this file is read from.",
            ),
            (
                "[runtime]\nports = 1",
                "has the unknown key `ports` in `[runtime]`. Is `port` meant?",
            ),
            (
                "[versions]\nnodejs = '1'",
                "has the unknown key `nodejs` in `[versions]`. Is `node` meant?",
            ),
            (
                "colour = 1",
                "has the unknown key `colour`. It knows framework, build, runtime, versions.",
            ),
        ] {
            assert_eq!(message(text), format!("`orbitra.toml` {expected}"));
        }
    }

    #[test]
    fn wrong_values_say_what_is_expected() {
        for (text, expected) in [
            ("build = 3", "is wrong: `build` must be a table."),
            ("framework = 3", "is wrong: `framework` must be a text that is not empty."),
            (
                "framework = 'djngo'",
                "names the framework `djngo`, which does not exist. Is `django` meant?",
            ),
            ("build.command = ' '", "is wrong: `build.command` must be a text that is not empty."),
            (
                "build.command = ['a']",
                "is wrong: `build.command` must be a text that is not empty.",
            ),
            (
                "build.command = \"a\\nRUN b\"",
                "is wrong: `build.command` must be one line without control characters.",
            ),
            ("runtime.port = 0", "is wrong: `runtime.port` must be a number from 1 to 65535."),
            ("runtime.port = 65536", "is wrong: `runtime.port` must be a number from 1 to 65535."),
            ("runtime.port = '80'", "is wrong: `runtime.port` must be a number from 1 to 65535."),
            (
                "runtime.healthcheck = 'http://x/'",
                "is wrong: `runtime.healthcheck` must be a path such as \"/healthz\".",
            ),
            (
                "runtime.strategy = 'Single'",
                "is wrong: `runtime.strategy` must be \"rolling\" or \"single\".",
            ),
            (
                "versions.python = 3.12",
                "is wrong: `versions.python` must be a version as text, such as \"3.12\".",
            ),
            (
                "versions.python = '3.12 AS x'",
                "is wrong: `versions.python` must be a version as text, such as \"3.12\".",
            ),
            (
                "build.watch = 'a'",
                "is wrong: `build.watch` must be a list of at most 100 patterns.",
            ),
            (
                "build.watch = ['../a']",
                "is wrong: `build.watch` must hold patterns of paths inside the repository, such as \"apps/web/**\".",
            ),
            (
                "build.dockerfile = '../Dockerfile'",
                "The path of `build.dockerfile` in `orbitra.toml` `../Dockerfile` is not a path inside the repository: it must be relative and without `..`.",
            ),
        ] {
            assert!(message(text).ends_with(expected), "{text}: {}", message(text));
        }
        assert!(message("a = 1\nb =").starts_with("`orbitra.toml` is not valid TOML: line 2: "));
        assert!(message("framework='go'\nframework='go'").contains("line 2: duplicate key"));
        let long = format!("build.command = '{}'", "x".repeat(2001));
        assert!(message(&long).ends_with("is longer than 2,000 bytes."));
        let many = format!("build.watch = [{}]", "'a',".repeat(101));
        assert!(message(&many).ends_with("at most 100 patterns."));
        // A nesting that would exhaust the stack is an error like any other.
        assert!(message(&format!("a = {}", "[".repeat(60_000))).contains("is not valid TOML"));
    }
}
