//! A process that ended when it should have gone on.

use super::output::Family;
use super::{
    Cause, Diagnosis, Output, code, commands, connection, files, modules, runtime, variables,
};

/// What an application's output is asked for, the most certain first.
pub(super) const WRITTEN: [Family; 18] = [
    variables::missing,
    variables::unbound,
    variables::env_file,
    modules::library,
    modules::module,
    connection::port_not_permitted,
    connection::port_in_use,
    connection::service,
    connection::unresolved,
    connection::host_not_allowed,
    runtime::heap,
    files::disk,
    commands::format,
    commands::not_executable,
    files::denied,
    code::module_kind,
    code::syntax,
    commands::not_found,
];

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// `None` when its container is gone.
    pub exit_code: Option<i64>,
    /// The kernel killed it at its container's limit.
    pub out_of_memory: bool,
    pub memory_mb: u32,
    pub output: Output<'a>,
}

/// Why a command that was to end failed, such as a release command.
pub fn command(ended: &Ended<'_>) -> Diagnosis {
    let Some(code) = ended.exit_code.filter(|_| !ended.out_of_memory) else {
        return process(ended);
    };
    let written = ended.output.recognised_by(&WRITTEN).or_else(|| files::missing(&ended.output));
    let found = written.unwrap_or_else(|| {
        let hint = "Read what it wrote at the end of the build log, and run it on your machine.";
        let last = ended.output.lines.last().map_or("", String::as_str);
        let kind = runtime::exit_code(code);
        let found = Diagnosis { evidence: Vec::new(), hint: hint.to_owned(), ..kind };
        Diagnosis { because: None, ..found }.shown_by(last)
    });
    found.shown_by(&format!("exit code {code}"))
}

/// Why the process ended. There is always an answer; the least is its exit code.
pub fn process(ended: &Ended<'_>) -> Diagnosis {
    if ended.out_of_memory {
        return runtime::memory_limit(ended.memory_mb, ended.exit_code);
    }
    let Some(code) = ended.exit_code else {
        return Diagnosis::new(
            Cause::ContainerGone,
            "Something outside of Orbitra removed the container. Deploy again.",
        );
    };
    // A server that ended without an error did what it was told to.
    let written = ended.output.recognised_by(&WRITTEN).or_else(|| files::missing(&ended.output));
    match written.filter(|_| code != 0) {
        Some(found) => found.shown_by(&format!("exit code {code}")),
        None => runtime::exit_code(code),
    }
}
