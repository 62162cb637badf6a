//! `/setup`: whoever can read the code in the terminal becomes the first admin. Afterwards the page is gone.

use axum::extract::State;
use http::header::RETRY_AFTER;
use http::{Extensions, HeaderMap, StatusCode};
use tower_sessions::Session;

use super::respond::{self, Answer, see_other};
use super::show::form_errors;
use super::{PageError, Pages};
use crate::app::AppError;
use crate::app::setup::SetUp;
use crate::web::actor::origin;
use crate::web::csrf::{Fields, anonymous_token};
use crate::web::session::sign_in;
use crate::web::view::form::Errors;
use crate::web::view::setup::{SetupForm, SetupPage};

/// The form.
pub async fn show(State(pages): State<Pages>, headers: HeaderMap) -> Answer {
    if !pages.app.needs_set_up().await? {
        return Err(PageError::not_found());
    }
    form(&pages, &headers, StatusCode::OK, SetupPage::default())
}

fn form(pages: &Pages, headers: &HeaderMap, status: StatusCode, mut page: SetupPage) -> Answer {
    let (csrf, cookie) = anonymous_token(&pages.app, headers);
    page.csrf = csrf;
    Ok(respond::with_cookie(respond::html_with(status, &page)?, cookie))
}

/// Makes the account and signs in.
pub async fn submit(
    State(pages): State<Pages>,
    session: Session,
    extensions: Extensions,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let form_of = |name: &str| fields.trimmed(name).to_owned();
    let typed = SetupForm { code: form_of("code"), email: form_of("email"), name: form_of("name") };
    let filled_in = SetUp {
        code: typed.code.clone(),
        email: typed.email.clone(),
        name: typed.name.clone(),
        password: fields.get("password").to_owned(),
    };
    let errors = match pages.app.set_up(filled_in, origin(&extensions, &headers)).await {
        Ok(user) => {
            sign_in(&session, &user.id, pages.app.clock.now()).await?;
            return Ok(see_other("/dashboard"));
        }
        Err(AppError::Invalid(problems)) => form_errors(
            &problems,
            &[("code", "code"), ("email", "email"), ("name", "name"), ("password", "password")],
        ),
        Err(error @ AppError::TooMany { retry_after_seconds }) => {
            let errors = Errors::one("code", error.to_string());
            let page = SetupPage { form: typed, errors, ..SetupPage::default() };
            let mut response = form(&pages, &headers, StatusCode::TOO_MANY_REQUESTS, page)?;
            response.headers_mut().insert(RETRY_AFTER, retry_after_seconds.into());
            return Ok(response);
        }
        // Somebody else was faster: for everybody after the first the page is gone.
        Err(AppError::Conflict { .. }) if !pages.app.needs_set_up().await? => {
            return Err(PageError::not_found());
        }
        Err(AppError::Conflict { message, .. }) => Errors::one("email", message),
        Err(other) => return Err(other.into()),
    };
    let page = SetupPage { form: typed, errors, ..SetupPage::default() };
    form(&pages, &headers, StatusCode::UNPROCESSABLE_ENTITY, page)
}
