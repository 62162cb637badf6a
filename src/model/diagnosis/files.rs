//! The disk: full, not writable, or without the file that is wanted.

use super::text::{after, between, first_word, name, quoted};
use super::{Cause, Diagnosis, Output};

/// No space is left.
pub(super) fn disk(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&["ENOSPC", "no space left on device", "disk quota exceeded"])?;
    Some(full().shown_by(line))
}

/// No space is left, whoever said so.
pub fn full() -> Diagnosis {
    Diagnosis::new(
        Cause::DiskFull,
        "Free some of the server's disk, such as by deleting deployments that are not needed, and \
         deploy again.",
    )
}

/// A file or a directory that may not be written or read.
pub(super) fn denied(output: &Output<'_>) -> Option<Diagnosis> {
    const TEXTS: [&str; 4] = [
        "EACCES: permission denied",
        "EPERM: operation not permitted",
        "permission denied",
        "EROFS",
    ];
    let (line, path) = output.first(|line| {
        let lower = line.to_ascii_lowercase();
        let denied = TEXTS.iter().any(|text| lower.contains(&text.to_ascii_lowercase()));
        let network =
            lower.contains("listen") || lower.contains("bind") || lower.contains("publickey");
        (denied && !network).then(|| path_of(line))
    })?;
    let because = match &path {
        Some(path) => format!("it may not write `{path}`"),
        None => "it may not write a file".to_owned(),
    };
    Some(
        Diagnosis::new(
            Cause::PermissionDenied,
            "Write only to `/tmp`, or give the directory to the user the image runs as (`COPY \
             --chown=…`, or `chown` before `USER`).",
        )
        .because(because)
        .shown_by(line),
    )
}

/// The path a line is about.
fn path_of(line: &str) -> Option<String> {
    let is_path = |text: &&str| text.starts_with(['/', '.']);
    let in_quotes = quoted(line).filter(is_path);
    let ruby = || after(line, "rb_sysopen - ").and_then(first_word).filter(is_path);
    let word = || {
        let mut words = line.split_whitespace().filter_map(|word| first_word(word));
        words.find(|word| word.starts_with('/') && word.len() > 1)
    };
    in_quotes.or_else(ruby).or_else(word).map(name)
}

/// A file that is not there.
pub(super) fn missing(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, path) = output.first(|line| {
        let node = between(line, "ENOENT: no such file or directory, ", "'");
        let python = line.contains("FileNotFoundError:");
        let ruby = line.contains("(Errno::ENOENT)");
        let go = line.starts_with("open ") && line.ends_with("no such file or directory");
        let opened = line.contains("can't open file") || line.contains("Could not open input file");
        let found = node.is_some() || python || ruby || go || opened;
        found.then(|| path_of(line)).flatten()
    })?;
    Some(
        Diagnosis::new(
            Cause::MissingFile,
            "Commit the file or let the build make it, and look whether `.dockerignore` or \
             `.gitignore` leaves it out.",
        )
        .because(format!("the file `{path}` is not in the image"))
        .shown_by(line),
    )
}
