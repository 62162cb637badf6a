//! DigitalOcean (API version 2, `domains/{domain}/records`). The token needs to read, create and delete domains.

use http::Method;
use serde_json::{Value, json};

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
    let ids = match record.id.as_str() {
        "" => found(api, record).await?,
        id => vec![id.to_owned()],
    };
    for id in ids {
        let path = format!("/domains/{}/records/{}", part(&record.zone), part(&id));
        api.json(Method::DELETE, &path, None).await?;
    }
    Ok(())
}

/// The ids of the records with this text: nobody heard what they are called.
async fn found(api: &Api, record: &Record) -> Result<Vec<String>, DnsError> {
    let path = format!(
        "/domains/{}/records?type=TXT&name={}&per_page=200",
        part(&record.zone),
        part(&record.name)
    );
    let all = api.json(Method::GET, &path, None).await?;
    let all = all["domain_records"].as_array().cloned().unwrap_or_default();
    let is_it = |one: &&Value| one["data"] == record.text.as_str();
    all.iter().filter(is_it).map(|one| text(&one["id"])).collect()
}
