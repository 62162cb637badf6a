//! Watch paths: which changes of a repository concern a project of it.
//!
//! A pattern is a path from the repository's root. `*` and `?` stand for any characters and one character but `/`, `**`
//! as a whole part for any number of directories. A pattern without `/` is found at every depth, and one that names a
//! directory means everything in it. `!` before a pattern leaves out what it matches. The last pattern that matches a
//! path decides; where all patterns leave out, everything else concerns the project.

/// Most patterns of a project.
pub const MOST: usize = 50;
/// Most characters of a pattern.
pub const LONGEST: usize = 200;
/// Bytes of changed paths that are compared at most: with more of them a push concerns everybody, for certain and at
/// no cost.
const COMPARED: usize = 64 * 1024;

/// What a push changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It does not say, or not all of it.
    Unknown,
    /// These paths and no others.
    Paths(Vec<String>),
}

/// Whether a text can be a pattern: relative, without `.` and `..`, control characters and backslashes.
pub fn is_pattern(text: &str) -> bool {
    let path = text.strip_prefix('!').unwrap_or(text);
    let path = path.strip_suffix('/').unwrap_or(path);
    text.chars().count() <= LONGEST
        && !text.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether a push concerns the project that watches these paths. What is not known does.
pub fn concerns(patterns: &[String], changes: &Changes) -> bool {
    let Changes::Paths(paths) = changes else { return true };
    let size: usize = paths.iter().map(String::len).sum();
    patterns.is_empty()
        || paths.is_empty()
        || size > COMPARED
        || paths.iter().any(|path| watched(patterns, path))
}

fn watched(patterns: &[String], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let last = patterns.iter().rev().find_map(|pattern| match pattern.strip_prefix('!') {
        Some(pattern) => matches(pattern, &parts).then_some(false),
        None => matches(pattern, &parts).then_some(true),
    });
    last.unwrap_or_else(|| patterns.iter().all(|pattern| pattern.starts_with('!')))
}

/// Whether a pattern matches a path or a directory above it.
fn matches(pattern: &str, path: &[&str]) -> bool {
    let directory = pattern.ends_with('/');
    let pattern = pattern.trim_end_matches('/');
    let mut wanted: Vec<&str> = pattern.split('/').collect();
    if wanted.len() == 1 {
        wanted.insert(0, "**");
    }
    // Of a pattern that ends with `/` the file itself is not meant.
    let longest = if directory { path.len() - 1 } else { path.len() };
    // Which beginnings of the path the parts of the pattern so far match, by their lengths.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in wanted {
        if part == "**" {
            let first = reached.iter().position(|reached| *reached).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        for at in (1..reached.len()).rev() {
            reached[at] = reached[at - 1] && part_matches(part, path[at - 1]);
        }
        reached[0] = false;
    }
    reached[..=longest].iter().any(|reached| *reached)
}

/// Whether one part of a pattern matches one part of a path. Of several ways the last `*` alone decides.
fn part_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(patterns: &[&str], path: &str) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        concerns(&patterns, &Changes::Paths(vec![path.to_owned()]))
    }

    #[test]
    fn patterns_match_as_they_say() {
        for (pattern, path, expected) in [
            ("apps/web/**", "apps/web/src/index.js", true),
            ("apps/web/**", "apps/web/a", true),
            ("apps/web/**", "apps/website/a", false),
            ("apps/web", "apps/web/src/index.js", true),
            ("apps/web/", "apps/web/src/index.js", true),
            ("apps/web/", "apps/web", false),
            ("apps/*", "apps/web/package.json", true),
            ("apps/*/package.json", "apps/web/package.json", true),
            ("apps/*/package.json", "apps/web/src/package.json", false),
            ("**/package.json", "package.json", true),
            ("**/package.json", "a/b/package.json", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "b/z", false),
            ("*.md", "docs/deep/read.me.md", true),
            ("*.md", "docs/read.mdx", false),
            ("package.json", "apps/web/package.json", true),
            ("/x", "x", false),
            ("**", "anything/at/all", true),
            ("pages/[id].js", "pages/[id].js", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("ä*", "äöü", true),
        ] {
            assert_eq!(watches(&[pattern], path), expected, "{pattern} and {path}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let patterns = ["apps/web/**", "!**/*.md", "apps/web/README.md"];
        assert!(watches(&patterns, "apps/web/a.js"));
        assert!(!watches(&patterns, "apps/web/notes.md"));
        assert!(watches(&patterns, "apps/web/README.md"));
        assert!(!watches(&patterns, "apps/api/a.js"));
        assert!(!watches(&["!docs/**"], "docs/a"));
        assert!(watches(&["!docs/**"], "src/a"));
    }

    #[test]
    fn what_is_not_known_concerns_everybody() {
        let only = ["apps/web/**".to_owned()];
        assert!(concerns(&[], &Changes::Paths(vec!["a".to_owned()])));
        assert!(concerns(&only, &Changes::Unknown));
        assert!(concerns(&only, &Changes::Paths(Vec::new())));
        assert!(concerns(&only, &Changes::Paths(vec!["x".repeat(COMPARED + 1)])));
        let mixed = vec!["docs/a".to_owned(), "apps/web/a".to_owned()];
        assert!(concerns(&only, &Changes::Paths(mixed)));
    }

    #[test]
    fn which_texts_are_patterns() {
        for good in
            ["a", "!a", "apps/web/", "**", "!docs/**", "a b", "..a", "!!a", &"x".repeat(200)]
        {
            assert!(is_pattern(good), "{good}");
        }
        for bad in [
            "",
            "!",
            "/",
            "/a",
            "!/a",
            "..",
            "a/../b",
            "./a",
            "a//b",
            "a\0",
            "a\n",
            "a\\b",
            "!..",
            &"x".repeat(201),
        ] {
            assert!(!is_pattern(bad), "{bad:?}");
        }
    }
}
