//! A repository for which no plan can be made.

use super::{Cause, Diagnosis};

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No file tells what this is.
    Nothing,
    /// It is known what this is, and it cannot be built.
    Unsupported,
    /// A setting or a file is wrong.
    Invalid,
    /// The files cannot be read, such as a directory that is not there.
    Unreadable,
}

/// What to do about it.
pub fn refused(refusal: Refusal) -> Diagnosis {
    match refusal {
        Refusal::Nothing => Diagnosis::new(
            Cause::NothingToBuild,
            "Add a `Dockerfile`, a `package.json` with a `start` script, or an `index.html`. When the \
             application is in a directory of its own, set it as the project's root directory.",
        ),
        Refusal::Unsupported => Diagnosis::new(
            Cause::BuildUnsupported,
            "Add a `Dockerfile`: what it builds is run, whatever the language.",
        ),
        Refusal::Invalid => Diagnosis::new(
            Cause::SettingInvalid,
            "Correct the setting or the file that the message names, and deploy again.",
        ),
        Refusal::Unreadable => Diagnosis::new(
            Cause::SourceUnreadable,
            "Check the project's root directory: it must be in the repository as it is written.",
        ),
    }
}
