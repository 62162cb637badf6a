//! `/dashboard/webhooks/{id}/deliveries/{delivery}`: one delivery with its attempts.

use std::time::Duration;

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::objection::objection;
use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::show::moment;
use super::{PageError, Pages, Visitor};
use crate::app::terms::Terms;
use crate::app::webhook_deliveries::{ShownDelivery, request_headers, signed_bytes};
use crate::app::webhooks::ShownWebhook;
use crate::model::announcement::mail::Letter;
use crate::model::delivery::{Attempt, AttemptError, DeliveryStatus};
use crate::model::problems::Problems;
use crate::model::webhook::Format;
use crate::web::view::delivery::{AttemptRow, DeliveryPage, DeliveryRow, Signed, Standing};
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::text::Foreign;
use crate::web::view::time::Millis;

/// A body with its keys in the order in which they are sent.
#[derive(Serialize, Deserialize)]
struct InOrder {
    event: String,
    timestamp: String,
    data: Value,
}

/// The page, or with `?part=state` all of it that can change.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((id, delivery)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let webhook = app.webhook(actor, &id).await?;
    let shown = app.webhook_delivery(actor, &id, &delivery).await?;
    let timeout = app.config.webhook_timeout;
    match params.get("part") {
        "" => respond::html(&page(webhook, shown, timeout, visitor.shell().await?)),
        "state" => respond::html(&page(webhook, shown, timeout, visitor.bare_shell()).as_state()),
        _ => Err(PageError::not_found()),
    }
}

fn page(
    webhook: ShownWebhook,
    shown: ShownDelivery,
    timeout: Duration,
    shell: Shell,
) -> DeliveryPage {
    let row = row(&shown);
    let ShownDelivery { delivery, attempts, body, format } = shown;
    let last = attempts.last();
    let headers =
        last.map(|attempt| request_headers(&delivery, attempt, format)).unwrap_or_default();
    let signed = last.filter(|_| format != Format::Email).map(|attempt| Signed {
        bytes: signed_bytes(&delivery, attempt, &body),
        digests: attempt
            .signature
            .split(',')
            .filter_map(|part| part.strip_prefix("v1=").map(str::to_owned))
            .collect(),
        hint: webhook.webhook.secret_hint.clone(),
    });
    let pretty = pretty(&body, format);
    DeliveryPage {
        shell,
        webhook: webhook.webhook.id.to_string(),
        address: webhook.webhook.address,
        row,
        event_id: delivery.event_id.to_string(),
        redelivery_of: delivery.redelivery_of.as_ref().map(ToString::to_string),
        next: delivery.next_at.filter(|at| at.0 > 0).map(moment),
        curl: if headers.is_empty() { String::new() } else { curl(&webhook.url, &headers, &body) },
        headers,
        pretty: pretty.unwrap_or_else(|| body.clone()),
        attempts: attempts.iter().map(|attempt| attempt_row(attempt, format, timeout)).collect(),
        signed,
        can_redeliver: webhook.webhook.enabled,
    }
}

/// What is sent, for people; `None` when it is not what it should be.
fn pretty(body: &str, format: Format) -> Option<String> {
    match format {
        Format::Orbitra => {
            let value: InOrder = serde_json::from_str(body).ok()?;
            serde_json::to_string_pretty(&value).ok()
        }
        Format::Slack | Format::Discord => {
            let value: Value = serde_json::from_str(body).ok()?;
            serde_json::to_string_pretty(&value).ok()
        }
        Format::Email => {
            let letter: Letter = serde_json::from_str(body).ok()?;
            Some(format!("Subject: {}\n\n{}", letter.subject, letter.text))
        }
    }
}

/// The request as a command for a shell.
fn curl(url: &str, headers: &[(String, String)], body: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut command = format!("curl -X POST {}", quoted(url));
    for (name, value) in headers {
        command.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
    }
    command.push_str(&format!(" --data-raw {}", quoted(body)));
    command
}

/// A delivery as a line of a list.
pub(super) fn row(shown: &ShownDelivery) -> DeliveryRow {
    let (delivery, last) = (&shown.delivery, shown.attempts.last());
    DeliveryRow {
        id: delivery.id.to_string(),
        event: delivery.event.clone(),
        standing: match delivery.status {
            DeliveryStatus::Pending => Standing::Pending,
            DeliveryStatus::Retrying => Standing::Retrying,
            DeliveryStatus::Succeeded => Standing::Delivered,
            DeliveryStatus::Failed => Standing::Failed,
            DeliveryStatus::Canceled => Standing::Canceled,
        },
        at: moment(delivery.created_at),
        said: last.map(said).unwrap_or_default(),
        duration: last.map(|attempt| Millis(attempt.duration_ms)),
        attempts: delivery.attempts,
    }
}

/// What was answered, in a word: `200`, `timeout`.
pub(super) fn said(attempt: &Attempt) -> String {
    match (attempt.response_status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.as_str().replace('_', " "),
        (None, None) => "no answer".to_owned(),
    }
}

fn arrived(attempt: &Attempt) -> bool {
    let good = attempt.response_status.is_some_and(|status| (200..300).contains(&status));
    good && attempt.error.is_none()
}

fn attempt_row(attempt: &Attempt, format: Format, timeout: Duration) -> AttemptRow {
    let headers = attempt.response_headers.iter();
    AttemptRow {
        number: attempt.number,
        at: moment(attempt.started_at),
        duration: Millis(attempt.duration_ms),
        arrived: arrived(attempt),
        said: said(attempt),
        advice: if arrived(attempt) { String::new() } else { advice(attempt, format, timeout) },
        headers: headers.map(|(name, value)| (name.clone(), Foreign(value.clone()))).collect(),
        body: Foreign(String::from_utf8_lossy(&attempt.response_body).into_owned()),
    }
}

/// What went wrong and what to do about it.
pub(super) fn advice(attempt: &Attempt, format: Format, timeout: Duration) -> String {
    let mail = format == Format::Email;
    let fixed = match attempt.error {
        Some(AttemptError::Timeout) => {
            return format!(
                "No answer within {} seconds. Answer 2xx first and work afterwards.",
                timeout.as_secs()
            );
        }
        Some(AttemptError::ConnectFailed) => {
            "No connection could be made, or it broke off. Does the receiver run, and does its firewall let this server in?"
        }
        Some(AttemptError::TlsFailed) => {
            "The certificate is not accepted. It must be valid, for this name, and from a known authority."
        }
        Some(AttemptError::DnsFailed) => "The name could not be resolved. Look at its DNS records.",
        Some(AttemptError::BlockedAddress) => {
            "This server may not reach that address. An administrator can open it with `ORBITRA_EGRESS_ALLOW`."
        }
        Some(AttemptError::Redirect) => {
            "The receiver redirects, and redirects are not followed. Enter the address it leads to."
        }
        Some(AttemptError::TooLarge) => "The header of the answer is too large.",
        Some(AttemptError::NotConfigured) => {
            "This server sends no mail. An instance admin sets that up under System."
        }
        Some(AttemptError::NotConfirmed) => {
            "The address has not agreed to get mail. Its webhook shows how that stands."
        }
        Some(AttemptError::Protocol) => "What the mail server said could not be understood.",
        None if mail => {
            let status = attempt.response_status.unwrap_or_default();
            let more = match status {
                500.. => "What it refuses for good is not tried again",
                _ => "It is tried again later",
            };
            return format!("The mail server answered {status}. {more}.");
        }
        None if attempt.response_status == Some(410) => {
            "The receiver answered 410: it wants no events any more. The webhook was disabled."
        }
        None => {
            let status = attempt.response_status.unwrap_or_default();
            return format!("The receiver answered {status}. Only 2xx counts as received.");
        }
    };
    fixed.to_owned()
}

/// `POST …/redeliver`: leads to the new delivery.
pub async fn redeliver(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((id, delivery)): Path<(String, String)>,
) -> Answer {
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    let shown = match pages.app.redeliver(actor, &id, &delivery, none, &Terms::none()).await {
        Ok(made) => {
            visitor.tell(Notice::good("The event is sent again.")).await?;
            made.delivery.id.to_string()
        }
        Err(error) => {
            visitor.tell(Notice::bad(objection(error)?)).await?;
            delivery
        }
    };
    Ok(see_other(&format!("/dashboard/webhooks/{id}/deliveries/{shown}")))
}
