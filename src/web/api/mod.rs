//! The REST API. Every URL of it is in `resources`; its layers are in [`router`] (every answer) and
//! `Methods::with_key` (what needs a key).

mod api_key_view;
mod api_keys;
mod body;
mod catalogue;
mod deployment_view;
mod deployments;
mod error;
mod fields;
mod follow;
mod guards;
mod headers;
mod health;
mod include;
mod logs;
mod methods;
mod object;
mod page;
mod params;
mod path;
mod project_view;
mod projects;
mod respond;
mod streams;
mod suggest;
mod user_view;
mod users;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;

use self::error::ApiError;
use self::methods::Methods;
use self::streams::Streams;
use crate::app::App;

/// What handlers share.
#[derive(Clone)]
struct Api {
    app: App,
    streams: Streams,
}

/// Every URL of the API, relative to its base path.
#[rustfmt::skip] // A table is read by its columns.
fn resources(api: &Api) -> Router<Api> {
    let on = Methods::new;
    Router::new()
        .route("/health", on().get(health::show).open())
        .route("/users/me", on().get(users::show).patch(users::update).put(users::update).with_key(api))
        .route("/api-keys", on().get(api_keys::list).post(api_keys::create).with_key(api))
        .route("/api-keys/current", on().get(api_keys::current).with_key(api))
        .route("/api-keys/{id}", on().get(api_keys::show).delete(api_keys::revoke).with_key(api))
        .route("/projects", on().get(projects::list).post(projects::create).with_key(api))
        .route("/projects/{project}", on().get(projects::show).patch(projects::update).delete(projects::delete).with_key(api))
        .route("/projects/{project}/deployments", on().get(deployments::of_project).post(deployments::create).with_key(api))
        .route("/deployments", on().get(deployments::list).with_key(api))
        .route("/deployments/{id}", on().get(deployments::show).with_key(api))
        .route("/deployments/{id}/cancel", on().post(deployments::cancel).with_key(api))
        .route("/deployments/{id}/logs", on().get(logs::show).with_key(api))
        .route("/regions", on().get(catalogue::regions).with_key(api))
        .route("/frameworks", on().get(catalogue::frameworks).with_key(api))
        .fallback(async || ApiError::no_route())
}

/// What the API claims: its base path, the alias of it, and the bare first segments of its own routes.
const PREFIXES: [&str; 9] = [
    "/api",
    "/v1",
    "/health",
    "/users",
    "/api-keys",
    "/projects",
    "/deployments",
    "/regions",
    "/frameworks",
];

/// The API as a router that claims `/api`, `/v1` and the bare paths, and nothing else.
pub fn router(app: App) -> Router {
    let api = Api { app, streams: Streams::default() };
    let inner = resources(&api).with_state(api.clone());
    let service =
        tower::service_fn(move |request: Request| inner.clone().oneshot(path::canonical(request)));
    let mut outer = Router::new();
    for prefix in PREFIXES {
        for suffix in ["", "/", "/{*rest}"] {
            outer = outer.route_service(&format!("{prefix}{suffix}"), service.clone());
        }
    }
    // Innermost first: a request meets the last one first.
    outer
        .route_layer(from_fn(headers::limit_time))
        .route_layer(from_fn_with_state(api, headers::finish))
        .route_layer(CompressionLayer::new())
}
