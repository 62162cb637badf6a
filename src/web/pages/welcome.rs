//! `/welcome/…`: the owner of a new account chooses a password, once.

use axum::extract::{Path, State};
use http::{Extensions, HeaderMap, StatusCode};
use tower_sessions::Session;

use super::Pages;
use super::respond::{self, Answer, see_other};
use super::show::form_errors;
use crate::app::AppError;
use crate::model::user::User;
use crate::web::actor::origin;
use crate::web::csrf::{Fields, anonymous_token};
use crate::web::session::sign_in;
use crate::web::view::form::Errors;
use crate::web::view::welcome::{SPENT, UNKNOWN, WelcomePage};

/// Where the pages are; what follows is a secret.
pub(super) const START: &str = "/welcome/";

/// Whether a path is one of these pages.
pub fn is_here(path: &str) -> bool {
    path.starts_with(START)
}

/// The form.
pub async fn show(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Answer {
    match pages.app.invited(&token).await {
        Ok(user) => form(&pages, &headers, StatusCode::OK, token, user, Errors::none()),
        Err(error) => closed(error),
    }
}

/// Sets the password and signs in.
pub async fn submit(
    State(pages): State<Pages>,
    session: Session,
    extensions: Extensions,
    headers: HeaderMap,
    Path(token): Path<String>,
    fields: Fields,
) -> Answer {
    let origin = origin(&extensions, &headers);
    let password = fields.get("password").to_owned();
    match pages.app.welcome(&token, password, origin).await {
        Ok(user) => {
            sign_in(&session, &user.id, pages.app.clock.now()).await?;
            Ok(see_other("/dashboard"))
        }
        Err(AppError::Invalid(problems)) => {
            let errors = form_errors(&problems, &[("password", "password")]);
            match pages.app.invited(&token).await {
                Ok(user) => {
                    let status = StatusCode::UNPROCESSABLE_ENTITY;
                    form(&pages, &headers, status, token, user, errors)
                }
                Err(error) => closed(error),
            }
        }
        Err(error) => closed(error),
    }
}

fn form(
    pages: &Pages,
    headers: &HeaderMap,
    status: StatusCode,
    token: String,
    user: User,
    errors: Errors,
) -> Answer {
    let (csrf, cookie) = anonymous_token(&pages.app, headers);
    let page =
        WelcomePage { csrf, token, email: user.email, name: user.name, errors, closed: None };
    Ok(respond::with_cookie(respond::html_with(status, &page)?, cookie))
}

/// The page of a link that does not work.
fn closed(error: AppError) -> Answer {
    let (status, reason) = match error {
        AppError::NotFound { .. } => (StatusCode::NOT_FOUND, UNKNOWN),
        AppError::Conflict { .. } => (StatusCode::GONE, SPENT),
        other => return Err(other.into()),
    };
    respond::html_with(status, &WelcomePage { closed: Some(reason), ..WelcomePage::default() })
}
