//! Webhooks: made, listed, changed, given another secret, deleted. What is sent to them is in `webhook_deliveries`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::may::{Action, Decision, Resource, may, require_scope};
use super::terms::Terms;
use super::{App, AppError, webhook_rules};
use crate::crypto::random;
use crate::crypto::webhook_secret::WebhookSecret;
use crate::db::page::{Page, PageRequest};
use crate::db::webhooks::{StoredWebhook, WebhookFilter, secret_identity, url_identity};
use crate::db::{self, DbError};
use crate::egress::address::masked;
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::audit::{self, Party};
use crate::model::ids::{ProjectId, WebhookId};
use crate::model::problems::Problems;
use crate::model::webhook::{GRACE, GRACE_MOST, MOST, Webhook};

/// A webhook to make. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewWebhook {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    pub description: Option<String>,
    /// The id or the name of a project.
    pub project_id: Option<String>,
    pub enabled: Option<bool>,
    pub secret: Option<String>,
}

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

/// A webhook with its address.
#[derive(Clone, Debug)]
pub struct ShownWebhook {
    pub webhook: Webhook,
    pub url: String,
    /// Right after it was made or has a new one, and then never again.
    pub secret: Option<String>,
}

impl App {
    /// Makes a webhook.
    ///
    /// # Errors
    /// `Invalid`, `Forbidden` when a key that is limited to projects names none, or a conflict `too_many_webhooks`.
    pub async fn create_webhook(
        &self,
        actor: &Actor,
        new: NewWebhook,
        mut problems: Problems,
        terms: &Terms<ShownWebhook>,
    ) -> Result<ShownWebhook, AppError> {
        require_scope(actor, Action::WebhooksWrite)?;
        terms.admit(self, None).await?;
        problems.require("url", new.url.as_ref());
        problems.require("events", new.events.as_ref());
        let url = new.url.and_then(|text| webhook_rules::url(&text, &self.egress, &mut problems));
        let events = new.events.map(|names| webhook_rules::events(names, &mut problems));
        let description =
            new.description.and_then(|text| webhook_rules::description(&text, &mut problems));
        let own = new.secret.map(|text| webhook_rules::secret(&text, &mut problems));
        let named = new.project_id.as_deref();
        let project = self.project_of_webhook(actor, named, &mut problems).await?;
        AppError::check(problems)?;
        let Some(url) = url else { return Err(AppError::Internal("an address is gone".into())) };
        let secret = own.flatten().unwrap_or_else(WebhookSecret::random);
        let (team_id, project_id) = project.unwrap_or_else(|| (actor.team_id.clone(), None));
        let now = self.clock.now();
        let webhook = Webhook {
            id: WebhookId::from_random(random::bytes()),
            team_id,
            project_id,
            address: masked(&url),
            events: events.unwrap_or_default(),
            description,
            enabled: new.enabled.unwrap_or(true),
            disabled_reason: None,
            secret_hint: secret.hint(),
            previous_secret_expires_at: None,
            failures: 0,
            failing_since: None,
            exhausted: false,
            last: None,
            created_by: actor.user_id.clone(),
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        let url = url.to_string();
        let stored = StoredWebhook {
            url: self.secrets.seal(&url_identity(&webhook.id), url.as_bytes()),
            secret: self.seal_secret(&webhook.id, &secret),
            previous_secret: None,
            webhook: webhook.clone(),
        };
        let made = ShownWebhook { webhook, url, secret: Some(secret.reveal().to_owned()) };
        let (app, actor, terms, answer) =
            (self.clone(), actor.clone(), terms.clone(), made.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if db::webhooks::count(c, &stored.webhook.team_id)? >= MOST {
                    return Err(AppError::Conflict {
                        reason: "too_many_webhooks",
                        message: format!("A team may have {MOST} webhooks. Delete one first."),
                        details: json!({ "limit": MOST }),
                    });
                }
                db::webhooks::insert(c, &stored)?;
                let changes = audit::changes(&json!({}), &settings(&stored.webhook));
                let deed = deed("webhook.created", &stored.webhook).changing(changes);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        self.webhook_changed(&made.webhook);
        Ok(made)
    }

    /// The team and the project a webhook is for. `None` is everything of the actor's team, which a key that is limited
    /// to projects does not see.
    async fn project_of_webhook(
        &self,
        actor: &Actor,
        named: Option<&str>,
        problems: &mut Problems,
    ) -> Result<Option<(crate::model::ids::TeamId, Option<ProjectId>)>, AppError> {
        let Some(named) = named else {
            if may(actor, Action::WebhooksWrite, Resource::Team(&actor.team_id)) == Decision::Allow
            {
                return Ok(None);
            }
            return Err(AppError::Forbidden {
                reason: "missing_scope",
                message: "This key is limited to some projects. Say in `project_id` which of them."
                    .to_owned(),
                details: json!({ "required_scopes": [Action::WebhooksWrite.scope()] }),
            });
        };
        match self.project_for(actor, Action::WebhooksWrite, named).await {
            Ok(project) => Ok(Some((project.team_id, Some(project.id)))),
            Err(AppError::NotFound { .. }) => {
                problems.invalid("project_id", "unknown_value", "There is no such project.");
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// A page of the webhooks the actor sees, without their addresses' credentials.
    ///
    /// # Errors
    /// The key lacks `webhooks:read`.
    pub async fn webhooks(
        &self,
        actor: &Actor,
        mut filter: WebhookFilter,
        page: PageRequest,
    ) -> Result<Page<Webhook>, AppError> {
        require_scope(actor, Action::WebhooksRead)?;
        filter.team = (!actor.instance_admin).then(|| actor.team_id.clone());
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only_projects = project_ids.clone();
        }
        let found = self.db.read(move |c| db::webhooks::list(c, &filter, page)).await?;
        Ok(found.map(|stored| stored.webhook))
    }

    /// One webhook with its address.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `webhooks:read`.
    pub async fn webhook(&self, actor: &Actor, id: &str) -> Result<ShownWebhook, AppError> {
        let stored = self.webhook_for(actor, Action::WebhooksRead, id).await?;
        self.opened_webhook(stored)
    }

    pub(super) async fn webhook_for(
        &self,
        actor: &Actor,
        action: Action,
        id: &str,
    ) -> Result<StoredWebhook, AppError> {
        require_scope(actor, action)?;
        let missing = || AppError::not_found("webhook", id);
        let wanted = WebhookId::parse(id).ok_or_else(missing)?;
        let found = self.db.read(move |c| db::webhooks::find(c, &wanted)).await?;
        found
            .filter(|stored| {
                let Webhook { team_id: team, project_id, .. } = &stored.webhook;
                let resource = match project_id {
                    Some(id) => Resource::Project { team, id },
                    None => Resource::Team(team),
                };
                may(actor, action, resource) == Decision::Allow
            })
            .ok_or_else(missing)
    }

    /// Changes a webhook. One that is enabled again begins anew; what happened meanwhile can be replayed.
    ///
    /// # Errors
    /// `Invalid`, or no such webhook.
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
            let (actor, now) = (actor.clone(), self.clock.now());
            let written = self
                .db
                .write(move |c| -> Result<Option<Webhook>, AppError> {
                    match db::webhooks::update(c, &stored, now) {
                        Err(DbError::Stale) => return Ok(None),
                        other => other?,
                    }
                    if !stored.webhook.enabled {
                        db::webhook_deliveries::cancel_open(c, &stored.webhook.id, now)?;
                    }
                    let deed = deed("webhook.updated", &stored.webhook).changing(changes);
                    journal::write(c, &actor, deed, now)?;
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
            if let Some(new) = webhook_rules::url(text, &self.egress, problems) {
                webhook.address = masked(&new);
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
            "id": known.id, "team_id": known.team_id, "status": known.status(), "created_at": known.created_at,
            "disabled_reason": known.disabled_reason, "secret_hint": known.secret_hint,
            "updated_at": known.updated_at, "previous_secret_expires_at": known.previous_secret_expires_at,
        });
        for (field, sent) in &patch.read_only {
            // It changes with every delivery: nobody can send back what it is by now.
            if field != "last_delivery" && read_only.get(field) != Some(sent) {
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

    /// Deletes a webhook with what it was still to be told.
    ///
    /// # Errors
    /// No such webhook.
    pub async fn delete_webhook(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let found = self.webhook_for(actor, Action::WebhooksWrite, id).await?.webhook;
        terms.admit(self, Some(found.revision)).await?;
        let (actor, terms, gone, now) =
            (actor.clone(), terms.clone(), found.clone(), self.clock.now());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let missing = || AppError::not_found("webhook", gone.id.as_str());
                let stored = db::webhooks::find(c, &gone.id)?.ok_or_else(missing)?;
                terms.check(stored.webhook.revision)?;
                db::webhooks::delete(c, &gone.id)?;
                let changes = audit::changes(&settings(&stored.webhook), &json!({}));
                let deed = deed("webhook.deleted", &gone).changing(changes);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await?;
        self.webhook_changed(&found);
        Ok(())
    }

    fn opened_webhook(&self, stored: StoredWebhook) -> Result<ShownWebhook, AppError> {
        let url = self.open(&url_identity(&stored.webhook.id), &stored.url)?;
        Ok(ShownWebhook { webhook: stored.webhook, url, secret: None })
    }

    fn seal_secret(&self, id: &WebhookId, secret: &WebhookSecret) -> Vec<u8> {
        self.secrets.seal(&secret_identity(id), secret.reveal().as_bytes())
    }

    /// Pages that show it look again.
    pub(super) fn webhook_changed(&self, webhook: &Webhook) {
        self.bus.send(Change::Webhook(webhook.team_id.clone(), webhook.id.clone()));
    }
}

/// What of a webhook can be changed, as the audit log shows it.
fn settings(webhook: &Webhook) -> Value {
    json!({
        "url": webhook.address, "events": webhook.events, "description": webhook.description,
        "project_id": webhook.project_id, "enabled": webhook.enabled,
    })
}

/// Something an actor does to a webhook; for the audit log alone.
pub(super) fn deed<'a>(action: &'static str, webhook: &'a Webhook) -> Deed<'a> {
    Deed {
        action,
        team: &webhook.team_id,
        project: webhook.project_id.as_ref(),
        target: Party::new("webhook", &webhook.id, &webhook.address),
        changes: json!({}),
        data: None,
    }
}
