//! Addresses browsers and robots ask for wherever they are.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use tower_sessions::Session;

use super::Pages;
use super::respond::{Answer, see_other};
use crate::web::session::signed_in;

/// `GET /`: where to begin.
pub async fn start(State(pages): State<Pages>, session: Session) -> Answer {
    let to = if signed_in(&pages.app, &session).await?.is_some() {
        "/dashboard"
    } else if pages.app.needs_set_up().await? {
        "/setup"
    } else {
        "/login"
    };
    Ok(see_other(to))
}

/// `GET /robots.txt`: a dashboard is nothing for a search engine.
pub async fn robots() -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "User-agent: *\nDisallow: /\n").into_response()
}

/// `GET /.well-known/change-password`: where password managers send people.
pub async fn change_password() -> Response {
    see_other("/dashboard/account/keys")
}
