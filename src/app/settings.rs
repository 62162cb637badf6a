//! The settings of the server, for instance admins.

use std::sync::Arc;

use serde_json::json;

use super::journal::{self, Deed};
use super::mail::NewMail;
use super::may::{Action, require_instance_admin, require_scope};
use super::terms::Terms;
use super::{App, AppError, mail};
use crate::config::Config;
use crate::config::chosen::Chosen;
use crate::config::rates::MOST as MOST_REQUESTS;
use crate::db::{self, Connection, DbError};
use crate::egress::Policy;
use crate::model::actor::Actor;
use crate::model::audit::{self, Party};
use crate::model::mail::StoredMail;
use crate::model::problems::Problems;

/// Most entries of the allow list.
const MOST_ALLOWED: usize = 100;

/// What to choose; `None` leaves a setting as it is, `Some(None)` takes back what was chosen.
#[derive(Clone, Default)]
pub struct SettingsPatch {
    pub rate_free: Option<Option<i64>>,
    pub rate_professional: Option<Option<i64>>,
    pub egress_allow: Option<Option<Vec<String>>>,
    pub egress_allow_http: Option<Option<bool>>,
    pub mail: Option<Option<NewMail>>,
}

/// The settings an instance runs with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Arc<Config>,
    /// The server that takes mail.
    pub mail: Option<StoredMail>,
    /// How often they were changed.
    pub revision: i64,
}

impl SettingsPatch {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [
            ("rate_free", self.rate_free.is_some()),
            ("rate_professional", self.rate_professional.is_some()),
            ("egress_allow", self.egress_allow.is_some()),
            ("egress_allow_http", self.egress_allow_http.is_some()),
            ("mail", self.mail.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, sent)| sent.then_some(name))
    }
}

impl App {
    /// The settings this instance runs with.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `system:read`.
    pub async fn system_settings(&self, actor: &Actor) -> Result<Settings, AppError> {
        require_scope(actor, Action::SystemRead)?;
        require_instance_admin(actor)?;
        let (chosen, mail) = self.db.read(both).await?;
        Ok(Settings { config: self.settings(), mail, revision: chosen.revision })
    }

    /// Changes settings; they count at once.
    ///
    /// # Errors
    /// The actor is no instance admin, the key lacks `system:write`, or `Invalid`: also for a setting that was given
    /// when the server was started.
    pub async fn change_settings(
        &self,
        actor: &Actor,
        patch: SettingsPatch,
        mut problems: Problems,
        terms: &Terms<()>,
    ) -> Result<Settings, AppError> {
        require_scope(actor, Action::SystemWrite)?;
        require_instance_admin(actor)?;
        let (before, known) = self.db.read(both).await?;
        terms.admit(self, Some(before.revision)).await?;
        for name in patch.names() {
            if let Some(origin) = self.config.given(name) {
                let message = format!("{origin} sets this. Change it there and restart.");
                problems.invalid(name, "read_only", message);
            }
        }
        let rate_free = rate(&mut problems, "rate_free", patch.rate_free);
        let rate_professional = rate(&mut problems, "rate_professional", patch.rate_professional);
        let allowed = patch.egress_allow.clone().flatten().unwrap_or_default();
        if allowed.len() > MOST_ALLOWED {
            let message = format!("At most {MOST_ALLOWED} entries.");
            problems.invalid("egress_allow", "too_long", message);
        } else if let Err(error) = Policy::parse(&allowed, false) {
            problems.invalid("egress_allow", "format", error.to_string());
        }
        let changes_mail = patch.mail.is_some();
        let new = patch.mail.clone().flatten();
        let mail = new
            .and_then(|new| mail::checked(self, &self.egress, new, known.as_ref(), &mut problems));
        AppError::check(problems)?;
        if patch.names().next().is_none() {
            return Ok(Settings {
                config: self.settings(),
                mail: known,
                revision: before.revision,
            });
        }
        let (actor, terms) = (actor.clone(), terms.clone());
        let now = self.clock.now();
        let (after, mail) = self
            .db
            .write(move |c| -> Result<_, AppError> {
                let before = chosen(c)?;
                terms.check(before.revision)?;
                let after = Chosen {
                    revision: before.revision + 1,
                    rate_free: rate_free.unwrap_or(before.rate_free),
                    rate_professional: rate_professional.unwrap_or(before.rate_professional),
                    egress_allow: patch.egress_allow.unwrap_or(before.egress_allow.clone()),
                    egress_allow_http: patch.egress_allow_http.unwrap_or(before.egress_allow_http),
                };
                store(c, &after)?;
                let old = db::mail::find(c)?;
                let mail = if changes_mail { mail } else { old.clone() };
                db::mail::store(c, mail.as_ref())?;
                let mut changes = audit::changes(&shown(&before), &shown(&after));
                if old != mail {
                    changes["mail"] = json!({
                        "from": mail::shown(old.as_ref()), "to": mail::shown(mail.as_ref()),
                    });
                }
                let deed = Deed {
                    action: "system.settings.updated",
                    team: &actor.team_id,
                    project: None,
                    target: Party::new("system", "settings", "settings"),
                    changes,
                    data: None,
                };
                journal::write(c, &actor, deed, now)?;
                Ok((after, mail))
            })
            .await?;
        self.load_settings().await?;
        Ok(Settings { config: self.settings(), mail, revision: after.revision })
    }

    /// Takes up what was chosen. One at a time, so that of two changes the newer one stays in force.
    ///
    /// # Errors
    /// The database cannot be read, or holds what is no setting.
    pub async fn load_settings(&self) -> Result<(), AppError> {
        let _turn = self.memory().settings_turn.lock().await;
        let chosen = self.db.read(chosen).await?;
        let config = self.config.with(&chosen);
        let policy = Policy::parse(&config.egress_allow, config.egress_allow_http);
        self.egress.replace(&policy.map_err(|error| AppError::Internal(error.to_string()))?);
        self.0.settings.store(Arc::new(config));
        Ok(())
    }
}

/// A number of requests per window.
fn rate(
    problems: &mut Problems,
    name: &'static str,
    sent: Option<Option<i64>>,
) -> Option<Option<u32>> {
    let sent = sent?;
    let Some(number) = sent else { return Some(None) };
    let rate = u32::try_from(number).ok().filter(|rate| (1..=MOST_REQUESTS).contains(rate));
    if rate.is_none() {
        let message = format!("A number from 1 to {MOST_REQUESTS}.");
        problems.invalid(name, "out_of_range", message);
    }
    Some(rate)
}

/// What of the settings the audit log shows.
fn shown(chosen: &Chosen) -> serde_json::Value {
    json!({
        "rate_free": chosen.rate_free, "rate_professional": chosen.rate_professional,
        "egress_allow": chosen.egress_allow, "egress_allow_http": chosen.egress_allow_http,
    })
}

fn both(connection: &Connection) -> Result<(Chosen, Option<StoredMail>), DbError> {
    Ok((chosen(connection)?, db::mail::find(connection)?))
}

fn chosen(connection: &Connection) -> Result<Chosen, DbError> {
    let stored = db::meta::get(connection, db::meta::SETTINGS)?;
    // Written by this file alone.
    Ok(stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn store(connection: &Connection, chosen: &Chosen) -> Result<(), DbError> {
    let text = serde_json::to_string(chosen).unwrap_or_default();
    db::meta::set(connection, db::meta::SETTINGS, &text)
}
