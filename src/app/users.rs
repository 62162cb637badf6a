//! Accounts: what a user sees and changes of its own, and what an operator makes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::may::{Action, require_scope};
use super::terms::Terms;
use super::{App, AppError, HASHING};
use crate::crypto::{password, random};
use crate::db;
use crate::model::actor::Actor;
use crate::model::audit::{self, Party};
use crate::model::ids::{TeamId, UserId};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::user::{PASSWORD_MAX, Plan, User, password_problem, valid_email, valid_name};

/// A change of one's own profile. Fields that were not sent stay.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    pub name: Option<String>,
    /// `Some(None)` clears it.
    pub company: Option<Option<String>>,
    /// Read-only fields that were sent, with the value sent.
    pub read_only: BTreeMap<String, Value>,
}

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: String,
    pub name: String,
    pub plan: Plan,
    pub instance_admin: bool,
    pub password: Option<String>,
}

impl App {
    /// The account behind an actor.
    ///
    /// # Errors
    /// The key lacks `account:read`.
    pub async fn me(&self, actor: &Actor) -> Result<User, AppError> {
        require_scope(actor, Action::AccountRead)?;
        self.account(&actor.user_id).await
    }

    async fn account(&self, id: &UserId) -> Result<User, AppError> {
        let id = id.clone();
        self.db
            .read(move |c| {
                db::users::find(c, &id)?.ok_or_else(|| AppError::not_found("user", id.as_str()))
            })
            .await
    }

    /// Changes name and company.
    ///
    /// # Errors
    /// A field is not acceptable, or the key lacks `account:write`.
    pub async fn update_me(
        &self,
        actor: &Actor,
        patch: ProfilePatch,
        mut problems: Problems,
        terms: &Terms<User>,
    ) -> Result<User, AppError> {
        require_scope(actor, Action::AccountWrite)?;
        let user = self.account(&actor.user_id).await?;
        terms.admit(self, Some(user.revision)).await?;
        if let Some(name) = &patch.name {
            let trimmed = name.trim();
            if problems.length("name", trimmed, 1, 100) && !valid_name(name) {
                problems.invalid("name", "format", "No control characters.");
            }
        }
        if let Some(Some(company)) = &patch.company
            && problems.length("company", company.trim(), 1, 200)
            && company.chars().any(char::is_control)
        {
            problems.invalid("company", "format", "No control characters.");
        }
        let current = json!({
            "id": user.id, "email": user.email, "plan": user.plan.as_str(), "created_at": user.created_at,
            "updated_at": user.updated_at,
        });
        for (field, sent) in &patch.read_only {
            if current.get(field) != Some(sent) {
                problems.invalid(field, "read_only", "This field cannot be changed here.");
            }
        }
        AppError::check(problems)?;
        if patch.name.is_none() && patch.company.is_none() {
            return Ok(user);
        }
        let name = patch.name.map_or_else(|| user.name.clone(), |name| name.trim().to_owned());
        let company = match patch.company {
            None => user.company.clone(),
            Some(company) => company.map(|text| text.trim().to_owned()),
        };
        let now = self.clock.now();
        let (actor, terms) = (actor.clone(), terms.clone());
        let changed = self
            .db
            .write(move |c| {
                let current = db::users::find(c, &user.id)?;
                terms.check(current.map_or(user.revision, |user| user.revision))?;
                db::users::update_profile(c, &user.id, &name, company.as_deref(), now)?;
                let deed = Deed {
                    action: "user.updated",
                    team: &user.team_id,
                    project: None,
                    target: Party::new("user", &user.id, &user.name),
                    changes: audit::changes(
                        &json!({ "name": user.name, "company": user.company }),
                        &json!({ "name": name, "company": company }),
                    ),
                    data: Some(json!({ "user_id": user.id, "actor_id": user.id })),
                };
                journal::write(c, &actor, deed, now)?;
                db::users::find(c, &user.id)?
                    .ok_or_else(|| AppError::not_found("user", user.id.as_str()))
            })
            .await?;
        Ok(changed)
    }

    /// Makes an account; for set-up and the operator's command line.
    ///
    /// # Errors
    /// `Invalid`, or a conflict `email_taken`.
    pub async fn create_user(&self, new: NewUser) -> Result<User, AppError> {
        let email = new.email.trim().to_owned();
        let mut problems = Problems::default();
        if !valid_email(&email) {
            problems.invalid("email", "format", "This is not an e-mail address.");
        }
        if !valid_name(&new.name) {
            problems.invalid("name", "format", "1 to 100 characters, no control characters.");
        }
        if let Some(problem) = new.password.as_deref().and_then(|p| password_problem(p, &email)) {
            problems.invalid("password", "format", problem);
        }
        AppError::check(problems)?;
        let hash = match new.password {
            Some(password) => Some(hash_password(password).await?),
            None => None,
        };
        let now = self.clock.now();
        let user = User {
            plan: new.plan,
            instance_admin: new.instance_admin,
            ..fresh(email, new.name.trim(), now)
        };
        self.db.write(move |c| insert(c, &user, hash.as_deref()).map(|()| user)).await
    }

    /// Sets a new password and ends every session; for the operator's command line.
    ///
    /// # Errors
    /// No such account, or the password is not acceptable.
    pub async fn reset_password(&self, who: &str, password: String) -> Result<User, AppError> {
        let user = self.find_user(who).await?;
        if let Some(problem) = password_problem(&password, &user.email) {
            let mut problems = Problems::default();
            problems.invalid("password", "format", problem);
            return Err(AppError::Invalid(problems));
        }
        let hash = hash_password(password).await?;
        let now = self.clock.now();
        self.db
            .write(move |c| -> Result<User, AppError> {
                db::users::set_password(c, &user.id, &hash, now)?;
                db::sessions::delete_of_user(c, &user.id)?;
                db::welcome::spend_of_user(c, &user.id, now)?;
                Ok(user)
            })
            .await
    }

    /// Finds an account by id or e-mail address; for the operator's command line.
    ///
    /// # Errors
    /// There is none.
    pub async fn find_user(&self, who: &str) -> Result<User, AppError> {
        let who = who.to_owned();
        self.db
            .read(move |c| {
                let found = match UserId::parse(&who) {
                    Some(id) => db::users::find(c, &id)?,
                    None => db::users::find_by_email(c, &who)?.map(|(user, _)| user),
                };
                found.ok_or_else(|| AppError::not_found("user", &who))
            })
            .await
    }
}

/// A new account of the smallest plan, without any rights.
pub(super) fn fresh(email: String, name: &str, now: Timestamp) -> User {
    User {
        id: UserId::from_random(random::bytes()),
        email,
        name: name.to_owned(),
        company: None,
        plan: Plan::Free,
        instance_admin: false,
        suspended: false,
        team_id: TeamId::from_random(random::bytes()),
        created_at: now,
        updated_at: now,
        revision: 1,
    }
}

/// Stores a new account.
pub(super) fn insert(
    connection: &db::Connection,
    user: &User,
    password_hash: Option<&str>,
) -> Result<(), AppError> {
    match db::users::insert(connection, user, password_hash) {
        Err(db::DbError::Unique(_)) => {
            Err(AppError::conflict("email_taken", "There is an account with this e-mail address."))
        }
        other => Ok(other?),
    }
}

/// Hashes a password off the async threads, few at a time.
pub(super) async fn hash_password(text: String) -> Result<String, AppError> {
    let _permit =
        HASHING.acquire().await.map_err(|_| AppError::Internal("hashing stopped".into()))?;
    let hash = tokio::task::spawn_blocking(move || password::hash(&text)).await;
    hash.ok().flatten().ok_or_else(|| AppError::Internal("the password could not be hashed".into()))
}

impl App {
    /// Whether a password matches, off the async threads. Without a stored hash the same work is done, so that the time tells nothing.
    pub(super) async fn check_password(
        &self,
        text: String,
        stored: Option<String>,
    ) -> Result<bool, AppError> {
        if text.chars().count() > PASSWORD_MAX {
            return Ok(false);
        }
        let _permit =
            HASHING.acquire().await.map_err(|_| AppError::Internal("hashing stopped".into()))?;
        let app = self.clone();
        tokio::task::spawn_blocking(move || {
            let matches = match stored {
                Some(stored) => password::verify(&text, &stored),
                None => {
                    let _ = password::hash(&text);
                    false
                }
            };
            app.memory().checked.fetch_add(1, Ordering::Relaxed);
            matches
        })
        .await
        .map_err(|_| AppError::Internal("the password could not be checked".into()))
    }
}
