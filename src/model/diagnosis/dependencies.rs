//! Dependencies that cannot be installed.

use super::text::{after, between, first_word, name, quoted};
use super::{Cause, Diagnosis, Output};

/// There is no lock file where one is wanted.
pub(super) fn lock_missing(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "can only install with an existing package-lock.json",
        "ERR_PNPM_NO_LOCKFILE",
        "lockfile not found",
        "poetry.lock is not found",
        "no lockfile found",
        "Unable to find lockfile",
    ])?;
    Some(
        Diagnosis::new(
            Cause::LockFileMissing,
            "Install once on your machine and commit the lock file, or use a command that needs none, \
             such as `npm install`.",
        )
        .because("there is no lock file")
        .shown_by(line),
    )
}

/// The lock file is of another state of the project.
pub(super) fn lock_mismatch(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "can only install packages when your package.json and",
        "ERR_PNPM_OUTDATED_LOCKFILE",
        "Your lockfile needs to be updated",
        "YN0028",
        "lockfile had changes, but lockfile is frozen",
        "changed significantly since poetry.lock was last generated",
        "poetry.lock is not up to date",
        "The lockfile at `uv.lock` needs to be updated",
        "needs to be updated but --locked was passed",
        "lock file is not up to date",
        "your lockfile but not in",
        "The gemspecs for path gems changed",
        "You are trying to install in deployment mode after changing",
        "updates to go.mod needed",
        "missing go.sum entry",
        "Pipfile.lock is out of date",
        "Your Pipfile.lock",
    ])?;
    Some(
        Diagnosis::new(
            Cause::LockFileMismatch,
            "Install again on your machine (such as `npm install`) and commit the lock file that this \
             changes.",
        )
        .because("the lock file does not fit the list of dependencies")
        .shown_by(line),
    )
}

/// A package is not what the lock file says.
pub(super) fn integrity(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "EINTEGRITY",
        "Integrity check failed",
        "ERR_PNPM_TARBALL_INTEGRITY",
        "THESE PACKAGES DO NOT MATCH THE HASHES",
        "SECURITY ERROR",
        "checksum mismatch",
        "Hash mismatch for",
        "failed to verify the checksum of",
    ])?;
    Some(
        Diagnosis::new(
            Cause::IntegrityMismatch,
            "Deploy again without the cache. If it stays, remove the package's entry from the lock \
             file, install again and commit what changes.",
        )
        .because("a package is not the one that the lock file names")
        .shown_by(line),
    )
}

/// A script or a task that the project does not have.
pub(super) fn script(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, script) = output.first(|line| {
        let quoted_after = |start: &str| after(line, start).and_then(quoted);
        let found = quoted_after("Missing script:")
            .or_else(|| {
                after(line, "ERR_PNPM_NO_SCRIPT").and_then(|rest| after(rest, "Missing script: "))
            })
            .or_else(|| quoted_after("Script not found "))
            .or_else(|| {
                let yarn = line.trim().strip_prefix("error Command ")?;
                quoted(yarn).filter(|_| yarn.contains("not found"))
            })
            .or_else(|| after(line, "Couldn't find a script named ").and_then(quoted))
            .or_else(|| between(line, "Command \"", "\" is not defined"))
            .or_else(|| between(line, "No rule to make target '", "'"))
            .or_else(|| between(line, "Don't know how to build task '", "'"));
        found.map(name)
    })?;
    Some(
        Diagnosis::new(
            Cause::ScriptMissing,
            format!(
                "Add the script `{script}`, or set another command in the project's settings or in \
                 `orbitra.toml`."
            ),
        )
        .because(format!("there is no script `{script}`"))
        .shown_by(line),
    )
}

/// A version of the language that the project or a package does not take.
pub(super) fn version(output: &Output<'_>) -> Option<Diagnosis> {
    const TEXTS: [&str; 12] = [
        "code EBADENGINE",
        "ERR_PNPM_UNSUPPORTED_ENGINE",
        "is incompatible with this module. Expected version",
        "requires a different Python",
        "is not supported by the project",
        "Requires-Python",
        "requires rustc",
        "but your Gemfile specified",
        "does not satisfy that requirement",
        "is not allowed by the project",
        "NETSDK1045",
        "invalid target release",
    ];
    let go = output.first(|line| {
        (line.contains("requires go >=") || line.contains("requires go1.")).then_some(())
    });
    let line = output.holding(&TEXTS).or_else(|| go.map(|(line, ())| line))?;
    // npm says on lines of their own what is wanted and what there is.
    let detail = output.holding(&["notsup Required:", "notsup Actual:", "Expected version"]);
    let found = Diagnosis::new(
        Cause::VersionUnsupported,
        "Name the version that is needed where Orbitra looks for it (`engines` in `package.json`, \
         `.python-version`, `go.mod`, `.ruby-version`, …), or take a release of the package that fits.",
    )
    .because("it needs another version of the language")
    .shown_by(line);
    Some(match detail.filter(|detail| *detail != line) {
        Some(detail) => found.shown_by(detail),
        None => found,
    })
}

/// A package that the registry does not have.
pub(super) fn package(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, package) = output.first(|line| {
        let npm = || {
            let rest = after(line, "404 Not Found - GET ")?;
            rest.split_whitespace().next()?.rsplit('/').next()
        };
        let found = after(line, "No matching distribution found for ")
            .and_then(first_word)
            .or_else(npm)
            .or_else(|| between(line, "no matching package named `", "`"))
            .or_else(|| between(line, "Could not find gem '", "'"))
            .or_else(|| between(line, "Because ", " was not found in the package registry"))
            .or_else(|| {
                between(line, "Could not find a version that satisfies the requirement ", " ")
            })
            .or_else(|| between(line, "Couldn't find package \"", "\""))
            .or_else(|| {
                let rest = after(line, "ERR_PNPM_FETCH_404")?;
                rest.split_whitespace().find(|word| word.starts_with("http"))?.rsplit('/').next()
            });
        found.map(|found| name(&found.trim_end_matches(':').replace("%2f", "/")))
    })?;
    Some(
        Diagnosis::new(
            Cause::PackageMissing,
            "Check the name and the version of the package. A private one needs its registry's token as \
             a variable of the project.",
        )
        .because(format!("the registry has no package `{package}` that fits"))
        .shown_by(line),
    )
}

/// The registry of packages does not answer.
pub(super) fn registry(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "EAI_AGAIN",
        "getaddrinfo ENOTFOUND",
        "Temporary failure in name resolution",
        "Temporary failure resolving",
        "Could not resolve host",
        "dial tcp: lookup",
        "npm error code ETIMEDOUT",
        "npm error code ECONNREFUSED",
        "npm error code ECONNRESET",
        "failed to fetch https://index.",
        "Max retries exceeded with url",
    ])?;
    Some(
        Diagnosis::new(
            Cause::RegistryUnreachable,
            "Deploy again: most often it is over in a minute. If it stays, check that the server \
             reaches the internet and that the registry's name is right.",
        )
        .because("a registry of packages could not be reached")
        .shown_by(line),
    )
}

/// A tool or a header of the system that a package is compiled with.
pub(super) fn system_package(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "pg_config executable not found",
        "mysql_config: not found",
        "error: command 'gcc' failed: No such file",
        "error: command 'x86_64-linux-gnu-gcc' failed: No such file",
        "unable to execute 'gcc'",
        "fatal error: Python.h",
        "gyp ERR! find Python",
        "gyp ERR! not found: make",
        "linker `cc` not found",
        "pkg-config exited with status code",
        "Could not find directory of OpenSSL installation",
        "cgo: C compiler \"gcc\" not found",
    ])?;
    Some(
        Diagnosis::new(
            Cause::SystemPackageMissing,
            "Install what is missing in a Dockerfile of your own (such as `apt-get install \
             build-essential libpq-dev`), or take a release of the package that is compiled already.",
        )
        .because("a package is compiled with a tool that the image does not have")
        .shown_by(line),
    )
}
