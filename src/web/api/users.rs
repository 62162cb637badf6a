//! `/users/me`: the account behind the key.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::user_request::{ShowParams, UpdateUser};
use super::user_view::{CurrentUser, UpdatedUserView, UserView};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::users::ProfilePatch;

/// Your account
#[utoipa::path(
    get,
    path = "",
    tag = "Users",
    operation_id = "users_me",
    params(ShowParams),
    responses((status = 200, description = "The account behind the key.", body = CurrentUser, example = json!({
        "id": "usr_1234567890", "email": "user@example.com", "name": "John Doe",
        "created_at": "2024-01-15T10:30:00Z", "plan": "professional",
    }))),
    security(("bearerAuth" = ["account:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    let user = api.app.me(&caller.0).await?;
    let include = params.include::<UserView>();
    AppError::check(params.finish())?;
    let team_name = if include.wants("teams") {
        let team = user.team_id.clone();
        api.app
            .db
            .read(move |c| crate::db::users::team_name(c, &team))
            .await
            .map_err(AppError::from)?
    } else {
        String::new()
    };
    let revision = user.revision;
    respond::revised(revision, &include.of(UserView::new(user, team_name, &caller.0)))
}

/// Change your account
#[utoipa::path(
    method(patch, put),
    path = "",
    tag = "Users",
    operation_id = "users_me_update",
    request_body = UpdateUser,
    responses((status = 200, description = "The changed account.", body = UpdatedUserView, example = json!({
        "id": "usr_1234567890", "email": "user@example.com", "name": "Jane Doe", "company": "Acme Inc",
        "updated_at": "2024-01-20T09:15:00Z",
    }))),
    security(("bearerAuth" = ["account:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::AccountWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let patch = ProfilePatch {
        name: fields.kept_text("name"),
        company: fields.nullable_text("company"),
        read_only: fields.read_only(&["id", "email", "plan", "created_at", "updated_at"]),
    };
    let terms = fields.terms();
    let user = api.app.update_me(&caller.0, patch, fields.finish(), &terms).await?;
    respond::revised(user.revision, &UpdatedUserView::from(user))
}
