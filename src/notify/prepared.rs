//! A delivery that is signed and can be sent.

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT as USER_AGENT_HEADER};

use super::signature::Signature;
use crate::crypto::secret_box::{SealBroken, SecretBox};
use crate::crypto::webhook_secret::WebhookSecret;
use crate::db::webhooks::{StoredWebhook, secret_identity, url_identity};
use crate::model::delivery::Delivery;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::Webhook;

/// How requests call themselves.
pub const USER_AGENT: &str = "Orbitra-Webhooks/1";

/// Header fields of a request beside those of HTTP itself. `number` is that of the attempt.
pub fn headers(
    delivery: &Delivery,
    number: u32,
    signature: &Signature,
) -> [(&'static str, String); 8] {
    [
        ("X-Orbitra-Event", delivery.event.clone()),
        ("X-Orbitra-Event-Id", delivery.event_id.to_string()),
        ("X-Orbitra-Delivery", delivery.id.to_string()),
        ("X-Orbitra-Attempt", number.to_string()),
        ("X-Orbitra-Signature", signature.orbitra().to_owned()),
        ("webhook-id", delivery.event_id.to_string()),
        ("webhook-timestamp", signature.at().to_owned()),
        ("webhook-signature", signature.standard()),
    ]
}

/// One attempt of a delivery, ready to be sent.
pub struct Prepared {
    pub delivery: Delivery,
    pub webhook: Webhook,
    pub signature: Signature,
    pub request: Request<Bytes>,
    pub started_at: Timestamp,
}

impl Prepared {
    /// Opens what is sealed and signs the body.
    ///
    /// # Errors
    /// What is sealed does not open, or what it holds is no address.
    pub fn new(
        delivery: Delivery,
        stored: StoredWebhook,
        body: String,
        secrets: &SecretBox,
        now: Timestamp,
    ) -> Result<Self, SealBroken> {
        let StoredWebhook { webhook, url, secret, previous_secret } = stored;
        let url = text(secrets.open(&url_identity(&webhook.id), &url)?)?;
        let live = webhook.previous_secret_expires_at.is_some_and(|until| until > now);
        let both = [Some(secret), previous_secret.filter(|_| live)];
        let both: Result<Vec<_>, SealBroken> = both
            .into_iter()
            .flatten()
            .map(|sealed| {
                let plain = text(secrets.open(&secret_identity(&webhook.id), &sealed)?)?;
                WebhookSecret::parse(&plain).ok_or(SealBroken)
            })
            .collect();
        let signature = Signature::new(&both?, delivery.event_id.as_str(), now.seconds(), &body);
        let mut request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT_HEADER, USER_AGENT);
        for (name, value) in headers(&delivery, delivery.attempts + 1, &signature) {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::from(body)).map_err(|_| SealBroken)?;
        Ok(Self { delivery, webhook, signature, request, started_at: now })
    }
}

fn text(plain: Vec<u8>) -> Result<String, SealBroken> {
    String::from_utf8(plain).map_err(|_| SealBroken)
}
