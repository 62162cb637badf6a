//! Who looks at a page. Without a session a page leads to the login and back; a part of a page, a
//! stream or a form answers 401, because nobody would see where a redirect led.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::{PageError, Pages, respond};
use crate::app::AppError;
use crate::web::actor::origin;
use crate::web::csrf;
use crate::web::session::{SignedIn, signed_in};
use crate::web::view::shell::{Account, Notice, Shell};

const NOTICE: &str = "notice";

/// Somebody who is signed in, at the moment the request came.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub signed_in: SignedIn,
    /// Where the bus of changes was before anything was read for the page.
    pub position: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    text: String,
    good: bool,
}

impl Visitor {
    /// What surrounds a page, with the notice the last action left. It is shown once.
    ///
    /// # Errors
    /// The session cannot be read.
    pub async fn shell(&self) -> Result<Shell, AppError> {
        let session = &self.signed_in.session;
        let failed = |error: tower_sessions::session::Error| AppError::Internal(error.to_string());
        let stored: Option<Stored> = session.get(NOTICE).await.map_err(failed)?;
        let mut shell = self.bare_shell();
        if let Some(stored) = stored {
            session.remove_value(NOTICE).await.map_err(failed)?;
            shell.notice = Some(Notice { text: stored.text, good: stored.good });
        }
        Ok(shell)
    }

    /// What a part of a page needs; a notice waits for the next whole page.
    pub fn bare_shell(&self) -> Shell {
        shell_of(&self.signed_in, self.position)
    }

    /// Leaves a sentence for the next page.
    ///
    /// # Errors
    /// The session cannot be read.
    pub async fn tell(&self, notice: Notice) -> Result<(), AppError> {
        let stored = Stored { text: notice.text, good: notice.good };
        let told = self.signed_in.session.insert(NOTICE, stored).await;
        told.map_err(|error| AppError::Internal(error.to_string()))
    }
}

/// The shell of somebody who is signed in.
pub fn shell_of(signed_in: &SignedIn, position: u64) -> Shell {
    Shell {
        csrf: csrf::mask(&signed_in.csrf),
        account: Some(Account {
            name: signed_in.user.name.clone(),
            email: signed_in.user.email.clone(),
            admin: signed_in.user.instance_admin,
        }),
        notice: None,
        position,
    }
}

impl FromRequestParts<Pages> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Response> {
        let position = pages.app.bus.position();
        let session = parts.extensions.get::<Session>().cloned();
        let session =
            session.ok_or_else(|| PageError::internal("no session layer").into_response())?;
        match signed_in(&pages.app, &session).await {
            Ok(Some(mut signed_in)) => {
                signed_in.actor.origin = origin(&parts.extensions, &parts.headers);
                Ok(Self { signed_in, position })
            }
            Ok(None) if asks_for_page(parts) => Err(respond::see_other(&login_for(&parts.uri))),
            Ok(None) => Err(PageError::signed_out().into_response()),
            Err(error) => Err(PageError::from(error).into_response()),
        }
    }
}

fn asks_for_page(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD) && !is_fragment(&parts.uri, &parts.headers)
}

/// Whether script asks, which wants no whole page.
pub fn is_fragment(uri: &Uri, headers: &HeaderMap) -> bool {
    let part = uri.query().is_some_and(|query| query.split('&').any(|p| p.starts_with("part=")));
    let stream = headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.contains("text/event-stream")));
    let path = uri.path();
    part || stream || path == "/dashboard/live" || path.ends_with("/log/stream")
}

/// The login page that leads back here.
fn login_for(uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/dashboard", |path| path.as_str());
    if path == "/dashboard" || safe_next(path).is_none() {
        return "/login".to_owned();
    }
    let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    format!("/login?next={next}")
}

/// A path of the dashboard to go to after sign-in; everything that could lead elsewhere is `None`.
pub fn safe_next(text: &str) -> Option<&str> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let inside = path == "/dashboard" || path.starts_with("/dashboard/");
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    let climbs = path.contains("//") || path.split('/').any(|part| part == "." || part == "..");
    let query = query.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~=&%+:".contains(&b));
    (inside && plain && !climbs && query && text.len() <= 512).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_to_the_dashboard_only() {
        for good in
            ["/dashboard", "/dashboard/projects/web", "/dashboard?q=a%20b", "/dashboard/a-b_c.d"]
        {
            assert_eq!(safe_next(good), Some(good));
        }
        for bad in [
            "",
            "/",
            "//evil.test",
            "https:evil.test",
            "/\\evil.test",
            "/%09/evil.test",
            "/%5cevil.test",
            "javascript:alert(1)",
            "http://orbitra.test@evil.test",
            "/..//evil.test",
            "/dashboardx",
            "/dashboard//evil.test",
            "/dashboard/../logout",
            "/dashboard/./x",
            "/dashboard/%2e%2e/x",
            "/dashboard\\evil.test",
            "/dashboard\r\nSet-Cookie: a=b",
            "/dashboard?\r\nx",
            "/dashboard/\t/evil.test",
            "/login",
            "/api/v1/projects",
        ] {
            assert_eq!(safe_next(bad), None, "{bad:?}");
        }
    }
}
