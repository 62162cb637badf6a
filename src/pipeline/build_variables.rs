//! A deployment's variables in its build: as secrets, never as arguments, labels or layers.

use crate::builder::image::VARIABLES_SECRET;
use crate::crypto::secret_box::SecretBox;
use crate::model::ids::ProjectId;

/// Largest secret that BuildKit hands to a step.
const LARGEST: usize = 500 * 1024;

/// Every variable under its own name, and all of them as lines of `export NAME='value'`.
///
/// # Errors
/// They are too large together.
pub(super) fn secrets(environment: &[(String, String)]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut all = String::new();
    for (key, value) in environment {
        all.push_str(&format!("export {key}={}\n", quoted(value)));
    }
    if all.len() > LARGEST {
        return Err("The variables are too large to be handed to a build together.".to_owned());
    }
    let single = environment.iter().map(|(key, value)| (key.clone(), value.as_bytes().to_vec()));
    let mut secrets: Vec<_> = single.collect();
    secrets.push((VARIABLES_SECRET.to_owned(), all.into_bytes()));
    Ok(secrets)
}

/// A value as one word of the shell, in the shorter of the two ways of quoting.
fn quoted(value: &str) -> String {
    let single = format!("'{}'", value.replace('\'', r"'\''"));
    if !value.contains('\'') {
        return single;
    }
    let mut double = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '$' | '`' | '\\') {
            double.push('\\');
        }
        double.push(character);
    }
    double.push('"');
    if double.len() < single.len() { double } else { single }
}

/// Changes with every change of the variables; says nothing about them without the instance's key.
pub(super) fn digest(
    key: &SecretBox,
    project: &ProjectId,
    environment: &[(String, String)],
) -> String {
    let mut text = format!("build variables of {project}");
    for (name, value) in environment {
        text.push_str(&format!("\0{name}\0{value}"));
    }
    key.digest(text.as_bytes())
}

/// What a user is told whose Dockerfile waits for a variable as an argument.
pub(super) fn not_an_argument(name: &str) -> String {
    format!(
        "`ARG {name}` does not get the variable {name}: arguments stay readable in the image. Use it in the step that \
         needs it: `RUN --mount=type=secret,id={name} {name}=\"$(cat /run/secrets/{name})\" your-command`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        let values = [
            "plain",
            "",
            "it's",
            "''''",
            "$HOME `id` \\ \"x\" 'y' $(id)\nsecond line\nend",
            "a\\'b!c*d ü",
            "--",
        ];
        let environment: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(number, value)| (format!("V{number}"), (*value).to_owned()))
            .collect();
        let secrets = secrets(&environment).unwrap();
        let (name, lines) = secrets.last().unwrap();
        assert_eq!(name, VARIABLES_SECRET);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        for (key, value) in &environment {
            let script = format!(". \"$1\"; printf '%s' \"${key}\"");
            let mut shell = std::process::Command::new("/bin/sh");
            let output = shell.args(["-c", &script, "sh"]).arg(file.path()).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), *value);
        }
        assert_eq!(secrets[0], ("V0".to_owned(), b"plain".to_vec()));
    }

    #[test]
    fn the_digest_follows_every_change_and_the_key() {
        let (box_a, box_b) = (SecretBox::new(&[1; 32]), SecretBox::new(&[2; 32]));
        let (one, two) = (ProjectId::from_random([1; 10]), ProjectId::from_random([2; 10]));
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let base = digest(&box_a, &one, &of(&[("A", "1")]));
        assert_eq!(base, digest(&box_a, &one, &of(&[("A", "1")])));
        for other in [
            digest(&box_b, &one, &of(&[("A", "1")])),
            digest(&box_a, &two, &of(&[("A", "1")])),
            digest(&box_a, &one, &of(&[("A", "2")])),
            digest(&box_a, &one, &of(&[("A", "1"), ("B", "")])),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn too_much_is_refused() {
        let environment: Vec<_> =
            (0..20).map(|number| (format!("V{number}"), "x".repeat(30_000))).collect();
        assert!(secrets(&environment).is_err());
    }
}
