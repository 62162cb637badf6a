//! What the fields of a webhook must be.

use url::Url;

use crate::crypto::webhook_secret::WebhookSecret;
use crate::egress::{Policy, address};
use crate::model::event_type::{choices, is_choice};
use crate::model::mail;
use crate::model::problems::Problems;
use crate::model::suggest::nearest;
use crate::model::webhook::Format;

/// Most names a webhook chooses.
const MOST_EVENTS: usize = 50;
/// Longest description, in characters.
const DESCRIPTION: usize = 500;

/// The address, as it is sent to.
pub(super) fn url(
    text: &str,
    format: Format,
    policy: &Policy,
    problems: &mut Problems,
) -> Option<Url> {
    if format == Format::Email {
        let url = mail::mailto(text).and_then(|to| Url::parse(&format!("mailto:{to}")).ok());
        if url.is_none() {
            let message = "One plain address: `mailto:ops@example.com`.";
            problems.invalid("url", "format", message);
        }
        return url;
    }
    match policy.web_url(text) {
        Ok(url) => Some(url),
        Err(refused) => {
            problems.invalid("url", refused.code, refused.message);
            None
        }
    }
}

/// The address as lists and logs show it.
pub(super) fn shown(url: &Url, format: Format) -> String {
    if format.has_secret_path() { address::origin(url) } else { address::masked(url) }
}

/// The names it is told of, each once, in the order they were sent.
pub(super) fn events(sent: Vec<String>, problems: &mut Problems) -> Vec<String> {
    if sent.is_empty() {
        problems.invalid("events", "too_short", "Choose one event at least.");
    }
    if sent.len() > MOST_EVENTS {
        problems.invalid("events", "too_long", format!("At most {MOST_EVENTS} names."));
        return Vec::new();
    }
    names("events", sent, problems)
}

/// Names of events in any field.
pub(super) fn names(
    field: &'static str,
    sent: Vec<String>,
    problems: &mut Problems,
) -> Vec<String> {
    let mut chosen = Vec::new();
    for name in sent {
        if !is_choice(&name) {
            let all = choices();
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            let short: String = name.chars().take(64).collect();
            let message = format!("There is no event `{short}`. `GET /event-types` lists them.");
            problems.invalid(field, "unknown_value", message).suggestion =
                nearest(&short, &known).map(str::to_owned);
            return Vec::new();
        }
        if !chosen.contains(&name) {
            chosen.push(name);
        }
    }
    chosen
}

/// A note for people; blanks alone are none.
pub(super) fn description(text: &str, problems: &mut Problems) -> Option<String> {
    let text = text.trim();
    problems.length("description", text, 0, DESCRIPTION);
    (!text.is_empty()).then(|| text.to_owned())
}

/// A secret somebody brings along. It is not part of any message.
pub(super) fn secret(text: &str, problems: &mut Problems) -> Option<WebhookSecret> {
    let secret = WebhookSecret::parse(text);
    if secret.is_none() {
        let message = "`whsec_` and base64 of 24 to 64 bytes.";
        problems.invalid("secret", "format", message);
    }
    secret
}
