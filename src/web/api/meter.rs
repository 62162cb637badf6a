//! Counting requests against rate limits, and saying so in the headers of every answer.
//!
//! The outermost layer puts a meter into the request; the layer that knows who asks counts, and the
//! outermost reads it when the answer is there, whatever became of the request in between.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderName, HeaderValue, Method, StatusCode};

use super::error::ApiError;
use crate::app::App;
use crate::app::rates::{Requester, Standing};
use crate::model::ids::HookId;
use crate::model::timestamp::Timestamp;

/// What one request was counted as. Clones share it.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<Reading>>);

#[derive(Clone, Default)]
enum Reading {
    /// Nobody has counted it yet.
    #[default]
    Open,
    /// It does not count, whoever asks.
    Free,
    /// It does not count, but it is known who asks.
    Seen(Standing),
    Counted(Requester, Standing),
}

impl Meter {
    /// The meter of a request.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    fn set(&self, reading: Reading) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }

    fn get(&self) -> Reading {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the request.
    ///
    /// # Errors
    /// `rate_limit_exceeded`.
    pub fn count(&self, app: &App, who: Requester) -> Result<(), ApiError> {
        match app.count_request(&who) {
            Ok(standing) => {
                self.set(Reading::Counted(who, standing));
                Ok(())
            }
            Err(standing) => {
                self.set(Reading::Seen(standing));
                Err(ApiError::rate_limited(&standing, app.clock.now()))
            }
        }
    }

    /// Counts the request of a hook.
    ///
    /// # Errors
    /// `rate_limit_exceeded`.
    pub fn count_push(&self, app: &App, hook: &HookId) -> Result<(), ApiError> {
        let counted = app.count_push(hook);
        let (Ok(standing) | Err(standing)) = counted;
        self.set(Reading::Seen(standing));
        counted.map(drop).map_err(|standing| ApiError::rate_limited(&standing, app.clock.now()))
    }

    /// Takes down who asks without counting.
    pub fn see(&self, app: &App, who: &Requester) {
        let standing = app.standing(who);
        self.set(Reading::Seen(standing));
    }

    /// How whoever asked stands now that the answer is there. What nobody counted counts against the
    /// address.
    fn read(&self, app: &App, address: IpAddr, method: &Method, status: StatusCode) -> Standing {
        let anonymous = Requester::Address(address);
        match self.get() {
            Reading::Seen(standing) => standing,
            Reading::Counted(who, standing) => match status {
                StatusCode::NOT_MODIFIED | StatusCode::TOO_MANY_REQUESTS => {
                    app.uncount_request(&who, &standing)
                }
                _ => standing,
            },
            Reading::Free => app.standing(&anonymous),
            Reading::Open if method == Method::OPTIONS => app.standing(&anonymous),
            // An address that has used up its window keeps the answer it has.
            Reading::Open => app.count_request(&anonymous).unwrap_or_else(|standing| standing),
        }
    }

    /// Puts the headers on an answer.
    pub fn write(&self, app: &App, address: IpAddr, method: &Method, response: &mut Response) {
        let standing = self.read(app, address, method, response.status());
        for (name, value) in headers(&standing, app.clock.now()) {
            // Numbers and the names of plans, which are always acceptable in a header.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}

fn headers(standing: &Standing, now: Timestamp) -> [(HeaderName, String); 5] {
    let Standing { policy, limit, window, resets_at, .. } = standing;
    let (remaining, window) = (standing.remaining(), window.as_secs());
    let left = standing.seconds_left(now);
    [
        (HeaderName::from_static("x-ratelimit-limit"), limit.to_string()),
        (HeaderName::from_static("x-ratelimit-remaining"), remaining.to_string()),
        (HeaderName::from_static("x-ratelimit-reset"), resets_at.seconds().to_string()),
        (HeaderName::from_static("ratelimit-policy"), format!("\"{policy}\";q={limit};w={window}")),
        (HeaderName::from_static("ratelimit"), format!("\"{policy}\";r={remaining};t={left}")),
    ]
}

/// For routes that do not count.
pub async fn free(request: Request, next: Next) -> Response {
    Meter::of(request.extensions()).set(Reading::Free);
    next.run(request).await
}
