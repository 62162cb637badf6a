//! An event as people read it: a headline and lines, written from what was there when it happened. What it looks like
//! in a chat or a mail is a file of its own.

pub mod discord;
pub mod mail;
pub mod slack;

use serde_json::Value;

use super::deployment::Commit;
use super::event::Event;
use super::event_type;
use super::webhook::Format;

/// Longest value of a line, in characters.
const LONGEST: usize = 300;
/// Most names of a list that are told.
const MOST_NAMES: usize = 10;

/// How a headline is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Plain,
}

/// What an event is about, beyond its data.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The project's name.
    pub project: Option<String>,
    pub commit: Option<Commit>,
    pub branch: Option<String>,
}

/// An event for people. No text has a line break or another control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// `Deployment failed`.
    pub headline: String,
    pub tone: Tone,
    /// The project's name.
    pub project: Option<String>,
    /// Labels of ours and values that may be anybody's.
    pub lines: Vec<(String, String)>,
    /// Where to look; an address of ours.
    pub link: Option<String>,
    /// When it happened: `2024-01-20T16:30:00Z`.
    pub at: String,
    pub event: String,
    pub event_id: String,
}

impl Announcement {
    /// Tells an event.
    pub fn of(event: &Event, subject: &Subject) -> Self {
        let data = event.data.as_object();
        let text = |key: &str| data.and_then(|data| data.get(key)).and_then(Value::as_str);
        let (headline, tone) = headline(&event.event);
        let mut lines = Vec::new();
        if let Some(commit) = &subject.commit {
            let sha: String = commit.sha.chars().take(7).collect();
            let message = commit.message.lines().next().unwrap_or_default();
            lines.push(("Commit".to_owned(), one_line(&format!("{sha} {message}"), LONGEST)));
            lines.push(("Author".to_owned(), one_line(&commit.author, LONGEST)));
        }
        if let Some(branch) = &subject.branch {
            lines.push(("Branch".to_owned(), one_line(branch, LONGEST)));
        }
        for (key, value) in data.into_iter().flatten() {
            let value = match value {
                // What is known by its name, or is a link.
                _ if matches!(key.as_str(), "project_id" | "name" | "url") => continue,
                Value::Object(inner) => {
                    let part = |key: &str| inner.get(key).and_then(Value::as_str);
                    part("message").or_else(|| part("code")).unwrap_or_default().to_owned()
                }
                Value::Array(items) => {
                    let names = items.iter().filter_map(Value::as_str);
                    names.take(MOST_NAMES).collect::<Vec<_>>().join(", ")
                }
                Value::String(text) => text.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            let value = one_line(&value, LONGEST);
            if !value.is_empty() {
                lines.push((label(key), value));
            }
        }
        let project = subject.project.as_deref().or_else(|| text("name"));
        Self {
            headline,
            tone,
            project: project.map(|name| one_line(name, LONGEST)),
            lines,
            link: text("url").filter(|url| is_link(url)).map(str::to_owned),
            at: event.created_at.to_string(),
            event: event.event.to_string(),
            event_id: event.id.to_string(),
        }
    }

    /// What is sent in this format; `None` where the event itself is.
    pub fn body(&self, format: Format) -> Option<String> {
        match format {
            Format::Orbitra => None,
            Format::Slack => Some(slack::body(self).to_string()),
            Format::Discord => Some(discord::body(self).to_string()),
            Format::Email => Some(mail::body(self).to_string()),
        }
    }

    /// `shop: Deployment failed`.
    pub fn title(&self) -> String {
        match &self.project {
            Some(project) => format!("{project}: {}", self.headline),
            None => self.headline.clone(),
        }
    }
}

/// What is said first.
fn headline(event: &str) -> (String, Tone) {
    let (headline, tone) = match event {
        "deployment.created" => ("Deployment began", Tone::Plain),
        "deployment.succeeded" => ("Deployment succeeded", Tone::Good),
        "deployment.failed" => ("Deployment failed", Tone::Bad),
        "deployment.canceled" => ("Deployment canceled", Tone::Plain),
        "deployment.crashed" => ("Deployment crashed", Tone::Bad),
        "deployment.recovered" => ("Deployment runs again", Tone::Good),
        "deployment.promoted" => ("Deployment promoted", Tone::Good),
        "deployment.rolled_back" => ("Deployment rolled back", Tone::Bad),
        "domain.certificate.failed" => ("Certificate failed", Tone::Bad),
        "domain.certificate.expiring" => ("Certificate runs out", Tone::Bad),
        "domain.certificate.revoked" => ("Certificate revoked", Tone::Bad),
        "system.disk.low" => ("The server's disk is nearly full", Tone::Bad),
        "system.engine.down" => ("The container engine does not answer", Tone::Bad),
        "webhook.disabled" => ("Webhook disabled", Tone::Bad),
        "webhook.ping" => ("Hello from Orbitra", Tone::Good),
        other => {
            let known = event_type::ALL.iter().find(|known| known.name == other);
            let when = known.map_or(other, |known| known.when.trim_end_matches('.'));
            return (when.replace('`', ""), Tone::Plain);
        }
    };
    (headline.to_owned(), tone)
}

/// `exit_code` for people: `Exit code`.
fn label(key: &str) -> String {
    let key = key.strip_suffix("_id").unwrap_or(key).replace('_', " ");
    let mut letters = key.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// An address that can stand in a message as it is.
fn is_link(text: &str) -> bool {
    let begins = text.starts_with("https://") || text.starts_with("http://");
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?&=%".contains(&byte);
    begins && text.len() <= 500 && text.bytes().all(harmless)
}

/// A text on one line: control characters, and those that turn the direction of what follows, are left out.
pub fn one_line(text: &str, longest: usize) -> String {
    let unwanted = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let clean: String = text
        .chars()
        .filter(|c| !unwanted(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > longest {
        words = words.chars().take(longest - 1).collect();
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests;
