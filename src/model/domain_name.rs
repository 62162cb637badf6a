//! Host names as somebody writes them, and as the DNS has them.

/// Most characters, as the DNS has it.
const LONGEST: usize = 253;

/// What is wrong with a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// It is no host name of two labels at least.
    Format,
    /// It is an address.
    Address,
    /// It has a `*` in another place than its start, or nothing much behind it.
    Wildcard,
}

impl NameProblem {
    /// For people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Format => "A host name, such as `www.example.org`: no scheme, no port, no path.",
            Self::Address => "A host name; an address cannot be a domain.",
            Self::Wildcard => {
                "`*` can only be the first label, before two others at least: `*.example.org`."
            }
        }
    }
}

/// The name in the form of the DNS: lower case, without a dot at its end, letters of other alphabets as `xn--…`.
///
/// # Errors
/// See [`NameProblem`].
pub fn normal(text: &str) -> Result<String, NameProblem> {
    // Longer than any name can be in any alphabet.
    if text.len() > 4 * LONGEST {
        return Err(NameProblem::Format);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let (star, rest) = match text.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text),
    };
    if rest.contains('*') {
        return Err(NameProblem::Wildcard);
    }
    let ascii = idna::domain_to_ascii_strict(rest).map_err(|_| NameProblem::Format)?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    // What ends in a number is read as an IPv4 address by every browser.
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(NameProblem::Address);
    }
    if !ascii.contains('.') {
        return Err(if star.is_empty() { NameProblem::Format } else { NameProblem::Wildcard });
    }
    let name = format!("{star}{ascii}");
    if name.len() > LONGEST { Err(NameProblem::Format) } else { Ok(name) }
}

/// The name as people read it, where that differs: `bücher.example` for `xn--bcher-kva.example`.
pub fn readable(name: &str) -> Option<String> {
    let (text, good) = idna::domain_to_unicode(name.strip_prefix("*.").unwrap_or(name));
    (good.is_ok() && name.contains("xn--")).then_some(text)
}

/// Whether a name is another one, lies below it or above it.
pub fn is_related(name: &str, other: &str) -> bool {
    let below = |name: &str, other: &str| {
        name.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let bare = name.strip_prefix("*.").unwrap_or(name);
    below(bare, other) || below(other, bare)
}

/// The host of what somebody pasted, and whether there was more: `www.example.org` of `HTTPS://www.Example.org/x?y`.
pub fn pasted(text: &str) -> (&str, bool) {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rest,
    };
    (host, host.len() != text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, name) in [
            ("www.example.org", "www.example.org"),
            ("WWW.Example.ORG.", "www.example.org"),
            ("*.Example.org", "*.example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("ｗｗｗ.example.org", "www.example.org"),
            ("a-b.1x.test", "a-b.1x.test"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(name), "{text}");
        }
        assert_eq!(readable("xn--bcher-kva.example").as_deref(), Some("bücher.example"));
        assert_eq!(readable("www.example.org"), None);
    }

    #[test]
    fn what_is_no_name_is_none() {
        use NameProblem::{Address, Format, Wildcard};
        let long = format!("{}.test", "a.".repeat(125));
        let label = format!("{}.test", "a".repeat(64));
        for (text, problem) in [
            ("", Format),
            (".", Format),
            ("localhost", Format),
            ("a..test", Format),
            ("-a.test", Format),
            ("a-.test", Format),
            ("a_b.test", Format),
            ("a.test/x", Format),
            ("a.test:80", Format),
            ("https://a.test", Format),
            ("a.test`) || Host(`b.test", Format),
            ("a.test;id", Format),
            ("a b.test", Format),
            ("a\n.test", Format),
            ("user@a.test", Format),
            ("xn--a.test", Format),
            ("a.test..", Format),
            (&long, Format),
            (&label, Format),
            ("1.2.3.4", Address),
            ("a.0x7f", Address),
            ("a.1", Address),
            ("[::1]", Format),
            ("*", Wildcard),
            ("*.test", Wildcard),
            ("a.*.test", Wildcard),
            ("*.*.a.test", Wildcard),
            ("*a.b.test", Wildcard),
        ] {
            assert_eq!(normal(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn a_pasted_address_is_cut_to_its_host() {
        for (text, host) in [
            ("HTTPS://www.Example.org/x?y", "www.Example.org"),
            (" www.example.org ", "www.example.org"),
            ("http://u:p@a.test:8080#z", "a.test"),
            ("a.test:443", "a.test"),
            ("*.a.test", "*.a.test"),
        ] {
            assert_eq!(pasted(text).0, host, "{text}");
        }
        assert!(!pasted("www.example.org").1 && pasted("www.example.org/").1);
    }

    #[test]
    fn relatives_lie_on_one_line() {
        let base = "apps.example.com";
        for name in [
            "apps.example.com",
            "a.apps.example.com",
            "*.apps.example.com",
            "example.com",
            "*.example.com",
        ] {
            assert!(is_related(name, base), "{name}");
        }
        for name in ["xapps.example.com", "www.example.com", "example.org"] {
            assert!(!is_related(name, base), "{name}");
        }
    }
}
