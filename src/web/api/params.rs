//! Query parameters, read one by one; what nobody read is unknown, and what came twice is refused.

use axum::extract::FromRequestParts;
use http::request::Parts;
use url::form_urlencoded;

use super::include::{Include, Selectable};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;

/// Most unknown parameters that are named; each is compared with all before it.
const NAMED: usize = 50;

/// Parameters that were not read yet, and what was wrong with those that were.
pub struct Params {
    path: String,
    sent: Vec<(String, String)>,
    left: Vec<(String, String)>,
    pub problems: Problems,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let sent: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = parts.uri.path().to_owned();
        Ok(Self { path, left: sent.clone(), sent, problems: Problems::default() })
    }
}

impl Params {
    /// The path, relative to the API's base.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Everything that was sent, in its order.
    pub fn sent(&self) -> &[(String, String)] {
        &self.sent
    }

    /// A parameter as it is.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let found: Vec<_> = self.left.extract_if(.., |(key, _)| key == name).collect();
        if found.len() > 1 {
            self.problems.invalid(name, "duplicate", "Send this parameter once.");
            return None;
        }
        found.into_iter().next().map(|(_, value)| value)
    }

    /// A whole number in a range.
    pub fn number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let text = self.text(name)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problems.invalid(name, "type", "Expected an integer.");
            return None;
        }
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("A number from {least} to {most}.");
            self.problems.invalid(name, "out_of_range", message);
        }
        number
    }

    /// One word of a closed set.
    pub fn word(&mut self, name: &str, allowed: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name)?;
        let known = allowed.iter().find(|word| **word == text).copied();
        if known.is_none() {
            self.problems.unknown_value(name, allowed.iter().copied());
        }
        known
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.word(name, &["true", "false"]).map(|word| word == "true")
    }

    /// A moment.
    pub fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let moment = Timestamp::parse(&text);
        if moment.is_none() {
            let message = "An RFC 3339 date-time, such as 2027-01-01T00:00:00Z.";
            self.problems.invalid(name, "format", message);
        }
        moment
    }

    /// A moment, or how long before `now` it was: `30s`, `15m`, `2h`, `7d`.
    pub fn moment_or_ago(&mut self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let text = self.text(name)?;
        let ago = || {
            let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86400,
                _ => return None,
            };
            let short = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count: i64 = digits.parse().ok().filter(|_| short)?;
            Some(Timestamp(now.0 - count * seconds * 1000))
        };
        let moment = ago().or_else(|| Timestamp::parse(&text));
        if moment.is_none() {
            let message = "An RFC 3339 date-time, or how long ago, such as `15m`, `2h` or `7d`.";
            self.problems.invalid(name, "format", message);
        }
        moment
    }

    /// Several texts with commas between.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Names such as `project.created`, or `project.*` for all that begin like it, with commas between.
    pub fn names(&mut self, name: &str) -> Vec<String> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let names: Vec<_> = text.split(',').map(str::to_owned).collect();
        let plain = |name: &str| {
            name.split('.').all(|part| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            })
        };
        let good = |name: &String| {
            name.len() <= 64 && (plain(name) || name.strip_suffix(".*").is_some_and(plain))
        };
        if names.len() > 50 || !names.iter().all(good) {
            let message = "Names such as `project.created` or `project.*`, with commas between.";
            self.problems.invalid(name, "format", message);
            return Vec::new();
        }
        names
    }

    /// Several words of a closed set with commas between.
    pub fn words<T: Copy>(&mut self, name: &str, all: &[T], word: fn(&T) -> &str) -> Vec<T> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let find = |part: &str| all.iter().find(|value| word(value) == part).copied();
        let words: Option<Vec<T>> = text.split(',').map(find).collect();
        words.unwrap_or_else(|| {
            self.problems.unknown_value(name, all.iter().map(word));
            Vec::new()
        })
    }

    /// `sort=field` or `sort=-field`: the field and whether descending.
    pub fn sort(&mut self, fields: &[&'static str]) -> Option<(String, bool)> {
        let text = self.text("sort")?;
        let (field, descending) = text.strip_prefix('-').map_or((&*text, false), |f| (f, true));
        if !fields.contains(&field) {
            self.problems.unknown_value("sort", fields.iter().copied());
            return None;
        }
        Some((field.to_owned(), descending))
    }

    /// `include=a,b` or `include=*`.
    pub fn include<V: Selectable>(&mut self) -> Include {
        let Some(text) = self.text("include") else { return Include::Given };
        let allowed = || V::MORE.iter().copied().chain(["*"]);
        let find = |part: &str| allowed().find(|field| *field == part);
        match text.split(',').map(find).collect::<Option<Vec<_>>>() {
            Some(names) if names.contains(&"*") => Include::All,
            Some(names) => Include::Named(names),
            None => {
                self.problems.unknown_value("include", allowed());
                Include::Given
            }
        }
    }

    /// Everything that was wrong; parameters that nobody read are unknown.
    pub fn finish(mut self) -> Problems {
        for (name, _) in self.left {
            if self.problems.unknown_params.len() == NAMED {
                break;
            }
            let name: String = name.chars().take(64).collect();
            if !self.problems.unknown_params.contains(&name) {
                self.problems.unknown_params.push(name);
            }
        }
        self.problems
    }
}
