//! Values the samples of several pages share. Fixed, so that two renders of a sample are the same.

use super::shell::{Account, Notice, Shell};
use super::time::Moment;

/// 23 November 2026, 12:04:02 UTC.
pub const NOW: Moment = Moment(1_795_435_442_000);
/// A minute in milliseconds.
pub const MINUTE: i64 = 60_000;
/// A day in milliseconds.
pub const DAY: i64 = 86_400_000;

/// Ada is signed in.
pub fn shell() -> Shell {
    Shell {
        csrf: "sample-token".to_owned(),
        account: Some(Account {
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.com".to_owned(),
            admin: true,
        }),
        notice: None,
        position: 0,
    }
}

/// Ada has just done something.
pub fn shell_after(notice: Notice) -> Shell {
    Shell { notice: Some(notice), ..shell() }
}
