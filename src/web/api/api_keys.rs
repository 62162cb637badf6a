//! `/api-keys`: made, listed, revoked.

use axum::extract::State;

use super::Api;
use super::api_key_view;
use super::body::JsonBody;
use super::guards::Caller;
use super::page::Paging;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::api_keys::NewKey;
use crate::app::may::Action;

const STATUSES: [&str; 3] = ["active", "expired", "revoked"];

/// `GET /api-keys`
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::KeysRead)?;
    let paging = Paging::read(&mut params);
    let statuses = params.words("status", &STATUSES, |word| word);
    AppError::check(params.finish())?;
    let statuses = statuses.into_iter().map(str::to_owned).collect();
    let page = api.app.keys(&caller.0, statuses, paging.request).await?;
    let items: Vec<_> = page.items.iter().map(api_key_view::full).collect();
    Ok(paging.answer(&api, page.total, &items))
}

/// `POST /api-keys`
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::KeysWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewKey {
        name: fields.required_text("name"),
        scopes: fields.texts("scopes"),
        expires_at: fields.nullable_text("expires_at").flatten(),
        allowed_ips: fields.texts("allowed_ips").unwrap_or_default(),
        project_ids: fields.texts("project_ids").unwrap_or_default(),
    };
    let (key, secret) = api.app.create_key(&caller.0, new, fields.finish()).await?;
    let path = format!("/api-keys/{}", key.id);
    Ok(respond::created(&path, &api_key_view::created(&key, &secret)))
}

/// `GET /api-keys/{id}`
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    let key = api.app.key(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    Ok(respond::object(&api_key_view::full(&key)))
}

/// `GET /api-keys/current`
pub async fn current(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    let id = caller.key_id().map(ToString::to_string).unwrap_or_default();
    let key = api.app.key(&caller.0, &id).await?;
    AppError::check(params.finish())?;
    Ok(respond::object(&api_key_view::full(&key)))
}

/// `DELETE /api-keys/{id}`
pub async fn revoke(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    caller.may(Action::KeysWrite)?;
    AppError::check(params.finish())?;
    api.app.revoke_key(&caller.0, &id.0).await?;
    Ok(respond::nothing())
}
