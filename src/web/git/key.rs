//! Who pushes: an API key as the password of Basic authentication, with any user name.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::app::rates::{Requester, Standing};
use crate::app::{App, AppError};
use crate::model::actor::Actor;
use crate::model::peer::PlainHttp;
use crate::web::actor;

/// What a client is asked for; Git asks whoever sits in front of it.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Orbitra, an API key as password\", charset=\"UTF-8\"");

/// Who pushes.
pub(super) struct Caller(pub Actor);

/// An answer that is no push: a status and a sentence, which Git shows after `remote:`.
pub(super) struct Refused {
    status: StatusCode,
    text: String,
    retry_after: Option<u64>,
}

impl Refused {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }

    fn limited(app: &App, standing: &Standing) -> Self {
        let seconds = standing.seconds_left(app.clock.now()).max(1);
        let text = format!("Too many requests. Try again in {seconds} s.");
        Self { status: StatusCode::TOO_MANY_REQUESTS, text, retry_after: Some(seconds) }
    }
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        let status = match &error {
            AppError::Invalid(_) => StatusCode::BAD_REQUEST,
            AppError::NotFound { resource, id } => {
                let text = format!("There is no {resource} `{id}`, or this key does not see it.");
                return Self::new(StatusCode::NOT_FOUND, text);
            }
            AppError::Forbidden { .. } => StatusCode::FORBIDDEN,
            AppError::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            AppError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            AppError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            AppError::Internal(cause) => {
                tracing::error!(cause, "a push could not be answered");
                let text = "An unexpected error occurred.";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, text);
            }
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        if parts.extensions.get::<PlainHttp>().is_some() {
            let text =
                "This key was sent in the clear. Push to the https address, with another key.";
            return Err(Refused::new(StatusCode::FORBIDDEN, text));
        }
        let origin = actor::origin(&parts.extensions, &parts.headers);
        let found = match password(&parts.headers) {
            Ok(key) => app.authenticate(&key, origin).await,
            Err(error) => Err(error),
        };
        let who = match &found {
            Ok(actor) => Requester::of(actor),
            Err(_) => Requester::Address(actor::peer_ip(&parts.extensions)),
        };
        app.count_request(&who).map_err(|standing| Refused::limited(app, &standing))?;
        Ok(Self(found?))
    }
}

/// The key of a request: the password of Basic authentication, or what the API takes as well.
fn password(headers: &HeaderMap) -> Result<String, AppError> {
    let invalid =
        AppError::Unauthorized { reason: "invalid_key", message: "This API key is not valid." };
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return Err(AppError::Unauthorized {
            reason: "missing_credentials",
            message: "An API key is needed, as the password. Any user name will do.",
        });
    };
    let text = value.to_str().unwrap_or_default().trim();
    let basic = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let Some((_, encoded)) = basic else {
        return actor::api_key(headers).map(str::to_owned);
    };
    let decoded =
        STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    pair.map(|(_, password)| password.to_owned()).ok_or(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Option<&str>) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.append(AUTHORIZATION, value.parse().expect("a header"));
        }
        password(&headers).map_err(|error| match error {
            AppError::Unauthorized { reason, .. } => reason,
            _ => "another error",
        })
    }

    #[test]
    fn the_key_is_the_password_of_anybody() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(read(Some(&basic("x:orbu_1"))).as_deref(), Ok("orbu_1"));
        assert_eq!(read(Some(&basic(":orbu:1"))).as_deref(), Ok("orbu:1"));
        assert_eq!(read(Some("Bearer orbu_1")).as_deref(), Ok("orbu_1"));
        assert_eq!(read(None), Err("missing_credentials"));
        for wrong in ["Basic", "Basic !", &basic("nothing"), "Digest x"] {
            let found = read(Some(wrong));
            assert!(found == Err("invalid_key") || found.as_deref() == Ok("Basic"), "{wrong}");
        }
    }
}
