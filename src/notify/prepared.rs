//! A delivery that is signed and can be sent.

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT as USER_AGENT_HEADER};

use super::mail::Mail;
use super::question::LINK;
use super::signature::Signature;
use crate::crypto::secret_box::{SealBroken, SecretBox};
use crate::crypto::webhook_secret::WebhookSecret;
use crate::db::webhook_queue::Open;
use crate::db::webhooks::{StoredWebhook, secret_identity, url_identity};
use crate::model::delivery::Delivery;
use crate::model::mail::{self, StoredMail};
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{CONFIRMATION, Format, Webhook};

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
    pub outgoing: Outgoing,
    pub started_at: Timestamp,
}

/// What leaves the machine.
pub enum Outgoing {
    Request(Box<Request<Bytes>>),
    Mail(Box<Mail>),
    /// A mail, and no server that takes it.
    Nowhere,
    /// A mail to an address that has not agreed, or one that asks an address that has answered.
    Unwanted,
}

impl Prepared {
    /// Opens what is sealed, and signs the body where it is sent over HTTP. `link` is that of a mail that asks an address.
    ///
    /// # Errors
    /// What is sealed does not open, or what it holds is no address.
    pub fn new(
        open: Open,
        link: Option<String>,
        secrets: &SecretBox,
        now: Timestamp,
    ) -> Result<Self, SealBroken> {
        let Open { delivery, stored, body, mail } = open;
        let StoredWebhook { webhook, url, secret, previous_secret } = stored;
        let url = text(secrets.open(&url_identity(&webhook.id), &url)?)?;
        if webhook.format == Format::Email {
            let mut outgoing = letter(&delivery, &url, &body, mail, secrets)?;
            match (&mut outgoing, link) {
                (Outgoing::Mail(mail), Some(link)) => {
                    mail.letter.text = mail.letter.text.replace(LINK, &link);
                }
                (_, None) if delivery.event == CONFIRMATION || !webhook.is_agreed() => {
                    outgoing = Outgoing::Unwanted;
                }
                _ => {}
            }
            let signature = Signature::new(&[], delivery.event_id.as_str(), now.seconds(), "");
            return Ok(Self { delivery, webhook, signature, outgoing, started_at: now });
        }
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
        let outgoing = Outgoing::Request(Box::new(request));
        Ok(Self { delivery, webhook, signature, outgoing, started_at: now })
    }
}

/// The mail of a delivery. One that comes twice has the same id, by which it is known again.
fn letter(
    delivery: &Delivery,
    url: &str,
    body: &str,
    stored: Option<StoredMail>,
    secrets: &SecretBox,
) -> Result<Outgoing, SealBroken> {
    let Some(StoredMail { server, secret }) = stored else { return Ok(Outgoing::Nowhere) };
    let secret = secret.map(|sealed| secrets.open(mail::SECRET, &sealed).and_then(text));
    let to = mail::mailto(url).ok_or(SealBroken)?.to_owned();
    Ok(Outgoing::Mail(Box::new(Mail {
        server,
        secret: secret.transpose()?,
        to,
        letter: serde_json::from_str(body).map_err(|_| SealBroken)?,
        id: format!("{}.{}", delivery.event_id, delivery.id),
        at: delivery.created_at,
    })))
}

fn text(plain: Vec<u8>) -> Result<String, SealBroken> {
    String::from_utf8(plain).map_err(|_| SealBroken)
}
