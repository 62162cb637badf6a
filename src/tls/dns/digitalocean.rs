//! DigitalOcean (API version 2, `domains/{domain}/records`). The token needs to read, create and delete domains.

use http::Method;
use serde_json::json;

use super::api::{Api, part, text};
use super::{DnsError, Record, TTL};

pub(super) const BASE: &str = "https://api.digitalocean.com/v2";

/// Answers the record's id.
pub(super) async fn add(api: &Api, record: &Record) -> Result<String, DnsError> {
    let body = json!({"type": "TXT", "name": record.relative(), "data": record.text, "ttl": TTL});
    let path = format!("/domains/{}/records", part(&record.zone));
    let made = api.json(Method::POST, &path, Some(body)).await?;
    text(&made["domain_record"]["id"])
}

pub(super) async fn remove(api: &Api, record: &Record) -> Result<(), DnsError> {
    let path = format!("/domains/{}/records/{}", part(&record.zone), part(&record.id));
    api.json(Method::DELETE, &path, None).await.map(|_| ())
}
