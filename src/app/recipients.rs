//! Addresses that webhooks send mail to: each is asked whether it wants that, and answers without an account. Nothing else
//! is sent there before. The own address of somebody with an account needs no question.

use std::time::Duration;

use serde_json::json;

use super::may::Action;
use super::terms::Terms;
use super::webhooks::{ShownWebhook, deed};
use super::{App, AppError, journal, mail};
use crate::crypto::{random, token};
use crate::db::mail_recipients::Question;
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::model::actor::{Actor, Origin};
use crate::model::announcement::mail::Letter;
use crate::model::audit::{self, AuditEntry, Party};
use crate::model::event::Event;
use crate::model::ids::{AuditId, EventId};
use crate::model::mail::{RecipientStatus, mailto};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{CONFIRMATION, Webhook};
use crate::notify::{self, LINK, LINK_LASTS};

/// Where links lead; what follows is a secret.
pub const LINK_PATH: &str = notify::LINK_PATH;
/// Between two mails of a team to one address, in milliseconds: ten minutes.
const PAUSE: i64 = 10 * 60_000;
/// For how long a mail counts against the next, in milliseconds: a day.
const DAY: i64 = 86_400_000;
/// Mails to one address in a day, whoever wants them.
const MOST_OF_ADDRESS: usize = 3;
/// Mails that a team wants in a day, to whomever.
const MOST_OF_TEAM: usize = 20;

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It waits for an answer.
    Open,
    /// Nobody answered in time.
    Expired,
    /// The answer was yes; it can be taken back.
    Confirmed,
    /// The answer was no.
    Declined,
}

/// What somebody is asked who has a link.
#[derive(Clone, Debug)]
pub struct AskedRecipient {
    pub address: String,
    /// The e-mail address of the account that wants to send there; `None` when it is gone.
    pub by: Option<String>,
    pub state: LinkState,
}

impl App {
    /// Asks an address once more.
    ///
    /// # Errors
    /// A conflict `recipient_confirmed` or `recipient_declined` when it has answered, `no_recipient` when it is no mail,
    /// `webhook_disabled` or `mail_not_configured`; `TooMany` when it was asked a short time ago; no such webhook.
    pub async fn ask_recipient_again(
        &self,
        actor: &Actor,
        id: &str,
        problems: Problems,
        terms: &Terms<ShownWebhook>,
    ) -> Result<ShownWebhook, AppError> {
        let found = self.webhook_for(actor, Action::WebhooksWrite, id).await?;
        terms.admit(self, Some(found.webhook.revision)).await?;
        AppError::check(problems)?;
        let shown = self.opened_webhook(found)?;
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let (id, url) = (shown.webhook.id, shown.url);
        let asked = self
            .db
            .write(move |c| -> Result<ShownWebhook, AppError> {
                let missing = || AppError::not_found("webhook", id.as_str());
                let webhook = db::webhooks::find(c, &id)?.ok_or_else(missing)?.webhook;
                if !webhook.enabled {
                    let message = "The webhook is disabled. Enable it first.";
                    return Err(AppError::conflict("webhook_disabled", message));
                }
                match webhook.recipient.as_ref().map(|recipient| recipient.status()) {
                    Some(RecipientStatus::Pending) => {}
                    Some(RecipientStatus::Confirmed) => {
                        let message = "The address has agreed already.";
                        return Err(AppError::conflict("recipient_confirmed", message));
                    }
                    Some(RecipientStatus::Declined) => return Err(declined()),
                    None => {
                        let message = "Only an address of mail is asked.";
                        return Err(AppError::conflict("no_recipient", message));
                    }
                }
                ask(&app, c, &actor, &webhook, now)?;
                journal::write(c, &actor, deed("webhook.recipient_asked", &webhook), now)?;
                let webhook = db::webhooks::find(c, &id)?.ok_or_else(missing)?.webhook;
                let answer = ShownWebhook { webhook, url, secret: None };
                terms.settle(&app, c, &answer)?;
                Ok(answer)
            })
            .await?;
        self.webhook_changed(&asked.webhook);
        Ok(asked)
    }

    /// What a link asks.
    ///
    /// # Errors
    /// There is no such link: it is not complete, or a newer mail has another.
    pub async fn asked_recipient(&self, secret: &str) -> Result<AskedRecipient, AppError> {
        let (hash, now) = (token::hash(secret), self.clock.now());
        self.db
            .read(move |c| -> Result<_, AppError> {
                let question = question(c, &hash)?;
                let by = db::users::find(c, &question.asked_by)?.map(|user| user.email);
                let state = state(&question, now);
                Ok(AskedRecipient { address: question.address, by, state })
            })
            .await
    }

    /// Takes the answer of whoever has a link, which is used up by it.
    ///
    /// # Errors
    /// As [`App::asked_recipient`], or a conflict `link_spent` when it was used or has expired.
    pub async fn answer_for_recipient(
        &self,
        secret: &str,
        wanted: bool,
        origin: Origin,
    ) -> Result<(), AppError> {
        let (hash, now) = (token::hash(secret), self.clock.now());
        let (team, webhooks) = self
            .db
            .write(move |c| -> Result<_, AppError> {
                let question = question(c, &hash)?;
                match db::mail_recipients::answer(c, &hash, wanted, now) {
                    Err(DbError::Stale) => {
                        let message = "This link was used, or it has expired.";
                        return Err(AppError::conflict("link_spent", message));
                    }
                    other => other?,
                }
                let Question { team_id, address, asked_by, .. } = question;
                db::webhook_queue::cancel_questions(c, &team_id, &address, now)?;
                let answered = json!({ "wanted": wanted });
                let entry = AuditEntry {
                    id: AuditId::from_random(random::bytes()),
                    action: "mail.answered".to_owned(),
                    actor: Party::new("recipient", &address, &address),
                    user_id: asked_by,
                    target: Party::new("recipient", &address, &address),
                    team_id: team_id.clone(),
                    project_id: None,
                    origin,
                    changes: audit::changes(&json!({}), &answered),
                    created_at: now,
                };
                db::audit_log::append(c, &entry)?;
                let webhooks = db::mail_recipients::webhooks(c, &team_id, &address)?;
                Ok((team_id, webhooks))
            })
            .await?;
        for webhook in webhooks {
            self.bus.send(Change::Webhook(team.clone(), webhook));
        }
        Ok(())
    }
}

fn question(connection: &Connection, hash: &[u8; 32]) -> Result<Question, AppError> {
    let found = db::mail_recipients::find(connection, hash)?;
    found.ok_or_else(|| AppError::not_found("link", ""))
}

fn state(question: &Question, now: Timestamp) -> LinkState {
    if question.declined_at.is_some() {
        LinkState::Declined
    } else if question.confirmed_at.is_some() {
        LinkState::Confirmed
    } else if question.expires_at <= now {
        LinkState::Expired
    } else {
        LinkState::Open
    }
}

fn declined() -> AppError {
    let message = "Whoever reads this address wants no mail from your team.";
    AppError::conflict("recipient_declined", message)
}

/// Refuses what is to be sent to an address that has not agreed.
///
/// # Errors
/// A conflict `recipient_pending` or `recipient_declined`.
pub(super) fn require_consent(webhook: &Webhook) -> Result<(), AppError> {
    match webhook.recipient.as_ref().map(|recipient| recipient.status()) {
        None | Some(RecipientStatus::Confirmed) => Ok(()),
        Some(RecipientStatus::Declined) => Err(declined()),
        Some(RecipientStatus::Pending) => {
            let message = "The address has not agreed to get mail yet. Whoever reads it has a mail that asks.";
            Err(AppError::conflict("recipient_pending", message))
        }
    }
}

/// Asks the address of a webhook that was just made or changed, unless it need not be asked or was.
///
/// # Errors
/// A conflict `recipient_declined`, or `TooMany`.
pub(super) fn ask_once(
    app: &App,
    connection: &Connection,
    actor: &Actor,
    webhook: &Webhook,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(recipient) = &webhook.recipient else { return Ok(()) };
    match recipient.status() {
        RecipientStatus::Confirmed => Ok(()),
        RecipientStatus::Declined => Err(declined()),
        RecipientStatus::Pending if !webhook.enabled || recipient.is_asked(now) => Ok(()),
        RecipientStatus::Pending => ask(app, connection, actor, webhook, now),
    }
}

/// Writes the mail that asks. What the account's owner can choose is not in it, so that nobody writes to strangers with it.
fn ask(
    app: &App,
    connection: &Connection,
    actor: &Actor,
    webhook: &Webhook,
    now: Timestamp,
) -> Result<(), AppError> {
    if db::mail::find(connection)?.is_none() {
        return Err(mail::not_configured());
    }
    let Some(address) = mailto(&webhook.address).map(str::to_ascii_lowercase) else {
        return Err(AppError::Internal("a webhook of mail has no address".to_owned()));
    };
    let since = Timestamp(now.0 - DAY);
    let asked = db::mail_recipients::asked_since(connection, &webhook.team_id, &address, since)?;
    if let Some(at) = may_ask_at(&asked).filter(|at| *at > now) {
        let retry_after_seconds = at.millis_since(now).div_ceil(1000);
        return Err(AppError::TooMany { retry_after_seconds });
    }
    let until = now.plus(LINK_LASTS);
    let (team, by) = (&webhook.team_id, &actor.user_id);
    db::mail_recipients::ask(connection, team, &address, by, until, now)?;
    let account = db::users::find(connection, by)?.map(|user| user.email).unwrap_or_default();
    let event = Event {
        id: EventId::from_random(random::bytes()),
        event: CONFIRMATION.into(),
        team_id: team.clone(),
        project_id: webhook.project_id.clone(),
        data: json!({ "webhook_id": webhook.id }),
        created_at: now,
    };
    let letter = serde_json::to_string(&letter(&app.hosts.dashboard_url(), &account, &address))
        .map_err(|error| AppError::Internal(error.to_string()))?;
    let delivery = db::webhook_deliveries::new(webhook.id.clone(), &event, random::bytes(), now);
    Ok(db::webhook_deliveries::tell_alone(connection, &delivery, &event, &letter)?)
}

/// From when on the next mail may go out, after these; `None` is at once.
fn may_ask_at(asked: &db::mail_recipients::Questions) -> Option<Timestamp> {
    let after = |at: Timestamp, wait: i64| Timestamp(at.0 + wait);
    let full = |times: &[Timestamp], most: usize| {
        let index = times.len().checked_sub(most)?;
        times.get(index).map(|at| after(*at, DAY))
    };
    let pause = asked.of_both.last().map(|at| after(*at, PAUSE));
    [pause, full(&asked.of_address, MOST_OF_ADDRESS), full(&asked.of_team, MOST_OF_TEAM)]
        .into_iter()
        .flatten()
        .max()
}

fn letter(server: &str, account: &str, address: &str) -> Letter {
    let days = LINK_LASTS.as_secs() / Duration::from_secs(86_400).as_secs();
    let text = format!(
        "{account} has an account at {server}, where applications are deployed, and wants mail about them to be sent to \
         {address}.\n\nIf you want that, open this page and say so:\n\n{LINK}\n\nThe link works once, for {days} days. \
         Keep it: it stops the mail again. If you do not know what this is about, do nothing. Nothing else is sent to you, \
         and on the page you can say that you never want any.\n"
    );
    Letter { subject: format!("[Orbitra] Mail from {server}: do you want it?"), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::mail_recipients::Questions;

    #[test]
    fn mails_that_ask_are_few() {
        let at = |times: &[i64]| times.iter().map(|at| Timestamp(*at)).collect::<Vec<_>>();
        assert_eq!(may_ask_at(&Questions::default()), None);
        let once = Questions { of_both: at(&[5]), of_address: at(&[5]), of_team: at(&[5]) };
        assert_eq!(may_ask_at(&once), Some(Timestamp(5 + PAUSE)));
        let by_others = Questions { of_address: at(&[1, 2, 3]), ..Questions::default() };
        assert_eq!(may_ask_at(&by_others), Some(Timestamp(1 + DAY)));
        let many: Vec<i64> = (0..21).collect();
        let of_team = Questions { of_team: at(&many), ..Questions::default() };
        assert_eq!(may_ask_at(&of_team), Some(Timestamp(1 + DAY)));
    }

    #[test]
    fn the_mail_that_asks_has_one_place_for_the_link() {
        let letter = letter("https://orbitra.test", "ada@example.com", "ops@example.com");
        assert_eq!(letter.text.matches(LINK).count(), 1);
        assert!(!letter.subject.contains('\n'));
    }
}
