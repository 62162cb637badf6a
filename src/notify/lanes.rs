//! What waits to be sent and what is on its way: a lane for every webhook, so that a slow receiver delays no other.
//!
//! A webhook has four requests on their way at most, one while its receiver has too much to do. All together have 32;
//! one that is not answered within a moment gives its place to another webhook's, up to a bound that only memory sets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::db::webhook_queue::Waiting;
use crate::model::ids::{DeliveryId, WebhookId};
use crate::model::timestamp::Timestamp;

/// Requests of one webhook at the same time.
const PER_WEBHOOK: usize = 4;
/// Requests at the same time that were sent within the last [`QUICK`].
const AT_ONCE: usize = 32;
/// Requests at the same time, those that wait for slow receivers among them.
const ALL: usize = 256;
/// Deliveries of a webhook that are read ahead.
const AHEAD: usize = 64;
/// How long a request takes until it counts as one that waits for a slow receiver.
pub(super) const QUICK: Duration = Duration::from_millis(50);
/// How long a receiver that has too much to do gets one request at a time.
const CALM: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Lane {
    /// What comes next, with whether it is wanted once and at once.
    queue: VecDeque<(DeliveryId, bool)>,
    /// What is in the queue or on its way: the database still has it among what is due.
    known: HashSet<DeliveryId>,
    running: usize,
    /// The database may have more that is due.
    more: bool,
}

/// All lanes.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: HashMap<WebhookId, Lane>,
    /// Whose turn it is.
    turns: VecDeque<WebhookId>,
    /// Webhooks whose receivers have too much to do, and until when that counts.
    calm: HashMap<WebhookId, Timestamp>,
    quick: usize,
    all: usize,
}

impl Lanes {
    /// How many of what is due are to be read, webhook by webhook; what is not named may have [`AHEAD`].
    pub(super) fn room(&self) -> impl Fn(&WebhookId) -> usize + Send + use<> {
        let rooms: HashMap<WebhookId, usize> = self
            .lanes
            .iter()
            .map(|(webhook, lane)| {
                // Always one, for what somebody waits for and what therefore comes first.
                let more = if lane.queue.len() < AHEAD / 2 { AHEAD } else { 1 };
                (webhook.clone(), lane.known.len() + more)
            })
            .collect();
        move |webhook| rooms.get(webhook).copied().unwrap_or(AHEAD)
    }

    /// Takes in what was read. Answers when the next is due that is not yet.
    pub(super) fn fill(
        &mut self,
        found: Vec<Waiting>,
        room: impl Fn(&WebhookId) -> usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.calm.retain(|_, until| *until > now);
        self.lanes.values_mut().for_each(|lane| lane.more = false);
        let mut next = None;
        for Waiting { webhook, next_at, due } in found {
            next = [next, next_at].into_iter().flatten().min();
            if due.is_empty() {
                continue;
            }
            let full = due.len() >= room(&webhook);
            if !self.lanes.contains_key(&webhook) {
                self.turns.push_back(webhook.clone());
            }
            let lane = self.lanes.entry(webhook).or_default();
            lane.more = full;
            for (id, urgent) in due {
                if lane.known.insert(id.clone()) {
                    match urgent {
                        true => lane.queue.push_front((id, true)),
                        false => lane.queue.push_back((id, false)),
                    }
                }
            }
        }
        self.drop_idle();
        next
    }

    /// The next that can be sent now.
    pub(super) fn next(&mut self) -> Option<(WebhookId, DeliveryId)> {
        if self.all >= ALL || self.quick >= AT_ONCE {
            return None;
        }
        for _ in 0..self.turns.len() {
            let webhook = self.turns.pop_front()?;
            self.turns.push_back(webhook.clone());
            let most = if self.calm.contains_key(&webhook) { 1 } else { PER_WEBHOOK };
            let Some(lane) = self.lanes.get_mut(&webhook) else { continue };
            let urgent = lane.queue.front().is_some_and(|(_, urgent)| *urgent);
            if lane.running >= most && !urgent {
                continue;
            }
            if let Some((id, _)) = lane.queue.pop_front() {
                lane.running += 1;
                (self.quick, self.all) = (self.quick + 1, self.all + 1);
                return Some((webhook, id));
            }
        }
        None
    }

    /// A request waits for a slow receiver.
    pub(super) fn slow(&mut self) {
        self.quick = self.quick.saturating_sub(1);
    }

    /// A request was answered, or will not be. `slow` is whether it waited; `overloaded` what the answer says.
    pub(super) fn answered(
        &mut self,
        webhook: &WebhookId,
        slow: bool,
        overloaded: bool,
        now: Timestamp,
    ) {
        if !slow {
            self.slow();
        }
        if overloaded {
            self.calm.insert(webhook.clone(), now.plus(CALM));
        }
        if let Some(lane) = self.lanes.get_mut(webhook) {
            lane.running = lane.running.saturating_sub(1);
        }
    }

    /// What came of a request is stored: the database no longer has it among what is due.
    pub(super) fn stored(&mut self, webhook: &WebhookId, id: &DeliveryId) {
        self.all = self.all.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(webhook) {
            lane.known.remove(id);
        }
        self.drop_idle();
    }

    /// Whether a lane runs empty while the database may have more.
    pub(super) fn hungry(&self) -> bool {
        self.lanes.values().any(|lane| lane.more && lane.queue.len() < AHEAD / 4)
    }

    fn drop_idle(&mut self) {
        let idle = |lane: &Lane| lane.known.is_empty() && lane.running == 0 && !lane.more;
        if self.lanes.values().any(idle) {
            self.lanes.retain(|_, lane| !idle(lane));
            self.turns.retain(|webhook| self.lanes.contains_key(webhook));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn hook(number: u8) -> WebhookId {
        WebhookId::from_random([number; 10])
    }

    fn delivery(hook: u8, number: u8) -> DeliveryId {
        DeliveryId::from_random([hook, number, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn fill(lanes: &mut Lanes, hooks: std::ops::Range<u8>, each: u8) {
        let found = hooks.map(|number| Waiting {
            webhook: hook(number),
            next_at: None,
            due: (0..each).map(|one| (delivery(number, one), false)).collect(),
        });
        let (found, room) = (found.collect(), lanes.room());
        lanes.fill(found, room, NOW);
    }

    fn started(lanes: &mut Lanes) -> Vec<(WebhookId, DeliveryId)> {
        std::iter::from_fn(|| lanes.next()).collect()
    }

    #[test]
    fn one_webhook_has_four_and_all_have_32() {
        let mut lanes = Lanes::default();
        fill(&mut lanes, 0..1, 20);
        let first = started(&mut lanes);
        let order: Vec<_> = (0..4).map(|one| (hook(0), delivery(0, one))).collect();
        assert_eq!(first, order, "in order");
        // What is known is not taken in again.
        fill(&mut lanes, 0..20, 20);
        assert_eq!(started(&mut lanes).len(), 28);
        lanes.answered(&hook(0), false, false, NOW);
        lanes.stored(&hook(0), &delivery(0, 0));
        assert_eq!(started(&mut lanes).len(), 1);
    }

    #[test]
    fn slow_receivers_make_room_for_others() {
        let mut lanes = Lanes::default();
        fill(&mut lanes, 0..8, 20);
        let hanging = started(&mut lanes);
        assert_eq!(hanging.len(), 32);
        fill(&mut lanes, 0..9, 20);
        assert_eq!(started(&mut lanes), []);
        hanging.iter().for_each(|_| lanes.slow());
        let next = started(&mut lanes);
        assert!(next.len() == 4 && next.iter().all(|(webhook, _)| *webhook == hook(8)));
    }

    #[test]
    fn an_overloaded_receiver_gets_one_at_a_time() {
        let mut lanes = Lanes::default();
        fill(&mut lanes, 0..1, 20);
        let first = started(&mut lanes);
        for (webhook, id) in &first {
            lanes.answered(webhook, false, true, NOW);
            lanes.stored(webhook, id);
        }
        assert_eq!(started(&mut lanes).len(), 1);
        let later = NOW.plus(CALM);
        let room = lanes.room();
        lanes.fill(Vec::new(), room, later);
        assert_eq!(started(&mut lanes).len(), 3);
    }

    #[test]
    fn what_somebody_waits_for_comes_first_and_idle_lanes_go() {
        let mut lanes = Lanes::default();
        fill(&mut lanes, 0..1, 10);
        assert_eq!(started(&mut lanes).len(), 4);
        let urgent = Waiting {
            webhook: hook(0),
            next_at: Some(NOW.plus(QUICK)),
            due: vec![(delivery(0, 99), true)],
        };
        let room = lanes.room();
        assert_eq!(lanes.fill(vec![urgent], room, NOW), Some(NOW.plus(QUICK)));
        assert_eq!(started(&mut lanes), [(hook(0), delivery(0, 99))]);
        for one in (0..10).chain([99]) {
            lanes.answered(&hook(0), false, false, NOW);
            lanes.stored(&hook(0), &delivery(0, one));
            started(&mut lanes);
        }
        assert!(
            lanes.lanes.is_empty() && lanes.turns.is_empty() && lanes.all == 0 && lanes.quick == 0
        );
    }

    #[test]
    fn a_lane_that_runs_empty_asks_for_more() {
        let mut lanes = Lanes::default();
        let due = |from: u8| (0..64).map(move |one| (delivery(0, from + one), false)).collect();
        let room = lanes.room();
        lanes.fill(vec![Waiting { webhook: hook(0), next_at: None, due: due(0) }], room, NOW);
        assert!(!lanes.hungry());
        for one in 0..60 {
            lanes.next();
            lanes.answered(&hook(0), false, false, NOW);
            lanes.stored(&hook(0), &delivery(0, one));
        }
        assert!(lanes.hungry());
    }
}
