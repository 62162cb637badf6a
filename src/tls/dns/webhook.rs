//! A program of the operator's own, asked as lego's `httpreq` asks: `POST /present` and `POST /cleanup`.

use http::Method;
use serde_json::json;

use super::api::Api;
use super::{DnsError, Record};

pub(super) async fn send(api: &Api, verb: &str, record: &Record) -> Result<String, DnsError> {
    let body = json!({"fqdn": format!("{}.", record.name), "value": record.text});
    // What it says is its own matter.
    api.ask(Method::POST, &format!("/{verb}"), Some(body)).await.map(|_| String::new())
}
