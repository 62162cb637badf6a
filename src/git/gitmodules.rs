//! `.gitmodules`: which submodule is where, and from which address. Git's configuration format (git-config(1)); only
//! `path` and `url` are read, and nothing in it can name a program, an option or a directory of this machine.

/// A submodule as the repository declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    pub path: String,
    pub url: String,
}

/// Largest file that is read.
pub(super) const MOST_BYTES: u64 = 256 * 1024;

/// Reads the declarations that have both a path and an address. Of several for one path the last counts, as in Git.
pub(super) fn parse(text: &str) -> Vec<Declared> {
    let mut sections: Vec<(String, Declared)> = Vec::new();
    let mut current: Option<usize> = None;
    for line in logical_lines(text) {
        let line = line.trim_start();
        if let Some(head) = line.strip_prefix('[') {
            current = submodule_name(head).map(|name| {
                sections.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    sections.push((name, Declared::default()));
                    sections.len() - 1
                })
            });
            continue;
        }
        let Some((_, declared)) = current.and_then(|at| sections.get_mut(at)) else { continue };
        let Some((key, value)) = line.split_once('=') else { continue };
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => declared.path = value_of(value),
            "url" => declared.url = value_of(value),
            _ => {}
        }
    }
    let declared = sections.into_iter().map(|(_, declared)| declared);
    let mut found: Vec<Declared> = Vec::new();
    for one in declared.filter(|one| !one.path.is_empty() && !one.url.is_empty()) {
        found.retain(|other| other.path != one.path);
        found.push(one);
    }
    found
}

/// Lines, with those joined that end in a backslash.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.split('\n') {
        // A line end as Windows writes it; a lone return within a value stays and makes the path unacceptable.
        let line = line.strip_suffix('\r').unwrap_or(line);
        let slashes = line.bytes().rev().take_while(|b| *b == b'\\').count();
        if slashes % 2 == 1 {
            open.push_str(&line[..line.len() - 1]);
        } else {
            open.push_str(line);
            lines.push(std::mem::take(&mut open));
        }
    }
    lines.push(open);
    lines
}

/// The name in `[submodule "name"]`.
fn submodule_name(head: &str) -> Option<String> {
    let (kind, rest) = head.split_once('"')?;
    if !kind.trim().eq_ignore_ascii_case("submodule") {
        return None;
    }
    let mut name = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(name),
            '\\' => name.push(characters.next()?),
            other => name.push(other),
        }
    }
}

/// A value without its quotes, escapes and comment.
fn value_of(text: &str) -> String {
    let (mut value, mut quoted, mut blanks) = (String::new(), false, String::new());
    let mut characters = text.trim_start().chars();
    while let Some(c) = characters.next() {
        if c.is_whitespace() && !quoted {
            blanks.push(c);
            continue;
        }
        if matches!(c, '#' | ';') && !quoted {
            break;
        }
        value.push_str(&std::mem::take(&mut blanks));
        match c {
            '"' => quoted = !quoted,
            '\\' => match characters.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('b') => value.push('\u{8}'),
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).into_iter().map(|one| (one.path, one.url)).collect()
    }

    fn pair(path: &str, url: &str) -> (String, String) {
        (path.to_owned(), url.to_owned())
    }

    #[test]
    fn declarations_are_read_as_git_reads_them() {
        let text = "[submodule \"a\"]\n\tpath = libs/a\n\turl = https://h.test/a.git ; a comment\n\
                    [core]\n\turl = ignored\n[Submodule \"b \\\"x\\\"\"]\r\n  Path=\"libs/b c\"\r\n  URL = ../b.git\r\n\
                    \tupdate = !touch PWNED\n\tbranch = main\n\
                    [submodule \"a\"]\n\turl = https://h.test/\\\nlater.git\n[submodule \"half\"]\n\tpath = x\n";
        assert_eq!(
            pairs(text),
            [pair("libs/a", "https://h.test/later.git"), pair("libs/b c", "../b.git")]
        );
    }

    #[test]
    fn broken_and_hostile_texts_do_no_harm() {
        for text in [
            "",
            "[",
            "[submodule",
            "[submodule \"",
            "[submodule \"a\\",
            "path = x\nurl = y",
            "\\",
            "=\n=\n",
        ] {
            assert_eq!(pairs(text), [], "{text}");
        }
        let text = "[submodule \"../../hooks\"]\npath = \"x\\ny\"\nurl = \"-u./p\"\n";
        assert_eq!(pairs(text), [pair("x\ny", "-u./p")]);
        let twice = "[submodule \"a\"]\npath=p\nurl=1\n[submodule \"b\"]\npath=p\nurl=2\n";
        assert_eq!(pairs(twice), [pair("p", "2")]);
    }
}
