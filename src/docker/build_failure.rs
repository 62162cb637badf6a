//! What a build's end means, read from BuildKit's words.

use super::BuildError;

/// How a build ended.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// Name and error of the step that failed first.
    pub step: Option<(&'a str, &'a str)>,
    /// The engine's last word.
    pub text: &'a str,
    pub memory_kill: MemoryKill,
}

/// Whether the kernel killed a process for lack of memory while the build ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKill {
    /// It did not.
    None,
    /// Some process of this machine.
    Somewhere,
    /// A process of this build.
    OfThisBuild,
}

/// Sorts a failure into what the user can do about it.
pub fn classify(failure: Failure<'_>) -> BuildError {
    let text = plain(failure.text);
    let has = |part: &str| failure.text.contains(part);
    let step_has = |part: &str| failure.step.is_some_and(|(_, error)| error.contains(part));
    let code = exit_code(failure.text);

    if has("no space left on device") || step_has("no space left on device") {
        return BuildError::DiskFull;
    }
    // BuildKit says the first itself when it saw the kill.
    let killed = match failure.memory_kill {
        MemoryKill::None => false,
        MemoryKill::Somewhere => code == Some(137),
        // A tool whose child was killed ends with a code of its own.
        MemoryKill::OfThisBuild => code.is_some(),
    };
    if has("cannot allocate memory") || killed {
        return BuildError::OutOfMemory;
    }
    if let Some(image) = base_image(failure) {
        return BuildError::ImageNotFound(format!(
            "the image {image} cannot be had: {}",
            reason(text)
        ));
    }
    if let Some(code) = code {
        let step = failure.step.map_or("", |(name, _)| name).to_owned();
        let what = instruction(&step);
        let message = match code {
            137 => {
                format!("{what} was killed (exit code 137), which often means too little memory")
            }
            _ => format!("{what} ended with exit code {code}"),
        };
        return BuildError::Step { step, exit_code: Some(code), message };
    }
    BuildError::Invalid(missing_file(text).unwrap_or_else(|| text.to_owned()))
}

/// Says which file is missing; the engine's words for it name its own directories and caches.
fn missing_file(text: &str) -> Option<String> {
    if let Some(opened) = text.strip_prefix("failed to read dockerfile: open ") {
        let (path, reason) = opened.split_once(": ")?;
        let name = path.rsplit('/').next().unwrap_or(path);
        return Some(format!("the Dockerfile {name} cannot be read: {reason}"));
    }
    let copied = text.contains("failed to compute cache key")
        || text.contains("failed to calculate checksum");
    let (_, quoted) = text.split_once('"').filter(|_| copied && text.contains("not found"))?;
    let (name, _) = quoted.split_once('"')?;
    Some(format!("{name} is to be copied, but there is no such file in the build context"))
}

/// How many processes the kernel has killed for lack of memory since it started; `None` when it
/// does not say (or the engine's kernel is not this one, where the number then never changes).
pub fn memory_kills() -> Option<u64> {
    let statistics = std::fs::read_to_string("/proc/vmstat").ok()?;
    let line = statistics.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

/// The base image that could not be had.
fn base_image(failure: Failure<'_>) -> Option<String> {
    let loading = failure
        .step
        .and_then(|(name, _)| name.split_once("load metadata for "))
        .map(|(_, image)| image.trim());
    let named = loading.or_else(|| {
        let markers = ["failed to resolve source metadata for ", "failed to load cache key: "];
        let known = failure.text.contains("pull access denied")
            || failure.text.contains("manifest unknown")
            || failure.text.contains("repository does not exist");
        let rest =
            markers.iter().find_map(|marker| failure.text.split_once(marker)).map(|(_, rest)| rest);
        match rest {
            Some(rest) => rest.split(": ").next(),
            None => known.then_some("named by FROM"),
        }
    });
    named.map(|image| {
        // Nobody writes these in a Dockerfile.
        let image = image.strip_prefix("docker.io/").unwrap_or(image);
        image.strip_prefix("library/").unwrap_or(image).to_owned()
    })
}

/// `RUN npm ci` of `[build 3/5] RUN npm ci`.
fn instruction(step: &str) -> &str {
    let text = match step.split_once("] ") {
        Some((_, text)) if step.starts_with('[') => text,
        _ => step,
    };
    if text.is_empty() { "a step" } else { text }
}

/// The number after the last `exit code: `.
fn exit_code(text: &str) -> Option<i64> {
    let (_, rest) = text.rsplit_once("exit code: ")?;
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The last part of a chain of causes.
fn reason(text: &str) -> &str {
    text.rsplit(": ").next().unwrap_or(text)
}

/// The text without the names of the layers it went through.
fn plain(text: &str) -> &str {
    const LAYERS: [&str; 6] = [
        "failed to solve with frontend dockerfile.v0: ",
        "failed to solve with frontend gateway.v0: ",
        "failed to solve: ",
        "rpc error: code = Unknown desc = ",
        "failed to create LLB definition: ",
        "failed to build LLB: ",
    ];
    let mut text = text;
    while let Some(inner) = LAYERS.iter().find_map(|layer| text.strip_prefix(layer)) {
        text = inner;
    }
    text
}
