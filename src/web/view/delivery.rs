//! `/dashboard/webhooks/{id}/deliveries/{delivery}`: what was sent, what was answered, and how it was signed.

use askama::Template;

use super::sample;
use super::shell::Shell;
use super::text::Foreign;
use super::time::{Millis, Moment};

/// The page.
#[derive(Template)]
#[template(path = "delivery.html", blocks = ["state"])]
pub struct DeliveryPage {
    pub shell: Shell,
    pub webhook: String,
    /// The webhook's address without its query.
    pub address: String,
    pub row: DeliveryRow,
    pub event_id: String,
    /// The delivery that was wanted again.
    pub redelivery_of: Option<String>,
    /// When the next attempt is due.
    pub next: Option<Moment>,
    /// Header fields of the last request.
    pub headers: Vec<(String, String)>,
    /// The body, line by line for people.
    pub pretty: String,
    pub attempts: Vec<AttemptRow>,
    /// Of the last request.
    pub signed: Option<Signed>,
    /// The last request as a command.
    pub curl: String,
    /// The webhook is enabled, so that the event can be sent again.
    pub can_redeliver: bool,
}

/// A delivery in a list.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    pub id: String,
    pub event: String,
    pub standing: Standing,
    pub at: Moment,
    /// What came of the last attempt: `200`, `timeout`, or empty.
    pub said: String,
    pub duration: Option<Millis>,
    pub attempts: u32,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Retrying,
    Delivered,
    Failed,
    Canceled,
}

impl Standing {
    /// Class that carries the colour.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Pending => "busy",
            Self::Retrying => "warn",
            Self::Delivered => "ok",
            Self::Failed => "bad",
            Self::Canceled => "idle",
        }
    }

    pub(super) fn icon(self) -> &'static str {
        match self {
            Self::Pending => "circle-dot",
            Self::Retrying => "refresh-cw",
            Self::Delivered => "circle-check",
            Self::Failed => "circle-x",
            Self::Canceled => "ban",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Retrying => "Retrying",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    pub number: u32,
    pub at: Moment,
    pub duration: Millis,
    pub arrived: bool,
    /// `200`, `timeout`.
    pub said: String,
    /// What it means and what to do; empty when it arrived.
    pub advice: String,
    pub headers: Vec<(String, Foreign)>,
    pub body: Foreign,
}

/// How a request was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The very bytes.
    pub bytes: String,
    /// The digests in hexadecimal, the newest secret's first.
    pub digests: Vec<String>,
    /// The end of the newest secret.
    pub hint: String,
}

impl DeliveryRow {
    pub(super) fn sample(number: u8, standing: Standing, said: &str) -> Self {
        Self {
            id: format!("dlv_{number}4q7w1z3c7k2m9q"),
            event: "deployment.succeeded".to_owned(),
            standing,
            at: sample::NOW.plus(-i64::from(number) * sample::MINUTE),
            said: said.to_owned(),
            duration: (!said.is_empty()).then_some(Millis(120)),
            attempts: u32::from(!said.is_empty()),
        }
    }
}

impl DeliveryPage {
    /// Failed, delivered the second time, not sent yet.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let attempt = |number, said: &str, arrived| AttemptRow {
            number,
            at: sample::NOW.plus(i64::from(number) * 5_000 - sample::MINUTE),
            duration: Millis(120),
            arrived,
            said: said.to_owned(),
            advice: if arrived {
                String::new()
            } else {
                "The receiver answered 500. Only 2xx counts as received.".to_owned()
            },
            headers: vec![("content-type".to_owned(), Foreign("text/html".to_owned()))],
            body: Foreign("<h1>Internal Server Error</h1><script>alert(1)</script>".to_owned()),
        };
        let pretty = "{\n  \"event\": \"deployment.succeeded\",\n  \"timestamp\": \"2026-11-23T12:04:02Z\",\n  \"data\": {}\n}";
        let page = |row, attempts: Vec<AttemptRow>| Self {
            shell: sample::shell(),
            webhook: "whk_8w1z3c7k2m9qhx4t".to_owned(),
            address: "https://hooks.acme.test/orbitra".to_owned(),
            row,
            event_id: "evt_0123456789abcdef".to_owned(),
            redelivery_of: None,
            next: None,
            headers: if attempts.is_empty() {
                Vec::new()
            } else {
                vec![
                    ("X-Orbitra-Event".to_owned(), "deployment.succeeded".to_owned()),
                    (
                        "X-Orbitra-Signature".to_owned(),
                        format!("t=1795435442,v1={}", "7e".repeat(32)),
                    ),
                ]
            },
            pretty: pretty.to_owned(),
            signed: (!attempts.is_empty()).then(|| Signed {
                bytes: "evt_0123456789abcdef.1795435442.{\"event\":\"deployment.succeeded\"}"
                    .to_owned(),
                digests: vec!["7e".repeat(32), "e7".repeat(32)],
                hint: "whsec_…Hx8=".to_owned(),
            }),
            curl: if attempts.is_empty() {
                String::new()
            } else {
                "curl -X POST 'https://hooks.acme.test/'".to_owned()
            },
            attempts,
            can_redeliver: true,
        };
        vec![
            (
                "failed",
                page(
                    DeliveryRow { attempts: 2, ..DeliveryRow::sample(1, Standing::Failed, "500") },
                    vec![attempt(1, "timeout", false), attempt(2, "500", false)],
                ),
            ),
            (
                "retrying",
                Self {
                    next: Some(sample::NOW.plus(5 * sample::MINUTE)),
                    redelivery_of: Some("dlv_94q7w1z3c7k2m9q".to_owned()),
                    can_redeliver: false,
                    ..page(
                        DeliveryRow::sample(2, Standing::Retrying, "500"),
                        vec![attempt(1, "500", false)],
                    )
                },
            ),
            (
                "delivered",
                page(
                    DeliveryRow::sample(3, Standing::Delivered, "200"),
                    vec![attempt(1, "200", true)],
                ),
            ),
            ("pending", page(DeliveryRow::sample(4, Standing::Pending, ""), Vec::new())),
        ]
    }
}
