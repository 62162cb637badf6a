//! Mails that tell accounts of what is theirs: nobody has to make a webhook to learn that one of theirs is disabled. One after
//! the other, by the schedule of deliveries; at least once, with the same `Message-ID`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::engine::{LONGEST, TROUBLE};
use super::outcome::Outcome;
use super::{Answer, Mail, Parts, send_mail};
use crate::crypto::random;
use crate::db::account_mails::AccountMail;
use crate::db::{self, DbError};
use crate::model::announcement::mail::Letter;
use crate::model::delivery::AttemptError;
use crate::model::mail::SECRET;
use crate::model::webhook::{DisabledReason, Webhook};

/// What the owner of a webhook is told when it is disabled. `dashboard` is the origin of the link.
pub(super) fn disabled(webhook: &Webhook, reason: DisabledReason, dashboard: &str) -> Letter {
    let (id, address) = (&webhook.id, &webhook.address);
    let why = match reason {
        DisabledReason::Gone => "Its receiver answered 410: it wants no events any more.",
        DisabledReason::Failing => "Nothing has arrived there for 5 days.",
    };
    let text = format!(
        "Orbitra has disabled your webhook {address}.\n\n{why}\n\nNothing is sent to it now. If that is not what you want, \
         mend the receiver, enable the webhook, and replay what it missed:\n\n{dashboard}/dashboard/webhooks/{id}\n\n-- \n\
         Sent by Orbitra because the webhook belongs to your account.\n"
    );
    Letter { subject: "[Orbitra] Your webhook is disabled".to_owned(), text }
}

/// Sends what waits, until the process stops.
pub(super) async fn run(parts: std::sync::Arc<Parts>, stopping: CancellationToken) {
    let mut written = parts.db.account_mails();
    loop {
        // Before the database is read, so that nothing falls in between.
        written.mark_unchanged();
        let wait = match parts.db.read(db::account_mails::next).await {
            Ok(Some(mail)) if mail.next_at <= parts.clock.now() => {
                let sent = tokio::select! {
                    sent = send(&parts, mail) => sent,
                    () = stopping.cancelled() => return,
                };
                match sent {
                    Ok(()) => Duration::ZERO,
                    Err(error) => trouble(&error),
                }
            }
            Ok(Some(mail)) => {
                let wait = Duration::from_millis(mail.next_at.millis_since(parts.clock.now()) + 5);
                wait.min(LONGEST)
            }
            Ok(None) => LONGEST,
            Err(error) => trouble(&error),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = written.changed() => if changed.is_err() { return },
            () = stopping.cancelled() => return,
        }
    }
}

fn trouble(error: &DbError) -> Duration {
    tracing::error!(%error, "a mail to an account could not be sent");
    TROUBLE
}

/// One attempt, from the database to the database.
async fn send(parts: &Parts, mail: AccountMail) -> Result<(), DbError> {
    let (seq, made) = (mail.seq, mail.attempts + 1);
    let answer = attempt(parts, mail).await?;
    let now = parts.clock.now();
    let spread = u16::from_be_bytes(random::bytes());
    match Outcome::of(&answer, made, &parts.schedule, now, spread) {
        Outcome::RetryAt(at) => parts.db.write(move |c| db::account_mails::retry(c, seq, at)).await,
        Outcome::Delivered => parts.db.write(move |c| db::account_mails::remove(c, seq)).await,
        Outcome::GaveUp | Outcome::Gone => {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            tracing::warn!(status = answer.status, error = ?answer.error, %said, "a mail to an account was given up");
            parts.db.write(move |c| db::account_mails::remove(c, seq)).await
        }
    }
}

async fn attempt(parts: &Parts, mail: AccountMail) -> Result<Answer, DbError> {
    let Some(stored) = mail.server else {
        let error = Some(AttemptError::NotConfigured);
        return Ok(Answer { error, mail: true, ..Answer::default() });
    };
    let broken = |error: String| DbError::Broken(error);
    let opened = stored.secret.map(|sealed| parts.secrets.open(SECRET, &sealed)).transpose();
    let secret = opened.map_err(|error| broken(error.to_string()))?.map(String::from_utf8);
    let secret = secret.transpose().map_err(|error| broken(error.to_string()))?;
    let letter = serde_json::from_str(&mail.letter).map_err(|error| broken(error.to_string()))?;
    let id = format!("{}.{}", mail.event_id, mail.seq);
    let mail = Mail { server: stored.server, secret, to: mail.to, letter, id, at: mail.created_at };
    Ok(send_mail(parts.client.policy(), &parts.name, &mail, parts.timeout).await)
}
