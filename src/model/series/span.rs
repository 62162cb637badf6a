//! Which time figures are asked for, and in which steps.

use super::{MOST_POINTS, Resolution};
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;

/// Seconds that are shown when nobody says from when.
const USUAL: i64 = 3600;
/// The finest step that is chosen for whoever names none.
const USUAL_STEP: i64 = 60;
/// The longest step.
pub const LONGEST_STEP: i64 = 86_400;

/// A time in steps of equal length, in seconds since the epoch; both ends are multiples of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    /// The first second that is not in it.
    pub to: i64,
    pub step: i64,
}

impl Span {
    /// The time that is asked for, widened to whole steps. Without an end it ends now, without a beginning it is an
    /// hour, and without a step it has the finest from a minute on.
    pub fn choose(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        step: Option<i64>,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Option<Self> {
        let to = to.unwrap_or(now);
        // A part of a second counts as one.
        let end = -(-to.0).div_euclid(1000);
        let begin = from.map_or(end - USUAL, Timestamp::seconds);
        if begin >= end {
            problems.invalid("from", "out_of_range", "A moment before `to`.");
            return None;
        }
        let kept = kept(begin, now);
        let smallest = smallest(begin, end, kept.seconds());
        let Some(smallest) = smallest else {
            let message = format!("At most {MOST_POINTS} days before `to`.");
            problems.invalid("from", "out_of_range", message);
            return None;
        };
        let usual = || smallest.max(USUAL_STEP);
        let step = step.unwrap_or_else(usual);
        let span = Self::within(begin, end, step.max(1));
        if step % kept.seconds() == 0
            && (1..=LONGEST_STEP).contains(&step)
            && span.count() <= MOST_POINTS
        {
            return Some(span);
        }
        let message = format!(
            "For this time a multiple of {} seconds, at least {smallest} and at most {LONGEST_STEP}: a series has at most \
             {MOST_POINTS} points.",
            kept.seconds()
        );
        problems.invalid("step", "out_of_range", message).suggestion = Some(smallest.to_string());
        None
    }

    fn within(begin: i64, end: i64, step: i64) -> Self {
        let from = begin.div_euclid(step) * step;
        let to = end.div_euclid(step) * step + if end.rem_euclid(step) == 0 { 0 } else { step };
        let mut span = Self { from, to, step };
        // The first step is hardly in it: without it as many as fit are asked for.
        if span.count() == MOST_POINTS + 1 && begin > from {
            span.from += step;
        }
        span
    }

    /// How many steps it has.
    pub fn count(&self) -> i64 {
        (self.to - self.from) / self.step
    }

    /// The coarsest figures that its steps can be made of.
    pub fn source(&self) -> Resolution {
        let fits = |resolution: &Resolution| self.step % resolution.seconds() == 0;
        Resolution::ALL.into_iter().rev().find(fits).unwrap_or(Resolution::Fine)
    }
}

/// The finest figures that are still there from this second on.
fn kept(begin: i64, now: Timestamp) -> Resolution {
    let ago = now.seconds().saturating_sub(begin);
    let holds = |resolution: &Resolution| {
        // Whoever asks for the last day has it, also when asking takes a moment.
        ago <= i64::try_from(resolution.kept().as_secs()).unwrap_or(i64::MAX) + 60
    };
    Resolution::ALL.into_iter().find(holds).unwrap_or(Resolution::Hour)
}

fn smallest(begin: i64, end: i64, unit: i64) -> Option<i64> {
    let units = (end - begin).div_euclid(MOST_POINTS).div_euclid(unit).max(1);
    let candidates = (units..=units + 2).map(|units| units * unit);
    let mut fitting =
        candidates.filter(|step| Span::within(begin, end, *step).count() <= MOST_POINTS);
    fitting.next().filter(|step| *step <= LONGEST_STEP)
}
