//! Signing in with e-mail and password.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::{App, AppError};
use crate::crypto::token;
use crate::db::{self, DbError};
use crate::model::actor::{Actor, Origin};
use crate::model::audit::Party;
use crate::model::ids::UserId;
use crate::model::peer::client_of;
use crate::model::user::User;

/// The client an origin names, for limits.
pub(super) fn client(origin: &Origin) -> IpAddr {
    client_of(origin.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

/// Something that happened to an account's sessions; for the audit log alone.
pub(super) fn deed<'a>(action: &'static str, actor: &'a Actor, changes: Value) -> Deed<'a> {
    Deed {
        action,
        team: &actor.team_id,
        project: None,
        target: Party::new("user", &actor.user_id, &actor.user_name),
        changes,
        data: None,
    }
}

impl App {
    /// Checks e-mail and password. Every refusal costs the same time and says the same, whether there is
    /// such an account or not.
    ///
    /// # Errors
    /// `Unauthorized`; `TooMany` after ten tries a minute from one address, or a hundred wrong passwords
    /// for one e-mail address in a day.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        origin: Origin,
    ) -> Result<User, AppError> {
        let (now, from, address) = (self.clock.now(), client(&origin), email.trim().to_owned());
        let too_many = |retry_after_seconds| AppError::TooMany { retry_after_seconds };
        // Addresses that differ in case alone are one account's.
        let account = token::hash(&address.to_ascii_lowercase());
        let memory = self.memory();
        memory.sign_ins.begin(from, now).map_err(too_many)?;
        memory.passwords.begin(account, now).map_err(too_many)?;
        let found = self.db.read(move |c| db::users::find_by_email(c, &address)).await?;
        let (user, stored) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let matches = self.check_password(password.to_owned(), stored).await?;
        let refused = AppError::Unauthorized {
            reason: "invalid_credentials",
            message: "That e-mail and password do not match.",
        };
        let Some(user) = user else { return Err(refused) };
        let actor = Actor::signed_in_to(&user, origin);
        if !matches || user.suspended {
            let reason = if matches { "suspended" } else { "wrong_password" };
            self.note_failed_sign_in(actor, reason);
            return Err(refused);
        }
        // The other tries still count: somebody who has an account here is not to guess on and on.
        memory.sign_ins.forgive(&from, now);
        memory.passwords.forgive(&account, now);
        let write = move |c: &db::Connection| -> Result<(), DbError> {
            journal::write(c, &actor, deed("user.logged_in", &actor, json!({})), now)
        };
        self.db.write(write).await?;
        Ok(user)
    }

    /// Not waited for: the time it takes would tell that there is such an account.
    fn note_failed_sign_in(&self, actor: Actor, reason: &'static str) {
        let app = self.clone();
        tokio::spawn(async move {
            let now = app.clock.now();
            let written = app.db.write(move |c| -> Result<(), DbError> {
                let deed = deed("user.login_failed", &actor, json!({ "reason": reason }));
                journal::write(c, &actor, deed, now)
            });
            if let Err(error) = written.await {
                tracing::warn!(%error, "a failed sign-in could not be written down");
            }
        });
    }

    /// Writes down that somebody signed out.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn log_out(&self, actor: &Actor) -> Result<(), AppError> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let write = move |c: &db::Connection| -> Result<(), DbError> {
            journal::write(c, &actor, deed("user.logged_out", &actor, json!({})), now)
        };
        Ok(self.db.write(write).await?)
    }

    /// The actor behind a signed-in session and its account; `None` when the account is gone or suspended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn session_actor(&self, user: &UserId) -> Result<Option<(Actor, User)>, AppError> {
        let id = user.clone();
        let user = self.db.read(move |c| db::users::find(c, &id)).await?;
        Ok(user.filter(|user| !user.suspended).map(|user| {
            let actor = Actor::signed_in_to(&user, Origin::default());
            (actor, user)
        }))
    }
}
