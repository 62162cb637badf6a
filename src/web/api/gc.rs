//! `/system/gc`: room on the disk, for instance admins.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::gc_request::FreeSpace;
use super::gc_view::{FreedView, RemovalPage, RemovalView};
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::gc::{Freed, Wanted};
use crate::app::may::{Action, require_instance_admin};
use crate::app::terms::Settled;

/// List what was removed to make room
///
/// For instance admins. What was removed, when, and by which rule, the newest first. It is kept for 400 days.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "system_gc_list",
    params(PageParams),
    responses((status = 200, description = "A page of the ledger.", body = RemovalPage)),
    security(("bearerAuth" = ["system:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::SystemRead)?;
    require_instance_admin(&caller.0)?;
    let paging = Paging::read(&mut params);
    AppError::check(params.finish())?;
    let page = api.app.removals(&caller.0, paging.request).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(RemovalView::from).collect())
}

/// Free disk space
///
/// For instance admins. Removes what may go: what visitors get, what a project goes back to and what a release needs
/// never does, nor anything that this server did not make. With `dry_run` nothing is removed, and the answer says what
/// would be.
#[utoipa::path(
    post,
    path = "",
    tag = "System",
    operation_id = "system_gc_run",
    request_body = Option<FreeSpace>,
    responses(
        (status = 200, description = "What went, or would go.", body = FreedView),
        (status = 202, description = "What went so far; more is being removed.", body = FreedView),
        (status = 409, description = "`idempotency_key_in_use`."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
        (status = 503, description = "`engine_unavailable`."),
    ),
    security(("bearerAuth" = ["system:write"])),
)]
pub async fn run(State(api): State<Api>, caller: Caller, params: Params, body: JsonBody) -> Answer {
    caller.may(Action::SystemWrite)?;
    let mut fields = body.optional_fields().await?;
    require_instance_admin(&caller.0)?;
    fields.problems = params.finish();
    let wanted = Wanted {
        images: fields.flag("images").unwrap_or(true),
        build_cache: fields.flag("build_cache").unwrap_or(true),
        dry_run: fields.flag("dry_run").unwrap_or(false),
    };
    let answer = |freed: &Freed| {
        let status = if freed.complete { 200 } else { 202 };
        Settled { status, ..respond::done(&FreedView::from(freed)) }
    };
    let terms = fields.once(&caller, answer);
    let freed = api.app.free_space(&caller.0, wanted, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&freed)))
}
