//! The subject and the text of a mail. Who sends it to whom, and how both are encoded, is decided when it is sent.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Announcement, one_line};

/// Longest subject, in characters.
const SUBJECT: usize = 150;

/// What is stored of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines of plain text.
    pub text: String,
}

/// A [`Letter`].
pub(super) fn body(told: &Announcement) -> Value {
    let title = told.title();
    let mut text = format!("{title}\n\n");
    for (label, value) in &told.lines {
        text.push_str(&format!("{label}: {value}\n"));
    }
    if let Some(link) = &told.link {
        text.push_str(&format!("\n{link}\n"));
    }
    text.push_str(&format!(
        "\n-- \n{} at {}\n{}\nSent by Orbitra because a webhook of your team says so.\n",
        told.event, told.at, told.event_id
    ));
    json!({ "subject": one_line(&format!("[Orbitra] {title}"), SUBJECT), "text": text })
}
