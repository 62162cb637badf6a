//! API keys at the door.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::{App, AppError};
use crate::crypto::token;
use crate::db;
use crate::model::actor::{Actor, Via};
use crate::model::api_key::parse_key;
use crate::model::ids::KeyId;
use crate::model::network::Network;
use crate::model::timestamp::Timestamp;

/// Uses that are not stored yet: a request must not cost a write.
static USES: Mutex<Option<HashMap<KeyId, (Timestamp, IpAddr)>>> = Mutex::new(None);

fn unauthorized(reason: &'static str, message: &'static str) -> AppError {
    AppError::Unauthorized { reason, message }
}

impl App {
    /// The actor behind an API key. A key with a bad checksum is refused before any look-up.
    ///
    /// # Errors
    /// `Unauthorized`, or `Forbidden` for a suspended account or an address the key may not be used from.
    pub async fn authenticate(&self, key: &str, from: IpAddr) -> Result<Actor, AppError> {
        let invalid = || unauthorized("invalid_key", "This API key is not valid.");
        parse_key(key).ok_or_else(invalid)?;
        let hash = token::hash(key);
        let found = self
            .db
            .read(move |c| -> Result<_, AppError> {
                let Some(key) = db::api_keys::find_by_hash(c, &hash)? else { return Ok(None) };
                let user = db::users::find(c, &key.user_id)?;
                Ok(user.map(|user| (key, user)))
            })
            .await?;
        let (key, user) = found.ok_or_else(invalid)?;
        let now = self.clock.now();
        match key.status(now) {
            "revoked" => return Err(unauthorized("key_revoked", "This API key was revoked.")),
            "expired" => return Err(unauthorized("key_expired", "This API key has expired.")),
            _ => {}
        }
        let forbidden = |reason, message: &str| AppError::Forbidden {
            reason,
            message: message.to_owned(),
            details: json!({}),
        };
        if user.suspended {
            return Err(forbidden("suspended", "This account is suspended."));
        }
        let inside = |network: &String| {
            Network::parse(network).is_some_and(|network| network.contains(from))
        };
        if !key.allowed_ips.is_empty() && !key.allowed_ips.iter().any(inside) {
            return Err(forbidden("ip_not_allowed", "This key may not be used from this address."));
        }
        USES.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(key.id.clone(), (now, from));
        Ok(Actor {
            user_id: user.id,
            user_name: user.name,
            team_id: user.team_id,
            instance_admin: user.instance_admin,
            via: Via::ApiKey {
                id: key.id,
                name: key.name,
                scopes: key.scopes,
                project_ids: key.project_ids,
                expires_at: key.expires_at,
            },
        })
    }

    /// Stores when and from where keys were used since the last time.
    pub async fn store_key_uses(&self) {
        let uses: Vec<_> = USES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default()
            .into_iter()
            .map(|(id, (at, from))| (id, at, from.to_string()))
            .collect();
        if uses.is_empty() {
            return;
        }
        let stored = self.db.write(move |c| db::api_keys::record_use(c, &uses)).await;
        if let Err(error) = stored {
            tracing::warn!(%error, "the last use of keys could not be stored");
        }
    }
}
