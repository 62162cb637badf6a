//! Outgoing webhooks, messages and mails among them, and the mails that accounts get without one. A delivery stands in the database since the transaction of its event; from there its way is told
//! by types: [`Prepared`] (signed, to be sent) → [`Answer`] → [`Outcome`], which is stored with the attempt.
//!
//! At least once: what was sent and not yet stored when the process ends is sent again, with the same event id.

mod account_mails;
mod answer;
mod attempt;
mod engine;
mod lanes;
mod mail;
mod outcome;
mod prepared;
mod question;
mod record;
mod retry_after;
mod signature;

use std::sync::Arc;
use std::time::Duration;

pub use answer::Answer;
pub use engine::Engine;
pub use mail::{Mail, send as send_mail};
pub use outcome::Outcome;
pub use prepared::{Prepared, USER_AGENT, headers};
pub use question::{LINK, LINK_LASTS, PATH as LINK_PATH};
pub use signature::{Signature, signed_bytes};

use crate::clock::Clock;
use crate::crypto::secret_box::SecretBox;
use crate::db::Db;
use crate::egress::Client;
use crate::events::Bus;
use crate::task::Tasks;

/// How long a connection may take to be made: name, connection and TLS.
pub const CONNECT: Duration = Duration::from_secs(5);

/// What the engine works with.
#[derive(Clone)]
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub bus: Bus,
    /// Reaches what may be reached, within [`CONNECT`].
    pub client: Client,
    /// What this server calls itself to mail servers.
    pub name: String,
    /// The dashboard's origin, for links.
    pub dashboard: String,
    /// How long after each attempt the next one is made.
    pub schedule: Arc<[Duration]>,
    /// How long one attempt may take.
    pub timeout: Duration,
    pub tasks: Tasks,
}
