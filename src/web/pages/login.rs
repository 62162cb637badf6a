//! `/login` and `/logout`.

use axum::extract::State;
use http::header::RETRY_AFTER;
use http::{Extensions, HeaderMap, StatusCode};
use tower_sessions::Session;

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::visitor::safe_next;
use super::{Pages, Visitor};
use crate::app::AppError;
use crate::web::actor::origin;
use crate::web::csrf::{Fields, anonymous_token};
use crate::web::session::{sign_in, sign_out, signed_in};
use crate::web::view::form::Errors;
use crate::web::view::login::{LoginPage, NO_MATCH};
use crate::web::view::shell::Notice;

/// The form. Somebody who is signed in goes on at once.
pub async fn show(
    State(pages): State<Pages>,
    session: Session,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let next = safe_next(params.get("next")).unwrap_or_default();
    if signed_in(&pages.app, &session).await?.is_some() {
        return Ok(see_other(if next.is_empty() { "/dashboard" } else { next }));
    }
    if pages.app.needs_set_up().await? {
        return Ok(see_other("/setup"));
    }
    let notice = params.has("out").then(|| Notice::good("You are signed out."));
    let page = LoginPage { next: next.to_owned(), notice, ..LoginPage::default() };
    form(&pages, &headers, StatusCode::OK, page)
}

fn form(pages: &Pages, headers: &HeaderMap, status: StatusCode, mut page: LoginPage) -> Answer {
    let (csrf, cookie) = anonymous_token(&pages.app, headers);
    page.csrf = csrf;
    Ok(respond::with_cookie(respond::html_with(status, &page)?, cookie))
}

/// Signs in. A wrong e-mail, a wrong password and a suspended account get the same answer.
pub async fn submit(
    State(pages): State<Pages>,
    session: Session,
    extensions: Extensions,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let next = safe_next(fields.get("next")).unwrap_or("/dashboard");
    let (email, password) = (fields.trimmed("email"), fields.get("password"));
    let mut page = LoginPage {
        email: email.chars().take(254).collect(),
        next: if next == "/dashboard" { String::new() } else { next.to_owned() },
        ..LoginPage::default()
    };
    let found = pages.app.log_in(email, password, origin(&extensions, &headers)).await;
    match found {
        Ok(user) => {
            sign_in(&session, &user.id, pages.app.clock.now()).await?;
            Ok(see_other(next))
        }
        Err(AppError::Unauthorized { .. }) => {
            page.errors = Errors::one("", NO_MATCH);
            form(&pages, &headers, StatusCode::UNPROCESSABLE_ENTITY, page)
        }
        Err(AppError::TooMany { retry_after_seconds }) => {
            page.wait_seconds = Some(retry_after_seconds);
            let mut response = form(&pages, &headers, StatusCode::TOO_MANY_REQUESTS, page)?;
            response.headers_mut().insert(RETRY_AFTER, retry_after_seconds.into());
            Ok(response)
        }
        Err(other) => Err(other.into()),
    }
}

/// Signs out.
pub async fn leave(State(pages): State<Pages>, visitor: Visitor) -> Answer {
    sign_out(&visitor.signed_in.session).await?;
    pages.app.log_out(&visitor.signed_in.actor).await?;
    Ok(see_other("/login?out=1"))
}
