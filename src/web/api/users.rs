//! `/users/me`: the account behind the key.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::user_view;
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::users::ProfilePatch;

/// `GET /users/me`
pub async fn show(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    let user = api.app.me(&caller.0).await?;
    let include = params.include(&user_view::MORE);
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
    let full = user_view::full(&user, &team_name, &caller.0);
    Ok(respond::object(&include.of(&user_view::GIVEN, full)))
}

/// `PATCH /users/me` and its alias `PUT /users/me`
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
    let user = api.app.update_me(&caller.0, patch, fields.finish()).await?;
    Ok(respond::object(&user_view::updated(&user)))
}
