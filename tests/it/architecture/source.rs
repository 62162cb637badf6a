//! Reading Rust as text: just enough to see which modules and crates a file names.

use std::path::Path;

/// A file below `src`.
pub struct Source {
    /// Relative to `src`.
    pub path: String,
    pub text: String,
    /// The text with blanks for comments and literals, so that only code is looked at.
    code: String,
}

/// A name that code refers to.
#[derive(Debug, PartialEq, Eq)]
pub struct Used {
    pub line: usize,
    pub name: String,
}

/// A place where an external crate is named.
pub struct External {
    pub line: usize,
}

impl Source {
    /// Every Rust file below a directory.
    pub fn all(root: &Path) -> Vec<Self> {
        let mut sources = Vec::new();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    sources.push(Self::new(relative, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        assert!(sources.len() > 50, "the sources were not found");
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    fn new(path: String, text: String) -> Self {
        let code = without_comments_and_literals(&text);
        Self { path, text, code }
    }

    /// The top module the file belongs to.
    pub fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// A line as it is written.
    pub fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number - 1).unwrap_or_default().trim()
    }

    /// How many `super` lead from the file's module to the crate.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// The top modules it names, by `crate::` or by a chain of `super::` that leads out.
    pub fn modules_used(&self, modules: &[&str]) -> Vec<Used> {
        let mut used = self.paths_after("crate");
        let mut at = 0;
        while let Some(found) = self.code[at..].find("super::") {
            let start = at + found;
            let mut end = start;
            let mut count = 0;
            while let Some(rest) = self.code[end..].strip_prefix("super::") {
                end = self.code.len() - rest.len();
                count += 1;
            }
            at = end;
            if count >= self.depth() && starts_a_path(&self.code, start) {
                used.extend(self.heads(end));
            }
        }
        used.retain(|used| modules.contains(&used.name.as_str()));
        used
    }

    /// What follows `name::`, with everything in a group.
    pub fn paths_after(&self, name: &str) -> Vec<Used> {
        let pattern = format!("{name}::");
        let found = self.code.match_indices(&pattern);
        found
            .filter(|(start, _)| starts_a_path(&self.code, *start))
            .flat_map(|(start, _)| self.heads(start + pattern.len()))
            .collect()
    }

    /// Where code names an external crate. The crate's name behind `::` is something else.
    pub fn externals(&self, name: &str) -> Vec<External> {
        let found = self.code.match_indices(name);
        found
            .filter(|(start, _)| {
                let rest = &self.code[start + name.len()..];
                let used = self.code[..*start].trim_end().ends_with("use") && rest.starts_with(';');
                starts_a_path(&self.code, *start) && (rest.starts_with("::") || used)
            })
            .map(|(start, _)| External { line: self.line_at(start) })
            .collect()
    }

    /// The first names of the path or the group of paths that begins here.
    fn heads(&self, at: usize) -> Vec<Used> {
        let code = &self.code[at..];
        if !code.starts_with('{') {
            let name = identifier(code);
            return vec![Used { line: self.line_at(at), name: name.to_owned() }];
        }
        let (mut depth, mut heads, mut expected) = (0, Vec::new(), false);
        for (offset, c) in code.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => break,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 1 && matches!(c, '{' | ',') {
                expected = true;
            } else if expected && !c.is_whitespace() {
                expected = false;
                let name = identifier(&code[offset..]).to_owned();
                heads.push(Used { line: self.line_at(at + offset), name });
            }
        }
        heads
    }

    fn line_at(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn identifier(code: &str) -> &str {
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    &code[..end]
}

/// Whether the name at this place is the first of its path.
fn starts_a_path(code: &str, at: usize) -> bool {
    let before = code[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
}

/// Blanks in place of comments, strings and characters; every line and every byte stays where it is.
fn without_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => {
                at + text[at..].find('\n').unwrap_or(text.len() - at)
            }
            b'/' if bytes[at..].starts_with(b"/*") => {
                text[at + 2..].find("*/").map_or(text.len(), |found| at + 2 + found + 2)
            }
            b'r' if raw_string(&bytes[at..]).is_some() && starts_a_path(text, at) => {
                at + raw_string(&bytes[at..]).unwrap_or(1)
            }
            b'"' => at + quoted(&bytes[at..], b'"'),
            // A lifetime has no second quote behind one character.
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => at + quoted(&bytes[at..], b'\''),
            b'\'' => {
                let width = text[at + 1..].chars().next().map_or(1, char::len_utf8);
                if bytes.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at + 1 }
            }
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).unwrap()
}

/// Length of the literal that begins here, with its quotes.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of the raw string that begins here.
fn raw_string(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = &bytes[2 + hashes..];
    let found = body.windows(end.len()).position(|window| window == end)?;
    Some(2 + hashes + found + end.len())
}

#[test]
fn it_sees_code_and_nothing_else() {
    let text = r####"
        //! crate::comment
        use crate::{db, app::{self, may}, /* crate::hidden */ web};
        use super::super::logs;
        use super::inside;
        fn f<'a>(x: &'a str) -> char { g("crate::text", r#"crate::raw"#, '"', '\''); crate::git::x() }
        use ring::aead; use crate::docker::bollard::Bollard; use askama;
    "####;
    let source = Source::new("pipeline/run.rs".to_owned(), text.to_owned());
    let modules = ["comment", "db", "app", "hidden", "web", "logs", "inside", "text", "raw", "git"];
    let used: Vec<_> =
        source.modules_used(&modules).into_iter().map(|u| (u.line, u.name)).collect();
    let expected = [(3, "db"), (3, "app"), (3, "web"), (6, "git"), (4, "logs")];
    assert_eq!(used, expected.map(|(line, name)| (line, name.to_owned())));
    assert_eq!(source.externals("ring").len(), 1);
    assert_eq!(source.externals("askama").len(), 1);
    assert_eq!(source.externals("bollard").len(), 0);
}
