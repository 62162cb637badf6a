//! `GET /health`: whether this server answers; without a key.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::ApiError;
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::db;

/// How this server is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthView {
    #[schema(value_type = HealthStatus)]
    status: &'static str,
}

/// The only good answer; a bad one is an error.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, written as text.
pub enum HealthStatus {
    Ok,
}

/// Check whether the server answers
///
/// Needs no key.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "health",
    responses((status = 200, description = "It answers, and its database can be read and written.", body = HealthView)),
)]
pub async fn show(State(api): State<Api>, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let read = api.app.db.read(|c| db::meta::get(c, db::meta::INSTANCE_ID)).await;
    read.map_err(|error| {
        tracing::error!(%error, "the database cannot be read");
        ApiError::from(AppError::Unavailable {
            reason: "maintenance",
            message: "The database cannot be read right now.",
        })
    })?;
    api.app.db.can_store().await.map_err(AppError::from)?;
    respond::object(&HealthView { status: "ok" })
}
