//! `/dashboard/team/webhooks`: addresses that are told of events, and the form for one more.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::time::Moment;
use crate::model::event_examples;
use crate::model::event_type::{self, EventType, chooses};
use crate::model::webhook::Format;

/// The page.
#[derive(Template)]
#[template(path = "webhooks.html")]
pub struct WebhooksPage {
    pub shell: Shell,
    pub rows: Vec<WebhookRow>,
    pub form: WebhookForm,
    pub errors: Errors,
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookRow {
    pub id: String,
    /// Without its query.
    pub address: String,
    pub format: Format,
    /// What it is told of: `deployment.*, project.created`.
    pub events: String,
    /// The name of the project it is for alone.
    pub project: Option<String>,
    pub standing: Standing,
    /// What came of the last attempt: `200`, `timeout`, and when.
    pub last: Option<(String, Moment)>,
}

/// How a webhook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Active,
    Failing,
    /// Somebody switched it off.
    Off,
    /// The receiver said that it is gone.
    Gone,
    /// Nothing arrived for days.
    Lost,
    /// Whoever reads the address of mail has not answered yet.
    Asked,
    /// And has refused.
    Declined,
}

impl Standing {
    /// Class that carries the colour.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Active => "ok",
            Self::Failing | Self::Asked => "warn",
            Self::Off => "idle",
            Self::Gone | Self::Lost | Self::Declined => "bad",
        }
    }

    pub(super) fn icon(self) -> &'static str {
        match self {
            Self::Active => "circle-check",
            Self::Failing | Self::Asked => "triangle-alert",
            Self::Off => "circle-pause",
            Self::Gone | Self::Lost | Self::Declined => "circle-x",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Failing => "Failing",
            Self::Off => "Off",
            Self::Gone => "Gone",
            Self::Lost => "Given up",
            Self::Asked => "Not confirmed",
            Self::Declined => "Refused",
        }
    }

    /// What it means; empty when there is nothing to say.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Active => "",
            Self::Failing => {
                "The receiver does not take what it is sent. Look at the deliveries below."
            }
            Self::Off => "Nothing is sent. What happens meanwhile can be replayed later.",
            Self::Gone => {
                "The receiver answered 410 and wants no events any more. Enable the webhook when that was a mistake."
            }
            Self::Lost => {
                "Nothing arrived for five days. Mend the receiver, enable the webhook, and replay what was missed."
            }
            Self::Asked => {
                "Nothing is sent before whoever reads this address has opened the link in the mail that asks. What happens meanwhile can be replayed then."
            }
            Self::Declined => {
                "Whoever reads this address wants no mail. Choose another address below."
            }
        }
    }

    pub(super) fn is_on(self) -> bool {
        matches!(self, Self::Active | Self::Failing | Self::Asked | Self::Declined)
    }

    /// Whether events are sent.
    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Active | Self::Failing)
    }
}

/// What was typed into the form of a webhook.
#[derive(Clone, Debug)]
pub struct WebhookForm {
    pub url: String,
    pub format: Format,
    /// The format can still be chosen.
    pub is_new: bool,
    pub description: String,
    /// The id of the project it is for alone; empty for all.
    pub project: String,
    /// Names, beginnings with `.*`, or `*`.
    pub chosen: Vec<String>,
    /// Projects to choose from: id and name.
    pub projects: Vec<(String, String)>,
}

/// Events that begin alike.
#[derive(Clone, Debug)]
pub struct Family {
    /// `deployment`.
    pub name: &'static str,
    pub events: Vec<EventType>,
}

impl Family {
    /// What stands for all of it: `deployment.*`.
    pub(super) fn choice(&self) -> String {
        format!("{}.*", self.name)
    }

    /// `All about deployments`, for people.
    pub(super) fn word(&self) -> &'static str {
        match self.name {
            "deployment" => "Deployments",
            "project" => "Projects",
            "domain" => "Domains",
            "env" => "Variables",
            "api_key" => "API keys",
            "user" => "Accounts",
            "billing" => "Billing",
            "system" => "The server",
            _ => "Webhooks",
        }
    }
}

/// What is sent in a format, for people.
pub(super) fn word(format: Format) -> &'static str {
    match format {
        Format::Orbitra => "Signed JSON for a program",
        Format::Slack => "Message in Slack",
        Format::Discord => "Message in Discord",
        Format::Email => "Mail",
    }
}

impl Default for WebhookForm {
    fn default() -> Self {
        Self {
            url: String::new(),
            format: Format::Orbitra,
            is_new: true,
            description: String::new(),
            project: String::new(),
            chosen: Vec::new(),
            projects: Vec::new(),
        }
    }
}

impl WebhookRow {
    /// What it is sent, where it is not the usual.
    fn kind(&self) -> Option<&'static str> {
        (self.format != Format::Orbitra).then(|| word(self.format))
    }
}

impl WebhookForm {
    /// What can be sent: value and words.
    pub(super) fn formats(&self) -> Vec<(&'static str, &'static str)> {
        Format::ALL.iter().map(|format| (format.as_str(), word(*format))).collect()
    }

    /// The events, family by family.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = Vec::new();
        for event in event_type::ALL {
            let name = event.name.split('.').next().unwrap_or_default();
            match families.iter_mut().find(|family| family.name == name) {
                Some(family) => family.events.push(event),
                None => families.push(Family { name, events: vec![event] }),
            }
        }
        families
    }

    /// What is sent with an event, for example, on one line.
    pub(super) fn example(&self, event: &EventType) -> String {
        event_examples::data(event.name).to_string()
    }

    /// Whether this very choice was made.
    pub(super) fn chose(&self, choice: impl AsRef<str>) -> bool {
        self.chosen.iter().any(|chosen| chosen == choice.as_ref())
    }

    /// Whether anything of a family was chosen, so that it stands open.
    pub(super) fn concerns(&self, family: &Family) -> bool {
        let means = |choice: &String| {
            choice != event_type::EVERYTHING
                && family.events.iter().any(|event| chooses(choice, event.name))
        };
        self.chosen.iter().any(means)
    }

    pub(super) fn sample() -> Self {
        Self {
            url: "https://hooks.acme.test/orbitra".to_owned(),
            format: Format::Orbitra,
            is_new: false,
            description: "Chat".to_owned(),
            project: "prj_7k2m9qhx4t8w1z3c".to_owned(),
            chosen: ["deployment.failed", "domain.*"].map(str::to_owned).to_vec(),
            projects: vec![("prj_7k2m9qhx4t8w1z3c".to_owned(), "web".to_owned())],
        }
    }
}

/// The id of a choice's box: `event-deployment-created`.
pub fn box_id(choice: impl AsRef<str>) -> String {
    let choice = choice.as_ref().replace('*', "all");
    format!("event-{}", choice.replace(['.', '_'], "-"))
}

impl WebhooksPage {
    /// Full, empty, refused.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let row = |number: u8, standing| WebhookRow {
            id: format!("whk_{number}w1z3c7k2m9qhx4"),
            address: "https://hooks.acme.test/orbitra?***".to_owned(),
            format: if number == 1 { Format::Slack } else { Format::Orbitra },
            events: "deployment.*, project.created".to_owned(),
            project: None,
            standing,
            last: Some(("200".to_owned(), sample::NOW.plus(-3 * sample::MINUTE))),
        };
        let rows = || {
            vec![
                WebhookRow { project: Some("web".to_owned()), ..row(1, Standing::Active) },
                WebhookRow {
                    last: Some(("timeout".to_owned(), sample::NOW.plus(-sample::DAY))),
                    ..row(2, Standing::Failing)
                },
                WebhookRow { last: None, ..row(3, Standing::Off) },
                row(4, Standing::Gone),
                row(5, Standing::Lost),
                row(6, Standing::Asked),
                row(7, Standing::Declined),
            ]
        };
        let page = |rows| Self {
            shell: sample::shell(),
            rows,
            form: WebhookForm::default(),
            errors: Errors::none(),
        };
        let mut errors = Errors::one("url", "Only `https:` addresses.");
        errors.add("events", "Choose one event at least.");
        vec![
            ("full", page(rows())),
            ("empty", page(Vec::new())),
            ("error", Self { form: WebhookForm::sample(), errors, ..page(rows()) }),
        ]
    }
}
