//! `GET /projects/{project}/metrics` and `GET /deployments/{id}/metrics`: figures over time.

use axum::extract::State;

use super::Api;
use super::guards::Caller;
use super::metrics_view::{FiguresView, MetricsParams};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::may::Action;
use crate::app::metrics::Asked;
use crate::model::series::Metric;

/// Get figures of a project over time
///
/// Of all its deployments together. Figures are kept for a day in steps of 15 seconds, for a week in steps of a minute,
/// and for 400 days in steps of an hour. A step that nothing is known of has no point: nobody asked, the containers
/// slept, or Orbitra did not run. Counts are those of the step, levels (`memory`, `in_flight`) the highest of it, and
/// percentiles those of all its requests.
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_metrics",
    params(("project" = String, Path, description = "The id or the name of a project."), MetricsParams),
    responses((status = 200, description = "The figures.", body = FiguresView)),
    security(("bearerAuth" = ["metrics:read"])),
)]
pub async fn of_project(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    mut params: Params,
) -> Answer {
    caller.may(Action::MetricsRead)?;
    let asked = asked(&mut params);
    let figures = api.app.project_metrics(&caller.0, &project.0, asked, params.finish()).await?;
    respond::object(&FiguresView::new(figures))
}

/// Get figures of a deployment over time
///
/// As those of a project, of this deployment alone.
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_metrics",
    params(("id" = String, Path, description = "The id of a deployment."), MetricsParams),
    responses((status = 200, description = "The figures.", body = FiguresView)),
    security(("bearerAuth" = ["metrics:read"])),
)]
pub async fn of_deployment(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    mut params: Params,
) -> Answer {
    caller.may(Action::MetricsRead)?;
    let asked = asked(&mut params);
    let figures = api.app.deployment_metrics(&caller.0, &id.0, asked, params.finish()).await?;
    respond::object(&FiguresView::new(figures))
}

fn asked(params: &mut Params) -> Asked {
    // Which steps there can be depends on the time: the use case says it.
    let (least, most) = (0, u64::try_from(i64::MAX).unwrap_or(u64::MAX));
    Asked {
        metrics: params.words("metric", Metric::ALL, |metric| metric.as_str()),
        from: params.moment("from"),
        to: params.moment("to"),
        step: params.number("step", least, most).and_then(|step| i64::try_from(step).ok()),
    }
}
