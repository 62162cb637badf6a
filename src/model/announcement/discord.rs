//! The body of Discord's "Execute Webhook" (docs.discord.com, Webhook resource): one embed, and nobody is mentioned.

use serde_json::{Value, json};

use super::{Announcement, Tone, one_line};

/// Longest title, and longest value of a field, in characters; an embed has 25 fields and 6,000 characters at most.
const TITLE: usize = 256;
const VALUE: usize = 1_024;
const FIELDS: usize = 12;

/// The body.
pub(super) fn body(told: &Announcement) -> Value {
    let color = match told.tone {
        Tone::Good => 0x2e_a0_43,
        Tone::Bad => 0xda_36_33,
        Tone::Plain => 0x6e_77_81,
    };
    let field = |(label, value): &(String, String)| json!({ "name": escaped(label, TITLE), "value": escaped(value, VALUE), "inline": value.len() < 40 });
    let fields: Vec<_> = told.lines.iter().take(FIELDS).map(field).collect();
    let mut embed = json!({
        "title": escaped(&told.title(), TITLE), "color": color, "fields": fields, "timestamp": told.at,
        "footer": { "text": format!("{} · {}", told.event, told.event_id) },
    });
    if let Some(link) = &told.link {
        embed["url"] = link.as_str().into();
    }
    json!({ "content": "", "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// Somebody's text, of which Markdown is told to read nothing: a backslash before every character that could be a mark.
fn escaped(text: &str, longest: usize) -> String {
    // What is escaped is twice as long at most.
    let mut safe = String::new();
    for c in one_line(text, longest / 2).chars() {
        if c.is_ascii_punctuation() {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
