//! API keys at the door.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::known_keys::{Holder, ReadAt};
use super::{App, AppError};
use crate::crypto::token;
use crate::db;
use crate::model::actor::{Actor, Origin, Via};
use crate::model::api_key::parse_key;
use crate::model::network::Network;

fn unauthorized(reason: &'static str, message: &'static str) -> AppError {
    AppError::Unauthorized { reason, message }
}

impl App {
    /// The actor behind an API key. A key with a bad checksum is refused before any look-up.
    ///
    /// # Errors
    /// `Unauthorized`, or `Forbidden` for a suspended account or an address the key may not be used from.
    pub async fn authenticate(&self, key: &str, origin: Origin) -> Result<Actor, AppError> {
        let invalid = || unauthorized("invalid_key", "This API key is not valid.");
        parse_key(key).ok_or_else(invalid)?;
        let from = origin.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let holder = self.holder(key).await?.ok_or_else(invalid)?;
        let (key, user) = &*holder;
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
        self.memory().uses.note(&key.id, now, from);
        Ok(Actor {
            user_id: user.id.clone(),
            user_name: user.name.clone(),
            team_id: user.team_id.clone(),
            instance_admin: user.instance_admin,
            plan: user.plan,
            origin,
            via: Via::ApiKey {
                id: key.id.clone(),
                name: key.name.clone(),
                scopes: key.scopes.clone(),
                project_ids: key.project_ids.clone(),
                allowed_ips: key.allowed_ips.clone(),
                expires_at: key.expires_at,
            },
        })
    }

    /// A key with its account, from memory when it was read a moment ago. One that does not exist is looked
    /// up every time: whoever guesses must not be able to fill the memory.
    async fn holder(&self, key: &str) -> Result<Option<Holder>, AppError> {
        let hash = token::hash(key);
        let read = ReadAt { identities: self.db.identities(), moment: Instant::now() };
        if let Some(known) = self.memory().keys.find(&hash, read) {
            return Ok(Some(known));
        }
        let found = self
            .db
            .read(move |c| -> Result<_, AppError> {
                let Some(key) = db::api_keys::find_by_hash(c, &hash)? else { return Ok(None) };
                let user = db::users::find(c, &key.user_id)?;
                Ok(user.map(|user| Arc::new((key, user))))
            })
            .await?;
        if let Some(holder) = &found {
            self.memory().keys.keep(hash, read, holder.clone());
        }
        Ok(found)
    }

    /// Whether an actor's key still works; for what lasts longer than a request.
    pub async fn still_valid(&self, actor: &Actor) -> bool {
        let Via::ApiKey { id, .. } = &actor.via else { return true };
        let (id, user, now) = (id.clone(), actor.user_id.clone(), self.clock.now());
        let read = self.db.read(move |c| -> Result<bool, AppError> {
            let key = db::api_keys::find(c, &user, &id)?;
            let account = db::users::find(c, &user)?;
            let works = key.is_some_and(|key| key.status(now) == "active");
            Ok(works && account.is_some_and(|account| !account.suspended))
        });
        // A database that cannot be read for a moment ends no stream.
        read.await.unwrap_or(true)
    }

    /// Stores when and from where keys were used since the last time.
    pub async fn store_key_uses(&self) {
        let uses: Vec<_> = self
            .memory()
            .uses
            .take()
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
