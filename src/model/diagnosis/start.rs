//! A container that the engine refuses to make or to start.

use super::commands::{no_command, no_permission, wrong_format};
use super::text::{between, quoted};
use super::{Cause, Diagnosis};

/// What the engine's refusal means; `None` when it is something else.
pub fn refused(text: &str) -> Option<Diagnosis> {
    let lower = text.to_lowercase();
    let has = |part: &str| lower.contains(part);
    let program = || between(text, "exec: \"", "\"").or_else(|| quoted(text)).unwrap_or("?");
    let diagnosis = if has("no command specified") {
        no_start_command()
    } else if has("exec format error") || has("does not match the specified platform") {
        wrong_format()
    } else if has("executable file not found") || has("no such file or directory") {
        no_command(program())
    } else if has("permission denied") {
        no_permission(program())
    } else if has("no space left on device") {
        super::files::full()
    } else {
        return None;
    };
    Some(diagnosis.shown_by(text))
}

/// An image that does not say what it runs.
fn no_start_command() -> Diagnosis {
    Diagnosis::new(
        Cause::NoStartCommand,
        "Add a `CMD` to the Dockerfile, a `start` script to `package.json`, or a start command to the \
         project's settings.",
    )
    .because("the image has no start command")
}
