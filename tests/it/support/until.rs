//! The one way of waiting: for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer; fails when there is none within 30 s.
pub async fn until<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(30), what, condition).await
}

/// Asks again and again until there is an answer; fails when there is none within `limit`.
pub async fn within<T>(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = condition().await {
            return answer;
        }
        assert!(begin.elapsed() < limit, "not within {} s: {what}", limit.as_secs_f64());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
