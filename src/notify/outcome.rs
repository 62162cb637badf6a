//! What follows from an answer.

use std::time::Duration;

use super::answer::Answer;
use super::retry_after;
use crate::model::timestamp::Timestamp;

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Delivered,
    /// It is tried again then.
    RetryAt(Timestamp),
    /// It is not tried any more.
    GaveUp,
    /// The receiver wants no events any more.
    Gone,
}

impl Outcome {
    /// Decides. `made` counts the attempts with this one; `random` spreads retries by a tenth either way.
    pub fn of(
        answer: &Answer,
        made: u32,
        schedule: &[Duration],
        now: Timestamp,
        random: u16,
    ) -> Self {
        if answer.arrived() {
            return Self::Delivered;
        }
        if answer.gone() {
            return Self::Gone;
        }
        if answer.refused {
            return Self::GaveUp;
        }
        let made = usize::try_from(made).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(wait) = schedule.get(made) else { return Self::GaveUp };
        let spread = wait.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u16::MAX));
        let asked =
            answer.retry_after.as_deref().filter(|_| matches!(answer.status, Some(429 | 503)));
        // Later when the receiver asks for it, never earlier.
        let asked = asked.and_then(|text| retry_after::parse(text, now)).unwrap_or_default();
        Self::RetryAt(now.plus(spread.max(asked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::AttemptError;

    const NOW: Timestamp = Timestamp(1_768_926_600_000);

    fn answer(status: u16) -> Answer {
        Answer { status: Some(status), ..Answer::default() }
    }

    fn of(answer: &Answer, made: u32) -> Outcome {
        let schedule = [5, 300].map(Duration::from_secs);
        Outcome::of(answer, made, &schedule, NOW, u16::MAX / 2 + 1)
    }

    fn seconds(outcome: Outcome) -> u64 {
        match outcome {
            Outcome::RetryAt(at) => (at.millis_since(NOW) + 500) / 1000,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_2xx_is_success_and_410_ends_it() {
        for status in [200, 201, 204, 299] {
            assert_eq!(of(&answer(status), 1), Outcome::Delivered, "{status}");
        }
        for status in [100, 199, 304, 400, 404, 429, 500, 503] {
            assert_eq!(seconds(of(&answer(status), 1)), 5, "{status}");
        }
        assert_eq!(of(&answer(410), 1), Outcome::Gone);
        let redirect = Answer { error: Some(AttemptError::Redirect), ..answer(302) };
        assert_eq!(seconds(of(&redirect, 1)), 5);
    }

    #[test]
    fn a_mail_that_is_refused_for_good_is_not_tried_again() {
        let mail = |status, refused| Answer { mail: true, refused, ..answer(status) };
        assert_eq!(of(&mail(250, false), 1), Outcome::Delivered);
        assert_eq!(of(&mail(550, true), 1), Outcome::GaveUp);
        for status in [421, 450, 451, 410, 535] {
            assert_eq!(seconds(of(&mail(status, false), 1)), 5, "{status}");
        }
        assert!(mail(421, false).overloaded() && !mail(503, true).overloaded());
    }

    #[test]
    fn a_receiver_that_says_it_is_busy_has_too_much_to_do() {
        for status in [429, 502, 503, 504] {
            assert!(answer(status).overloaded(), "{status}");
        }
        for status in [200, 400, 408, 410, 421, 452, 500] {
            assert!(!answer(status).overloaded(), "{status}");
        }
        let silent = Answer { error: Some(AttemptError::Timeout), ..Answer::default() };
        assert!(!silent.overloaded());
    }

    #[test]
    fn the_schedule_is_followed_to_its_end() {
        let failed = Answer { error: Some(AttemptError::Timeout), ..Answer::default() };
        assert_eq!(seconds(of(&failed, 1)), 5);
        assert_eq!(seconds(of(&failed, 2)), 300);
        assert_eq!(of(&failed, 3), Outcome::GaveUp);
        assert_eq!(Outcome::of(&failed, 1, &[], NOW, 0), Outcome::GaveUp);
    }

    #[test]
    fn retries_are_spread_by_a_tenth() {
        let schedule = [Duration::from_secs(1000)];
        let at = |random| seconds(Outcome::of(&answer(500), 1, &schedule, NOW, random));
        assert_eq!((at(0), at(u16::MAX)), (900, 1100));
    }

    #[test]
    fn a_receiver_can_ask_for_more_time_but_not_for_less() {
        let with =
            |status, text: &str| Answer { retry_after: Some(text.to_owned()), ..answer(status) };
        assert_eq!(seconds(of(&with(429, "120"), 1)), 120);
        assert_eq!(seconds(of(&with(503, "120"), 2)), 300);
        assert_eq!(seconds(of(&with(503, "9999999"), 1)), 86_400);
        assert_eq!(seconds(of(&with(500, "120"), 1)), 5);
        assert_eq!(seconds(of(&with(503, "soon"), 1)), 5);
    }
}
