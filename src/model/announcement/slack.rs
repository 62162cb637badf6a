//! The body of an incoming webhook of Slack (docs.slack.dev, "Sending messages using incoming webhooks" and "Block Kit"):
//! `text` for notifications, and blocks.

use serde_json::{Value, json};

use super::{Announcement, Tone};

/// Longest text of a section, in characters, is 3,000; of a header 150.
const HEADER: usize = 150;
const SECTION: usize = 3_000;

/// The body.
pub(super) fn body(told: &Announcement) -> Value {
    let mark = match told.tone {
        Tone::Good => "✅ ",
        Tone::Bad => "❌ ",
        Tone::Plain => "",
    };
    let title: String = format!("{mark}{}", told.title()).chars().take(HEADER).collect();
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for (label, value) in &told.lines {
        let line = format!("*{}:* {}", escaped(label), code(value));
        length += line.chars().count() + 1;
        if length > SECTION - 600 {
            break;
        }
        lines.push(line);
    }
    if let Some(link) = &told.link {
        // An address holds none of `<`, `>`, `|`; an ampersand is written out.
        lines.push(format!("<{}>", escaped(link)));
    }
    let mut blocks = vec![json!({
        "type": "header", "text": { "type": "plain_text", "text": title, "emoji": false },
    })];
    if !lines.is_empty() {
        blocks.push(json!({
            "type": "section", "text": { "type": "mrkdwn", "text": lines.join("\n"), "verbatim": true },
        }));
    }
    let context = format!("{} · {} · {}", told.event, told.event_id, told.at);
    blocks.push(json!({
        "type": "context", "elements": [{ "type": "mrkdwn", "text": escaped(&context), "verbatim": true }],
    }));
    json!({ "text": escaped(&told.title()), "blocks": blocks })
}

/// The three characters that Slack reads as its own ("Formatting text for app surfaces"): mentions and links begin with
/// one of them.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Somebody's text, in which nothing else is read: between backticks, of which it has none itself.
fn code(text: &str) -> String {
    format!("`{}`", escaped(&text.replace('`', "'")))
}
