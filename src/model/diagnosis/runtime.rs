//! Memory and signals.

use super::{Cause, Diagnosis, Output};

/// A language's own limit of memory.
pub(super) fn heap(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "JavaScript heap out of memory",
        "java.lang.OutOfMemoryError",
        "Allowed memory size of",
    ])?;
    Some(
        Diagnosis::new(
            Cause::HeapLimit,
            "Raise the limit the language sets itself (`NODE_OPTIONS=--max-old-space-size=…`, `-Xmx` \
             of Java, `memory_limit` of PHP) below the project's memory, and the project's memory if \
             it is not enough.",
        )
        .because("it has no memory left in its own heap")
        .shown_by(line),
    )
}

/// What an exit code says by itself.
pub(super) fn exit_code(code: i64) -> Diagnosis {
    let diagnosis = match code {
        0 => Diagnosis::new(
            Cause::EndedByItself,
            "The start command must keep running and listen on the variable `PORT`: a server must \
             not be put into the background.",
        )
        .because("it ended without an error"),
        126 => Diagnosis::new(
            Cause::NotExecutable,
            "Mark the start command's file as a program, or name the program that runs it.",
        )
        .because("its start command is not a program"),
        127 => Diagnosis::new(
            Cause::CommandNotFound,
            "Correct the start command, or install what it names in the image.",
        )
        .because("its start command was not found"),
        134 => Diagnosis::new(Cause::Aborted, "Read what it wrote before: it ended itself.")
            .because("it aborted itself"),
        132 | 133 | 135 | 136 | 139 => Diagnosis::new(
            Cause::SegmentationFault,
            "A native part of it is broken: check that native modules are built for this image and \
             this processor.",
        )
        .because(if code == 139 { "a segmentation fault" } else { "a fault of the processor" }),
        137 => Diagnosis::new(
            Cause::Killed,
            "Something in the container or on the server killed it (SIGKILL). When it happens under \
             load, raise the project's memory.",
        )
        .because("it was killed"),
        129 | 130 | 143 => Diagnosis::new(
            Cause::Terminated,
            "Something in the container told it to end. Look at what else the start command runs.",
        )
        .because("it was told to end"),
        _ => Diagnosis::new(
            Cause::ExitCode,
            "Read what it wrote last. It must keep running and listen on the variable `PORT`.",
        ),
    };
    Diagnosis { evidence: vec![format!("exit code {code}")], ..diagnosis }
}

/// The container's limit.
pub(super) fn memory_limit(limit_mb: u32, code: Option<i64>) -> Diagnosis {
    let code = code.map(|code| format!(", exit code {code}")).unwrap_or_default();
    Diagnosis::new(
        Cause::MemoryLimit,
        format!(
            "Raise the project's memory above {limit_mb} MiB, or let the application use less."
        ),
    )
    .shown_by(&format!("killed by the kernel: memory limit {limit_mb} MiB{code}"))
}
