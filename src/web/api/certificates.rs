//! `/system/certificates`: the ledger of certificates, for instance admins.

use axum::extract::State;

use super::Api;
use super::certificate_view::{StandingPage, StandingView};
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::respond::Answer;
use crate::app::AppError;
use crate::app::may::{Action, require_instance_admin};

/// List certificates and orders
///
/// For instance admins. Each host name that has a certificate or was asked one for: until when it holds, which tries
/// failed, when the next one is, and how much of the authority's limit its domain has used up.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "system_certificates_list",
    params(PageParams),
    responses((status = 200, description = "A page of the ledger, by host name.", body = StandingPage)),
    security(("bearerAuth" = ["system:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::SystemRead)?;
    require_instance_admin(&caller.0)?;
    let paging = Paging::read(&mut params);
    AppError::check(params.finish())?;
    let page = api.app.certificate_ledger(&caller.0, paging.request).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(StandingView::from).collect())
}
