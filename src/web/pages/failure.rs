//! Why a deployment failed, in words for the person who has to repair it.

use crate::logs::strip_ansi;
use crate::model::deployment::{self as model, Deployment, PhaseTiming};
use crate::model::diagnosis::Cause;
use crate::model::failure::{Failure, FailureCode};
use crate::model::log_line::{LogLevel, LogLine, LogSource};
use crate::model::project::{Project, SourceAuth};
use crate::web::view::deployment::{self as view, FirstError};
use crate::web::view::status::Phase;
use crate::web::view::text::Foreign;
use crate::web::view::time::Millis;

use super::show;

/// What stands between an explanation and the output it ends with.
const OUTPUT: &str = " Last output:\n";
/// Longest first error that is quoted.
const QUOTED: usize = 300;

/// What is known beside the failure itself.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub timings: &'a [PhaseTiming],
    pub first_error: Option<&'a LogLine>,
    /// The last lines of the application; none when the failure is of a later release.
    pub output: &'a [String],
    /// What visitors get now.
    pub live: Option<&'a Deployment>,
}

/// The failure box.
pub fn explain(
    deployment: &Deployment,
    failure: &Failure,
    facts: Facts<'_>,
    project: &Project,
) -> view::Failure {
    let Facts { timings, first_error, live, .. } = facts;
    let (text, output) = parts(&failure.message);
    let phase = model::Phase::parse(&failure.phase);
    let timing = timings.iter().find(|timing| Some(timing.phase) == phase);
    let after = timing.and_then(|timing| Some(timing.finished_at?.millis_since(timing.started_at)));
    let rest = match fixed_headline(failure) {
        Some(_) => Some(sentence(text)),
        None => rest_of(text).map(sentence),
    };
    let found = failure.diagnosis.as_deref();
    let next = found.map(|found| found.hint.as_str()).or_else(|| advice(failure.code));
    let last = (!facts.output.is_empty()).then(|| facts.output.join("\n"));
    view::Failure {
        headline: headline(failure),
        step: phase.and_then(show::phase).unwrap_or(Phase::Queued),
        after: after.map(Millis),
        first_error: first_error.map(|line| FirstError { seq: line.seq, text: quote(line) }),
        fix: fix(failure.code, project),
        detail: last.or_else(|| output.map(strip_ansi)).map(Foreign),
        evidence: found.map_or_else(Vec::new, |found| {
            found.evidence.iter().map(|line| Foreign(line.clone())).collect()
        }),
        hint: match (rest, next) {
            (Some(rest), Some(next)) => Some(format!("{rest} {next}")),
            (rest, next) => rest.or_else(|| next.map(str::to_owned)),
        },
        consequence: match live {
            Some(live) if live.id != deployment.id => {
                format!("Visitors still see `{}`. Nothing went down.", show::short(live))
            }
            _ => "Nothing was live before, so nothing went down.".to_owned(),
        },
    }
}

/// What happened, without a full stop.
pub fn headline(failure: &Failure) -> String {
    if let Some(fixed) = fixed_headline(failure) {
        return fixed;
    }
    let (text, _) = parts(&failure.message);
    let first = match rest_of(text) {
        Some(rest) => &text[..text.len() - rest.len()],
        None => text,
    };
    capital(first.trim().trim_end_matches('.'))
}

/// For failures whose stored sentence says more than what happened.
fn fixed_headline(failure: &Failure) -> Option<String> {
    let text = match (failure.code, failure.exit_code) {
        // What happened and why are one sentence already.
        (FailureCode::BuildFailed, Some(_)) if why_is_known(failure) => return None,
        (FailureCode::BuildFailed, Some(code)) => {
            return Some(format!("The build command stopped with exit code {code}"));
        }
        (FailureCode::CloneFailed, _) => "The repository could not be fetched",
        (FailureCode::AuthFailed, _) => "The repository needs a sign-in, or it does not exist",
        (FailureCode::DetectFailed, _) => "It is not clear how to build this repository",
        (FailureCode::ImageNotFound, _) => "The image it is built from cannot be had",
        (FailureCode::DiskFull, _) => "The server's disk is full",
        (FailureCode::EngineError, _) => "Docker reported a problem",
        _ => return None,
    };
    Some(text.to_owned())
}

fn why_is_known(failure: &Failure) -> bool {
    failure.diagnosis.as_ref().is_some_and(|found| found.cause != Cause::ExitCode)
}

fn advice(code: FailureCode) -> Option<&'static str> {
    Some(match code {
        FailureCode::DetectFailed => {
            "Add a `Dockerfile`, a `package.json` with a `start` script, or an `index.html`."
        }
        FailureCode::StartFailed => "The app must keep running and listen on the variable `PORT`.",
        FailureCode::OutOfMemory => "Raise the project's memory limit, or let the app use less.",
        FailureCode::BuildTimeout => "Make the build shorter, or raise the project's limit.",
        _ => return None,
    })
}

/// The one place where it is put right.
fn fix(code: FailureCode, project: &Project) -> Option<view::Fix> {
    let (label, section) = match code {
        FailureCode::AuthFailed if project.source.auth == SourceAuth::DeployKey => {
            ("Show the deploy key", "deploy-key")
        }
        FailureCode::AuthFailed => ("Give Orbitra access", "source"),
        FailureCode::CloneFailed => ("Check the source", "source"),
        FailureCode::BranchNotFound => ("Choose the branch", "source"),
        FailureCode::BuildFailed => ("Change the build", "build"),
        FailureCode::BuildTimeout => ("Change the time limit", "build"),
        FailureCode::OutOfMemory => ("Change the memory limit", "run"),
        FailureCode::PortNotListening => ("Change the port", "run"),
        FailureCode::HealthcheckFailed => ("Change the health check", "health"),
        _ => return None,
    };
    let url = format!("/dashboard/projects/{}/settings#{section}", project.name);
    Some(view::Fix { label, url })
}

/// The explanation, and the output it ends with.
fn parts(message: &str) -> (&str, Option<&str>) {
    match message.split_once(OUTPUT) {
        Some((text, output)) => (text, Some(output)),
        None => (message, None),
    }
}

/// What follows the first sentence.
fn rest_of(text: &str) -> Option<&str> {
    let end = text.find(". ")?;
    Some(&text[end + 2..]).filter(|rest| !rest.is_empty())
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let text = capital(text.trim());
    if text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
}

fn quote(line: &LogLine) -> Foreign {
    let text = strip_ansi(&line.message);
    let text = text.trim();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => Foreign(format!("{}…", &text[..end])),
        None => Foreign(text.to_owned()),
    }
}

/// The line that most likely says what went wrong: the first of the failed step that looks like an error,
/// else its last one.
pub fn first_error<'a>(failure: &Failure, lines: &'a [LogLine]) -> Option<&'a LogLine> {
    let source = match failure.code {
        FailureCode::BuildFailed | FailureCode::OutOfMemory if failure.phase == "building" => {
            LogSource::Build
        }
        FailureCode::StartFailed
        | FailureCode::OutOfMemory
        | FailureCode::PortNotListening
        | FailureCode::HealthcheckFailed => LogSource::App,
        _ => return None,
    };
    // What the program wrote; lines with a level are Orbitra's own summary.
    let mut written = lines.iter().filter(|line| {
        line.source == source && line.level == LogLevel::Info && !line.message.trim().is_empty()
    });
    let last = written.clone().next_back();
    written.find(|line| looks_like_error(&line.message)).or(last)
}

/// Whether a line reads like the message of a compiler, a package manager or a runtime that gave up.
pub fn looks_like_error(message: &str) -> bool {
    const MARKS: [&str; 14] = [
        "error:",
        "error[",
        "error ts",
        "error]",
        "npm err!",
        "npm error",
        "fatal:",
        "panicked at",
        "exception:",
        "traceback (",
        "cannot find module",
        "command not found",
        "no such file",
        "failed:",
    ];
    let text = strip_ansi(message).to_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: FailureCode, message: &str) -> Failure {
        Failure::new(code, "building", message)
    }

    #[test]
    fn a_headline_is_one_sentence_without_a_full_stop() {
        let exit = failure(FailureCode::BuildFailed, "RUN npm run build ended with exit code 2");
        let exit = exit.with_exit_code(Some(2));
        assert_eq!(headline(&exit), "The build command stopped with exit code 2");
        for (code, message, wanted) in [
            (
                FailureCode::BranchNotFound,
                "There is no branch `master`. The default branch is `main`.",
                "There is no branch `master`",
            ),
            (
                FailureCode::StartFailed,
                "The application stopped with exit code 1. Last output:\nboom. really",
                "The application stopped with exit code 1",
            ),
            (
                FailureCode::BuildFailed,
                "the Dockerfile cannot be read",
                "The Dockerfile cannot be read",
            ),
            (
                FailureCode::OutOfMemory,
                "The build ran out of memory.",
                "The build ran out of memory",
            ),
        ] {
            assert_eq!(headline(&failure(code, message)), wanted);
        }
    }

    #[test]
    fn errors_are_recognised() {
        for line in [
            "src/lib/auth.ts(41,17): error TS2345: Argument",
            "\u{1b}[31merror\u{1b}[39m: src/index.ts(3,7): '}' expected",
            "npm ERR! code ELIFECYCLE",
            "Error: Cannot find module 'x'",
            "sh: 1: vite: command not found",
        ] {
            assert!(looks_like_error(line), "{line}");
        }
        for line in ["0 errors", "error-free", "building", "1843 modules transformed."] {
            assert!(!looks_like_error(line), "{line}");
        }
    }
}
