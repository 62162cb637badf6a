//! Environment variables: what may be one, and how a pasted `.env` file is read.

use std::collections::BTreeMap;

/// Most variables of one set.
pub const MAX_COUNT: usize = 500;
/// Most bytes of one value.
pub const MAX_VALUE: usize = 32 * 1024;
/// Most bytes of all keys and values together.
pub const MAX_TOTAL: usize = 256 * 1024;

/// Names to values, in byte order of the names.
pub type Environment = BTreeMap<String, String>;

/// Something wrong with one variable, or (without a key) with the whole set. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvProblem {
    pub key: Option<String>,
    /// `format`, `reserved`, `too_long` or `out_of_range`, as the API names them.
    pub code: &'static str,
    pub message: String,
}

/// Whether `key` matches `^[A-Za-z_][A-Za-z0-9_]{0,127}$`.
pub fn valid_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    matches!(bytes, [first, rest @ ..]
        if (first.is_ascii_alphabetic() || *first == b'_')
            && rest.len() <= 127
            && rest.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'))
}

/// Every problem of a set.
pub fn problems(environment: &Environment) -> Vec<EnvProblem> {
    let mut found = Vec::new();
    let mut add = |key: Option<&str>, code, message: &str| {
        let key = key.map(|key| key.chars().take(130).collect());
        found.push(EnvProblem { key, code, message: message.to_owned() });
    };
    if environment.len() > MAX_COUNT {
        add(None, "out_of_range", "At most 500 variables.");
    }
    if environment.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_TOTAL {
        add(None, "too_long", "All variables together may have 256 KiB.");
    }
    for (key, value) in environment {
        if !valid_key(key) {
            add(
                Some(key),
                "format",
                "A name has letters, digits and `_`, does not start with a digit, and has at most 128 characters.",
            );
        } else if key.to_ascii_uppercase().starts_with("ORBITRA_") {
            add(Some(key), "reserved", "Names that start with ORBITRA_ are set by Orbitra.");
        }
        if value.len() > MAX_VALUE {
            add(Some(key), "too_long", "A value may have 32 KiB.");
        } else if value.contains('\0') {
            add(Some(key), "format", "A value may not contain a NUL byte.");
        }
    }
    found
}

/// Reads a pasted `.env` file: `KEY=value`, `export `, `#` comments, `'literal'`, `"with \n \t \" \\ \$"`,
/// several lines inside quotes, CRLF and a BOM accepted, the last of equal names wins, `$VAR` is not expanded.
///
/// # Errors
/// The numbers of the lines that are not understood, with a reason; nothing is taken then.
pub fn parse_dotenv(text: &str) -> Result<Environment, Vec<(usize, String)>> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut environment = Environment::new();
    let mut bad = Vec::new();
    let mut rest = text.as_str();
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let trimmed = line.trim_start();
        if trimmed.trim_end().is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed).trim_start();
        let Some((key, value)) = assignment.split_once('=') else {
            bad.push((number, "there is no `=`".to_owned()));
            continue;
        };
        let key = key.trim_end();
        if !valid_key(key) {
            bad.push((number, "the name is not valid".to_owned()));
            continue;
        }
        let value = value.trim_start_matches([' ', '\t']);
        match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let whole = if after.is_empty() {
                    value[1..].to_owned()
                } else {
                    format!("{}\n{after}", &value[1..])
                };
                match quoted(&whole, quote) {
                    Some((inner, tail)) => {
                        let consumed = &whole[..whole.len() - tail.len()];
                        number += consumed.matches('\n').count();
                        let (trailing, next) = tail.split_once('\n').unwrap_or((tail, ""));
                        let trailing = trailing.trim();
                        if !trailing.is_empty() && !trailing.starts_with('#') {
                            bad.push((number, "there is text after the closing quote".to_owned()));
                        }
                        environment.insert(key.to_owned(), inner);
                        rest = &rest[rest.len() - next.len()..];
                    }
                    None => bad.push((number, "the quote is not closed".to_owned())),
                }
            }
            _ => {
                let end = value.find(" #").unwrap_or(value.len());
                environment.insert(key.to_owned(), value[..end].trim_end().to_owned());
            }
        }
    }
    if bad.is_empty() { Ok(environment) } else { Err(bad) }
}

/// The text up to the closing quote, unescaped, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some((value, &text[at + 1..]));
        }
        if c != '\\' || quote == '\'' {
            value.push(c);
            continue;
        }
        match characters.next()?.1 {
            'n' => value.push('\n'),
            't' => value.push('\t'),
            'r' => value.push('\r'),
            escaped @ ('"' | '\\' | '$') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_file_keeps_its_bytes() {
        let text = "\u{feff}# comment\r\nA=1\nexport B = two words # note\nC='lit$eral \\n'\nD=\"x\\n\\\"y\\\" \\$Z\"\nE=\nF=\"line 1\nline 2\" # tail\nA=last\nG=a#b\n";
        let environment = parse_dotenv(text).expect("understood");
        let get = |key: &str| environment.get(key).map(String::as_str);
        assert_eq!(get("A"), Some("last"));
        assert_eq!(get("B"), Some("two words"));
        assert_eq!(get("C"), Some("lit$eral \\n"));
        assert_eq!(get("D"), Some("x\n\"y\" $Z"));
        assert_eq!(get("E"), Some(""));
        assert_eq!(get("F"), Some("line 1\nline 2"));
        assert_eq!(get("G"), Some("a#b"));
        assert_eq!(environment.len(), 7);
    }

    #[test]
    fn every_bad_line_is_named() {
        let bad =
            parse_dotenv("A=1\nnonsense\n1B=2\nC=\"a\nb\" rest\nD='open").expect_err("refused");
        let lines: Vec<_> = bad.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 5, 6]);
    }

    #[test]
    fn keys_and_values_have_limits() {
        for bad in ["A;id", "A=B", "A\nB", "A$(id)", "`x`", "A B", "1A", "", "A\0"] {
            assert!(!valid_key(bad), "{bad}");
        }
        assert!(valid_key(&"A".repeat(128)) && !valid_key(&"A".repeat(129)));
        let set = |key: &str, value: &str| {
            problems(&Environment::from([(key.to_owned(), value.to_owned())]))
        };
        assert_eq!(set("ORBITRA_URL", "x")[0].code, "reserved");
        assert_eq!(set("A", "x\0")[0].code, "format");
        assert_eq!(set("A", &"x".repeat(MAX_VALUE + 1))[0].code, "too_long");
        assert!(set("A", "").is_empty());
    }
}
