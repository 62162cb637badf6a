//! Figures over time as the API shows them, and what they are asked for with.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::schema::{described, moment};
use crate::app::metrics::Figures;
use crate::model::series::{Metric, Series};
use crate::model::timestamp::Timestamp;

/// Parameters of figures.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "parameters are read one at a time, with `Params`")]
pub struct MetricsParams {
    /// Which figures. Without it all of them.
    #[param(inline)]
    metric: Option<Vec<Metric>>,
    /// From this moment on; without it an hour before `to`.
    from: Option<Timestamp>,
    /// Until this moment; without it until now.
    to: Option<Timestamp>,
    /// Seconds of a step: a multiple of 15 within the last day, of 60 within the last week, of 3600 before that. A
    /// series has at most 1,440 points. Without it the smallest that can be, from 60 on.
    #[param(minimum = 15, maximum = 86_400)]
    step: Option<u32>,
}

/// Figures over time.
#[derive(Serialize, ToSchema)]
#[schema(as = Metrics)]
pub struct FiguresView {
    /// When the first step begins.
    from: Timestamp,
    /// When the last step ends.
    to: Timestamp,
    step_seconds: i64,
    /// Series that have a point, by metric.
    data: Vec<SeriesView>,
}

/// One figure over time.
#[derive(Serialize, ToSchema)]
#[schema(as = MetricSeries)]
pub struct SeriesView {
    metric: Metric,
    /// `millicores`, `bytes`, `requests` or `milliseconds`.
    #[schema(example = "millicores")]
    unit: &'static str,
    /// What tells it from others of its metric: of `cpu` and `memory` the `instance`, of `responses` the `status` (`2xx`,
    /// or `none` of requests that were cut off).
    #[schema(example = json!({"instance": "1"}))]
    labels: BTreeMap<&'static str, String>,
    /// When the step begins, and the value.
    #[schema(max_items = 1440, example = json!([["2024-01-20T16:00:00Z", 123.4]]))]
    points: Vec<PointView>,
}

/// When a step begins, and the value.
#[derive(Serialize)]
pub struct PointView(Timestamp, f64);

described! {
    // Not by position, which generators of clients do not know.
    PointView => "MetricPoint", ArrayBuilder::new()
        .items(OneOfBuilder::new()
            .item(moment("When the step begins."))
            .item(ObjectBuilder::new().schema_type(Type::Number).description(Some("The value."))))
        .min_items(Some(2))
        .max_items(Some(2))
        .description(Some("When a step begins, and the value."));
}

impl FiguresView {
    /// The view of some figures.
    pub fn new(figures: Figures) -> Self {
        let span = figures.span;
        Self {
            from: Timestamp(span.from * 1000),
            to: Timestamp(span.to * 1000),
            step_seconds: span.step,
            data: figures.series.into_iter().map(SeriesView::from).collect(),
        }
    }
}

impl From<Series> for SeriesView {
    fn from(series: Series) -> Self {
        Self {
            metric: series.metric,
            unit: series.metric.unit(),
            labels: series.label.into_iter().collect(),
            points: series.points.into_iter().map(|(at, value)| PointView(at, value)).collect(),
        }
    }
}
