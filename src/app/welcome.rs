//! A new account gets its password from its owner, who has a link that works once.

use std::time::Duration;

use serde_json::json;

use super::journal::{self, Deed};
use super::users::hash_password;
use super::{App, AppError};
use crate::crypto::token;
use crate::db::{self, DbError};
use crate::model::actor::{Actor, Origin, Via};
use crate::model::audit::Party;
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::user::{User, password_problem};

/// How long a link can be used.
pub const LIFETIME: Duration = Duration::from_secs(7 * 86_400);

impl App {
    /// The account a link is for.
    ///
    /// # Errors
    /// Not found, or a conflict `link_spent` when it was used, has expired or its account is suspended.
    pub async fn invited(&self, secret: &str) -> Result<User, AppError> {
        let (hash, now) = (token::hash(secret), self.clock.now());
        self.db.read(move |c| invited(c, &hash, now)).await
    }

    /// Sets the password of a new account and spends the link.
    ///
    /// # Errors
    /// As [`App::invited`], or `Invalid` when the password is not acceptable.
    pub async fn welcome(
        &self,
        secret: &str,
        password: String,
        origin: Origin,
    ) -> Result<User, AppError> {
        let user = self.invited(secret).await?;
        if let Some(problem) = password_problem(&password, &user.email) {
            let mut problems = Problems::default();
            problems.invalid("password", "format", problem);
            return Err(AppError::Invalid(problems));
        }
        let stored = hash_password(password).await?;
        let (hash, now) = (token::hash(secret), self.clock.now());
        self.db
            .write(move |c| -> Result<User, AppError> {
                // Hashing took a while: the link may be spent, the account suspended or gone.
                let user = invited(c, &hash, now)?;
                match db::welcome::spend(c, &hash, now) {
                    Err(DbError::Stale) => return Err(spent()),
                    other => other?,
                }
                db::users::set_password(c, &user.id, &stored, now)?;
                let actor = Actor {
                    user_id: user.id.clone(),
                    user_name: user.name.clone(),
                    team_id: user.team_id.clone(),
                    instance_admin: user.instance_admin,
                    plan: user.plan,
                    via: Via::Session,
                    origin,
                };
                let deed = Deed {
                    action: "user.welcomed",
                    team: &user.team_id,
                    project: None,
                    target: Party::new("user", &user.id, &user.name),
                    changes: json!({}),
                    data: None,
                };
                journal::write(c, &actor, deed, now)?;
                Ok(user)
            })
            .await
    }
}

fn invited(connection: &db::Connection, hash: &[u8; 32], now: Timestamp) -> Result<User, AppError> {
    let unknown = || AppError::not_found("welcome link", "");
    let link = db::welcome::find(connection, hash)?.ok_or_else(unknown)?;
    let user = db::users::find(connection, &link.user_id)?.ok_or_else(unknown)?;
    if link.used || link.expires_at.0 <= now.0 || user.suspended {
        return Err(spent());
    }
    Ok(user)
}

fn spent() -> AppError {
    AppError::conflict("link_spent", "This link was used, or it has expired.")
}
