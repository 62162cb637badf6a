//! Everything a browser or a program can ask for. The API's URLs are in `api`, the pages' here.

pub mod actor;
pub mod api;
pub mod assets;
pub mod csrf;
pub mod docs;
pub mod error;
pub mod git;
pub mod pages;
pub mod session;
pub mod view;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use self::pages::{
    Pages, build_log_stream, build_log_text, compare, delivery, deployment, domains, forge, home,
    keys, live, login, logs, mail, metrics, new_project, paste, plain, project, push_hooks,
    recipient, release, settings, setup, source, system, variable, variables, visit, webhook,
    webhooks, welcome,
};
use crate::app::App;

const VARIABLES: &str = "/dashboard/projects/{name}/variables";
const VARIABLE: &str = "/dashboard/projects/{name}/variables/{target}/{key}";
const WEBHOOK: &str = "/dashboard/webhooks/{id}";

/// Smaller parts of pages are not worth compressing.
const COMPRESSED_FROM: u16 = 1024;

/// Every URL of the product.
pub fn router(app: &App) -> Router {
    // Beside the start, which need not wait for it.
    std::thread::spawn(assets::prepare);
    let document = api::Document::default();
    let api = api::described(app.clone(), document.clone());
    api.merge(git::router(app)).merge(dashboard(&Pages::new(app.clone(), document)))
}

/// The pages, and for everything nobody claims a page that says so. The layers stand innermost first: a
/// request meets the last one first.
fn dashboard(pages: &Pages) -> Router {
    let documented = docs::PREFIXES.into_iter().fold(Router::new(), |router, prefix| {
        router
            .route(&format!("{prefix}/docs"), get(docs::index))
            .route(&format!("{prefix}/docs/"), get(docs::index))
            .route(&format!("{prefix}/docs/errors"), get(docs::errors))
            .route(&format!("{prefix}/docs/errors/{{code}}"), get(docs::error))
    });
    let rendered = documented
        .route("/", get(plain::start))
        .route("/setup", get(setup::show).post(setup::submit))
        .route("/welcome/{token}", get(welcome::show).post(welcome::submit))
        .route("/mail/{token}", get(recipient::show).post(recipient::submit))
        .route("/login", get(login::show).post(login::submit))
        .route("/logout", post(login::leave))
        .route("/dashboard", get(home::show))
        .route("/dashboard/new", get(new_project::show).post(new_project::submit))
        .route("/dashboard/projects/{name}", get(project::show))
        .route("/dashboard/projects/{name}/deploy", post(project::deploy))
        .route("/dashboard/projects/{name}/rollback", post(release::project_rollback))
        .route("/dashboard/projects/{name}/pause", post(release::pause))
        .route("/dashboard/projects/{name}/resume", post(release::resume))
        .route("/dashboard/projects/{name}/restart", post(release::restart))
        .route("/dashboard/projects/{name}/settings", get(settings::show))
        .route("/dashboard/projects/{name}/settings/{section}", post(settings::save))
        .route("/dashboard/projects/{name}/settings/source/rotate", post(source::rotate))
        .route("/dashboard/projects/{name}/settings/forge", post(forge::save))
        .route("/dashboard/projects/{name}/settings/forge/delete", post(forge::delete))
        .route("/dashboard/projects/{name}/settings/hooks", post(push_hooks::create))
        .route("/dashboard/projects/{name}/settings/hooks/{id}/rotate", post(push_hooks::rotate))
        .route("/dashboard/projects/{name}/settings/hooks/{id}/delete", post(push_hooks::delete))
        .route("/dashboard/projects/{name}/delete", post(settings::delete))
        .route("/dashboard/projects/{name}/logs", get(logs::show))
        .route("/dashboard/projects/{name}/logs.txt", get(logs::text))
        .route("/dashboard/projects/{name}/logs/stream", get(logs::stream))
        .route("/dashboard/projects/{name}/metrics", get(metrics::show))
        .route("/dashboard/projects/{name}/metrics.csv", get(metrics::csv))
        .route("/dashboard/projects/{name}/domains", get(domains::show).post(domains::create))
        .route("/dashboard/projects/{name}/domains/certificate", post(domains::certificate))
        .route("/dashboard/projects/{name}/domains/{id}/verify", post(domains::verify))
        .route("/dashboard/projects/{name}/domains/{id}/delete", post(domains::delete))
        .route(VARIABLES, get(variables::show).post(variables::create))
        .route(&format!("{VARIABLES}/paste"), post(paste::submit))
        .route(VARIABLE, get(variable::show).post(variable::save))
        .route(&format!("{VARIABLE}/reveal"), post(variables::reveal))
        .route(&format!("{VARIABLE}/delete"), post(variable::delete))
        .route("/dashboard/deployments/{id}", get(deployment::show))
        .route("/dashboard/deployments/{id}/compare/{other}", get(compare::show))
        .route("/dashboard/deployments/{id}/cancel", post(deployment::cancel))
        .route("/dashboard/deployments/{id}/promote", post(release::promote))
        .route("/dashboard/deployments/{id}/rollback", post(release::rollback))
        .route("/dashboard/deployments/{id}/redeploy", post(release::redeploy))
        .route("/dashboard/deployments/{id}/delete", post(release::delete))
        .route("/dashboard/deployments/{id}/log.txt", get(build_log_text))
        .route("/dashboard/deployments/{id}/log/stream", get(build_log_stream))
        .route("/dashboard/account/keys", get(keys::show).post(keys::create))
        .route("/dashboard/account/keys/{id}/revoke", post(keys::revoke))
        .route("/dashboard/team/webhooks", get(webhooks::show).post(webhooks::create))
        .route(WEBHOOK, get(webhook::show).post(webhook::save))
        .route(&format!("{WEBHOOK}/ping"), post(webhook::ping))
        .route(&format!("{WEBHOOK}/confirmation"), post(webhook::ask))
        .route(&format!("{WEBHOOK}/enabled"), post(webhook::enable))
        .route(&format!("{WEBHOOK}/rotate"), post(webhook::rotate))
        .route(&format!("{WEBHOOK}/replay"), post(webhook::replay))
        .route(&format!("{WEBHOOK}/delete"), post(webhook::delete))
        .route(&format!("{WEBHOOK}/deliveries/{{delivery}}"), get(delivery::show))
        .route(&format!("{WEBHOOK}/deliveries/{{delivery}}/redeliver"), post(delivery::redeliver))
        .route("/dashboard/visit", get(visit::show))
        .route("/dashboard/system", get(system::show))
        .route("/dashboard/system/gc", post(system::free))
        .route("/dashboard/system/mail", post(mail::save))
        .route("/dashboard/system/mail/test", post(mail::test))
        .route("/dashboard/system/mail/delete", post(mail::delete))
        .route("/dashboard/live", get(live::stream))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        .layer(from_fn_with_state(pages.clone(), csrf::guard))
        .layer(from_fn_with_state(pages.clone(), pages::finish))
        .layer(pages.sessions.layer())
        .layer(
            CompressionLayer::new()
                .compress_when(SizeAbove::new(COMPRESSED_FROM).and(NotForContentType::SSE)),
        );
    let files = Router::new()
        .route("/assets/{build}/{*file}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        .route("/robots.txt", get(plain::robots))
        .route("/.well-known/change-password", get(plain::change_password));
    rendered
        .merge(files)
        .layer(from_fn_with_state(pages.clone(), pages::headers::secure))
        .with_state(pages.clone())
}
