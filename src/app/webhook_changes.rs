//! Changes of webhooks: their settings, and their secret.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::may::Action;
use super::terms::Terms;
use super::webhooks::{ShownWebhook, consulted, deed, settings};
use super::{App, AppError, journal, webhook_rules};
use crate::crypto::webhook_secret::WebhookSecret;
use crate::db::webhooks::{StoredWebhook, url_identity};
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::audit;
use crate::model::ids::ProjectId;
use crate::model::problems::Problems;
use crate::model::webhook::{Format, GRACE, GRACE_MOST, Webhook};

/// A change of a webhook. Fields that were not sent stay.
#[derive(Clone, Default)]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    pub description: Option<Option<String>>,
    pub project_id: Option<Option<String>>,
    pub enabled: Option<bool>,
    /// Read-only fields that were sent, with the value sent.
    pub read_only: BTreeMap<String, Value>,
}

impl App {
    /// Changes a webhook. One that is enabled again begins anew; what happened meanwhile can be replayed. Another address of
    /// mail is asked like that of a new webhook.
    ///
    /// # Errors
    /// `Invalid`, no such webhook, and about another address of mail as [`App::create_webhook`].
    pub async fn update_webhook(
        &self,
        actor: &Actor,
        id: &str,
        patch: WebhookPatch,
        problems: Problems,
        terms: &Terms<ShownWebhook>,
    ) -> Result<ShownWebhook, AppError> {
        // Somebody may change it between reading and writing it: then it is read again.
        for _ in 0..8 {
            let current = self.webhook_for(actor, Action::WebhooksWrite, id).await?;
            terms.admit(self, Some(current.webhook.revision)).await?;
            let mut problems = problems.clone();
            let (stored, url) =
                self.patched_webhook(actor, &current, &patch, &mut problems).await?;
            AppError::check(problems)?;
            let mut changes =
                audit::changes(&settings(&current.webhook), &settings(&stored.webhook));
            if url != self.open(&url_identity(&current.webhook.id), &current.url)? {
                changes["url"] =
                    json!({ "from": current.webhook.address, "to": stored.webhook.address });
            }
            if changes.as_object().is_none_or(serde_json::Map::is_empty) {
                return Ok(ShownWebhook { webhook: current.webhook, url, secret: None });
            }
            let moved = changes.get("url").is_some();
            let enabled = stored.webhook.enabled && !current.webhook.enabled;
            let (app, actor, now) = (self.clone(), actor.clone(), self.clock.now());
            let written = self
                .db
                .write(move |c| -> Result<Option<Webhook>, AppError> {
                    match db::webhooks::update(c, &stored, now) {
                        Err(DbError::Stale) => return Ok(None),
                        other => other?,
                    }
                    // What was written for somebody is for nobody else to read.
                    let another = moved && stored.webhook.format == Format::Email;
                    if !stored.webhook.enabled || another {
                        db::webhook_queue::cancel_open(c, &stored.webhook.id, now)?;
                    }
                    let deed = deed("webhook.updated", &stored.webhook).changing(changes);
                    journal::write(c, &actor, deed, now)?;
                    if moved || enabled {
                        return Ok(Some(consulted(&app, c, &actor, &stored.webhook.id, now)?));
                    }
                    let found = db::webhooks::find(c, &stored.webhook.id)?;
                    Ok(found.map(|found| found.webhook))
                })
                .await?;
            if let Some(webhook) = written {
                self.webhook_changed(&webhook);
                return Ok(ShownWebhook { webhook, url, secret: None });
            }
        }
        Err(AppError::Unavailable {
            reason: "maintenance",
            message: "The webhook is being changed. Try again.",
        })
    }

    /// The webhook as the patch wants it, and its address.
    async fn patched_webhook(
        &self,
        actor: &Actor,
        current: &StoredWebhook,
        patch: &WebhookPatch,
        problems: &mut Problems,
    ) -> Result<(StoredWebhook, String), AppError> {
        let mut stored = current.clone();
        let webhook = &mut stored.webhook;
        let mut url = self.open(&url_identity(&webhook.id), &current.url)?;
        // What was read may be sent back: the address with its query masked is the one it has.
        let sent = patch.url.as_ref().filter(|text| **text != webhook.address || **text == url);
        if let Some(text) = sent {
            // Checked even if it is the old one: what may be reached may have changed.
            if let Some(new) = webhook_rules::url(text, webhook.format, &self.egress, problems) {
                webhook.address = webhook_rules::shown(&new, webhook.format);
                url = new.to_string();
                stored.url = self.secrets.seal(&url_identity(&webhook.id), url.as_bytes());
            }
        }
        if let Some(names) = &patch.events {
            webhook.events = webhook_rules::events(names.clone(), problems);
        }
        if let Some(text) = &patch.description {
            let text = text.as_deref();
            webhook.description = text.and_then(|text| webhook_rules::description(text, problems));
        }
        if let Some(named) = &patch.project_id {
            let named = named.as_deref();
            let same = named == webhook.project_id.as_ref().map(ProjectId::as_str);
            if !same {
                let found = self.project_of_webhook(actor, named, problems).await?;
                let (team, project) = found.unwrap_or_else(|| (webhook.team_id.clone(), None));
                if team != webhook.team_id {
                    let message = "The project is another team's.";
                    problems.invalid("project_id", "unknown_value", message);
                }
                webhook.project_id = project;
            }
        }
        if let Some(enabled) = patch.enabled {
            webhook.enabled = enabled;
        }
        let known = &current.webhook;
        let read_only = json!({
            "id": known.id, "team_id": known.team_id, "format": known.format, "status": known.status(), "created_at": known.created_at,
            "disabled_reason": known.disabled_reason, "secret_hint": known.secret_hint,
            "updated_at": known.updated_at, "previous_secret_expires_at": known.previous_secret_expires_at,
        });
        let recipient = known.recipient.as_ref().map(|recipient| recipient.status().as_str());
        for (field, sent) in &patch.read_only {
            let kept = match field.as_str() {
                // It changes with every delivery: nobody can send back what it is by now.
                "last_delivery" => true,
                "recipient" => sent.get("status").and_then(Value::as_str) == recipient,
                _ => read_only.get(field) == Some(sent),
            };
            if !kept {
                problems.invalid(field, "read_only", "This field is set by Orbitra.");
            }
        }
        Ok((stored, url))
    }

    /// Gives a webhook another secret. The one before signs as well for `grace` seconds, a day when nothing is said; one
    /// that is before that no longer does.
    ///
    /// # Errors
    /// `Invalid`, or no such webhook.
    pub async fn rotate_webhook_secret(
        &self,
        actor: &Actor,
        id: &str,
        grace: Option<i64>,
        mut problems: Problems,
        terms: &Terms<ShownWebhook>,
    ) -> Result<ShownWebhook, AppError> {
        let found = self.webhook_for(actor, Action::WebhooksWrite, id).await?;
        terms.admit(self, Some(found.webhook.revision)).await?;
        let grace = grace.unwrap_or(GRACE);
        problems.range("grace_seconds", grace, 0, GRACE_MOST);
        AppError::check(problems)?;
        let grace = u64::try_from(grace).unwrap_or_default();
        let secret = WebhookSecret::random();
        let url = self.open(&url_identity(&found.webhook.id), &found.url)?;
        let id = found.webhook.id.clone();
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let until = (grace > 0).then(|| now.plus(Duration::from_secs(grace)));
        let made = self
            .db
            .write(move |c| -> Result<ShownWebhook, AppError> {
                let missing = || AppError::not_found("webhook", id.as_str());
                let mut stored = db::webhooks::find(c, &id)?.ok_or_else(missing)?;
                terms.check(stored.webhook.revision)?;
                stored.secret = app.seal_secret(&id, &secret);
                stored.webhook.secret_hint = secret.hint();
                db::webhooks::rotate(c, &stored, until, now)?;
                let changes = json!({ "secret": { "from": "***", "to": "***" } });
                let deed = deed("webhook.secret_rotated", &stored.webhook).changing(changes);
                journal::write(c, &actor, deed, now)?;
                let stored = db::webhooks::find(c, &id)?.ok_or_else(missing)?;
                let secret = Some(secret.reveal().to_owned());
                let made = ShownWebhook { webhook: stored.webhook, url, secret };
                terms.settle(&app, c, &made)?;
                Ok(made)
            })
            .await?;
        self.webhook_changed(&made.webhook);
        Ok(made)
    }
}
