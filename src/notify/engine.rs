//! Sends what waits. Woken by commits that add deliveries and by the time of the next retry; otherwise it sleeps.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::attempt::attempt;
use super::lanes::{Lanes, QUICK};
use super::outcome::Outcome;
use super::prepared::{Outgoing, Prepared};
use super::record::Ended;
use super::{Parts, account_mails, mail, question};
use crate::crypto::random;
use crate::db::{self, DbError};
use crate::events::Change;
use crate::model::delivery::AttemptError;
use crate::model::ids::{DeliveryId, WebhookId};
use crate::model::timestamp::Timestamp;
use crate::model::webhook::CONFIRMATION;

/// How long it sleeps at most: another process may have written something, and clocks are set.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// How long it waits when the database cannot be read or written.
pub(super) const TROUBLE: Duration = Duration::from_secs(5);
/// How long requests on their way may take when the process stops. What is cut off is sent again later.
const STOP: Duration = Duration::from_secs(2);

/// Sends events to webhooks.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

/// What becomes of a request on its way.
enum News {
    Slow,
    Answered { webhook: WebhookId, slow: bool, overloaded: bool },
    Stored { webhook: WebhookId, id: DeliveryId, next_at: Option<Timestamp> },
}

impl Engine {
    /// Made of its parts; sends nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Sends from now on, until the process stops.
    pub fn start(&self) {
        let stopping = self.0.tasks.stopping();
        self.0.tasks.spawn(account_mails::run(self.0.clone(), stopping.clone()));
        self.0.tasks.spawn(self.clone().run(stopping));
    }

    async fn run(self, stopping: CancellationToken) {
        let mut deliveries = self.0.db.deliveries();
        let (tell, mut told) = unbounded_channel();
        let mut lanes = Lanes::default();
        loop {
            // Before the database is read, so that nothing falls in between.
            deliveries.mark_unchanged();
            let mut wake = Instant::now() + self.look(&mut lanes).await;
            loop {
                while let Some((webhook, id)) = lanes.next() {
                    let work = self.clone().deliver(webhook, id, tell.clone(), stopping.clone());
                    self.0.tasks.spawn(work);
                }
                tokio::select! {
                    () = stopping.cancelled() => return,
                    news = told.recv() => match news {
                        Some(News::Slow) => lanes.slow(),
                        Some(News::Answered { webhook, slow, overloaded }) => {
                            lanes.answered(&webhook, slow, overloaded, self.0.clock.now());
                        }
                        Some(News::Stored { webhook, id, next_at }) => {
                            lanes.stored(&webhook, &id);
                            if let Some(next_at) = next_at {
                                wake = wake.min(Instant::now() + self.until(next_at));
                            }
                        }
                        None => return,
                    },
                    changed = deliveries.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep_until(wake) => break,
                }
                if lanes.hungry() {
                    break;
                }
            }
        }
    }

    /// Reads what is due. Answers how long until something else is.
    async fn look(&self, lanes: &mut Lanes) -> Duration {
        let (now, room, filled) = (self.0.clock.now(), lanes.room(), lanes.room());
        let found = self.0.db.read(move |c| db::webhook_queue::waiting(c, now, room)).await;
        match found {
            Ok(found) => lanes.fill(found, filled, now).map_or(LONGEST, |next| self.until(next)),
            Err(error) => {
                tracing::error!(%error, "what is to be sent to webhooks could not be read");
                TROUBLE
            }
        }
    }

    fn until(&self, at: Timestamp) -> Duration {
        // A little later rather than a little too early, which would be another look.
        let wait = Duration::from_millis(at.millis_since(self.0.clock.now()) + 5);
        wait.min(LONGEST)
    }

    /// One attempt of a delivery, from the database to the database.
    async fn deliver(
        self,
        webhook: WebhookId,
        id: DeliveryId,
        tell: UnboundedSender<News>,
        stopping: CancellationToken,
    ) {
        let mut slow = false;
        let ended = {
            let work = self.attempt(&webhook, &id);
            tokio::pin!(work);
            let cut = async {
                stopping.cancelled().await;
                tokio::time::sleep(STOP).await;
            };
            tokio::pin!(cut);
            loop {
                tokio::select! {
                    ended = &mut work => break ended,
                    () = tokio::time::sleep(QUICK), if !slow => {
                        slow = true;
                        let _ = tell.send(News::Slow);
                    }
                    () = &mut cut => return,
                }
            }
        };
        let overloaded = matches!(&ended, Ok(Some((_, overloaded))) if *overloaded);
        let _ = tell.send(News::Answered { webhook: webhook.clone(), slow, overloaded });
        let stored = match ended {
            Ok(Some((ended, _))) => self.store(ended).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let next_at = match stored {
            Ok(next_at) => next_at,
            Err(error) => {
                tracing::error!(%error, delivery = %id, "a delivery to a webhook could not be made");
                // It is still due, and would be sent again at once.
                tokio::time::sleep(TROUBLE).await;
                Some(self.0.clock.now())
            }
        };
        let _ = tell.send(News::Stored { webhook, id, next_at });
    }

    /// Sends; `None` when there is nothing to send any more. With whether the receiver has too much to do.
    async fn attempt(
        &self,
        webhook: &WebhookId,
        id: &DeliveryId,
    ) -> Result<Option<(Ended, bool)>, DbError> {
        let (hook, delivery) = (webhook.clone(), id.clone());
        let open = self.0.db.read(move |c| db::webhook_queue::open(c, &hook, &delivery));
        let Some(open) = open.await? else { return Ok(None) };
        let once = open.delivery.once;
        let link = match open.delivery.event == CONFIRMATION {
            true => question::link(&self.0, &open).await?,
            false => None,
        };
        let prepared = Prepared::new(open, link, &self.0.secrets, self.0.clock.now());
        let mut prepared = prepared.map_err(|broken| DbError::Broken(broken.to_string()))?;
        let outgoing = std::mem::replace(&mut prepared.outgoing, Outgoing::Nowhere);
        let answer = self.send(outgoing).await;
        let now = self.0.clock.now();
        let schedule = if once { &[][..] } else { &self.0.schedule };
        let made = prepared.delivery.attempts + 1;
        let spread = u16::from_be_bytes(random::bytes());
        let outcome = Outcome::of(&answer, made, schedule, now, spread);
        let overloaded = answer.overloaded();
        Ok(Some((Ended::new(prepared, answer, outcome, now), overloaded)))
    }

    async fn send(&self, outgoing: Outgoing) -> Answer {
        let Parts { client, name, timeout, .. } = &*self.0;
        match outgoing {
            Outgoing::Request(request) => attempt(client, *request, *timeout).await,
            Outgoing::Mail(mail) => mail::send(client.policy(), name, &mail, *timeout).await,
            Outgoing::Nowhere => {
                let error = Some(AttemptError::NotConfigured);
                Answer { error, mail: true, ..Answer::default() }
            }
            Outgoing::Unwanted => {
                let error = Some(AttemptError::NotConfirmed);
                Answer { error, mail: true, refused: true, ..Answer::default() }
            }
        }
    }

    /// Stores what came of it. Answers when it is tried again.
    async fn store(&self, ended: Ended) -> Result<Option<Timestamp>, DbError> {
        let (parts, now) = (self.0.clone(), self.0.clock.now());
        let next_at = ended.delivery.next_at;
        let change = Change::Webhook(ended.webhook.team_id.clone(), ended.webhook.id.clone());
        self.0.db.write(move |c| ended.store(c, &parts.dashboard, now)).await?;
        self.0.bus.send(change);
        Ok(next_at)
    }
}
