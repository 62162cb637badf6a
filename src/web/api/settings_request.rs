//! What `/system/settings` takes, for the API's description.
#![allow(dead_code, reason = "bodies are read one field at a time, with `Fields`")]

use utoipa::ToSchema;

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
}
