//! A variable that the application wants and does not have.

use super::text::name;
use super::{Cause, Diagnosis, Output};

/// What stands behind the name of a variable that is missing.
const BEHIND: [&str; 23] = [
    "is not set",
    "not set",
    "was not set",
    "has not been set",
    "is unset",
    "isn't set",
    "is not defined",
    "is undefined",
    "not defined",
    "is required",
    "are required",
    "is missing",
    "must be set",
    "must be defined",
    "must be provided",
    "must be specified",
    "needs to be set",
    "is not provided",
    "was not provided",
    "environment variable is",
    "environment variable not",
    "environment variable must",
    "missing value",
];
/// What stands before it.
const BEFORE: [&str; 20] = [
    "missing environment variable",
    "missing environment variables",
    "missing required environment variable",
    "missing required environment variables",
    "missing required env var",
    "missing env var",
    "missing env",
    "missing variable",
    "environment variable not found",
    "required environment variable",
    "required env var",
    "keyerror",
    "key not found",
    "undefined array key",
    "undefined index",
    "please set",
    "you must set",
    "set the",
    "could not resolve placeholder",
    "undefinedvalueerror",
];
/// Messages of frameworks that do not name the variable, and its name.
const KNOWN: [(&str, &str); 6] = [
    ("no application encryption key has been specified", "APP_KEY"),
    ("the secret_key setting must not be empty", "SECRET_KEY"),
    ("missing `secret_key_base`", "SECRET_KEY_BASE"),
    ("secret_key_base is missing", "SECRET_KEY_BASE"),
    ("[next-auth][error][no_secret]", "NEXTAUTH_SECRET"),
    ("missingsecret: ", "AUTH_SECRET"),
];

/// A variable that is named in the output and not set.
pub(super) fn missing(output: &Output<'_>) -> Option<Diagnosis> {
    let (line, variable) = output.first(|line| named(line, output)).or_else(|| field(output))?;
    Some(not_set(&name(&variable), line))
}

/// A file with variables that is not in the image.
pub(super) fn env_file(output: &Output<'_>) -> Option<Diagnosis> {
    const MISSING: [&str; 4] = ["enoent", "no such file", "not found", "unable to read"];
    let names_it = |line: &str| {
        line.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '(' | ')' | ','))
            .map(|word| word.trim_end_matches([':', '.']))
            .any(|word| word == ".env" || word.ends_with("/.env") || word.starts_with(".env."))
    };
    let (line, ()) = output.first(|line| {
        let lower = line.to_lowercase();
        let missing = MISSING.iter().any(|text| lower.contains(text));
        (missing && names_it(line)).then_some(())
    })?;
    Some(
        Diagnosis::new(
            Cause::MissingEnvFile,
            "Set what the file holds as variables of the project, and let the application go on \
             when there is no `.env`.",
        )
        .because("it wants a file `.env`, which is not in the image")
        .shown_by(line),
    )
}

/// The variable that a line calls missing.
fn named(line: &str, output: &Output<'_>) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(text, _)| lower.contains(text)).map(|(_, name)| *name);
    if let Some(known) = known.filter(|name| !output.has_variable(name)) {
        return Some(known.to_owned());
    }
    words(line).find_map(|(at, word)| {
        let missing = is_missing(&lower, at, word.len(), word.contains('_'));
        (missing && !output.has_variable(word)).then(|| word.to_owned())
    })
}

/// Names written as variables are: capital letters, digits and `_`, three characters or more.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(move |c: char| !is_part(c)).filter_map(move |word| {
        let at = word.as_ptr() as usize - line.as_ptr() as usize;
        let capital = word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        (capital && word.len() >= 3).then_some((at, word))
    })
}

/// Whether what stands around a name calls it missing. `lower` has the places of the line's own letters.
fn is_missing(lower: &str, at: usize, length: usize, has_underscore: bool) -> bool {
    let quote = |c: char| c.is_whitespace() || "'\"`:=()[]{}$".contains(c);
    let (Some(front), Some(back)) = (lower.get(..at), lower.get(at + length..)) else {
        return false;
    };
    let back = back.trim_start_matches(quote);
    let behind = BEHIND.iter().any(|text| back.starts_with(text));
    let found = back.starts_with("not found") || back.starts_with("is not present");
    let front = front.trim_end_matches(quote);
    let front = front.trim_end_matches("process.env.").trim_end_matches(quote);
    let before = BEFORE.iter().any(|text| front.ends_with(text));
    behind || before || (found && has_underscore)
}

/// A field that pydantic wants: its name stands on the line before.
fn field<'a>(output: &Output<'a>) -> Option<(&'a str, String)> {
    output.lines.windows(2).find_map(|pair| {
        let [name, told] = pair else { return None };
        let wanted = told.trim_start().starts_with("Field required [type=missing");
        let plain = name.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let variable = name.trim().to_ascii_uppercase();
        let usable = wanted && plain && !variable.is_empty() && !output.has_variable(&variable);
        usable.then_some((told.as_str(), variable))
    })
}

/// What a shell calls unset: `./start.sh: line 3: API_URL: unbound variable`.
pub(super) fn unbound(output: &Output<'_>) -> Option<Diagnosis> {
    const ENDS: [&str; 3] =
        [": unbound variable", ": parameter not set", ": parameter null or not set"];
    let (line, variable) = output.first(|line| {
        let front = ENDS.iter().find_map(|end| line.trim_end().strip_suffix(end))?;
        let variable = front.rsplit(": ").next()?.trim();
        (!variable.is_empty() && !variable.contains(' ')).then(|| name(variable))
    })?;
    Some(not_set(&variable, line))
}

fn not_set(variable: &str, line: &str) -> Diagnosis {
    let hint = format!("Set `{variable}` under the project's variables and deploy again.");
    Diagnosis::new(Cause::MissingVariable, hint)
        .because(format!("the variable `{variable}` is not set"))
        .shown_by(line)
}
