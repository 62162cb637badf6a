//! `/dashboard/webhooks/{id}`: one webhook, what was sent to it, and what can be done with it.

use askama::Template;

use super::delivery::{self, DeliveryRow};
use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::snippets::{self, Snippet};
use super::time::Moment;
use super::webhooks::{Standing, WebhookForm, word};
use crate::model::delivery::DeliveryStatus;
use crate::model::ids::DeliveryId;
use crate::model::webhook::Format;

/// The page. A secret is shown once, on the page that follows what made it.
#[derive(Template)]
#[template(path = "webhook.html", blocks = ["standing", "deliveries"])]
pub struct WebhookPage {
    pub shell: Shell,
    pub id: String,
    /// Without its query.
    pub address: String,
    pub format: Format,
    pub standing: Standing,
    pub description: Option<String>,
    /// The end of its secret.
    pub hint: String,
    /// Until when the secret before signs as well.
    pub previous_until: Option<Moment>,
    pub created: Option<String>,
    /// When the address of mail was asked, and until when it can answer.
    pub asked: Option<(Moment, Moment)>,
    pub deliveries: Vec<DeliveryRow>,
    /// Which of them.
    pub chosen: Chosen,
    /// Deliveries beyond those that are shown.
    pub older: u64,
    /// Deliveries since the page was shown.
    pub unseen: u64,
    pub form: WebhookForm,
    pub errors: Errors,
}

/// From when on events are sent again: value and word.
pub const SINCE: [(&str, &str); 4] = [
    ("hour", "the last hour"),
    ("day", "the last 24 hours"),
    ("week", "the last 7 days"),
    ("month", "the last 30 days"),
];

/// States to choose from: what stands in the address, its word, and what it is for the database.
const STATES: [(&str, &str, &[DeliveryStatus]); 5] = [
    ("", "All", &[]),
    ("failed", "Failed", &[DeliveryStatus::Failed]),
    ("waiting", "Waiting", &[DeliveryStatus::Pending, DeliveryStatus::Retrying]),
    ("delivered", "Delivered", &[DeliveryStatus::Succeeded]),
    ("canceled", "Canceled", &[DeliveryStatus::Canceled]),
];

/// Which deliveries are shown, as it stands in the address of the page.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Empty for all.
    state: &'static str,
    /// Those before this delivery; the newest without one.
    pub before: Option<String>,
    /// The list begins with this one and what is newer is counted: rows never move under the pointer.
    pub newest: Option<String>,
}

impl Chosen {
    /// What is not known chooses nothing.
    pub fn read(state: &str, before: &str, newest: &str) -> Self {
        let known = STATES.into_iter().find(|(value, _, _)| *value == state);
        let id = |text: &str| DeliveryId::parse(text).map(|id| id.to_string());
        let state = known.map_or("", |(value, _, _)| value);
        Self { state, before: id(before), newest: id(newest) }
    }

    /// The statuses of the state; none for all of them.
    pub fn statuses(&self) -> Vec<DeliveryStatus> {
        let chosen = STATES.into_iter().find(|(value, _, _)| *value == self.state);
        chosen.map(|(_, _, statuses)| statuses.to_vec()).unwrap_or_default()
    }

    /// What stands behind the `?` for this choice.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.state.is_empty() {
            query.append_pair("state", self.state);
        }
        if let Some(before) = &self.before {
            query.append_pair("before", before);
        }
        if let Some(newest) = &self.newest {
            query.append_pair("newest", newest);
        }
        query.finish()
    }

    /// Whether this is not the whole list from its beginning.
    fn is_part(&self) -> bool {
        !self.query().is_empty()
    }
}

impl WebhookPage {
    /// The states, each with its word, its address and whether it is the chosen one.
    fn states(&self) -> [(&'static str, &'static str, String, bool); 5] {
        STATES.map(|(state, word, _)| {
            (state, word, self.address_of(state, None), state == self.chosen.state)
        })
    }

    /// Where the deliveries of a state are, from before one on.
    fn address_of(&self, state: &'static str, before: Option<String>) -> String {
        let path = format!("/dashboard/webhooks/{}", self.id);
        let chosen = Chosen { state, before, newest: None };
        if chosen.is_part() { format!("{path}?{}", chosen.query()) } else { path }
    }

    /// What the region asks for again: these rows, or those before the same one.
    fn part(&self) -> String {
        let mut chosen = self.chosen.clone();
        if chosen.before.is_none() && chosen.newest.is_none() {
            chosen.newest = self.deliveries.first().map(|row| row.id.clone());
        }
        let part = format!("/dashboard/webhooks/{}?part=deliveries", self.id);
        if chosen.is_part() { format!("{part}&{}", chosen.query()) } else { part }
    }

    /// Where the older ones of the same state are.
    fn older_address(&self) -> String {
        self.address_of(self.chosen.state, self.deliveries.last().map(|row| row.id.clone()))
    }

    /// Where the newest ones of the same state are.
    fn newest_address(&self) -> String {
        self.address_of(self.chosen.state, None)
    }

    fn since(&self) -> [(&'static str, &'static str); 4] {
        SINCE
    }

    /// Whether what is sent is verified by whoever gets it.
    fn is_verified(&self) -> bool {
        self.format == Format::Orbitra
    }

    /// Whether it waits for an answer of the address.
    fn waits(&self) -> bool {
        self.standing == Standing::Asked
    }

    fn word(&self) -> &'static str {
        word(self.format)
    }

    fn snippets(&self) -> [Snippet; 5] {
        snippets::ALL
    }

    /// Full, just made, nothing sent, refused.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = |standing, deliveries| Self {
            shell: sample::shell(),
            id: "whk_8w1z3c7k2m9qhx4t".to_owned(),
            address: "https://hooks.acme.test/orbitra?***".to_owned(),
            format: Format::Orbitra,
            standing,
            description: Some("Chat".to_owned()),
            hint: "whsec_…Hx8=".to_owned(),
            previous_until: None,
            created: None,
            asked: None,
            deliveries,
            chosen: Chosen::default(),
            older: 0,
            unseen: 0,
            form: WebhookForm::sample(),
            errors: Errors::none(),
        };
        let rows = || {
            use delivery::Standing;
            vec![
                DeliveryRow::sample(1, Standing::Pending, ""),
                DeliveryRow::sample(2, Standing::Retrying, "500"),
                DeliveryRow::sample(3, Standing::Delivered, "200"),
                DeliveryRow::sample(4, Standing::Failed, "timeout"),
                DeliveryRow::sample(5, Standing::Canceled, ""),
            ]
        };
        vec![
            (
                "full",
                Self {
                    previous_until: Some(sample::NOW.plus(sample::DAY)),
                    older: 12,
                    unseen: 1,
                    ..page(Standing::Failing, rows())
                },
            ),
            (
                "created",
                Self {
                    created: Some("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
                    ..page(Standing::Active, Vec::new())
                },
            ),
            (
                "mail",
                Self {
                    format: Format::Email,
                    address: "mailto:ops@example.com".to_owned(),
                    ..page(Standing::Active, rows())
                },
            ),
            (
                "asked",
                Self {
                    format: Format::Email,
                    address: "mailto:ops@example.com".to_owned(),
                    asked: Some((
                        sample::NOW.plus(-sample::MINUTE),
                        sample::NOW.plus(7 * sample::DAY),
                    )),
                    ..page(Standing::Asked, Vec::new())
                },
            ),
            (
                "declined",
                Self {
                    format: Format::Email,
                    address: "mailto:ops@example.com".to_owned(),
                    ..page(Standing::Declined, rows())
                },
            ),
            ("off", Self { description: None, ..page(Standing::Off, rows()) }),
            (
                "error",
                Self {
                    errors: Errors::one("url", "Only `https:` addresses."),
                    ..page(Standing::Gone, rows())
                },
            ),
        ]
    }
}
