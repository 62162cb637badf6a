//! `Procfile`: `web` is started, `release` runs before the switch.

use super::DetectError;
use super::settings::{self, command_problem};
use crate::git::SourceTree;

const FILE: &str = "Procfile";
/// Most processes that one names.
const MOST: usize = 100;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Procfile {
    pub web: Option<String>,
    pub release: Option<String>,
    pub warnings: Vec<String>,
}

/// Reads the file; `None` when there is none.
pub(super) fn read(tree: &dyn SourceTree) -> Result<Option<Procfile>, DetectError> {
    settings::file(tree, FILE)?.map(|text| parse(&text)).transpose()
}

fn wrong(what: impl std::fmt::Display) -> DetectError {
    DetectError::Invalid(format!("`{FILE}` {what}"))
}

fn parse(text: &str) -> Result<Procfile, DetectError> {
    let mut processes: Vec<(&str, &str)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let named = line.split_once(':').map(|(name, command)| (name.trim(), command.trim()));
        let is_name = |name: &str| {
            (1..=50).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        let Some((name, command)) = named.filter(|(name, _)| is_name(name)) else {
            return Err(wrong(format!("is wrong in line {number}: it must be `name: command`.")));
        };
        if command.is_empty() {
            return Err(wrong(format!("is wrong in line {number}: `{name}` has no command.")));
        }
        if let Some(problem) = command_problem(command) {
            return Err(wrong(format!("is wrong in line {number}: `{name}` {problem}.")));
        }
        if processes.iter().any(|(known, _)| *known == name) {
            return Err(wrong(format!("names `{name}` twice, again in line {number}.")));
        }
        if processes.len() == MOST {
            return Err(wrong(format!("names more than {MOST} processes.")));
        }
        processes.push((name, command));
    }
    let command = |wanted: &str| {
        let found = processes.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, command)| (*command).to_owned())
    };
    let mut file =
        Procfile { web: command("web"), release: command("release"), warnings: Vec::new() };
    let others: Vec<String> = processes
        .iter()
        .filter(|(name, _)| !matches!(*name, "web" | "release"))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !others.is_empty() {
        file.warnings.push(format!(
            "`{FILE}` also names {}, which will not run: only `web` and `release` do so far.",
            others.join(", ")
        ));
    }
    if file.web.is_none() && !processes.is_empty() {
        file.warnings
            .push(format!("`{FILE}` names no `web` process, so it does not say how to start."));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_starts_and_release_never_does() {
        let own = |text: &str| Some(text.to_owned());
        let file = parse("# how it runs\r\nweb: gunicorn a:b --port $PORT\r\n\nrelease : ./m: x\n");
        let expected = Procfile {
            web: own("gunicorn a:b --port $PORT"),
            release: own("./m: x"),
            warnings: Vec::new(),
        };
        assert_eq!(file.unwrap(), expected);
        let file = parse("release: migrate\nworker: celery\nclock-2: tick").unwrap();
        assert_eq!((file.web, file.release), (None, own("migrate")));
        assert_eq!(
            file.warnings,
            [
                "`Procfile` also names `worker`, `clock-2`, which will not run: only `web` and `release` do so far.",
                "`Procfile` names no `web` process, so it does not say how to start."
            ]
        );
        assert_eq!(parse("").unwrap(), Procfile::default());
    }

    #[test]
    fn hostile_lines_are_errors_that_name_the_line() {
        for (text, expected) in [
            ("web gunicorn", "is wrong in line 1: it must be `name: command`."),
            ("\nwe b: x", "is wrong in line 2: it must be `name: command`."),
            (": x", "is wrong in line 1: it must be `name: command`."),
            ("web:", "is wrong in line 1: `web` has no command."),
            ("web: a\nweb: b", "names `web` twice, again in line 2."),
            (
                "web: a\rRUN b",
                "is wrong in line 1: `web` must be one line without control characters.",
            ),
            (
                "web: a\u{b}b",
                "is wrong in line 1: `web` must be one line without control characters.",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("`Procfile` {expected}"));
        }
        let long = format!("web: {}", "x".repeat(3000));
        assert!(parse(&long).unwrap_err().to_string().ends_with("is longer than 2,000 bytes."));
        let many: String = (0..101).map(|n| format!("p{n}: x\n")).collect();
        assert!(parse(&many).unwrap_err().to_string().ends_with("names more than 100 processes."));
    }
}
