//! `GET /health`: whether this server answers; without a key.

use axum::extract::State;

use super::Api;
use super::error::ApiError;
use super::object::Object;
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::db;

/// Ok when the database can be read.
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
    Ok(respond::object(&Object::new().with("status", "ok")))
}
