//! Arguments that a Dockerfile declares.

use std::collections::BTreeSet;

/// Names after `ARG`, in any stage. For advice only: a spelling that is missed costs a hint.
pub fn declared(dockerfile: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut lines = dockerfile.lines();
    while let Some(line) = lines.next() {
        let mut instruction = line.trim().to_owned();
        while let Some(head) = instruction.strip_suffix('\\') {
            let next = lines.next().unwrap_or("").trim();
            instruction = format!("{head} {next}");
        }
        let mut words = instruction.split_whitespace();
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("arg")) {
            let name = |word: &str| word.split('=').next().unwrap_or("").to_owned();
            names.extend(words.map(name).filter(|name| crate::model::env_var::valid_key(name)));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_usual_spelling() {
        let text = "ARG A\nFROM x\narg B=1 C=2\nARG \\\n  E \\\n  F=3\nRUN echo ARG G\n# ARG H\n";
        let found: Vec<_> = declared(text).into_iter().collect();
        assert_eq!(found, ["A", "B", "C", "E", "F"]);
    }
}
