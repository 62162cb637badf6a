//! `_redirects` and `_headers` of a static site, as users of Netlify know them.
//!
//! Source: Netlify's documentation of redirects and custom headers. Not supported, and said so when a site is published:
//! rewrites to other hosts, and conditions on country, language, cookie or role.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Largest file that is read, in bytes, and most rules of each kind.
pub const FILE_LIMIT: u64 = 64 * 1024;
const MOST_RULES: usize = 1000;
const MOST_WARNINGS: usize = 20;

/// What a segment of a path cannot hold as it is.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Fields that the server alone knows; a site cannot set them.
const OWN_FIELDS: [&str; 14] = [
    "accept-ranges",
    "age",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "keep-alive",
    "location",
    "server",
    "trailer",
    "transfer-encoding",
];

/// Whether a file of this name may have compressed siblings: it is not compressed already.
pub fn is_compressible(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(
        extension,
        "html"
            | "htm"
            | "css"
            | "js"
            | "mjs"
            | "json"
            | "map"
            | "svg"
            | "txt"
            | "xml"
            | "wasm"
            | "webmanifest"
            | "ico"
            | "ttf"
            | "otf"
            | "md"
            | "csv"
    )
}

/// The rules of one site, in the order of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteRules {
    redirects: Vec<Redirect>,
    headers: Vec<HeaderRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Redirect {
    from: Vec<Segment>,
    /// Whether anything may follow.
    splat: bool,
    query: Vec<(String, Segment)>,
    to: String,
    status: u16,
    /// Also when there is a file.
    force: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Placeholder(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HeaderRule {
    /// A path in which `*` stands for anything and `:name` for a segment.
    path: String,
    fields: Vec<(String, String)>,
}

/// What a redirect does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client is sent elsewhere.
    Moved { status: u16, location: String },
    /// Another path's file answers, with this status.
    File { status: u16, path: String },
}

impl SiteRules {
    /// Reads both files. Lines that cannot be used are left out and named in the warnings.
    pub fn parse(redirects: &str, headers: &str) -> (Self, Vec<String>) {
        let mut warnings = Warnings(Vec::new());
        let rules = Self {
            redirects: parse_redirects(redirects, &mut warnings),
            headers: parse_headers(headers, &mut warnings),
        };
        (rules, warnings.0)
    }

    /// What is done for a path (decoded segments) and its query; `forced` asks for the rules that hold even where there
    /// is a file.
    pub fn redirect(&self, path: &[String], query: Option<&str>, forced: bool) -> Option<Outcome> {
        self.redirects
            .iter()
            .filter(|rule| rule.force || !forced)
            .find_map(|rule| rule.apply(path, query))
    }

    /// Fields for the answers of a path, in order; a name may come more than once.
    pub fn fields<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let matching: Vec<_> = self
            .headers
            .iter()
            .filter(|rule| glob(rule.path.as_bytes(), path.as_bytes()))
            .collect();
        matching
            .into_iter()
            .flat_map(|rule| rule.fields.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Redirect {
    fn apply(&self, path: &[String], query: Option<&str>) -> Option<Outcome> {
        if path.len() < self.from.len() || path.len() > self.from.len() && !self.splat {
            return None;
        }
        let mut values: Vec<(&str, String)> = Vec::new();
        for (wanted, sent) in self.from.iter().zip(path) {
            bind(wanted, sent, &mut values)?;
        }
        for (name, wanted) in &self.query {
            let mut sent = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
            let (_, value) = sent.find(|(key, _)| key == name)?;
            bind(wanted, &value, &mut values)?;
        }
        let rest: Vec<_> = path[self.from.len()..].iter().map(|part| encode(part)).collect();
        values.push(("splat", rest.join("/")));
        let mut target = String::with_capacity(self.to.len());
        for (index, part) in self.to.split('/').enumerate() {
            if index > 0 {
                target.push('/');
            }
            target.push_str(&fill(part, &values));
        }
        if matches!(self.status, 200 | 404) {
            return Some(Outcome::File { status: self.status, path: target });
        }
        if let Some(query) = query.filter(|_| self.query.is_empty() && !target.contains('?')) {
            target = format!("{target}?{query}");
        }
        Some(Outcome::Moved { status: self.status, location: target })
    }
}

/// Compares a part of a path or the value of a parameter; a placeholder takes it.
fn bind<'a>(wanted: &'a Segment, sent: &str, values: &mut Vec<(&'a str, String)>) -> Option<()> {
    match wanted {
        Segment::Literal(text) => (text == sent).then_some(()),
        Segment::Placeholder(name) => {
            values.push((name, encode(sent)));
            Some(())
        }
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A part of a target with its placeholders replaced.
fn fill(part: &str, values: &[(&str, String)]) -> String {
    let mut text = part.to_owned();
    // The longest name first, so that `:id` does not eat a part of `:idea`.
    let mut known: Vec<_> = values.iter().collect();
    known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    if !part.contains(':') {
        return text;
    }
    for (name, value) in known {
        text = text.replace(&format!(":{name}"), value);
    }
    text
}

struct Warnings(Vec<String>);

impl Warnings {
    fn add(&mut self, file: &str, line: usize, what: &str) {
        if self.0.len() < MOST_WARNINGS {
            self.0.push(format!("{file}, line {line}: {what} The line is not used."));
        }
    }
}

fn parse_redirects(text: &str, warnings: &mut Warnings) -> Vec<Redirect> {
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if rules.len() == MOST_RULES {
            warnings.add("_redirects", index + 1, "There are more than 1,000 rules.");
            break;
        }
        match parse_redirect(line) {
            Ok(rule) => rules.push(rule),
            Err(what) => warnings.add("_redirects", index + 1, what),
        }
    }
    rules
}

fn parse_redirect(line: &str) -> Result<Redirect, &'static str> {
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err("It holds control characters.");
    }
    let mut words = line.split_whitespace();
    let from = words.next().unwrap_or_default();
    let mut query = Vec::new();
    let mut to = None;
    for word in words.by_ref() {
        match word.split_once('=') {
            Some((name, value)) if !word.starts_with('/') && !word.contains("://") => {
                query.push((name.to_owned(), segment(value)));
            }
            _ => {
                to = Some(word);
                break;
            }
        }
    }
    let to = to.ok_or("It has no target.")?;
    let (status, force) = match words.next() {
        None => (301, false),
        Some(word) => {
            let (digits, force) = word.strip_suffix('!').map_or((word, false), |d| (d, true));
            (digits.parse().map_err(|_| "Its status is not a number.")?, force)
        }
    };
    if words.next().is_some() {
        return Err("Conditions are not supported.");
    }
    if !matches!(status, 200 | 301 | 302 | 303 | 307 | 308 | 404) {
        return Err("The status must be 200, 301, 302, 303, 307, 308 or 404.");
    }
    let local = to.starts_with('/') && !to.starts_with("//") && !to.contains('\\');
    let elsewhere = to.starts_with("https://") || to.starts_with("http://");
    if !local && !elsewhere || !to.is_ascii() {
        return Err("The target must be a path that starts with `/`, or an http(s) URL.");
    }
    if !local && matches!(status, 200 | 404) {
        return Err("Rewrites to another host are not supported.");
    }
    let path = from.strip_prefix('/').ok_or("A path starts with `/`.")?;
    let (path, splat) = match path.strip_suffix('*') {
        Some(path) if path.is_empty() || path.ends_with('/') => (path, true),
        Some(_) => return Err("`*` must be the last part of the path."),
        None => (path, false),
    };
    if path.contains('*') {
        return Err("`*` must be the last part of the path.");
    }
    let from = path.split('/').filter(|part| !part.is_empty()).map(segment).collect();
    Ok(Redirect { from, splat, query, to: to.to_owned(), status, force })
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix(':') {
        Some(name)
            if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
        {
            Segment::Placeholder(name.to_owned())
        }
        _ => Segment::Literal(percent_decode_str(text).decode_utf8_lossy().into_owned()),
    }
}

fn parse_headers(text: &str, warnings: &mut Warnings) -> Vec<HeaderRule> {
    let mut rules: Vec<HeaderRule> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if !indented {
            if rules.len() == MOST_RULES {
                warnings.add("_headers", index + 1, "There are more than 1,000 rules.");
                break;
            }
            if !trimmed.starts_with('/') {
                warnings.add("_headers", index + 1, "A path starts with `/`.");
            }
            rules.push(HeaderRule { path: trimmed.to_owned(), fields: Vec::new() });
            continue;
        }
        let field = trimmed.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        match (field, rules.last_mut()) {
            (Some((name, value)), Some(rule)) => match check_field(name, value) {
                Ok(()) => rule.fields.push((name.to_ascii_lowercase(), value.to_owned())),
                Err(what) => warnings.add("_headers", index + 1, what),
            },
            (None, _) => warnings.add("_headers", index + 1, "A field is `Name: value`."),
            (_, None) => warnings.add("_headers", index + 1, "There is no path above it."),
        }
    }
    rules
}

fn check_field(name: &str, value: &str) -> Result<(), &'static str> {
    let token = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !token {
        return Err("This is no name of a field.");
    }
    if OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err("This field is set by the server.");
    }
    let plain = value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
    if !plain || value.len() > 8192 {
        return Err("A value is at most 8,192 printable ASCII characters.");
    }
    Ok(())
}

/// Whether a path fits a pattern in which `*` stands for anything and `:name` for a segment. Takes time proportional to
/// the product of both lengths at worst.
fn glob(pattern: &[u8], path: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < path.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&b':')
            && p > 0
            && pattern[p - 1] == b'/'
            && path[t] != b'/'
        {
            p += pattern[p..].iter().take_while(|b| **b != b'/').count();
            t += path[t..].iter().take_while(|b| **b != b'/').count();
        } else if pattern.get(p) == Some(&path[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after, at)) = back {
            back = Some((after, at + 1));
            (p, t) = (after, at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests;
