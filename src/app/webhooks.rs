//! Webhooks: made, listed, deleted. How they are changed is in `webhook_changes`, what is sent to them in
//! `webhook_deliveries`.

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::may::{Action, Decision, Resource, may, require_scope};
use super::terms::Terms;
use super::{App, AppError, mail, recipients, webhook_rules};
use crate::crypto::random;
use crate::crypto::webhook_secret::WebhookSecret;
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::db::webhooks::{StoredWebhook, WebhookFilter, secret_identity, url_identity};
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::audit::{self, Party};
use crate::model::ids::{ProjectId, WebhookId};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{Format, MOST, Webhook};

/// A webhook to make. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewWebhook {
    pub url: Option<String>,
    /// `orbitra` when nothing is said.
    pub format: Option<Format>,
    pub events: Option<Vec<String>>,
    pub description: Option<String>,
    /// The id or the name of a project.
    pub project_id: Option<String>,
    pub enabled: Option<bool>,
    pub secret: Option<String>,
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
    /// `Invalid`, `Forbidden` when a key that is limited to projects names none, a conflict `too_many_webhooks`,
    /// `mail_not_configured` or `recipient_declined`, or `TooMany` when the address was asked too often.
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
        let format = new.format.unwrap_or(Format::Orbitra);
        let url =
            new.url.and_then(|text| webhook_rules::url(&text, format, &self.egress, &mut problems));
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
            format,
            address: webhook_rules::shown(&url, format),
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
            recipient: None,
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
            webhook,
        };
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        let made = self
            .db
            .write(move |c| -> Result<ShownWebhook, AppError> {
                if db::webhooks::count(c, &stored.webhook.team_id)? >= MOST {
                    return Err(AppError::Conflict {
                        reason: "too_many_webhooks",
                        message: format!("A team may have {MOST} webhooks. Delete one first."),
                        details: json!({ "limit": MOST }),
                    });
                }
                if format == Format::Email && db::mail::find(c)?.is_none() {
                    return Err(mail::not_configured());
                }
                db::webhooks::insert(c, &stored)?;
                let changes = audit::changes(&json!({}), &settings(&stored.webhook));
                let deed = deed("webhook.created", &stored.webhook).changing(changes);
                journal::write(c, &actor, deed, now)?;
                let webhook = consulted(&app, c, &actor, &stored.webhook.id, now)?;
                let made = ShownWebhook { webhook, url, secret: Some(secret.reveal().to_owned()) };
                terms.settle(&app, c, &made)?;
                Ok(made)
            })
            .await?;
        self.webhook_changed(&made.webhook);
        Ok(made)
    }

    /// The team and the project a webhook is for. `None` is everything of the actor's team, which a key that is limited
    /// to projects does not see.
    pub(super) async fn project_of_webhook(
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

    pub(super) fn opened_webhook(&self, stored: StoredWebhook) -> Result<ShownWebhook, AppError> {
        let url = self.open(&url_identity(&stored.webhook.id), &stored.url)?;
        Ok(ShownWebhook { webhook: stored.webhook, url, secret: None })
    }

    pub(super) fn seal_secret(&self, id: &WebhookId, secret: &WebhookSecret) -> Vec<u8> {
        self.secrets.seal(&secret_identity(id), secret.reveal().as_bytes())
    }

    /// Pages that show it look again.
    pub(super) fn webhook_changed(&self, webhook: &Webhook) {
        self.bus.send(Change::Webhook(webhook.team_id.clone(), webhook.id.clone()));
    }
}

/// A webhook that was just made or changed, as it is stored. Whoever reads its address is asked, where that is needed.
pub(super) fn consulted(
    app: &App,
    connection: &db::Connection,
    actor: &Actor,
    id: &WebhookId,
    now: Timestamp,
) -> Result<Webhook, AppError> {
    let find = || -> Result<Webhook, AppError> {
        let found = db::webhooks::find(connection, id)?;
        Ok(found.ok_or_else(|| AppError::not_found("webhook", id.as_str()))?.webhook)
    };
    let webhook = find()?;
    if webhook.recipient.is_none() {
        return Ok(webhook);
    }
    recipients::ask_once(app, connection, actor, &webhook, now)?;
    find()
}

/// What of a webhook can be changed, as the audit log shows it.
pub(super) fn settings(webhook: &Webhook) -> Value {
    json!({
        "url": webhook.address, "format": webhook.format, "events": webhook.events, "description": webhook.description,
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
