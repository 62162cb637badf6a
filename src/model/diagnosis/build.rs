//! A build that ends without an image.

use super::output::Family;
use super::text::{between, name};
use super::{
    Cause, Diagnosis, Output, code, commands, connection, dependencies, files, modules, runtime,
    variables,
};

/// What the output of a step is asked for, the most certain first.
const WRITTEN: [Family; 22] = [
    dependencies::lock_missing,
    dependencies::lock_mismatch,
    dependencies::integrity,
    dependencies::version,
    dependencies::script,
    dependencies::package,
    dependencies::registry,
    dependencies::system_package,
    runtime::heap,
    files::disk,
    variables::missing,
    variables::unbound,
    variables::env_file,
    code::tests,
    modules::library,
    modules::module,
    code::compile,
    code::module_kind,
    code::syntax,
    commands::format,
    commands::not_executable,
    commands::not_found,
];

/// A step that failed.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// As the engine names it: `[build 3/5] RUN npm ci`.
    pub name: &'a str,
    pub exit_code: Option<i64>,
    /// The engine's own words.
    pub message: &'a str,
    pub output: Output<'a>,
}

/// Why a step failed. There is always an answer; the least is where to look.
pub fn step(step: &Step<'_>) -> Diagnosis {
    let late: [Family; 3] = [connection::service, files::denied, files::missing];
    let written = step.output.recognised_by(&WRITTEN).or_else(|| step.output.recognised_by(&late));
    if let Some(found) = written {
        return found;
    }
    let command = match step.name.split_once("] ") {
        Some((_, command)) if step.name.starts_with('[') => command,
        _ => step.name,
    };
    let command = name(command.strip_prefix("RUN ").unwrap_or(command));
    let last = step.output.lines.iter().rev().find(|line| !line.trim().is_empty());
    let found = match step.exit_code {
        Some(code) if code != 1 && code != 2 => runtime::exit_code(code),
        _ => Diagnosis::new(Cause::ExitCode, ""),
    };
    let hint = if command.is_empty() {
        "Read the last lines of the build log.".to_owned()
    } else {
        format!("Run `{command}` on your machine: most often it fails there in the same way.")
    };
    let found = Diagnosis { because: None, evidence: Vec::new(), hint, ..found };
    found.shown_by(last.map_or(step.message, String::as_str))
}

/// A build that was killed for its memory.
pub fn out_of_memory(limit_mb: Option<u64>) -> Diagnosis {
    let limit = match limit_mb {
        Some(limit) => format!("killed by the kernel: memory limit {limit} MB"),
        None => "killed by the kernel: the server has no more memory".to_owned(),
    };
    Diagnosis::new(
        Cause::BuildMemory,
        "Raise `ORBITRA_BUILD_MEMORY`, or let the build use less, such as with fewer parallel jobs.",
    )
    .shown_by(&limit)
}

/// A build that ran longer than it may.
pub fn timed_out(last_line: Option<&str>) -> Diagnosis {
    Diagnosis::new(
        Cause::BuildTimeout,
        "Look at the last line of the log for what it was busy with (often a command that asks a \
         question or never ends), or raise the project's time limit.",
    )
    .shown_by(last_line.unwrap_or_default())
}

/// A base image that cannot be had.
pub fn base_image(text: &str) -> Diagnosis {
    let image = between(text, "the image ", " cannot be had").unwrap_or("named by FROM");
    Diagnosis::new(
        Cause::BaseImageMissing,
        format!(
            "Check the name and the tag of `{}` in the Dockerfile. A private one is deployed with its \
             registry's credentials, or has to be public.",
            name(image)
        ),
    )
    .shown_by(text)
}

/// A Dockerfile, or a build context, that is refused.
pub fn invalid(text: &str) -> Diagnosis {
    let lower = text.to_lowercase();
    if lower.contains("is to be copied, but there is no such file") {
        let file = text.split(" is to be copied").next().unwrap_or_default();
        let hint = format!(
            "Commit `{}`, correct the path in `COPY` (it starts at the build's context), or take it out \
             of `.dockerignore`.",
            name(file.trim_start_matches('/'))
        );
        return Diagnosis::new(Cause::CopiedFileMissing, hint).shown_by(text);
    }
    if lower.contains("no build stage in current context")
        || lower.contains("file with no instructions")
    {
        let hint = "Begin the Dockerfile with `FROM` and the name of an image.";
        return Diagnosis::new(Cause::DockerfileInvalid, hint).shown_by(text);
    }
    Diagnosis::new(Cause::DockerfileInvalid, "Correct the Dockerfile where the message points to.")
        .shown_by(text)
}
