//! `GET /rate-limit`: how the account stands.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::rates::Requester;
use crate::model::timestamp::Timestamp;
use crate::model::user::Plan;

/// Asking here does not count.
pub const PATH: &str = "/rate-limit";

/// Requests of an account in its present window.
#[derive(Serialize, ToSchema)]
#[schema(as = RateLimit)]
pub struct RateLimitView {
    plan: Plan,
    /// Requests per window; 2147483647 where there is no limit.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1000)]
    limit: u32,
    /// Requests that are left; 2147483647 where there is no limit.
    #[schema(minimum = 0, maximum = 2_147_483_647, example = 997)]
    remaining: u32,
    #[schema(minimum = 0, maximum = 2_147_483_647, example = 3)]
    used: u32,
    unlimited: bool,
    /// When the window ends; without a window, when one would that began now.
    reset_at: Timestamp,
}

/// Your rate limit
///
/// All keys of an account share one window, which begins with the first request. Asking here does not count.
#[utoipa::path(
    get,
    path = "",
    tag = "API keys",
    operation_id = "rate_limit",
    responses((status = 200, description = "The present window.", body = RateLimitView)),
)]
pub async fn show(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let standing = api.app.standing(&Requester::of(&caller.0));
    respond::object(&RateLimitView {
        plan: caller.0.plan,
        limit: standing.limit,
        remaining: standing.remaining(),
        used: standing.used,
        unlimited: standing.unlimited(),
        reset_at: standing.resets_at,
    })
}
