//! `/deployments/{id}/receipt` and `/deployments/{id}/diff/{other}`: what it was made of, and what changed.

use axum::extract::State;

use super::Api;
use super::guards::Caller;
use super::params::Params;
use super::path::{Named, NamedPair};
use super::receipt_view::{DifferenceView, ReceiptView};
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;

/// Get a deployment's receipt
///
/// What it was made of: commit, images, plan, names of variables with keyed digests of their values, limits, host names,
/// what the health check saw, and how long each step took. It is written when the deployment becomes ready or fails;
/// before that it says what is known so far.
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_receipt",
    params(("id" = String, Path, description = "The id of a deployment.")),
    responses((status = 200, description = "The receipt.", body = ReceiptView)),
    security(("bearerAuth" = ["deployments:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    caller.may(Action::DeploymentsRead)?;
    let (deployment, receipt) = api.app.receipt(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::object(&ReceiptView::new(&deployment, receipt))
}

/// Compare two deployments
///
/// What is not the same in the second as in the first, both of one project. Of variables only the names are told.
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_diff",
    params(
        ("id" = String, Path, description = "The id of the deployment before."),
        ("other" = String, Path, description = "The id of the deployment after, of the same project."),
    ),
    responses((status = 200, description = "What changed.", body = DifferenceView)),
    security(("bearerAuth" = ["deployments:read"])),
)]
pub async fn diff(
    State(api): State<Api>,
    caller: Caller,
    named: NamedPair,
    params: Params,
) -> Answer {
    caller.may(Action::DeploymentsRead)?;
    let compared = api.app.compare(&caller.0, &named.id, &named.other).await;
    // What is wrong with the parameters comes after whether both are there.
    if matches!(&compared, Ok(_) | Err(AppError::Invalid(_))) {
        AppError::check(params.finish())?;
    }
    respond::object(&DifferenceView::new(compared?))
}
