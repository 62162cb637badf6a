//! The first set-up: whoever can read the code in the terminal becomes the first admin.

use serde_json::json;

use super::users::NewUser;
use super::{App, AppError, journal, login};
use crate::crypto::token;
use crate::db;
use crate::model::actor::{Actor, Origin};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User};

/// How long a code can be used, in milliseconds.
const LIFETIME: i64 = 3_600_000;

/// What the set-up form holds.
#[derive(Clone, Debug)]
pub struct SetUp {
    pub code: String,
    pub email: String,
    pub name: String,
    pub password: String,
}

fn done() -> AppError {
    AppError::conflict("set_up_done", "This server is set up. Sign in instead.")
}

impl App {
    /// Whether the set-up page is still open.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn needs_set_up(&self) -> Result<bool, AppError> {
        Ok(!self.db.read(db::users::any_instance_admin).await?)
    }

    /// Makes a new code; an older one stops working.
    ///
    /// # Errors
    /// A conflict `set_up_done` once there is an admin.
    pub async fn new_setup_code(&self) -> Result<String, AppError> {
        let code = token::new_setup_code();
        let hash = token::hex(&token::hash(&code));
        let expires = self.clock.now().0 + LIFETIME;
        self.db
            .write(move |c| {
                if db::users::any_instance_admin(c)? {
                    return Err(done());
                }
                Ok(db::meta::set(c, db::meta::SETUP_CODE, &format!("{hash} {expires}"))?)
            })
            .await?;
        Ok(code)
    }

    /// Makes the first admin, who is signed in by that.
    ///
    /// # Errors
    /// A wrong, used or expired code (`invalid_fields` names `code`), a field that is not acceptable, `TooMany` after ten wrong codes
    /// a minute from one address, or a conflict when it is done.
    pub async fn set_up(&self, form: SetUp, origin: Origin) -> Result<User, AppError> {
        let (now, from) = (self.clock.now(), login::client(&origin));
        // A code has a limit of tries of its own: those who sign in are not held up by it.
        self.memory()
            .set_ups
            .begin(from, now)
            .map_err(|retry_after_seconds| AppError::TooMany { retry_after_seconds })?;
        let hash = token::hex(&token::hash(&form.code.trim().to_ascii_uppercase()));
        let expected = hash.clone();
        let valid = self
            .db
            .read(move |c| {
                if db::users::any_instance_admin(c)? {
                    return Err(done());
                }
                Ok(code_matches(db::meta::get(c, db::meta::SETUP_CODE)?.as_deref(), &expected, now))
            })
            .await?;
        let mut problems = Problems::default();
        if !valid {
            problems.invalid(
                "code",
                "format",
                "That code is not valid. On the server run `orbitra admin setup-link`.",
            );
            return Err(AppError::Invalid(problems));
        }
        self.memory().set_ups.forgive(&from, now);
        let new = NewUser {
            email: form.email,
            name: form.name,
            plan: Plan::Enterprise,
            instance_admin: false,
            password: Some(form.password),
        };
        let user = self.create_user(new).await?;
        // The code is spent and the account made an admin in one step: of two that race, one wins.
        let admin = User { instance_admin: true, ..user };
        let (id, actor) = (admin.id.clone(), Actor::signed_in_to(&admin, origin));
        self.db
            .write(move |c| {
                let stored = db::meta::get(c, db::meta::SETUP_CODE)?;
                if db::users::any_instance_admin(c)? || !code_matches(stored.as_deref(), &hash, now)
                {
                    db::users::delete(c, &id)?;
                    return Ok(Err(done()));
                }
                db::users::make_instance_admin(c, &id)?;
                db::meta::remove(c, db::meta::SETUP_CODE)?;
                journal::write(c, &actor, login::deed("user.logged_in", &actor, json!({})), now)?;
                Ok::<_, AppError>(Ok(()))
            })
            .await??;
        Ok(admin)
    }
}

fn code_matches(stored: Option<&str>, hash: &str, now: Timestamp) -> bool {
    stored.and_then(|text| text.split_once(' ')).is_some_and(|(expected, expires)| {
        token::same(expected, hash) && expires.parse().is_ok_and(|at: i64| at > now.0)
    })
}
