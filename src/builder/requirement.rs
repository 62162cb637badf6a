//! Version requirements as Composer, Bundler, Mix, Go and others write them, compared by series (`8.3`): which patch it
//! is does not decide on a base image.

/// Longest requirement that is read, in bytes.
const LONGEST: usize = 200;

/// A version that is named, with as many numbers as were given: `8`, `8.3`, `8.3.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number(pub Vec<u64>);

impl Number {
    /// Reads `3.3.1`, `v20`, `ruby-3.3.1`, `temurin-21.0.2+13`, `25-ea`: what stands before the first digit and after
    /// the numbers does not count.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let before = &text[..start];
        let named = before.is_empty()
            || before == "v"
            || before.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        // `3.3.1p55`, `8.3-rc1`, `1.18-otp-27`, `8.0.*`; but not `8/../x` or `8 evil`.
        let after = &rest[end..];
        let clean = after.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+*".contains(c));
        let numbers: Option<Vec<u64>> = rest[..end]
            .trim_end_matches('.')
            .split('.')
            .map(|part| part.parse().ok().filter(|number| *number < 100_000))
            .collect();
        numbers.filter(|numbers| named && clean && numbers.len() <= 4).map(Self)
    }

    pub fn series(&self) -> (u64, u64) {
        (self.0[0], self.0.get(1).copied().unwrap_or(0))
    }

    /// The first numbers, as images are tagged.
    pub fn text(&self, parts: usize) -> String {
        let numbers: Vec<String> = self.0.iter().take(parts).map(u64::to_string).collect();
        numbers.join(".")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Is,
    Not,
    AtLeast,
    Above,
    Below,
    AtMost,
    /// `^8.1`: up to the next major version.
    Major,
    /// `~> 3.2`, `~8.1.2`: the last number given may grow.
    Last,
}

/// Alternatives of comparisons that must all hold.
#[derive(Clone, Debug)]
pub(super) struct Requirement(Vec<Vec<(Operator, Number, bool)>>);

impl Requirement {
    /// `None` when it is not understood.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let text = text.replace("||", "|").replace(" or ", "|").replace(" and ", ",");
        let alternatives: Option<Vec<_>> = text.split('|').map(Self::all).collect();
        alternatives.map(Self)
    }

    fn all(text: &str) -> Option<Vec<(Operator, Number, bool)>> {
        if let Some((low, high)) = text.split_once(" - ") {
            let (low, high) = (Number::parse(low)?, Number::parse(high)?);
            return Some(vec![(Operator::AtLeast, low, false), (Operator::AtMost, high, false)]);
        }
        let mut glued = String::new();
        for c in text.trim().chars() {
            if !(c.is_whitespace() && glued.ends_with(['>', '<', '=', '^', '~', '!'])) {
                glued.push(c);
            }
        }
        let parts = glued.split([' ', ',', '\t']).filter(|part| !part.is_empty());
        let list: Option<Vec<_>> = parts.map(Self::comparison).collect();
        list.filter(|list| !list.is_empty())
    }

    fn comparison(text: &str) -> Option<(Operator, Number, bool)> {
        let rest = text.trim_start_matches(['>', '<', '=', '^', '~', '!']);
        let operator = match &text[..text.len() - rest.len()] {
            "" | "=" | "==" => Operator::Is,
            "!=" => Operator::Not,
            ">=" => Operator::AtLeast,
            ">" => Operator::Above,
            "<" => Operator::Below,
            "<=" => Operator::AtMost,
            "^" => Operator::Major,
            "~" | "~>" => Operator::Last,
            _ => return None,
        };
        if rest == "*" {
            return Some((Operator::AtLeast, Number(vec![0]), true));
        }
        let open = rest.ends_with(".*") || rest.ends_with(".x");
        let rest = rest.trim_end_matches(".*").trim_end_matches(".x");
        Some((operator, Number::parse(rest)?, open))
    }

    /// The one version that is meant, when it is no range.
    pub fn exact(&self) -> Option<&Number> {
        match self.0.as_slice() {
            [all] => match all.as_slice() {
                [(Operator::Is, number, false)] => Some(number),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a version of this series can meet it.
    pub fn allows(&self, series: (u64, u64)) -> bool {
        self.0.iter().any(|all| {
            all.iter().all(|(operator, number, _)| {
                let (wanted, patch) = (number.series(), number.0.len() > 2);
                match operator {
                    Operator::Is if number.0.len() == 1 => series.0 == wanted.0,
                    Operator::Is => series == wanted,
                    Operator::Not => number.0.len() != 2 || series != wanted,
                    Operator::AtLeast | Operator::Above => series >= wanted,
                    Operator::AtMost => series <= wanted,
                    Operator::Below if patch => series <= wanted,
                    Operator::Below => series < wanted,
                    Operator::Major => series >= wanted && series.0 == wanted.0,
                    Operator::Last if patch => series == wanted,
                    Operator::Last => series >= wanted && series.0 == wanted.0,
                }
            })
        })
    }

    /// The first version that is named.
    pub fn first(&self) -> Option<&Number> {
        self.0.first().and_then(|all| all.first()).map(|(_, number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_of_all_dialects() {
        for (text, series, expected) in [
            ("^8.1", (8, 4), true),
            ("^8.1", (9, 0), false),
            ("^8.1 || ^9.0", (9, 2), true),
            ("^8.1|^8.2", (8, 1), true),
            ("~8.1.0", (8, 2), false),
            ("~> 3.2", (3, 4), true),
            ("~> 3.2.1", (3, 3), false),
            (">= 3.1, < 3.4", (3, 3), true),
            (">= 3.1, < 3.4", (3, 4), false),
            (">=8.0 <8.3.5", (8, 3), true),
            ("8.2.*", (8, 2), true),
            ("8.2.*", (8, 3), false),
            ("8", (8, 3), true),
            ("1.14 - 1.16", (1, 15), true),
            ("~> 1.14 and != 1.16", (1, 16), false),
            ("*", (7, 4), true),
            ("<= 3.3", (3, 3), true),
            ("> 3.3", (3, 2), false),
        ] {
            assert_eq!(Requirement::parse(text).unwrap().allows(series), expected, "{text}");
        }
        for text in ["", "evil", "8;rm", "=>8", "8/../9", "$(id)", "8\n9;x", "1.2.3.4.5"] {
            assert!(Requirement::parse(text).is_none(), "{text}");
        }
        assert!(Requirement::parse(&"8|".repeat(200)).is_none());
    }

    #[test]
    fn numbers_in_their_spellings() {
        for (text, expected) in [
            ("3.3.1", "3.3.1"),
            ("ruby-3.3.1", "3.3.1"),
            ("go1.23.4", "1.23.4"),
            ("temurin-21.0.2+13", "21.0.2"),
            ("3.3.1p55", "3.3.1"),
            ("1.18.3-otp-27", "1.18.3"),
        ] {
            assert_eq!(Number::parse(text).unwrap().text(3), expected);
        }
        for text in ["", "x", "1..2", "99999999999999999999", "1.2'; x"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
