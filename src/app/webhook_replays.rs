//! Events that a webhook is told again.

use std::collections::HashSet;

use serde_json::json;

use super::may::Action;
use super::terms::Terms;
use super::webhook_deliveries::enabled;
use super::webhooks::deed;
use super::{App, AppError, journal, webhook_rules};
use crate::crypto::random;
use crate::db;
use crate::db::webhook_replays::Replay;
use crate::model::actor::Actor;
use crate::model::ids::EventId;
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{REPLAYED_MOST, Webhook};

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
    /// Sends events to a webhook again, those that happened while it was disabled among them. Answers how many.
    ///
    /// # Errors
    /// `Invalid`, also when they are too many; a conflict `webhook_disabled`, `recipient_pending` or `recipient_declined`, or
    /// no such webhook.
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
                    db::webhook_replays::replayed(c, &target, &replay, REPLAYED_MOST + 1)?;
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
                        let (hook, random) = (target.clone(), random::bytes());
                        let delivery = db::webhook_deliveries::new(hook, &event, random, now);
                        db::webhook_deliveries::tell(c, &delivery, &event, webhook.format)?;
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
