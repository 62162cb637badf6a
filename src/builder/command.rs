//! Commands that users write, as words or as a line for the shell inside the container.

/// What a command is in a Dockerfile's exec form. A plain command becomes its words, so that signals reach the program
/// itself; one that needs a shell is handed to `sh -c` whole.
pub(super) fn exec_form(command: &str) -> Vec<String> {
    plain_words(command).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), command.to_owned()])
}

/// The words of a command that means the same without a shell; `None` when it does not.
pub(super) fn plain_words(command: &str) -> Option<Vec<String>> {
    const BUILTINS: &[&str] = &[
        ".", ":", "alias", "cd", "command", "eval", "exec", "exit", "export", "false", "if", "for",
        "set", "source", "test", "time", "trap", "true", "ulimit", "umask", "unset", "until",
        "wait", "while",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || " \t-_./:=,@+%".contains(c);
    if !command.chars().all(plain) {
        return None;
    }
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let first = words.first()?;
    let is_program =
        !first.contains('=') && !first.starts_with('-') && !BUILTINS.contains(&first.as_str());
    is_program.then_some(words)
}

/// A list of words as JSON, for `CMD` and `RUN`.
pub(super) fn json(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands_are_split_and_others_go_to_the_shell() {
        assert_eq!(
            json(&exec_form("node  server.js --port=80")),
            r#"["node","server.js","--port=80"]"#
        );
        for command in [
            "node a.js && b",
            "PORT=80 node a.js",
            "cd x",
            "node \"a b\".js",
            "echo $PORT",
            "a | b",
            "--flag",
            "node a*.js",
            "a;b",
            "x <<EOF",
        ] {
            assert_eq!(exec_form(command), ["/bin/sh", "-c", command], "{command}");
        }
    }
}
