//! Configuration files that are programs. They are never run: what they say is looked up in their text.

use serde_json::Value;

/// The text with its comments taken out. Strings stay as they are.
pub(super) fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if let Some(open) = quote {
            plain.push(c);
            if c == '\\' {
                plain.extend(chars.next());
            } else if c == open || (c == '\n' && open != '`') {
                quote = None;
            }
            continue;
        }
        match (c, chars.peek()) {
            ('/', Some('/')) => {
                while chars.peek().is_some_and(|next| *next != '\n') {
                    chars.next();
                }
            }
            ('/', Some('*')) => {
                chars.next();
                let mut last = ' ';
                for next in chars.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
                plain.push(' ');
            }
            _ => {
                if matches!(c, '"' | '\'' | '`') {
                    quote = Some(c);
                }
                plain.push(c);
            }
        }
    }
    plain
}

/// What `key: value` says, for every place where it is said and the value is a string or a word.
pub(super) fn values(plain: &str, key: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let mut found = Vec::new();
    for (at, _) in plain.match_indices(key) {
        let (before, after) = (&plain[..at], &plain[at + key.len()..]);
        if before.chars().next_back().is_some_and(|c| word(c) || c == '.')
            || after.starts_with(word)
        {
            continue;
        }
        let after = after.trim_start_matches(['"', '\'']).trim_start();
        let Some(value) = after.strip_prefix(':').map(str::trim_start) else {
            continue;
        };
        let value = match value.chars().next() {
            Some(open @ ('"' | '\'' | '`')) => value[1..].split([open, '\n']).next(),
            _ => value.split(|c: char| !word(c) && !matches!(c, '.' | '-')).next(),
        };
        found.extend(value.filter(|value| !value.is_empty()).map(str::to_owned));
    }
    found
}

/// Whether `key: value` is said anywhere.
pub(super) fn says(plain: &str, key: &str, value: &str) -> bool {
    values(plain, key).iter().any(|found| found == value)
}

/// JSON with comments and trailing commas.
pub(super) fn json(text: &str) -> Result<Value, serde_json::Error> {
    let plain = without_comments(text);
    let mut strict = String::with_capacity(plain.len());
    let (mut inside, mut escaped) = (false, false);
    for (at, c) in plain.char_indices() {
        let closes = || plain[at + 1..].trim_start().starts_with(['}', ']']);
        if c == ',' && !inside && closes() {
            continue;
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
        strict.push(c);
    }
    serde_json::from_str(&strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_settings() {
        let text = "// output: 'export'\n/* ssr: false */ const a = { output: \"stand//alone\", 'ssr': true,\n other_output: 'x', x: b.output, output : `t` }";
        let plain = without_comments(text);
        assert_eq!(values(&plain, "output"), ["stand//alone", "t"]);
        assert_eq!(values(&plain, "ssr"), ["true"]);
        assert!(says(&plain, "ssr", "true") && !says(&plain, "ssr", "false"));
        assert_eq!(values("adapter: node({ mode: 'x' })", "adapter"), ["node"]);
        assert_eq!(values("output:", "output"), [""; 0]);
        assert_eq!(values("output: 'unfinished", "output"), ["unfinished"]);
        assert_eq!(without_comments("a /* never closed"), "a  ");
        assert_eq!(without_comments("'\\'//' // x"), "'\\'//' ");
    }

    #[test]
    fn json_may_have_comments_and_trailing_commas() {
        let value =
            json("{ // why\n \"a\": [1, 2,], \"b\": \",}\", /* */ \"c\": \"\\\",]\", }").unwrap();
        assert_eq!(value, serde_json::json!({"a": [1, 2], "b": ",}", "c": "\",]"}));
        assert!(json("{,,}").is_err());
        assert!(json(&"[".repeat(1 << 20)).is_err());
    }
}
