//! What `/system/settings` takes, for the API's description.
#![allow(dead_code, reason = "bodies are read one field at a time, with `Fields`")]

use utoipa::ToSchema;

use crate::model::mail::MailSecurity;

/// What to change. Fields that are left out stay as they are; `null` goes back to what the server was started with.
#[derive(ToSchema)]
#[schema(example = json!({ "rate_free": 2000, "egress_allow": ["10.1.0.0/16", "git.internal"] }))]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    /// Requests to the API per window of an account with the plan `free`, and of an address without an account.
    #[schema(minimum = 1, maximum = 2_147_483_646)]
    rate_free: Option<u32>,
    /// The same of an account with the plan `professional`.
    #[schema(minimum = 1, maximum = 2_147_483_646)]
    rate_professional: Option<u32>,
    /// Addresses, networks, names and `*.` and a name that Git fetches may reach beside public addresses.
    #[schema(max_items = 100)]
    egress_allow: Option<Vec<String>>,
    /// Whether plain `http://` is allowed for Git.
    egress_allow_http: Option<bool>,
    /// The server that takes this instance's mail; `null` for none. Replaced as a whole.
    mail: Option<NewMailServer>,
}

/// A server that takes mail.
#[derive(ToSchema)]
#[schema(example = json!({
    "host": "mail.example.com", "port": 587, "security": "starttls", "user": "orbitra", "password": "correct horse",
    "sender": "Orbitra <orbitra@example.com>",
}))]
#[serde(deny_unknown_fields)]
struct NewMailServer {
    /// A name or an address. Private ones only where `egress_allow` opens them.
    #[schema(max_length = 253)]
    host: String,
    #[schema(minimum = 1, maximum = 65_535)]
    port: u16,
    #[schema(required = false, default = "starttls")]
    security: MailSecurity,
    /// Who signs in; `null` when nobody does.
    #[schema(max_length = 256)]
    user: Option<String>,
    /// Left out the password stays as it is, as long as host, port, security and user do.
    #[schema(max_length = 256, required = false)]
    password: String,
    /// An address, or a name and an address.
    #[schema(max_length = 360)]
    sender: String,
    /// May be sent back as it was read.
    #[schema(required = false)]
    has_password: bool,
}

/// Where a test mail goes.
#[derive(ToSchema)]
#[schema(example = json!({ "to": "ada@example.com" }))]
#[serde(deny_unknown_fields)]
pub struct TestMail {
    #[schema(max_length = 254)]
    to: String,
}
