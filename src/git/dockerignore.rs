//! `.dockerignore`, by Docker's own rules: `*`, `?`, `[a-z]`, `**`, `!`, comments; the last pattern that matches decides.

/// The patterns of one `.dockerignore`.
#[derive(Clone, Debug, Default)]
pub struct DockerIgnore {
    patterns: Vec<Pattern>,
}

/// Which patterns matched a path or a directory above it.
#[derive(Clone, Debug, Default)]
pub struct Hits(Vec<bool>);

#[derive(Clone, Debug)]
struct Pattern {
    /// `!`: what matches is sent after all.
    keeps: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Star,
    /// `**`
    Everything,
    /// `**/`: nothing, or [`Token::Directories`].
    MaybeDirectories,
    /// Anything that ends with `/`.
    Directories,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl DockerIgnore {
    /// Reads the file's text. Lines that are no pattern are passed over, as nothing can be asked back here.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { patterns: text.lines().filter_map(Pattern::parse).collect() }
    }

    /// What matches a path, given what matched the directory it is in (nothing for the root's entries).
    pub fn hits(&self, path: &str, parent: &Hits) -> Hits {
        let test = |(index, pattern): (usize, &Pattern)| {
            parent.0.get(index).copied().unwrap_or(false) || pattern.matches(path)
        };
        Hits(self.patterns.iter().enumerate().map(test).collect())
    }

    /// Whether a path with these hits stays out of the build.
    pub fn is_ignored(&self, hits: &Hits) -> bool {
        let last = hits.0.iter().rposition(|hit| *hit);
        last.and_then(|index| self.patterns.get(index)).is_some_and(|pattern| !pattern.keeps)
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let line = line.trim();
        let (keeps, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let path = clean(line)?;
        Some(Self { keeps, tokens: tokens(&path) })
    }

    /// Runs the pattern over the path with every state it can be in at once, so that no pattern takes long.
    fn matches(&self, path: &str) -> bool {
        let end = self.tokens.len();
        let mut states = vec![false; end + 1];
        self.enter(&mut states, 0);
        for c in path.chars() {
            let mut next = vec![false; end + 1];
            for (index, token) in self.tokens.iter().enumerate() {
                if !states[index] {
                    continue;
                }
                match token {
                    Token::Char(own) if *own == c => self.enter(&mut next, index + 1),
                    Token::One if c != '/' => self.enter(&mut next, index + 1),
                    Token::Star if c != '/' => self.enter(&mut next, index),
                    Token::Everything => self.enter(&mut next, index),
                    Token::Directories => {
                        next[index] = true;
                        if c == '/' {
                            self.enter(&mut next, index + 1);
                        }
                    }
                    Token::Class { negated, ranges } => {
                        let inside = ranges.iter().any(|(from, to)| (*from..=*to).contains(&c));
                        if inside != *negated {
                            self.enter(&mut next, index + 1);
                        }
                    }
                    _ => {}
                }
            }
            states = next;
        }
        states[end]
    }

    /// Marks a state and those reached from it without a character.
    fn enter(&self, states: &mut [bool], index: usize) {
        if states[index] {
            return;
        }
        states[index] = true;
        match self.tokens.get(index) {
            Some(Token::Star | Token::Everything) => self.enter(states, index + 1),
            Some(Token::MaybeDirectories) => {
                self.enter(states, index + 1);
                self.enter(states, index + 2);
            }
            _ => {}
        }
    }
}

/// A path without `.`, `..`, doubled and outer slashes; `None` when nothing is left.
fn clean(text: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                if chars.next_if_eq(&'/').is_some() {
                    tokens.extend([Token::MaybeDirectories, Token::Directories]);
                } else {
                    tokens.push(Token::Everything);
                }
            }
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::One),
            '[' => tokens.push(class(&mut chars)),
            '\\' => tokens.push(Token::Char(chars.next().unwrap_or('\\'))),
            c => tokens.push(Token::Char(c)),
        }
    }
    tokens
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Token {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while let Some(c) = chars.next() {
        if c == ']' && !ranges.is_empty() {
            break;
        }
        let from = if c == '\\' { chars.next().unwrap_or('\\') } else { c };
        let mut to = from;
        if chars.peek() == Some(&'-') {
            let mut ahead = chars.clone();
            ahead.next();
            if ahead.peek().is_some_and(|next| *next != ']') {
                chars.next();
                to = chars.next().unwrap_or(from);
            }
        }
        ranges.push((from, to));
    }
    Token::Class { negated, ranges }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict for a path, its directories first, as a walk meets them.
    fn ignored(text: &str, path: &str) -> bool {
        let ignore = DockerIgnore::parse(text);
        let mut hits = Hits::default();
        for (at, _) in path.match_indices('/') {
            hits = ignore.hits(&path[..at], &hits);
        }
        ignore.is_ignored(&ignore.hits(path, &hits))
    }

    #[test]
    fn patterns_match_as_docker_documents_them() {
        for (pattern, path, expected) in [
            ("node_modules", "node_modules/a/b.js", true),
            ("node_modules", "sub/node_modules/a", false),
            ("**/node_modules", "sub/node_modules/a", true),
            ("**/node_modules", "node_modules", true),
            ("/dist/", "dist/a", true),
            ("./dist", "dist", true),
            ("a/../b", "b", true),
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/x/README.md", true),
            ("**.md", "docs/README.md", true),
            ("*/temp*", "sub/temporary.txt", true),
            ("*/temp*", "a/b/temporary.txt", false),
            ("temp?", "tempa", true),
            ("temp?", "temp", false),
            ("docs/*", "docs/a/b", true),
            ("docs/**", "docs/a/b", true),
            ("docs/**", "docs", false),
            ("**", "anything/at/all", true),
            ("**/foo/**", "a/foo/b", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "ab", false),
            ("[a-c].txt", "b.txt", true),
            ("[^a-c].txt", "b.txt", false),
            ("[^a-c].txt", "d.txt", true),
            ("\\*.txt", "*.txt", true),
            ("\\*.txt", "a.txt", false),
            ("a.b", "axb", false),
            ("# a", "# a", false),
            ("", "a", false),
            ("  spaced  ", "spaced", true),
            (".git", ".gitignore", false),
            ("é*", "été", true),
        ] {
            assert_eq!(ignored(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn the_last_match_decides() {
        let text = "\u{feff}# build\n*\n!src\n!package.json\nsrc/secret\n";
        assert!(ignored(text, "README.md"));
        assert!(!ignored(text, "package.json"));
        assert!(!ignored(text, "src/a/b.js"));
        assert!(ignored(text, "src/secret/key"));
        assert!(!ignored("*.md\n!README*.md", "README-a.md"));
        assert!(ignored("*.md\n!README*.md\nREADME-secret.md", "README-secret.md"));
        assert!(!ignored("!\n! \n", "a"));
    }

    #[test]
    fn hard_patterns_take_no_time() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!ignored(&pattern, &"a".repeat(4000)));
        assert!(!ignored(&("**/".repeat(100) + "b"), &"a/".repeat(500)));
    }
}
