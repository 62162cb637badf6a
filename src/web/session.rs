//! Who is signed in: sessions of browsers, in the database by the hash of their id.
//!
//! A row exists only for somebody who is signed in. The cookie is `SameSite=Lax`, because a link in an
//! e-mail must lead to the page and not to the login; what changes something is guarded by `csrf`.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use crate::app::{App, AppError};
use crate::crypto::token;
use crate::db;
use crate::model::actor::Actor;
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

/// A session ends after this long without a request.
const IDLE: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
/// It ends after this long in any case, in milliseconds.
const ABSOLUTE: i64 = 90 * 86_400_000;
/// Its end is moved at most this often, in milliseconds: a request must not cost a write.
const MOVED_EVERY: i64 = 86_400_000;

const USER: &str = "user";
const CSRF: &str = "csrf";
const SINCE: &str = "since";
const SEEN: &str = "seen";

/// The sessions of an instance.
#[derive(Clone)]
pub struct Sessions(App);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

/// What a session is known by in the database.
pub fn hash(id: &Id) -> [u8; 32] {
    token::hash(&id.to_string())
}

/// The name of a cookie. Where everything is https the browser itself guarantees that no other
/// host, not even an application on a sub-domain, has set it.
pub fn cookie_name(app: &App, name: &str) -> String {
    if app.hosts.secure() { format!("__Host-{name}") } else { name.to_owned() }
}

impl Sessions {
    /// Over the database of an instance.
    pub fn new(app: App) -> Self {
        Self(app)
    }

    /// The layer that reads and writes the cookie.
    pub fn layer(&self) -> SessionManagerLayer<Self> {
        let idle = Duration::try_from(IDLE).unwrap_or(Duration::MAX);
        SessionManagerLayer::new(self.clone())
            .with_name(cookie_name(&self.0, "orbitra"))
            .with_secure(self.0.hosts.secure())
            .with_same_site(SameSite::Lax)
            .with_expiry(Expiry::OnInactivity(idle))
    }

    /// Who a session belongs to now; for connections that outlive the request that opened them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn still_signed_in(&self, id: &Id) -> std::result::Result<Option<Actor>, AppError> {
        let record = self.load(id).await.map_err(|error| AppError::Internal(error.to_string()))?;
        let Some(user) = record.as_ref().and_then(|record| user_of(&record.data)) else {
            return Ok(None);
        };
        Ok(self.0.session_actor(&user).await?.map(|(actor, _)| actor))
    }
}

fn user_of(data: &HashMap<String, Value>) -> Option<UserId> {
    UserId::parse(data.get(USER)?.as_str()?)
}

fn backend(error: &AppError) -> Error {
    Error::Backend(error.to_string())
}

/// The stored form holds the values only: the id stands nowhere in clear.
fn encode(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (user, data) = (user_of(&record.data), encode(record)?);
        let expires = self.0.clock.now().plus(IDLE);
        loop {
            // Always a new id: what a browser brought along is never taken over.
            record.id = Id::default();
            let (hash, user, data) = (hash(&record.id), user.clone(), data.clone());
            let added = self
                .0
                .db
                .write(move |c| -> std::result::Result<bool, AppError> {
                    Ok(db::sessions::insert(c, &hash, user.as_ref(), &data, expires)?)
                })
                .await;
            if added.map_err(|error| backend(&error))? {
                return Ok(());
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (hash, data) = (hash(&record.id), encode(record)?);
        let expires = self.0.clock.now().plus(IDLE);
        self.0
            .db
            .write(move |c| -> std::result::Result<(), AppError> {
                Ok(db::sessions::update(c, &hash, &data, expires)?)
            })
            .await
            .map_err(|error| backend(&error))
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (hash, now) = (hash(id), self.0.clock.now());
        let found = self
            .0
            .db
            .read(move |c| -> std::result::Result<_, AppError> {
                Ok(db::sessions::load(c, &hash, now)?)
            })
            .await
            .map_err(|error| backend(&error))?;
        let Some(found) = found else { return Ok(None) };
        let data: HashMap<String, Value> =
            serde_json::from_slice(&found).map_err(|error| Error::Decode(error.to_string()))?;
        let since = data.get(SINCE).and_then(Value::as_i64).unwrap_or(0);
        if now.0.saturating_sub(since) > ABSOLUTE {
            return Ok(None);
        }
        // The database decides about the end; the record's own is not looked at.
        Ok(Some(Record { id: *id, data, expiry_date: OffsetDateTime::UNIX_EPOCH }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let hash = hash(id);
        self.0
            .db
            .write(move |c| -> std::result::Result<(), AppError> {
                Ok(db::sessions::delete(c, &hash)?)
            })
            .await
            .map_err(|error| backend(&error))?;
        self.0.end_visits(&hash);
        Ok(())
    }
}

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub actor: Actor,
    pub user: User,
    /// What form tokens are made of.
    pub csrf: String,
    pub session: Session,
    /// Its id, for connections that outlive the request.
    pub id: Id,
}

fn internal(error: impl fmt::Display) -> AppError {
    AppError::Internal(format!("session: {error}"))
}

/// Who is signed in with this session, if anybody.
///
/// # Errors
/// The database cannot be read or written.
pub async fn signed_in(
    app: &App,
    session: &Session,
) -> std::result::Result<Option<SignedIn>, AppError> {
    let user: Option<String> = session.get(USER).await.map_err(internal)?;
    let (Some(user), Some(id)) = (user.as_deref().and_then(UserId::parse), session.id()) else {
        return Ok(None);
    };
    let Some((actor, user)) = app.session_actor(&user).await? else { return Ok(None) };
    let csrf: Option<String> = session.get(CSRF).await.map_err(internal)?;
    let Some(csrf) = csrf else { return Ok(None) };
    let now = app.clock.now();
    let seen: Option<i64> = session.get(SEEN).await.map_err(internal)?;
    if now.0 - seen.unwrap_or(0) > MOVED_EVERY {
        session.insert(SEEN, now.0).await.map_err(internal)?;
    }
    Ok(Some(SignedIn { actor, user, csrf, session: session.clone(), id }))
}

/// Signs a browser in: a new session with a new id and a new form token.
///
/// # Errors
/// The database cannot be written.
pub async fn sign_in(
    session: &Session,
    user: &UserId,
    now: Timestamp,
) -> std::result::Result<(), AppError> {
    if session.id().is_some() {
        session.flush().await.map_err(internal)?;
    }
    for (key, value) in [
        (USER, Value::from(user.as_str())),
        (CSRF, token::new_opaque().into()),
        (SINCE, now.0.into()),
        (SEEN, now.0.into()),
    ] {
        session.insert_value(key, value).await.map_err(internal)?;
    }
    Ok(())
}

/// Ends the session for good.
///
/// # Errors
/// The database cannot be written.
pub async fn sign_out(session: &Session) -> std::result::Result<(), AppError> {
    session.flush().await.map_err(internal)
}
