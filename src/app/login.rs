//! Signing in with e-mail and password.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::users::check_password;
use super::{App, AppError};
use crate::db;
use crate::model::actor::{Actor, Via};
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

/// Wrong tries per address before it has to wait.
const TRIES: u32 = 10;
/// How long it waits, in milliseconds.
const WINDOW: i64 = 60_000;

static FAILURES: Mutex<Option<HashMap<IpAddr, (u32, Timestamp)>>> = Mutex::new(None);

fn failures<T>(look: impl FnOnce(&mut HashMap<IpAddr, (u32, Timestamp)>) -> T) -> T {
    let mut guard = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    look(guard.get_or_insert_default())
}

impl App {
    /// Checks e-mail and password. Every refusal costs the same time and says the same.
    ///
    /// # Errors
    /// `Unauthorized`, or `TooMany` after ten wrong tries from one address.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<User, AppError> {
        let now = self.clock.now();
        // A try counts before it is checked: many at the same time are not more than many in a row.
        let wait = failures(|failures| {
            // Old entries go when there are many, so that the map stays small under a flood.
            if failures.len() > 10_000 {
                failures.retain(|_, (_, since)| now.0 - since.0 < WINDOW);
            }
            let entry = failures.entry(from).or_insert((0, now));
            if now.0 - entry.1.0 >= WINDOW {
                *entry = (0, now);
            }
            if entry.0 >= TRIES {
                return u64::try_from((WINDOW - (now.0 - entry.1.0)) / 1000 + 1).ok();
            }
            entry.0 += 1;
            None
        });
        if let Some(retry_after_seconds) = wait {
            return Err(AppError::TooMany { retry_after_seconds });
        }
        let address = email.trim().to_owned();
        let found = self.db.read(move |c| db::users::find_by_email(c, &address)).await?;
        let (user, stored) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let matches = check_password(password.to_owned(), stored).await?;
        match user {
            Some(user) if matches && !user.suspended => {
                failures(|failures| failures.remove(&from));
                Ok(user)
            }
            _ => Err(AppError::Unauthorized {
                reason: "invalid_credentials",
                message: "That e-mail and password do not match.",
            }),
        }
    }

    /// The actor behind a signed-in session and its account; `None` when the account is gone or suspended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn session_actor(&self, user: &UserId) -> Result<Option<(Actor, User)>, AppError> {
        let id = user.clone();
        let user = self.db.read(move |c| db::users::find(c, &id)).await?;
        Ok(user.filter(|user| !user.suspended).map(|user| {
            let actor = Actor {
                user_id: user.id.clone(),
                user_name: user.name.clone(),
                team_id: user.team_id.clone(),
                instance_admin: user.instance_admin,
                via: Via::Session,
            };
            (actor, user)
        }))
    }
}
