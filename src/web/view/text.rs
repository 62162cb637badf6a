//! Text that somebody else wrote: commit subjects, branches, names of authors.

use std::fmt;

use askama::filters::{HtmlSafe, HtmlSafeOutput};

/// Foreign text. Shown escaped, and with invisible characters that turn the writing direction made visible,
/// because `main` and a name that only looks like it must not be taken for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign(pub String);

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Foreign {
    /// For attributes and titles, where no element may stand: direction marks become `U+202E`.
    pub fn plain(&self) -> String {
        let mut plain = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            if is_direction_mark(c) {
                plain.push_str(&code_point(c));
            } else {
                plain.push(c);
            }
        }
        plain
    }
}

/// Writes its own HTML.
impl HtmlSafe for Foreign {}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write_escaped(f, c))
    }
}

/// A sentence of ours as HTML: what stands between two backticks is set as code, everything is escaped.
pub fn sentence(text: &str) -> HtmlSafeOutput<String> {
    let mut html = String::with_capacity(text.len() + 16);
    let parts: Vec<&str> = text.split('`').collect();
    for (at, part) in parts.iter().enumerate() {
        // A last backtick without a partner is an ordinary character.
        let code = at % 2 == 1 && at + 1 < parts.len();
        if code {
            html.push_str("<code>");
        } else if at % 2 == 1 {
            html.push('`');
        }
        for c in part.chars() {
            // Writing to a String cannot fail.
            let _ = write_escaped(&mut html, c);
        }
        if code {
            html.push_str("</code>");
        }
    }
    HtmlSafeOutput(html)
}

/// Writes one character as HTML; a direction mark as a chip with its number.
pub fn write_escaped(out: &mut impl fmt::Write, c: char) -> fmt::Result {
    match c {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        '\'' => out.write_str("&#39;"),
        c if is_direction_mark(c) => write!(out, "<b class=\"chip\">{}</b>", code_point(c)),
        c => out.write_char(c),
    }
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_become_markup_or_hide() {
        let text = Foreign::from("<b onclick='x'>\u{202e}niam\"&");
        assert_eq!(
            text.to_string(),
            "&lt;b onclick=&#39;x&#39;&gt;<b class=\"chip\">U+202E</b>niam&quot;&amp;"
        );
        assert_eq!(text.plain(), "<b onclick='x'>U+202Eniam\"&");
    }

    #[test]
    fn names_in_sentences_are_set_as_code() {
        for (text, html) in [
            ("Run `a b`.", "Run <code>a b</code>."),
            ("`<i>` is no name.", "<code>&lt;i&gt;</code> is no name."),
            ("One ` alone", "One ` alone"),
            ("`a` and `b", "<code>a</code> and `b"),
        ] {
            assert_eq!(sentence(text).to_string(), html);
        }
    }
}
