//! A module, a class or a library that the application needs and the image does not have.

use super::text::{after, between, first_word, name, quoted};
use super::{Cause, Diagnosis, Output};

/// A module of the language.
pub(super) fn module(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, module) = output.first(wanted)?;
    let module = name(&module);
    let own = module.starts_with(['/', '.']) || module.starts_with("file:");
    let (because, hint) = if own {
        (
            format!("the file `{module}` is not in the image"),
            "Check that the start command names the right file, and that the build makes it and \
             `.dockerignore` does not leave it out."
                .to_owned(),
        )
    } else {
        (
            format!("the module `{module}` is not installed"),
            format!(
                "Add `{module}` to the project's dependencies (not only to those for development) \
                 and commit the lock file."
            ),
        )
    };
    let cause = if own { Cause::MissingFile } else { Cause::MissingModule };
    Some(Diagnosis::new(cause, hint).because(because).shown_by(line))
}

/// The module a line says is missing.
fn wanted(line: &str) -> Option<String> {
    const QUOTED: [&str; 11] = [
        "Cannot find module ",
        "Cannot find package ",
        "No module named ",
        "Module not found: Error: Can't resolve ",
        "Could not resolve ",
        "Failed to resolve import ",
        "Rollup failed to resolve import ",
        "Cannot resolve module ",
        "error: Module not found ",
        "Failed opening required ",
        "Class ",
    ];
    let named = QUOTED.iter().find_map(|start| {
        let rest = after(line, start)?;
        match *start {
            "Class " => between(line, "Class \"", "\" not found").map(str::to_owned),
            _ => quoted(rest).filter(|_| rest.starts_with(['\'', '"', '`'])).map(str::to_owned),
        }
    });
    named.or_else(|| {
        let gem = between(line, "cannot load such file -- ", " (LoadError)");
        let gem = gem.or_else(|| after(line, "cannot load such file -- ").and_then(first_word));
        let class = || after(line, "ClassNotFoundException: ").and_then(first_word);
        let could_not_find = || between(line, "Could not find ", " in locally installed gems");
        gem.or_else(class).or_else(could_not_find).map(str::to_owned)
    })
}

/// A library of the system.
pub(super) fn library(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, library) = output.first(|line| {
        let shared = between(line, "error while loading shared libraries: ", ":");
        let opened = || between(line, "ImportError: ", ": cannot open shared object file");
        let musl = || between(line, "Error loading shared library ", ":");
        let version = || {
            let version = between(line, "version `", "' not found")?;
            version.starts_with("GLIBC").then_some(version)
        };
        let library = shared.or_else(opened).or_else(musl).or_else(version)?;
        Some(name(library))
    })?;
    let glibc = library.starts_with("GLIBC");
    let hint = if glibc {
        "The program was built for a newer system than it runs on: build and run it in images of \
         the same release."
            .to_owned()
    } else {
        "Install the package that has the library in the image that runs, not only in the one \
         that builds."
            .to_owned()
    };
    Some(
        Diagnosis::new(Cause::MissingLibrary, hint)
            .because(format!("the system library `{library}` is missing"))
            .shown_by(line),
    )
}
