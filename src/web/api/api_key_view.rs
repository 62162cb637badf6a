//! API keys as the API shows them.

use super::object::Object;
use crate::model::api_key::ApiKey;

/// A key without the key itself.
pub fn full(key: &ApiKey) -> Object {
    Object::new()
        .with("id", &key.id)
        .with("name", &key.name)
        .with("prefix", &key.prefix)
        .with("last4", &key.last4)
        .with("scopes", &key.scopes)
        .with("allowed_ips", &key.allowed_ips)
        .with("project_ids", &key.project_ids)
        .with("expires_at", &key.expires_at)
        .with("last_used_at", &key.last_used_at)
        .with("last_used_ip", &key.last_used_ip)
        .with("created_at", &key.created_at)
        .with("revoked_at", &key.revoked_at)
}

/// A new key: the only answer the key itself is in.
pub fn created(key: &ApiKey, secret: &str) -> Object {
    full(key).with("key", secret)
}
