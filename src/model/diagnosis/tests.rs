//! Recorded outputs of real tools, and what each of them is taken for.

mod building;
mod running;
mod silence;

use super::{Diagnosis, Output};

/// Lines of a recorded output.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// An output without any variable.
fn plain(lines: &[String]) -> Output<'_> {
    Output { lines, variables: &[] }
}

/// The cause with its reason, for a table.
fn told(diagnosis: &Diagnosis) -> String {
    let because = diagnosis.because.as_deref().unwrap_or("-");
    format!("{}: {because}", diagnosis.cause.as_str())
}
