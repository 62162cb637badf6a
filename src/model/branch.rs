//! Names of branches and tags, by the rules of `git check-ref-format`.

/// Longest name that is accepted, in bytes.
pub const MAX_LENGTH: usize = 255;

/// Why a name was refused. `code` is one of the API's field codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BranchError {
    /// `format`, `too_long` or `unsafe`.
    pub code: &'static str,
    /// A sentence for the person who sent the name.
    pub message: &'static str,
}

/// Checks the name of a branch or tag, such as `main` or `feature/login`.
pub fn check_branch(name: &str) -> Result<(), BranchError> {
    let refuse = |code, message| Err(BranchError { code, message });
    if name.is_empty() {
        return refuse("format", "A branch name is needed.");
    }
    if name.len() > MAX_LENGTH {
        return refuse("too_long", "A branch name has at most 255 characters.");
    }
    if name.starts_with('-') {
        return refuse("unsafe", "A branch name cannot start with `-`.");
    }
    if name
        .chars()
        .any(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\'))
    {
        return refuse(
            "format",
            "A branch name has no blanks, control characters or any of `~^:?*[\\`.",
        );
    }
    if name == "@" || name.contains("@{") || name.contains("..") || name.ends_with('.') {
        return refuse(
            "format",
            "A branch name is not `@`, has no `@{` or `..` and does not end with `.`.",
        );
    }
    if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"))
    {
        return refuse(
            "format",
            "The parts of a branch name between `/` are not empty, do not start with `.` and do not end with `.lock`.",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_git_accepts_are_accepted() {
        for name in ["main", "feature/login", "v1.0", "a-b", "ümlaut", "@x", "a@b", "HEAD"] {
            assert_eq!(check_branch(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        let long = "x".repeat(256);
        for (name, code) in [
            ("", "format"),
            (long.as_str(), "too_long"),
            ("-u", "unsafe"),
            ("--upload-pack=id", "unsafe"),
            ("a b", "format"),
            ("a\nb", "format"),
            ("a\u{0}", "format"),
            ("a~1", "format"),
            ("HEAD^{/.*}", "format"),
            (":/x", "format"),
            ("a..b", "format"),
            ("../a", "format"),
            ("a@{1}", "format"),
            ("@", "format"),
            ("a/", "format"),
            ("/a", "format"),
            ("a//b", "format"),
            (".a", "format"),
            ("a/.b", "format"),
            ("a.lock", "format"),
            ("a.lock/b", "format"),
            ("a.", "format"),
            ("a*", "format"),
            ("a\\b", "format"),
        ] {
            assert_eq!(check_branch(name).map_err(|e| e.code), Err(code), "{name:?}");
        }
    }
}
