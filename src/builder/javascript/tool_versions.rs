//! Versions of tools as they may stand in a command: named by the settings, or pinned by an earlier build.

use super::super::version_files::Asked;
use super::super::{DetectError, Project};

/// The longest version that is looked at, in bytes.
const LONGEST: usize = 60;

/// The version that the settings name, as it may stand in a command; it is used or refused.
pub(super) fn named(project: &Project<'_>, name: &str) -> Result<Option<Asked>, DetectError> {
    match project.overrides.named(name) {
        Some((version, source)) if is_number(version) || is_exact(version) => {
            Ok(Some(Asked::new(version, source)))
        }
        Some((version, source)) => Err(DetectError::Invalid(format!(
            "`{}` ({source}) is no version of {name}.",
            shown(version)
        ))),
        None => Ok(None),
    }
}

/// The version that an earlier deployment of the project resolved, when it is written as one.
pub(super) fn pinned<'a>(project: &'a Project<'_>, name: &str) -> Option<&'a str> {
    project.overrides.pinned(name).filter(|version| is_number(version) || is_exact(version))
}

/// Where a version is from that nobody asked for.
pub(super) const DEFAULT: &str = "the default";

/// `10`, `10.2` or `10.2.3`.
pub(super) fn is_number(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let digits =
        |part: &&str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(digits)
}

/// A version with all its numbers, and perhaps one before its release: `10.2.3-rc.1`.
pub(super) fn is_exact(text: &str) -> bool {
    let (number, early) =
        text.split_once('-').map_or((text, None), |(number, early)| (number, Some(early)));
    let plain = |early: &str| {
        !early.is_empty()
            && early.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    text.len() <= LONGEST
        && is_number(number)
        && number.matches('.').count() == 2
        && early.is_none_or(plain)
}

/// A text of a user's file as it may be shown in a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`').take(LONGEST).collect()
}
