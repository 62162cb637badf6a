//! `/system/settings`, for instance admins.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::settings_request::UpdateSettings;
use super::settings_view::SettingsView;
use crate::app::AppError;
use crate::app::may::{Action, require_instance_admin};
use crate::app::settings::SettingsPatch;

/// Get the settings of the server
///
/// For instance admins.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "system_settings_get",
    responses((status = 200, description = "The settings the server runs with.", body = SettingsView)),
    security(("bearerAuth" = ["system:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    caller.may(Action::SystemRead)?;
    require_instance_admin(&caller.0)?;
    AppError::check(params.finish())?;
    let (config, revision) = api.app.system_settings(&caller.0).await?;
    respond::revised(revision, &SettingsView::from(&*config))
}

/// Change settings of the server
///
/// For instance admins. They count at once and after a restart. A setting that was given on the command line, in the
/// environment or in `orbitra.toml` can only be changed there.
#[utoipa::path(
    patch,
    path = "",
    tag = "System",
    operation_id = "system_settings_update",
    request_body = UpdateSettings,
    responses((status = 200, description = "The settings the server runs with now.", body = SettingsView)),
    security(("bearerAuth" = ["system:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::SystemWrite)?;
    let mut fields = body.fields().await?;
    require_instance_admin(&caller.0)?;
    fields.problems = params.finish();
    let patch = SettingsPatch {
        rate_free: fields.nullable_integer("rate_free"),
        rate_professional: fields.nullable_integer("rate_professional"),
        egress_allow: fields.nullable_texts("egress_allow"),
        egress_allow_http: fields.nullable_flag("egress_allow_http"),
    };
    let terms = fields.terms();
    let (config, revision) =
        api.app.change_settings(&caller.0, patch, fields.finish(), &terms).await?;
    respond::revised(revision, &SettingsView::from(&*config))
}
