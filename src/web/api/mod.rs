//! The REST API. Every URL of it is in `resources`; its layers are in [`router`] (every answer) and
//! `Routes::keyed` (what needs a key).

mod account_request;
mod account_view;
mod accounts;
mod api_key_changes;
mod api_key_request;
mod api_key_view;
mod api_keys;
mod asked;
mod audit;
mod audit_view;
mod body;
mod catalogue;
mod certificate_view;
mod certificates;
mod conditional;
mod deployment_actions;
mod deployment_request;
mod deployment_view;
mod deployments;
mod disk_view;
mod document;
mod domain_request;
mod domain_view;
mod domains;
mod env;
mod env_request;
mod env_view;
mod error;
mod error_view;
mod event_request;
mod event_stream;
mod event_types;
mod event_view;
mod events;
mod fields;
mod follow;
mod forge;
mod forge_view;
mod gc;
mod gc_request;
mod gc_view;
mod guards;
mod headers;
mod health;
mod hook_request;
mod hook_view;
mod hooks;
mod include;
mod log_view;
mod logs;
mod meter;
mod metrics;
mod metrics_view;
mod openapi;
mod page;
mod params;
mod path;
mod project_actions;
mod project_request;
mod project_tokens;
mod project_view;
mod projects;
mod push_receivers;
mod rate_limit;
mod receipt_view;
mod receipts;
mod registries;
mod registry_request;
mod registry_view;
mod remembered;
mod respond;
mod routes;
mod runtime_log_request;
mod runtime_logs;
mod runtime_stream;
mod schema;
mod select;
mod settings;
mod settings_request;
mod settings_view;
mod source;
mod source_view;
mod sse;
mod streams;
mod system;
mod system_view;
mod text_rules;
mod upload_view;
mod uploads;
mod user_request;
mod user_view;
mod users;
mod webhook_deliveries;
mod webhook_delivery_view;
mod webhook_request;
mod webhook_view;
mod webhooks;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use utoipa_axum::routes;

pub use self::document::Document;
pub use self::error_view::CODES;
use self::remembered::Remembered;
use self::routes::Routes;
use self::streams::Streams;
use crate::app::App;
use crate::web::git;

/// What handlers share.
#[derive(Clone)]
struct Api {
    app: App,
    streams: Streams,
    document: Document,
    remembered: Remembered,
}

/// Every URL of the API, relative to its base path. Which method a handler is for stands in its own description.
#[rustfmt::skip] // A table is read by its columns.
fn resources(api: &Api) -> Routes {
    Routes::new(api)
        .open("/health", routes!(health::show))
        .keyed("/users/me", routes!(users::show, users::update))
        .keyed("/users", routes!(accounts::list, accounts::create))
        .keyed("/users/{id}", routes!(accounts::show, accounts::update, accounts::delete))
        .keyed("/api-keys", routes!(api_keys::list, api_keys::create))
        .keyed("/api-keys/current", routes!(api_keys::current))
        .keyed("/api-keys/{id}", routes!(api_keys::show, api_key_changes::update, api_keys::revoke))
        .keyed("/api-keys/{id}/rotate", routes!(api_key_changes::rotate))
        .remembered("/projects", routes!(projects::list, projects::create))
        .remembered("/projects/{project}", routes!(projects::show, projects::update, projects::delete))
        .keyed("/projects/{project}/pause", routes!(project_actions::pause))
        .keyed("/projects/{project}/resume", routes!(project_actions::resume))
        .keyed("/projects/{project}/restart", routes!(project_actions::restart))
        .keyed("/projects/{project}/rollback", routes!(deployment_actions::rollback))
        .remembered("/projects/{project}/deployments", routes!(deployments::of_project, deployments::create))
        .upload("/projects/{project}/uploads", routes!(uploads::create))
        .keyed("/projects/{project}/logs", routes!(runtime_logs::of_project))
        .keyed("/projects/{project}/metrics", routes!(metrics::of_project))
        .keyed("/projects/{project}/env", routes!(env::list, env::create, env::set_all))
        .keyed("/projects/{project}/env/{key}", routes!(env::show, env::set, env::delete))
        .keyed("/projects/{project}/source", routes!(source::set))
        .keyed("/projects/{project}/source/deploy-key", routes!(source::deploy_key))
        .keyed("/projects/{project}/source/deploy-key/rotate", routes!(source::rotate))
        .keyed("/projects/{project}/source/forge", routes!(forge::show, forge::set, forge::delete))
        .keyed("/projects/{project}/tokens", routes!(project_tokens::list, project_tokens::create))
        .keyed("/projects/{project}/tokens/{id}", routes!(project_tokens::revoke))
        .keyed("/projects/{project}/hooks", routes!(hooks::list, hooks::create))
        .keyed("/projects/{project}/hooks/{id}", routes!(hooks::delete))
        .keyed("/projects/{project}/hooks/{id}/rotate", routes!(hooks::rotate))
        .push_hook("/hooks/git/{token}", routes!(push_receivers::git))
        .deploy_hook("/hooks/deploy/{token}", routes!(push_receivers::deploy))
        .keyed("/projects/{project}/domains", routes!(domains::of_project, domains::create))
        .keyed("/domains", routes!(domains::list))
        .keyed("/domains/{id}", routes!(domains::show, domains::update, domains::delete))
        .keyed("/domains/{id}/verify", routes!(domains::verify))
        .keyed("/domains/{id}/certificate", routes!(domains::set_certificate, domains::delete_certificate))
        .remembered("/deployments", routes!(deployments::list))
        .keyed("/deployments/{id}", routes!(deployments::show, deployment_actions::delete))
        .keyed("/deployments/{id}/cancel", routes!(deployments::cancel))
        .keyed("/deployments/{id}/redeploy", routes!(deployment_actions::redeploy))
        .keyed("/deployments/{id}/promote", routes!(deployment_actions::promote))
        .keyed("/deployments/{id}/receipt", routes!(receipts::show))
        .keyed("/deployments/{id}/diff/{other}", routes!(receipts::diff))
        .keyed("/deployments/{id}/logs", routes!(logs::show))
        .keyed("/deployments/{id}/runtime-logs", routes!(runtime_logs::of_deployment))
        .keyed("/deployments/{id}/metrics", routes!(metrics::of_deployment))
        .keyed("/events", routes!(events::list))
        .keyed("/events/stream", routes!(event_stream::show))
        .keyed("/events/{id}", routes!(events::show))
        .keyed("/event-types", routes!(event_types::list))
        .keyed("/webhooks", routes!(webhooks::list, webhooks::create))
        .keyed("/webhooks/{id}", routes!(webhooks::show, webhooks::update, webhooks::delete))
        .keyed("/webhooks/{id}/ping", routes!(webhook_deliveries::ping))
        .keyed("/webhooks/{id}/rotate-secret", routes!(webhooks::rotate_secret))
        .keyed("/webhooks/{id}/confirmation", routes!(webhooks::ask_recipient))
        .keyed("/webhooks/{id}/replay", routes!(webhook_deliveries::replay))
        .keyed("/webhooks/{id}/deliveries", routes!(webhook_deliveries::list))
        .keyed("/webhooks/{id}/deliveries/{delivery}", routes!(webhook_deliveries::show))
        .keyed("/webhooks/{id}/deliveries/{delivery}/redeliver", routes!(webhook_deliveries::redeliver))
        .keyed("/audit-log", routes!(audit::list))
        .keyed("/regions", routes!(catalogue::regions))
        .keyed("/frameworks", routes!(catalogue::frameworks))
        .keyed("/registries", routes!(registries::list, registries::create))
        .keyed("/registries/{id}", routes!(registries::delete))
        .keyed("/system", routes!(system::show))
        .keyed("/system/gc", routes!(gc::list, gc::run))
        .keyed("/system/certificates", routes!(certificates::list))
        .keyed("/system/settings", routes!(settings::show, settings::update))
        .keyed("/system/mail/test", routes!(settings::test_mail))
        .keyed(rate_limit::PATH, routes!(rate_limit::show))
        .open("/openapi.json", routes!(document::show))
        .open("/openapi-3.2.json", routes!(document::show_32))
}

/// What the API claims: its base path, the alias of it, and the bare first segments of its own routes.
const PREFIXES: [&str; 20] = [
    "/api",
    "/v1",
    "/health",
    "/users",
    "/api-keys",
    "/projects",
    "/deployments",
    "/hooks",
    "/domains",
    "/events",
    "/event-types",
    "/webhooks",
    "/audit-log",
    "/regions",
    "/frameworks",
    "/registries",
    "/system",
    rate_limit::PATH,
    "/openapi.json",
    "/openapi-3.2.json",
];

/// Whether a path is one of the API's, or of what else is asked for with a key.
pub fn claims(path: &str) -> bool {
    PREFIXES.iter().chain(&[git::PREFIX]).any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The API as a router that claims `/api`, `/v1` and the bare paths, and nothing else.
pub fn router(app: App) -> Router {
    described(app, Document::default())
}

/// The same router; what it serves is described in `document` from then on.
pub fn described(app: App, document: Document) -> Router {
    let api = Api { app, streams: Streams::default(), document, remembered: Remembered::default() };
    let (inner, description) = resources(&api).finish();
    api.document.set(description);
    let inner = inner.with_state(api.clone());
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
        .route_layer(from_fn(conditional::tag_encoded))
}
