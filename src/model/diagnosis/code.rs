//! Programs that cannot be read, compiled or tested.

use super::{Cause, Diagnosis, Output};

/// A program that the language cannot read.
pub(super) fn syntax(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "SyntaxError:",
        "IndentationError:",
        "Parse error: syntax error",
        "syntax error, unexpected",
        "syntax error near unexpected token",
    ])?;
    // Where it is stands in a line of its own before it.
    let place = output.lines.iter().take_while(|other| other.as_str() != line);
    let place = place.filter(|line| is_place(line)).last();
    let found = Diagnosis::new(Cause::SyntaxError, "Correct it where the output points to.")
        .because("a file has an error of syntax");
    Some(place.into_iter().fold(found, |found, place| found.shown_by(place)).shown_by(line))
}

/// `File "/app/main.py", line 3`, or `/app/server.js:3`.
fn is_place(line: &str) -> bool {
    let line = line.trim();
    let python = line.starts_with("File \"") && line.contains(", line ");
    let colon = line.rsplit_once(':').is_some_and(|(path, number)| {
        path.starts_with(['/', 'f']) && number.bytes().all(|b| b.is_ascii_digit())
    });
    python || colon
}

/// A module of the one kind that is loaded as one of the other.
pub(super) fn module_kind(output: &Output<'_>) -> Option<Diagnosis> {
    let line = output.holding(&[
        "Cannot use import statement outside a module",
        "require is not defined in ES module scope",
        "require() of ES Module",
        "Unexpected token 'export'",
        "exports is not defined in ES module scope",
    ])?;
    Some(
        Diagnosis::new(
            Cause::ModuleKind,
            "Say with `\"type\": \"module\"` in `package.json` that files are ES modules, or name \
             them `.mjs`; those that use `require` are `.cjs`.",
        )
        .because("a module is loaded as one of the other kind")
        .shown_by(line),
    )
}

/// Tests that fail and end the build.
pub(super) fn tests(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, ()) = output.first(|line| is_failing_test(line).then_some(()))?;
    let more = output.lines.iter().filter(|other| other.as_str() != line && is_failing_test(other));
    let found = Diagnosis::new(
        Cause::TestsFailed,
        "Correct what the test checks, or run the tests elsewhere than in the build.",
    )
    .because("tests fail")
    .shown_by(line);
    Some(more.take(4).fold(found, |found, line| found.shown_by(line)))
}

fn is_failing_test(line: &str) -> bool {
    let line = line.trim();
    let some = |line: &str, end: &str| {
        let count = line.strip_suffix(end).and_then(|front| front.rsplit([' ', ',']).next());
        count.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 0))
    };
    let failed_of = |start: &str| {
        line.strip_prefix(start).is_some_and(|rest| {
            let rest = rest.trim_start();
            let count = rest.split_whitespace().next().and_then(|count| count.parse::<u32>().ok());
            count.is_some_and(|count| count > 0) && rest.contains("failed")
        })
    };
    line.starts_with("--- FAIL:")
        || line.starts_with("FAIL ")
        || line == "FAILURES!"
        || line.starts_with("FAILED (failures=")
        || line.starts_with("test result: FAILED")
        || line.starts_with("not ok ")
        || line.strip_prefix("# fail ").is_some_and(|count| count != "0")
        || line.strip_prefix("ℹ fail ").is_some_and(|count| count != "0")
        || failed_of("Tests:")
        || failed_of("Test Suites:")
        || failed_of("Tests ")
        || some(line, " failing")
        || (line.starts_with('=') && line.contains(" failed") && line.contains(" in "))
        || (line.contains(" examples, ") && !line.contains(" 0 failures"))
}

/// A compiler that found an error.
pub(super) fn compile(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, ()) = output.first(|line| is_compile_error(line).then_some(()))?;
    let more =
        output.lines.iter().filter(|other| other.as_str() != line && is_compile_error(other));
    let found = Diagnosis::new(Cause::CompileError, "Correct the errors that the output names.")
        .because("the code does not compile")
        .shown_by(line);
    Some(more.take(4).fold(found, |found, line| found.shown_by(line)))
}

fn is_compile_error(line: &str) -> bool {
    let line = line.trim();
    // ./main.go:7:2: undefined: x
    let go = line.split_once(".go:").is_some_and(|(_, rest)| {
        let mut parts = rest.splitn(3, ':');
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
        number(parts.next()) && number(parts.next())
    });
    go || line.contains("error TS")
        || line.contains(": error CS")
        || line.starts_with("error[E")
        || line.starts_with("error: could not compile")
        || (line.starts_with("[ERROR] ") && line.contains(".java:["))
        || line.contains(".java:") && line.contains(": error:")
        || line == "Failed to compile."
        || line.starts_with("** (CompileError)")
}
