//! Amazon Route 53 (API of 2013-04-01), signed with Signature Version 4. The key needs `ListHostedZonesByName` and
//! `ChangeResourceRecordSets`.

use bytes::Bytes;
use http::{Method, Request, header};

use super::api::Api;
use super::{DnsError, Record, TTL};
use crate::clock::Clock;
use crate::crypto::digest::{Sha256, hmac_sha256};
use crate::crypto::token::hex;

pub(super) const BASE: &str = "https://route53.amazonaws.com";
/// It is one service for all regions, which counts as this one.
const REGION: &str = "us-east-1";
const VERSION: &str = "/2013-04-01";

#[derive(Clone)]
pub(super) struct Route53 {
    api: Api,
    key_id: String,
    secret: String,
    clock: Clock,
}

impl Route53 {
    pub(super) fn new(api: Api, key_id: String, secret: String, clock: Clock) -> Self {
        Self { api, key_id, secret, clock }
    }

    /// Sets the record, or deletes it.
    pub(super) async fn change(&self, action: &str, record: &Record) -> Result<String, DnsError> {
        let zone = self.zone(&record.zone).await?;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <ChangeBatch><Changes><Change><Action>{action}</Action><ResourceRecordSet>\
             <Name>{}.</Name><Type>TXT</Type><TTL>{TTL}</TTL>\
             <ResourceRecords><ResourceRecord><Value>\"{}\"</Value></ResourceRecord></ResourceRecords>\
             </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
            record.name, record.text
        );
        self.send(Method::POST, &format!("{VERSION}/hostedzone/{zone}/rrset"), "", &body).await?;
        Ok(String::new())
    }

    /// The id of the public zone with this name.
    async fn zone(&self, name: &str) -> Result<String, DnsError> {
        let query = format!("dnsname={name}&maxitems=10");
        let answer =
            self.send(Method::GET, &format!("{VERSION}/hostedzonesbyname"), &query, "").await?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let document = roxmltree::Document::parse(&text).map_err(DnsError::new)?;
        let zones = document.descendants().filter(|node| is_named(node, "HostedZone"));
        for zone in zones {
            let of = |tag: &str| {
                let found = zone.descendants().find(|node| is_named(node, tag));
                found.and_then(|node| node.text()).unwrap_or_default()
            };
            let id = of("Id").rsplit('/').next().unwrap_or_default();
            let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if of("Name").trim_end_matches('.') == name && of("PrivateZone") != "true" && is_id {
                return Ok(id.to_owned());
            }
        }
        Err(DnsError::new(format!("the key sees no public zone {name}")))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: &str,
    ) -> Result<Bytes, DnsError> {
        let separator = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{path}{separator}{query}", self.api.base());
        let uri: http::Uri = uri.parse().map_err(DnsError::new)?;
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let moment = self.clock.now().to_string();
        // 2026-11-30T08:15:00.123Z becomes 20261130T081500Z.
        let plain: String = moment.chars().take(19).filter(|c| !"-:".contains(*c)).collect();
        let moment = format!("{plain}Z");
        let request = Signing {
            method: method.as_str(),
            host: &host,
            path,
            query,
            body,
            moment: &moment,
            service: "route53",
        };
        let request = Request::builder()
            .method(&method)
            .uri(uri)
            .header("x-amz-date", &moment)
            .header(header::AUTHORIZATION, request.authorization(&self.key_id, &self.secret))
            .header(header::CONTENT_TYPE, "application/xml")
            .body(Bytes::from(body.to_owned()))
            .map_err(DnsError::new)?;
        self.api.send(request).await
    }
}

/// Whether a node has this name, whatever its namespace.
fn is_named(node: &roxmltree::Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// What is signed (AWS, "Create a signed AWS API request").
struct Signing<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    /// Sorted, and encoded.
    query: &'a str,
    body: &'a str,
    /// `20150830T123600Z`.
    moment: &'a str,
    service: &'a str,
}

impl Signing<'_> {
    fn authorization(&self, key_id: &str, secret: &str) -> String {
        let day = self.moment.get(..8).unwrap_or_default();
        let headers = "host;x-amz-date";
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\nx-amz-date:{}\n\n{headers}\n{}",
            self.method,
            self.path,
            self.query,
            self.host,
            self.moment,
            hex(&Sha256::of(self.body.as_bytes()))
        );
        let scope = format!("{day}/{REGION}/{}/aws4_request", self.service);
        let hash = hex(&Sha256::of(canonical.as_bytes()));
        let signed = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", self.moment);
        let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), day.as_bytes());
        for step in [REGION, self.service, "aws4_request", &signed] {
            key = hmac_sha256(&key, step.as_bytes());
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={headers}, Signature={}",
            hex(&key)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        // AWS Signature Version 4 test suite, `get-vanilla`.
        let request = Signing {
            method: "GET",
            host: "example.amazonaws.com",
            path: "/",
            query: "",
            body: "",
            moment: "20150830T123600Z",
            service: "service",
        };
        assert_eq!(
            request.authorization("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }
}
