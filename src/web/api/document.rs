//! `GET /openapi.json` and `GET /openapi-3.2.json`: the description of the API, made once, from the routes that are served.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use utoipa::openapi::{OpenApi, OpenApiVersion};

use super::Api;
use super::error::ApiError;
use super::openapi;
use super::params::Params;
use super::respond::{self, Answer, Written};
use crate::app::AppError;

/// The description, once the routes are known. Clones share it.
#[derive(Clone, Default)]
pub struct Document(Arc<Parts>);

#[derive(Default)]
struct Parts {
    routes: OnceLock<OpenApi>,
    in_31: OnceLock<Written>,
    in_32: OnceLock<Written>,
}

impl Document {
    /// Takes over what the routes say of themselves.
    pub fn set(&self, routes: OpenApi) {
        // There is one table of routes, so this happens once.
        let _ = self.0.routes.set(routes);
    }

    /// The description in OpenAPI 3.1, exactly as it is served; `None` while the routes are not known.
    pub fn json(&self) -> Option<Bytes> {
        Some(self.written(OpenApiVersion::Version31).ok()?.json())
    }

    fn written(&self, version: OpenApiVersion) -> Result<&Written, ApiError> {
        let written = match version {
            OpenApiVersion::Version31 => &self.0.in_31,
            OpenApiVersion::Version32 => &self.0.in_32,
        };
        if let Some(written) = written.get() {
            return Ok(written);
        }
        let routes = self.0.routes.get().cloned();
        let routes = routes.ok_or_else(|| ApiError::internal("the routes are not known yet"))?;
        let new = Written::new(&openapi::complete(routes, version))?;
        Ok(written.get_or_init(|| new))
    }
}

/// Get this description
///
/// OpenAPI 3.1. Needs no key.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI document.", body = Object)),
)]
pub async fn show(State(api): State<Api>, params: Params) -> Answer {
    AppError::check(params.finish())?;
    Ok(respond::written(api.document.written(OpenApiVersion::Version31)?))
}

/// Get this description in OpenAPI 3.2
///
/// The same, with the items of streams. Needs no key.
#[utoipa::path(
    get,
    path = "",
    tag = "System",
    operation_id = "openapi_32",
    responses((status = 200, description = "An OpenAPI document.", body = Object)),
)]
pub async fn show_32(State(api): State<Api>, params: Params) -> Answer {
    AppError::check(params.finish())?;
    Ok(respond::written(api.document.written(OpenApiVersion::Version32)?))
}
