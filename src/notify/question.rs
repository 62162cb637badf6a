//! The mail that asks an address whether it wants mail. Its link is made when it is sent and stands nowhere else, so that
//! nobody of the team can answer in the address's place; an attempt more has a new one, and the one before ends.

use std::time::Duration;

use super::Parts;
use crate::crypto::token;
use crate::db::webhook_queue::Open;
use crate::db::{self, DbError};
use crate::model::mail::mailto;

/// What stands in the place of the link until the mail is sent.
pub const LINK: &str = "<the link, which the mail alone has>";
/// How long a link works.
pub const LINK_LASTS: Duration = Duration::from_secs(7 * 86_400);
/// Where links lead; what follows is a secret.
pub const PATH: &str = "/mail/";

/// A new link for a mail that asks. `None` when its address has answered meanwhile.
pub(super) async fn link(parts: &Parts, open: &Open) -> Result<Option<String>, DbError> {
    let webhook = &open.stored.webhook;
    let Some(address) = mailto(&webhook.address).map(str::to_ascii_lowercase) else {
        return Ok(None);
    };
    let secret = token::new_opaque();
    let (team, hash) = (webhook.team_id.clone(), token::hash(&secret));
    let until = parts.clock.now().plus(LINK_LASTS);
    let linked = parts
        .db
        .write(move |c| db::mail_recipients::link(c, &team, &address, &hash, until))
        .await?;
    Ok(linked.then(|| format!("{}{PATH}{secret}", parts.dashboard)))
}
