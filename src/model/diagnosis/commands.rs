//! A command that cannot be run at all.

use super::text::{after, between, first_word, name};
use super::{Cause, Diagnosis, Output};

/// A program for another processor, or a script that does not say by what it is run.
pub(super) fn format(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&["exec format error", "cannot execute binary file"])?;
    Some(wrong_format().shown_by(line))
}

/// The same, whoever said so.
pub(super) fn wrong_format() -> Diagnosis {
    Diagnosis::new(
        Cause::WrongArchitecture,
        "Build the image for this server's processor (`docker build --platform`). When it is a \
         script, its first line must be such as `#!/bin/sh`.",
    )
    .because("its program is for another kind of processor, or no program")
}

/// A file that is not marked as a program.
pub(super) fn not_executable(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, command) = output.first(|line| {
        let init = between(line, "exec ", " failed: Permission denied");
        let shell =
            line.strip_suffix(": Permission denied").and_then(|front| front.rsplit(": ").next());
        let shell = shell
            .filter(|_| line.contains("sh: ") || line.contains("sh[") || line.starts_with("/bin/"));
        init.or(shell).map(name)
    })?;
    Some(no_permission(&command).shown_by(line))
}

/// The same of a known command.
pub(super) fn no_permission(command: &str) -> Diagnosis {
    Diagnosis::new(
        Cause::NotExecutable,
        "Mark the file as a program: `git update-index --chmod=+x <file>`, or `RUN chmod +x` in the \
         Dockerfile.",
    )
    .because(format!("`{}` is not marked as a program", name(command)))
}

/// A command that the image does not have.
pub(super) fn not_found(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, command) = output.first(|line| unknown(line).map(name))?;
    Some(no_command(&command).shown_by(line))
}

/// The same of a known command.
pub(super) fn no_command(command: &str) -> Diagnosis {
    Diagnosis::new(
        Cause::CommandNotFound,
        "Correct the name of the command, or add what it belongs to to the project's dependencies or \
         to the image.",
    )
    .because(format!("there is no command `{}` in the image", name(command)))
}

/// The command a line says does not exist.
fn unknown(line: &str) -> Option<&str> {
    let line = line.trim_end();
    // The init process of a container.
    if let Some(command) = between(line, "exec ", " failed: No such file or directory") {
        return Some(command);
    }
    let of_package = || {
        let rest = after(line, "error: Command ").or_else(|| after(line, "error Command "))?;
        between(rest, "\"", "\" not found")
    };
    // sh: 1: vite: not found, bash: line 1: foo: command not found, env: ‘x’: No such file or directory
    let is_shell = ["sh: ", "bash: ", "/bin/sh: ", "/bin/bash: "].iter().any(|s| line.contains(s));
    let front = line
        .strip_suffix(": command not found")
        .or_else(|| line.strip_suffix(": not found").filter(|_| is_shell));
    let of_shell = || front.and_then(|front| front.rsplit(": ").next());
    let of_env = || {
        let rest = after(line, "/usr/bin/env: ").or_else(|| line.strip_prefix("env: "))?;
        rest.contains("No such file or directory").then(|| rest.split(": ").next()).flatten()
    };
    let found = of_package().or_else(of_shell).or_else(of_env)?;
    first_word(found.trim_matches(['‘', '’']))
}
