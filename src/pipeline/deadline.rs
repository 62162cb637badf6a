//! The longest a stage may take. What a stage waits for has a deadline of its own (a call to the engine, the
//! fetch, the build, the health check) and ends it with a better reason; this one is for what nobody thought
//! of, so that no deployment is in progress for ever.

use std::time::Duration;

use super::stop::Stop;
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::Project;
use crate::model::transition::State;

/// Beyond the fetch's own ten minutes: submodules, large files, unpacking.
const SOURCE: Duration = Duration::from_secs(20 * 60);
const DETECT: Duration = Duration::from_secs(2 * 60);
/// Network, image, container and start, each with a deadline of its own.
const START: Duration = Duration::from_secs(5 * 60);
/// On top of a deadline that a project chose.
const SLACK: Duration = Duration::from_secs(2 * 60);
/// How long a deployment waits for memory before it gives its place to others.
pub(super) const WAITING: Duration = Duration::from_secs(60 * 60);
/// Until work is begun again that the database or the disk would not take.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How long a stage of this project may take.
pub(super) fn of(stage: State, project: &Project) -> Duration {
    let build = Duration::from_secs(u64::from(project.build.timeout_seconds));
    let health = &project.runtime.healthcheck;
    match stage {
        State::Detecting => DETECT,
        State::Building => build + SLACK,
        // The release command has the build's time.
        State::Starting => START + build,
        State::Checking => Duration::from_secs(u64::from(health.grace_seconds)) + SLACK,
        _ => SOURCE,
    }
}

/// Does the work of a stage, unless it takes longer than `limit`: then it is dropped, which every stage is made for.
pub(super) async fn within<T>(
    limit: Duration,
    stage: State,
    work: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    let Ok(done) = tokio::time::timeout(limit, work).await else {
        let seconds = limit.as_secs();
        let message = format!("The stage `{stage}` took longer than {seconds} s and was ended.");
        return Err(Failure::new(code_of(stage), stage.as_str(), message).into());
    };
    done
}

fn code_of(stage: State) -> FailureCode {
    match stage {
        State::Cloning => FailureCode::CloneFailed,
        State::Detecting => FailureCode::DetectFailed,
        State::Building => FailureCode::BuildTimeout,
        State::Starting => FailureCode::StartFailed,
        State::Checking => FailureCode::HealthcheckFailed,
        _ => FailureCode::EngineError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stage_that_never_ends_is_ended_with_its_name() {
        let never = std::future::pending::<Result<(), Stop>>();
        let ended = within(Duration::from_millis(5), State::Building, never).await;
        let Err(Stop::Failed(failure)) = ended else { panic!("{ended:?}") };
        assert_eq!(failure.code, FailureCode::BuildTimeout);
        assert_eq!(failure.message, "The stage `building` took longer than 0 s and was ended.");
        let done = within(SLACK, State::Building, async { Ok(7) }).await;
        assert_eq!(done.ok(), Some(7));
    }
}
