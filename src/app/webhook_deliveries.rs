//! What was sent to a webhook and what was answered; sent again, and tried out.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::may::Action;
use super::terms::Terms;
use super::webhooks::deed;
use super::{App, AppError, journal, webhook_rules};
use crate::crypto::random;
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::db::webhook_deliveries::{DeliveryFilter, Replay};
use crate::model::actor::Actor;
use crate::model::delivery::{Attempt, Delivery, DeliveryStatus};
use crate::model::event::{self, Event};
use crate::model::ids::{DeliveryId, EventId, WebhookId};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{REPLAYED_MOST, Webhook};
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
}

/// The header fields a request of a delivery had.
pub fn request_headers(delivery: &Delivery, attempt: &Attempt) -> Vec<(String, String)> {
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

/// What to send again. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct WantedReplay {
    /// A moment, or the id of an event: what comes after it.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Empty is all that the webhook is told of.
    pub events: Option<Vec<String>>,
    /// Only what never arrived; so when nothing is said.
    pub only_failed: Option<bool>,
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
                    Ok(ShownDelivery { delivery, attempts, body: String::new() })
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
        self.delivery_of(&found.id, id).await
    }

    async fn delivery_of(&self, webhook: &WebhookId, id: &str) -> Result<ShownDelivery, AppError> {
        let missing = || AppError::not_found("delivery", id);
        let (webhook, wanted) = (webhook.clone(), DeliveryId::parse(id).ok_or_else(missing)?);
        let found = self
            .db
            .read(move |c| -> Result<_, AppError> {
                let found = db::webhook_deliveries::find(c, &webhook, &wanted)?;
                found.map(|delivery| shown(c, delivery)).transpose()
            })
            .await?;
        found.ok_or_else(missing)
    }

    /// Sends `webhook.ping` to a webhook, once, and waits for what comes of it.
    ///
    /// # Errors
    /// A conflict `webhook_disabled`, or no such webhook.
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
        let asked = ShownDelivery { delivery, attempts: Vec::new(), body: event.body() };
        let (app, actor, settling) = (self.clone(), actor.clone(), terms.clone());
        let (answer, target) = (asked.clone(), webhook.id.clone());
        let mut commits = self.db.commits();
        self.db
            .write(move |c| -> Result<(), AppError> {
                let webhook = enabled(c, &target)?;
                // Only this webhook is told, and the log of events stays without it.
                db::webhook_messages::keep(c, &event)?;
                db::webhook_deliveries::insert(c, &answer.delivery)?;
                journal::write(c, &actor, deed("webhook.pinged", &webhook), now)?;
                settling.settle(&app, c, &answer)
            })
            .await?;
        let deadline = tokio::time::sleep((self.config.webhook_timeout + SLACK).min(PATIENCE));
        tokio::pin!(deadline);
        let done = loop {
            commits.mark_unchanged();
            let found = self.delivery_of(&webhook.id, asked.delivery.id.as_str()).await?;
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
    /// A conflict `webhook_disabled`, or no such webhook or delivery.
    pub async fn redeliver(
        &self,
        actor: &Actor,
        webhook: &str,
        id: &str,
        problems: Problems,
        terms: &Terms<ShownDelivery>,
    ) -> Result<ShownDelivery, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksWrite, webhook).await?.webhook;
        let before = self.delivery_of(&webhook.id, id).await?;
        terms.admit(self, Some(webhook.revision)).await?;
        AppError::check(problems)?;
        let now = self.clock.now();
        let delivery = Delivery {
            id: DeliveryId::from_random(random::bytes()),
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_at: Some(Timestamp(0)),
            redelivery_of: Some(before.delivery.id.clone()),
            created_at: now,
            completed_at: None,
            ..before.delivery
        };
        let made = ShownDelivery { delivery, attempts: Vec::new(), body: before.body };
        let (app, actor, terms, answer) =
            (self.clone(), actor.clone(), terms.clone(), made.clone());
        let target = webhook.id.clone();
        self.db
            .write(move |c| -> Result<(), AppError> {
                let webhook = enabled(c, &target)?;
                db::webhook_deliveries::insert(c, &answer.delivery)?;
                let again = json!({ "delivery": { "from": answer.delivery.redelivery_of, "to": answer.delivery.id } });
                let deed = deed("webhook.redelivered", &webhook).changing(again);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        self.webhook_changed(&webhook);
        Ok(made)
    }

    /// Sends events to a webhook again, those that happened while it was disabled among them. Answers how many.
    ///
    /// # Errors
    /// `Invalid`, also when they are too many; a conflict `webhook_disabled`, or no such webhook.
    pub async fn replay_webhook(
        &self,
        actor: &Actor,
        id: &str,
        wanted: WantedReplay,
        mut problems: Problems,
        terms: &Terms<usize>,
    ) -> Result<usize, AppError> {
        let webhook = self.webhook_for(actor, Action::WebhooksWrite, id).await?.webhook;
        terms.admit(self, Some(webhook.revision)).await?;
        let replay = self.checked_replay(actor, &webhook, wanted, &mut problems).await?;
        AppError::check(problems)?;
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let target = webhook.id.clone();
        let queued = self
            .db
            .write(move |c| -> Result<usize, AppError> {
                let webhook = enabled(c, &target)?;
                let found =
                    db::webhook_deliveries::replayed(c, &target, &replay, REPLAYED_MOST + 1)?;
                if found.len() > REPLAYED_MOST as usize {
                    let mut problems = Problems::default();
                    let message = format!(
                        "These are more than {REPLAYED_MOST} events. Choose a later `since`, an `until` or fewer `events`."
                    );
                    problems.invalid("since", "out_of_range", message);
                    return Err(AppError::Invalid(problems));
                }
                let mut queued = HashSet::new();
                for id in found {
                    let Some(event) = db::events::find(c, &id)? else { continue };
                    if queued.insert(id) {
                        db::webhook_messages::keep(c, &event)?;
                        let (hook, random) = (target.clone(), random::bytes());
                        let delivery = db::webhook_deliveries::new(hook, &event, random, now);
                        db::webhook_deliveries::insert(c, &delivery)?;
                    }
                }
                let count = json!({ "queued": { "from": null, "to": queued.len() } });
                let deed = deed("webhook.replayed", &webhook).changing(count);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &queued.len())?;
                Ok(queued.len())
            })
            .await?;
        self.webhook_changed(&webhook);
        Ok(queued)
    }

    async fn checked_replay(
        &self,
        actor: &Actor,
        webhook: &Webhook,
        wanted: WantedReplay,
        problems: &mut Problems,
    ) -> Result<Replay, AppError> {
        problems.require("since", wanted.since.as_ref());
        let (mut since, mut after) = (None, None);
        match wanted.since.as_deref() {
            None => {}
            Some(text) if EventId::parse(text).is_some() => {
                after = self.event_seen_by(actor, webhook, text).await?;
                if after.is_none() {
                    problems.invalid("since", "unknown_value", "There is no such event.");
                }
            }
            Some(text) => {
                since = Timestamp::parse(text);
                if since.is_none() {
                    let message = "An RFC 3339 date-time or the id of an event.";
                    problems.invalid("since", "format", message);
                }
            }
        }
        let until = wanted.until.as_deref().map(|text| {
            let until = Timestamp::parse(text);
            if until.is_none() {
                problems.invalid("until", "format", "An RFC 3339 date-time.");
            }
            until
        });
        let events = wanted.events.unwrap_or_default();
        Ok(Replay {
            team: webhook.team_id.clone(),
            project: webhook.project_id.clone(),
            chosen: webhook.events.clone(),
            events: webhook_rules::names("events", events, problems),
            since,
            after,
            until: until.flatten(),
            only_failed: wanted.only_failed.unwrap_or(true),
        })
    }

    /// The place of an event of the webhook's team in the log.
    async fn event_seen_by(
        &self,
        actor: &Actor,
        webhook: &Webhook,
        id: &str,
    ) -> Result<Option<i64>, AppError> {
        let Some(id) = EventId::parse(id) else { return Ok(None) };
        let (team, actor) = (webhook.team_id.clone(), actor.clone());
        self.db
            .read(move |c| {
                let found = db::events::find(c, &id)?.filter(|event| {
                    let seen = event.project_id.as_ref();
                    let seen = seen.map_or(actor.sees_all_projects(), |id| actor.sees_project(id));
                    event.team_id == team && seen
                });
                match found {
                    Some(event) => Ok(db::events::place(c, &event.id)?),
                    None => Ok(None),
                }
            })
            .await
    }
}

fn shown(connection: &db::Connection, delivery: Delivery) -> Result<ShownDelivery, AppError> {
    let attempts = db::webhook_attempts::of_delivery(connection, &delivery.id)?;
    let body = db::webhook_messages::body(connection, &delivery.event_id)?.unwrap_or_default();
    Ok(ShownDelivery { delivery, attempts, body })
}

/// The webhook as it is now, if something can be sent to it.
fn enabled(connection: &db::Connection, id: &WebhookId) -> Result<Webhook, AppError> {
    let found = db::webhooks::find(connection, id)?;
    let webhook = found.ok_or_else(|| AppError::not_found("webhook", id.as_str()))?.webhook;
    if webhook.enabled {
        return Ok(webhook);
    }
    Err(AppError::conflict("webhook_disabled", "The webhook is disabled. Enable it first."))
}
