//! The deployment state machine: one enum, one pure function.

use serde::{Deserialize, Serialize};

/// Where a deployment stands. "Live" is not here: it is the project's pointer at one ready deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Cloning,
    Detecting,
    Building,
    Starting,
    Checking,
    Ready,
    Failed,
    Canceled,
    Crashed,
    Removed,
}

/// Something that moves a deployment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next stage of the pipeline begins.
    Advance(State),
    /// Orbitra stopped in the middle: the way begins again.
    Restart,
    /// A stage ended with a failure.
    Fail,
    /// A user, a newer commit or a deleted project ended it.
    Cancel,
    /// It was ready and stopped for good by itself.
    Crash,
    /// A crashed deployment answers again.
    Recover,
    /// Its image was deleted.
    Remove,
}

/// A step that this state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a deployment that is {state} cannot {step:?}")]
pub struct InvalidTransition {
    pub state: State,
    pub step: Step,
}

impl State {
    /// Every state, in the order a deployment passes them.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Cloning,
        Self::Detecting,
        Self::Building,
        Self::Starting,
        Self::Checking,
        Self::Ready,
        Self::Failed,
        Self::Canceled,
        Self::Crashed,
        Self::Removed,
    ];

    /// The name it is stored under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Cloning => "cloning",
            Self::Detecting => "detecting",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Crashed => "crashed",
            Self::Removed => "removed",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the pipeline still has something to do.
    pub fn unfinished(self) -> bool {
        self.order().is_some_and(|order| order < 6)
    }

    /// Place in the way from queued to ready.
    fn order(self) -> Option<u8> {
        match self {
            Self::Queued => Some(0),
            Self::Cloning => Some(1),
            Self::Detecting => Some(2),
            Self::Building => Some(3),
            Self::Starting => Some(4),
            Self::Checking => Some(5),
            Self::Ready => Some(6),
            Self::Failed | Self::Canceled | Self::Crashed | Self::Removed => None,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The whole machine. A stage may be skipped (a static site is never built or started) but never repeated.
///
/// # Errors
/// The step is not allowed in this state.
pub fn transition(state: State, step: Step) -> Result<State, InvalidTransition> {
    let next = match step {
        Step::Advance(to) => match (state.order(), to.order()) {
            (Some(from), Some(order)) if order > from => Some(to),
            _ => None,
        },
        Step::Restart => state.unfinished().then_some(State::Queued),
        Step::Fail => state.unfinished().then_some(State::Failed),
        Step::Cancel => state.unfinished().then_some(State::Canceled),
        Step::Crash => (state == State::Ready).then_some(State::Crashed),
        Step::Recover => (state == State::Crashed).then_some(State::Ready),
        Step::Remove => matches!(state, State::Ready | State::Crashed).then_some(State::Removed),
    };
    next.ok_or(InvalidTransition { state, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let steps = [
            Step::Advance(State::Cloning),
            Step::Advance(State::Building),
            Step::Advance(State::Ready),
            Step::Advance(State::Failed),
            Step::Restart,
            Step::Fail,
            Step::Cancel,
            Step::Crash,
            Step::Recover,
            Step::Remove,
        ];
        let mut table = String::new();
        for state in State::ALL {
            let row: Vec<_> = steps
                .iter()
                .map(|step| transition(state, *step).map_or("-", State::as_str))
                .collect();
            table.push_str(&format!("{state}: {}\n", row.join(" ")));
        }
        assert_eq!(
            table,
            "queued: cloning building ready - queued failed canceled - - -\n\
             cloning: - building ready - queued failed canceled - - -\n\
             detecting: - building ready - queued failed canceled - - -\n\
             building: - - ready - queued failed canceled - - -\n\
             starting: - - ready - queued failed canceled - - -\n\
             checking: - - ready - queued failed canceled - - -\n\
             ready: - - - - - - - crashed - removed\n\
             failed: - - - - - - - - - -\n\
             canceled: - - - - - - - - - -\n\
             crashed: - - - - - - - - ready removed\n\
             removed: - - - - - - - - - -\n"
        );
    }
}
