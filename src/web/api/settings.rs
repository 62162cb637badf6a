//! `/system/settings`, for instance admins.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::fields::Fields;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::settings_request::{TestMail, UpdateSettings};
use super::settings_view::{SettingsView, TriedMailView};
use crate::app::AppError;
use crate::app::mail::{NewMail, TriedMail};
use crate::app::may::{Action, require_instance_admin};
use crate::app::settings::SettingsPatch;
use crate::model::mail::MailSecurity;

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
    let settings = api.app.system_settings(&caller.0).await?;
    respond::revised(settings.revision, &SettingsView::from(&settings))
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
        mail: fields.nullable_nested("mail", new_mail),
    };
    let terms = fields.terms();
    let settings = api.app.change_settings(&caller.0, patch, fields.finish(), &terms).await?;
    respond::revised(settings.revision, &SettingsView::from(&settings))
}

fn new_mail(fields: &mut Fields) -> NewMail {
    let security = fields.text("security");
    let mail = NewMail {
        host: fields.required_text("host"),
        port: fields.nullable_integer("port").flatten(),
        security: security.as_deref().and_then(MailSecurity::parse),
        user: fields.nullable_text("user").flatten(),
        password: fields.text("password"),
        sender: fields.required_text("sender"),
    };
    if security.is_some() && mail.security.is_none() {
        let known = MailSecurity::ALL.iter().map(|one| one.as_str());
        fields.problems.unknown_value("mail.security", known);
    }
    // What is read of it may be sent back.
    fields.read_only(&["has_password"]);
    mail
}

/// Send a test mail
///
/// For instance admins: a mail with the settings as they are. Whether the mail server took it stands in the answer, with
/// what it said.
#[utoipa::path(
    post,
    path = "",
    tag = "System",
    operation_id = "system_mail_test",
    request_body = TestMail,
    responses(
        (status = 200, description = "What the mail server said.", body = TriedMailView),
        (status = 409, description = "`mail_not_configured`: set `mail` first."),
    ),
    security(("bearerAuth" = ["system:write"])),
)]
pub async fn test_mail(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::SystemWrite)?;
    let mut fields = body.fields().await?;
    require_instance_admin(&caller.0)?;
    fields.problems = params.finish();
    let to = fields.required_text("to");
    let answer = |tried: &TriedMail| respond::done(&TriedMailView::from(tried));
    let terms = fields.once(&caller, answer);
    let tried = api.app.try_mail(&caller.0, to, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&tried)))
}
