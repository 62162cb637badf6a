//! What a request passes before its handler, in this order: size, key, rate limit.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::Api;
use super::body;
use super::error::ApiError;
use super::meter::Meter;
use super::push_receivers::PUSH_LIMIT;
use super::rate_limit;
use super::respond::Answer;
use crate::app::AppError;
use crate::app::may::{Action, require_scope};
use crate::app::rates::Requester;
use crate::model::actor::{Actor, Via};
use crate::model::ids::KeyId;
use crate::model::peer::PlainHttp;
use crate::model::upload::MOST_BYTES;
use crate::web::actor;

/// Most bytes of a body.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Refuses bodies that are too large. A body whose length was announced is judged by that and read later;
/// one without is read here, up to the limit.
pub async fn limit_size(request: Request, next: Next) -> Answer {
    let size = request.body().size_hint();
    if size.lower() > BODY_LIMIT as u64 {
        return Err(ApiError::too_large(BODY_LIMIT as u64));
    }
    if size.upper().is_some_and(|most| most <= BODY_LIMIT as u64) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let bytes = body::read_up_to(body, BODY_LIMIT).await?;
    Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

/// Refuses what a forge sends when its announced length is too large. The rest is counted while it is read, after it is
/// known whose it is.
pub async fn limit_push(request: Request, next: Next) -> Answer {
    if request.body().size_hint().lower() > PUSH_LIMIT as u64 {
        return Err(ApiError::too_large(PUSH_LIMIT as u64));
    }
    Ok(next.run(request).await)
}

/// Refuses archives whose announced length is too large. What comes without one is counted while it is read.
pub async fn limit_upload(request: Request, next: Next) -> Answer {
    if request.body().size_hint().lower() > MOST_BYTES {
        return Err(ApiError::too_large(MOST_BYTES));
    }
    Ok(next.run(request).await)
}

/// Finds out who asks, and counts. What comes without a valid key counts against the address; where that
/// has used up its window it is told so, and no longer what is wrong with the key.
pub async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Answer {
    let origin = actor::origin(request.extensions(), request.headers());
    let actor = match actor::api_key(request.headers()) {
        _ if request.extensions().get::<PlainHttp>().is_some() => Err(tls_required()),
        Ok(key) => api.app.authenticate(key, origin).await,
        Err(error) => Err(error),
    };
    let meter = Meter::of(request.extensions());
    if let Err(AppError::Unauthorized { .. } | AppError::Forbidden { .. }) = &actor {
        meter.count(&api.app, Requester::Address(actor::peer_ip(request.extensions())))?;
    }
    let actor = actor?;
    if request.uri().path() == rate_limit::PATH {
        meter.see(&api.app, &Requester::of(&actor));
    } else {
        meter.count(&api.app, Requester::of(&actor))?;
    }
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = format!("{} {}", request.method(), route.unwrap_or_default());
    request.extensions_mut().insert(Caller(actor.clone()));
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions().get::<ApiError>()
        && response.status() == StatusCode::FORBIDDEN
    {
        api.app.note_refusal(&actor, route, &error.reason());
    }
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    response.headers_mut().insert("x-orbitra-version", version);
    Ok(response)
}

/// Whatever the key is: it is known to everybody on the way.
fn tls_required() -> AppError {
    AppError::Forbidden {
        reason: "tls_required",
        message: "This key was sent in the clear. Use https, and another key.".to_owned(),
        details: json!({}),
    }
}

/// Who asks, once the key was checked.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

impl Caller {
    /// Refuses a key without the scope of an action; before anything of the body is read.
    ///
    /// # Errors
    /// `Forbidden` with reason `missing_scope`.
    pub fn may(&self, action: Action) -> Result<(), ApiError> {
        Ok(require_scope(&self.0, action)?)
    }

    /// The id of the key in use.
    pub fn key_id(&self) -> Option<&KeyId> {
        match &self.0.via {
            Via::ApiKey { id, .. } => Some(id),
            Via::Session | Via::Operator | Via::Hook { .. } => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let missing = || ApiError::internal("a handler that needs a key stands on an open route");
        parts.extensions.get::<Self>().cloned().ok_or_else(|| missing().into_response())
    }
}
