//! `/dashboard/visit`: leads a browser that is signed in here to a site behind its wall.

use axum::extract::State;

use super::params::Params;
use super::respond::{self, Answer};
use super::{Pages, Visitor};
use crate::web::session;
use crate::web::view::visit::VisitPage;

/// The page goes on by itself. It is no redirect, because one that follows the form of the sign-in would be one of that
/// form, which may lead nowhere else.
pub async fn show(State(pages): State<Pages>, visitor: Visitor, params: Params) -> Answer {
    let signed_in = &visitor.signed_in;
    let (host, path) = (params.get("host"), params.get("path"));
    let session = session::hash(&signed_in.id);
    let address = pages.app.begin_visit(&signed_in.actor, session, host, path).await?;
    respond::html(&VisitPage { host: host.to_owned(), address })
}
