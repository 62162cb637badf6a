//! Which version of a language's runtime a project is built with, and what says so.

use super::requirement::{Number, Requirement};
use super::version_files::Asked;
use super::{DetectError, Project};
use crate::model::build_plan::{PINNED, Version};

/// A language's runtime.
pub(super) struct Runtime {
    /// Name in plans and pins, such as `ruby`.
    pub name: &'static str,
    /// What it is called in messages.
    pub title: &'static str,
    /// Series that have an image, the preferred ones first; the first one is the default.
    pub known: &'static [(u64, u64)],
    pub oldest: (u64, u64),
    /// How many numbers an image is chosen by: 1 for `21`, 3 for `3.3.1`.
    pub parts: usize,
}

impl Runtime {
    /// The version in numbers and dots only. What the settings name counts more than what the project's files ask for;
    /// one that is exact wins, then the pinned one, if it may be used.
    pub fn resolve(
        &self,
        project: &Project<'_>,
        asked: Option<Asked>,
    ) -> Result<Version, DetectError> {
        let named = project.overrides.named(self.name);
        let asked = named.map(|(version, source)| Asked::new(version, source)).or(asked);
        let pinned = project.overrides.pinned(self.name).and_then(Number::parse);
        let newest = |text: &str| matches!(text, "latest" | "stable" | "current" | "system" | "");
        let Some(Asked { text, source }) = asked.filter(|asked| !newest(asked.text.trim())) else {
            return Ok(match pinned {
                Some(pinned) => self.version(&pinned, PINNED),
                None => self.version(&self.number(self.known[0]), "the default"),
            });
        };
        let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
        let Some(requirement) = Requirement::parse(text.trim()) else {
            return Err(DetectError::Invalid(format!(
                "`{shown}` ({source}) is no version of {} that is understood.",
                self.title
            )));
        };
        let whole = requirement.exact().filter(|number| number.0.len() >= self.parts.min(2));
        let chosen = match (whole, pinned) {
            (Some(exact), _) => exact.clone(),
            (None, Some(pinned)) if requirement.allows(pinned.series()) => {
                return Ok(self.version(&pinned, PINNED));
            }
            (None, _) => {
                let known = self.known.iter().find(|series| requirement.allows(**series));
                match (known, requirement.first()) {
                    (Some(series), _) => self.number(*series),
                    (None, Some(first)) => first.clone(),
                    (None, None) => self.number(self.known[0]),
                }
            }
        };
        if chosen.series() < self.oldest {
            return Err(DetectError::Unsupported(format!(
                "{} {shown} ({source}) is too old: versions from {} on can be built.",
                self.title,
                self.number(self.oldest).text(self.parts)
            )));
        }
        Ok(self.version(&chosen, &source))
    }

    fn number(&self, series: (u64, u64)) -> Number {
        Number(if self.parts == 1 { vec![series.0] } else { vec![series.0, series.1] })
    }

    fn version(&self, number: &Number, source: &str) -> Version {
        Version {
            name: self.name.to_owned(),
            version: number.text(self.parts),
            source: source.to_owned(),
        }
    }
}
