//! `/system`: the server itself, for instance admins.

use axum::extract::State;

use super::Api;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::system_view::SystemView;
use crate::app::AppError;
use crate::app::may::{Action, require_instance_admin};

/// Get the state of the server
///
/// For instance admins.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "system_get",
    responses((status = 200, description = "How the server is.", body = SystemView)),
    security(("bearerAuth" = ["system:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    caller.may(Action::SystemRead)?;
    require_instance_admin(&caller.0)?;
    AppError::check(params.finish())?;
    let state = api.app.system_state(&caller.0).await?;
    let (started, now) = (api.app.started(), api.app.clock.now());
    respond::object(&SystemView::new(state, &api.app.config, started, now))
}
