//! Hetzner (Cloud API version 1, `zones/{zone}/rrsets/{name}/TXT`). The token needs to read and write.

use http::Method;
use serde_json::json;

use super::api::{Api, part};
use super::{DnsError, Record, TTL};

pub(super) const BASE: &str = "https://api.hetzner.cloud/v1";

fn action(record: &Record, verb: &str) -> String {
    let (zone, name) = (part(&record.zone), part(record.relative()));
    format!("/zones/{zone}/rrsets/{name}/TXT/actions/{verb}_records")
}

/// As a zone file has it: between quotation marks.
fn quoted(record: &Record) -> String {
    format!("\"{}\"", record.text)
}

pub(super) async fn add(api: &Api, record: &Record) -> Result<String, DnsError> {
    let body = json!({"ttl": TTL, "records": [{"value": quoted(record)}]});
    api.json(Method::POST, &action(record, "add"), Some(body)).await.map(|_| String::new())
}

pub(super) async fn remove(api: &Api, record: &Record) -> Result<(), DnsError> {
    let body = json!({"records": [{"value": quoted(record)}]});
    api.json(Method::POST, &action(record, "remove"), Some(body)).await.map(|_| ())
}
