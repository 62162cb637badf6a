//! `/users`: the accounts of this server, for instance admins.

use axum::extract::State;

use super::Api;
use super::account_request::{CreateAccount, ListParams, UpdateAccount};
use super::account_view::{AccountPage, AccountView, NewAccountView};
use super::asked::Asked;
use super::body::JsonBody;
use super::fields::Fields;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::accounts::{AccountPatch, Invited};
use crate::app::may::{Action, require_instance_admin};
use crate::db::users::{SORTS, UserFilter};
use crate::model::user::Plan;

/// Fields of an account that nobody can set here.
const READ_ONLY: [&str; 6] =
    ["id", "email", "company", "default_team_id", "created_at", "updated_at"];

/// List accounts
///
/// For instance admins.
#[utoipa::path(
    get,
    path = "",
    tag = "Users",
    operation_id = "users_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of accounts.", body = AccountPage)),
    security(("bearerAuth" = ["account:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::AccountRead)?;
    require_instance_admin(&caller.0)?;
    let paging = Paging::read(&mut params);
    let filter = UserFilter {
        plans: params.words("plan", &Plan::ALL, |plan| plan.as_str()),
        suspended: params.flag("suspended"),
        query: params.text("q").filter(|query| !query.is_empty()),
        sort: params.sort(&SORTS),
    };
    AppError::check(params.finish())?;
    let page = api.app.accounts(&caller.0, filter, paging.request).await?;
    let items = page.items.into_iter().map(AccountView::from).collect();
    paging.answer(&api, page.total, items)
}

/// Make an account
///
/// For instance admins. The answer is the only one that holds `setup_url`, where the owner of the account chooses
/// a password.
#[utoipa::path(
    post,
    path = "",
    tag = "Users",
    operation_id = "users_create",
    request_body = CreateAccount,
    responses(
        (
            status = 201,
            description = "The account.",
            links(
                ("get" = (operation_id = "users_get", parameters(("id" = "$response.body#/id")))),
                ("update" = (operation_id = "users_update", parameters(("id" = "$response.body#/id")))),
                ("delete" = (operation_id = "users_delete", parameters(("id" = "$response.body#/id")))),
            ),
            body = NewAccountView,
        ),
        (status = 409, description = "`email_taken`: another account has this e-mail address."),
    ),
    security(("bearerAuth" = ["account:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::AccountWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let email = fields.required_text("email");
    let name = fields.required_text("name");
    let new = AccountPatch {
        name,
        plan: fields.text("plan"),
        instance_admin: fields.flag("instance_admin"),
        ..AccountPatch::default()
    };
    let answer = |invited: &Invited| {
        let path = format!("/users/{}", invited.0.id);
        respond::created(&path, &NewAccountView::from(invited.clone()))
    };
    let terms = fields.once(&caller, answer);
    let made = api.app.create_account(&caller.0, email, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Get an account
///
/// For instance admins; for others their own account.
#[utoipa::path(
    get,
    path = "",
    tag = "Users",
    operation_id = "users_get",
    params(("id" = String, Path, description = "The id of an account.")),
    responses((status = 200, description = "The account.", body = AccountView)),
    security(("bearerAuth" = ["account:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    let user = api.app.account_of(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::revised(user.revision, &AccountView::from(user))
}

/// Change an account
///
/// For instance admins.
#[utoipa::path(
    patch,
    path = "",
    tag = "Users",
    operation_id = "users_update",
    params(("id" = String, Path, description = "The id of an account.")),
    request_body = UpdateAccount,
    responses(
        (status = 200, description = "The changed account.", body = AccountView),
        (status = 409, description = "`last_owner`: nobody would administrate this server."),
    ),
    security(("bearerAuth" = ["account:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::AccountWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let patch = read_patch(&mut fields);
    let terms = fields.terms();
    let user = api.app.update_account(&caller.0, &id.0, patch, fields.finish(), &terms).await?;
    respond::revised(user.revision, &AccountView::from(user))
}

fn read_patch(fields: &mut Fields) -> AccountPatch {
    AccountPatch {
        name: fields.kept_text("name"),
        plan: fields.text("plan"),
        instance_admin: fields.flag("instance_admin"),
        suspended: fields.flag("suspended"),
        read_only: fields.read_only(&READ_ONLY),
    }
}

/// Delete an account
///
/// For instance admins. Its keys and sessions end with it.
#[utoipa::path(
    delete,
    path = "",
    tag = "Users",
    operation_id = "users_delete",
    params(("id" = String, Path, description = "The id of an account.")),
    responses(
        (status = 204, description = "Deleted."),
        (
            status = 409,
            description = "`last_owner`: nobody would administrate this server. `team_not_empty`: its team has projects.",
        ),
    ),
    security(("bearerAuth" = ["account:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::AccountWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_account(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
