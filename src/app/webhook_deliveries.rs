//! What was sent to a webhook and what was answered; sent again, and tried out.

use std::time::Duration;

use serde_json::json;

use super::may::Action;
use super::terms::Terms;
use super::webhooks::deed;
use super::{App, AppError, journal, recipients};
use crate::crypto::random;
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::db::webhook_deliveries::DeliveryFilter;
use crate::model::actor::Actor;
use crate::model::delivery::{Attempt, Delivery, DeliveryStatus};
use crate::model::event::{self, Event};
use crate::model::ids::{DeliveryId, EventId, WebhookId};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{CONFIRMATION, Format, Webhook};
use crate::notify::{self, Signature, USER_AGENT};

/// How much longer than an attempt takes somebody waits for it.
const SLACK: Duration = Duration::from_secs(3);
/// The longest somebody waits.
const PATIENCE: Duration = Duration::from_secs(25);
/// Before all others: somebody waits.
const FIRST: Timestamp = Timestamp(-1);

/// A delivery with its attempts.
#[derive(Clone, Debug)]
pub struct ShownDelivery {
    pub delivery: Delivery,
    pub attempts: Vec<Attempt>,
    /// The bytes that are sent; empty in lists.
    pub body: String,
    /// Its webhook's.
    pub format: Format,
}

/// The header fields a request of a delivery had; a mail's are the mail server's affair.
pub fn request_headers(
    delivery: &Delivery,
    attempt: &Attempt,
    format: Format,
) -> Vec<(String, String)> {
    if format == Format::Email {
        return Vec::new();
    }
    let signature = Signature::sent(&attempt.signature);
    let fixed = [("Content-Type", "application/json"), ("User-Agent", USER_AGENT)];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = notify::headers(delivery, attempt.number, &signature);
    fixed.into_iter().chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// The bytes that were signed for an attempt.
pub fn signed_bytes(delivery: &Delivery, attempt: &Attempt, body: &str) -> String {
    notify::signed_bytes(delivery.event_id.as_str(), attempt.signed_at(), body)
}

impl App {
    /// A page of a webhook's deliveries, the newest first, each with its attempts.
    ///
    /// # Errors
    /// No such webhook, or the key lacks `webhooks:read`.
    pub async fn webhook_deliveries(
        &self,
        actor: &Actor,
        id: &str,
        filter: DeliveryFilter,
        page: PageRequest,
        problems: Problems,
    ) -> Result<Page<ShownDelivery>, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksRead, id).await?.webhook;
        AppError::check(problems)?;
        self.db
            .read(move |c| {
                let found = db::webhook_deliveries::list(c, &webhook.id, &filter, page)?;
                let with = |delivery: Delivery| -> Result<_, AppError> {
                    let attempts = db::webhook_attempts::of_delivery(c, &delivery.id)?;
                    let (body, format) = (String::new(), webhook.format);
                    Ok(ShownDelivery { delivery, attempts, body, format })
                };
                let items = found.items.into_iter().map(with).collect::<Result<_, _>>()?;
                Ok(Page { items, total: found.total })
            })
            .await
    }

    /// Where among a webhook's deliveries one stands; `None` when there is none such.
    ///
    /// # Errors
    /// No such webhook, or the key lacks `webhooks:read`.
    pub async fn delivery_place(
        &self,
        actor: &Actor,
        webhook: &str,
        id: &str,
    ) -> Result<Option<i64>, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksRead, webhook).await?.webhook.id;
        let Some(id) = DeliveryId::parse(id) else { return Ok(None) };
        Ok(self.db.read(move |c| db::webhook_deliveries::place(c, &webhook, &id)).await?)
    }

    /// One delivery.
    ///
    /// # Errors
    /// No such webhook or delivery, or the key lacks `webhooks:read`.
    pub async fn webhook_delivery(
        &self,
        actor: &Actor,
        webhook: &str,
        id: &str,
    ) -> Result<ShownDelivery, AppError> {
        let found = self.webhook_for(actor, Action::WebhooksRead, webhook).await?.webhook;
        self.delivery_of(&found, id).await
    }

    async fn delivery_of(&self, webhook: &Webhook, id: &str) -> Result<ShownDelivery, AppError> {
        let missing = || AppError::not_found("delivery", id);
        let (hook, format) = (webhook.id.clone(), webhook.format);
        let wanted = DeliveryId::parse(id).ok_or_else(missing)?;
        let found = self
            .db
            .read(move |c| -> Result<_, AppError> {
                let found = db::webhook_deliveries::find(c, &hook, &wanted)?;
                found.map(|delivery| shown(c, delivery, format)).transpose()
            })
            .await?;
        found.ok_or_else(missing)
    }

    /// Sends `webhook.ping` to a webhook, once, and waits for what comes of it.
    ///
    /// # Errors
    /// A conflict `webhook_disabled`, `recipient_pending` or `recipient_declined`, or no such webhook.
    pub async fn ping_webhook(
        &self,
        actor: &Actor,
        id: &str,
        problems: Problems,
        terms: &Terms<ShownDelivery>,
    ) -> Result<ShownDelivery, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksWrite, id).await?.webhook;
        terms.admit(self, Some(webhook.revision)).await?;
        AppError::check(problems)?;
        let now = self.clock.now();
        let event = Event {
            id: EventId::from_random(random::bytes()),
            event: "webhook.ping".into(),
            team_id: webhook.team_id.clone(),
            project_id: webhook.project_id.clone(),
            data: event::webhook_ping(&webhook.id),
            created_at: now,
        };
        let mut delivery =
            db::webhook_deliveries::new(webhook.id.clone(), &event, random::bytes(), now);
        (delivery.once, delivery.next_at) = (true, Some(FIRST));
        let (format, body) = (webhook.format, String::new());
        let asked = ShownDelivery { delivery, attempts: Vec::new(), body, format };
        let (app, actor, settling) = (self.clone(), actor.clone(), terms.clone());
        let (answer, target) = (asked.clone(), webhook.id.clone());
        let mut commits = self.db.commits();
        self.db
            .write(move |c| -> Result<(), AppError> {
                let webhook = enabled(c, &target)?;
                // Only this webhook is told, and the log of events stays without it.
                db::webhook_deliveries::tell(c, &answer.delivery, &event, format)?;
                journal::write(c, &actor, deed("webhook.pinged", &webhook), now)?;
                settling.settle(&app, c, &answer)
            })
            .await?;
        let deadline = tokio::time::sleep((self.config.webhook_timeout + SLACK).min(PATIENCE));
        tokio::pin!(deadline);
        let done = loop {
            commits.mark_unchanged();
            let found = self.delivery_of(&webhook, asked.delivery.id.as_str()).await?;
            if !found.delivery.status.is_open() {
                break found;
            }
            tokio::select! {
                () = &mut deadline => break found,
                () = self.stopping.cancelled() => break found,
                changed = commits.changed() => if changed.is_err() { break found },
            }
        };
        terms.settle_again(self, &done).await?;
        Ok(done)
    }

    /// Sends an event to a webhook again: the same id and the same body in a new delivery.
    ///
    /// # Errors
    /// A conflict `webhook_disabled`, `recipient_pending`, `recipient_declined` or `not_an_event`, or no such webhook or
    /// delivery.
    pub async fn redeliver(
        &self,
        actor: &Actor,
        webhook: &str,
        id: &str,
        problems: Problems,
        terms: &Terms<ShownDelivery>,
    ) -> Result<ShownDelivery, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksWrite, webhook).await?.webhook;
        let before = self.delivery_of(&webhook, id).await?;
        terms.admit(self, Some(webhook.revision)).await?;
        AppError::check(problems)?;
        if before.delivery.event == CONFIRMATION {
            let message = "A mail that asks an address is not redelivered. Ask again instead.";
            return Err(AppError::conflict("not_an_event", message));
        }
        let now = self.clock.now();
        let delivery = Delivery {
            id: DeliveryId::from_random(random::bytes()),
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_at: Some(Timestamp(0)),
            redelivery_of: Some(before.delivery.id.clone()),
            created_at: now,
            completed_at: None,
            ..before.delivery.clone()
        };
        let (again, format) = (before.delivery.id.clone(), webhook.format);
        let made = ShownDelivery { delivery, attempts: Vec::new(), body: before.body, format };
        let (app, actor, terms, answer) =
            (self.clone(), actor.clone(), terms.clone(), made.clone());
        let target = webhook.id.clone();
        self.db
            .write(move |c| -> Result<(), AppError> {
                let webhook = enabled(c, &target)?;
                db::webhook_deliveries::tell_again(c, &answer.delivery, &again)?;
                let again = json!({ "delivery": { "from": answer.delivery.redelivery_of, "to": answer.delivery.id } });
                let deed = deed("webhook.redelivered", &webhook).changing(again);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        self.webhook_changed(&webhook);
        Ok(made)
    }
}

fn shown(
    connection: &db::Connection,
    delivery: Delivery,
    format: Format,
) -> Result<ShownDelivery, AppError> {
    let attempts = db::webhook_attempts::of_delivery(connection, &delivery.id)?;
    let body = db::webhook_deliveries::body(connection, &delivery)?.unwrap_or_default();
    Ok(ShownDelivery { delivery, attempts, body, format })
}

/// The webhook as it is now, if something can be sent to it.
pub(super) fn enabled(connection: &db::Connection, id: &WebhookId) -> Result<Webhook, AppError> {
    let found = db::webhooks::find(connection, id)?;
    let webhook = found.ok_or_else(|| AppError::not_found("webhook", id.as_str()))?.webhook;
    if !webhook.enabled {
        let message = "The webhook is disabled. Enable it first.";
        return Err(AppError::conflict("webhook_disabled", message));
    }
    recipients::require_consent(&webhook)?;
    Ok(webhook)
}
