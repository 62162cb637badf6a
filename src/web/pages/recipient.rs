//! `/mail/…`: whoever reads an address says whether it wants what webhooks send there. Nobody signs in for it. A look alone
//! changes nothing, because programs follow the links in a mail before people do.

use axum::extract::{Path, State};
use http::{Extensions, HeaderMap, StatusCode};

use super::Pages;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::recipients::{LINK_PATH, LinkState};
use crate::web::actor::origin;
use crate::web::csrf::{Fields, anonymous_token};
use crate::web::view::recipient::{RecipientPage, Shown};

/// Whether a path is one of these pages.
pub fn is_here(path: &str) -> bool {
    path.starts_with(LINK_PATH)
}

/// The question, or what became of it.
pub async fn show(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Answer {
    page(&pages, &headers, token, None).await
}

/// Takes the answer.
pub async fn submit(
    State(pages): State<Pages>,
    extensions: Extensions,
    headers: HeaderMap,
    Path(token): Path<String>,
    fields: Fields,
) -> Answer {
    let wanted = match fields.get("answer") {
        "yes" => true,
        "no" => false,
        _ => return page(&pages, &headers, token, None).await,
    };
    let origin = origin(&extensions, &headers);
    let done = match pages.app.answer_for_recipient(&token, wanted, origin).await {
        Ok(()) => Some(if wanted { Shown::Agreed } else { Shown::Refused }),
        // The page says which.
        Err(AppError::NotFound { .. } | AppError::Conflict { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    page(&pages, &headers, token, done).await
}

/// The page; `done` is what was answered just now.
async fn page(pages: &Pages, headers: &HeaderMap, token: String, done: Option<Shown>) -> Answer {
    let server = pages.app.hosts.dashboard_url();
    let asked = match pages.app.asked_recipient(&token).await {
        Ok(asked) => asked,
        Err(AppError::NotFound { .. }) => {
            let page = RecipientPage { server, ..RecipientPage::default() };
            return respond::html_with(StatusCode::NOT_FOUND, &page);
        }
        Err(other) => return Err(other.into()),
    };
    let (status, shown) = match (done, asked.state) {
        (Some(done), _) => (StatusCode::OK, done),
        (None, LinkState::Open) => (StatusCode::OK, Shown::Question),
        (None, LinkState::Expired) => (StatusCode::GONE, Shown::Expired),
        (None, LinkState::Confirmed) => (StatusCode::GONE, Shown::UsedYes),
        (None, LinkState::Declined) => (StatusCode::GONE, Shown::UsedNo),
    };
    let (csrf, cookie) = anonymous_token(&pages.app, headers);
    let page = RecipientPage { csrf, token, server, address: asked.address, by: asked.by, shown };
    Ok(respond::with_cookie(respond::html_with(status, &page)?, cookie))
}
