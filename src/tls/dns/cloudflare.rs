//! Cloudflare (API version 4, `zones/{zone}/dns_records`). The token needs `Zone:Read` and `DNS:Edit`.

use http::Method;
use serde_json::{Value, json};

use super::api::{Api, part, text};
use super::{DnsError, Record, TTL};

pub(super) const BASE: &str = "https://api.cloudflare.com/client/v4";

async fn zone(api: &Api, record: &Record) -> Result<String, DnsError> {
    let path = format!("/zones?name={}", part(&record.zone));
    let found = api.json(Method::GET, &path, None).await?;
    text(&found["result"][0]["id"])
        .map_err(|_| DnsError::new(format!("the token sees no zone {}", record.zone)))
}

/// Answers the zone's id and the record's.
pub(super) async fn add(api: &Api, record: &Record) -> Result<String, DnsError> {
    let zone = zone(api, record).await?;
    let body = json!({"type": "TXT", "name": record.name, "content": record.text, "ttl": TTL});
    let path = format!("/zones/{}/dns_records", part(&zone));
    let made = api.json(Method::POST, &path, Some(body)).await?;
    Ok(format!("{zone}/{}", text(&made["result"]["id"])?))
}

pub(super) async fn remove(api: &Api, record: &Record) -> Result<(), DnsError> {
    let (zone, ids) = match record.id.split_once('/') {
        Some((zone, id)) => (zone.to_owned(), vec![id.to_owned()]),
        None => found(api, record).await?,
    };
    for id in ids {
        let path = format!("/zones/{}/dns_records/{}", part(&zone), part(&id));
        api.json(Method::DELETE, &path, None).await?;
    }
    Ok(())
}

/// The zone's id, and those of the records with this text: nobody heard what they are called.
async fn found(api: &Api, record: &Record) -> Result<(String, Vec<String>), DnsError> {
    let zone = zone(api, record).await?;
    let path = format!(
        "/zones/{}/dns_records?type=TXT&name={}&per_page=100",
        part(&zone),
        part(&record.name)
    );
    let all = api.json(Method::GET, &path, None).await?;
    // It may come with the quotation marks of a zone file.
    let is_it = |one: &&Value| {
        one["content"].as_str().is_some_and(|text| text.trim_matches('"') == record.text)
    };
    let all = all["result"].as_array().cloned().unwrap_or_default();
    let ids = all.iter().filter(is_it).map(|one| text(&one["id"])).collect::<Result<_, _>>()?;
    Ok((zone, ids))
}
