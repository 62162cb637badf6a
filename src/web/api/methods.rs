//! The methods of one route: a 405 and an OPTIONS that list them, and the layers of those that need a key.

use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};

use super::Api;
use super::error::ApiError;
use super::guards;

/// Handlers by method.
pub struct Methods {
    names: Vec<&'static str>,
    router: MethodRouter<Api>,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = [$($word:literal),+];)+) => {$(
        $(#[$doc])*
        pub fn $name<H: Handler<T, Api>, T: 'static>(mut self, handler: H) -> Self {
            self.names.extend([$($word),+]);
            self.router = self.router.$name(handler);
            self
        }
    )+};
}

impl Methods {
    /// Without methods.
    pub fn new() -> Self {
        Self { names: vec!["OPTIONS"], router: MethodRouter::new() }
    }

    methods! {
        /// Answers GET, and HEAD without the body.
        get = ["GET", "HEAD"];
        /// Answers POST.
        post = ["POST"];
        /// Answers PATCH.
        patch = ["PATCH"];
        /// Answers PUT.
        put = ["PUT"];
        /// Answers DELETE.
        delete = ["DELETE"];
    }

    /// A route that needs an API key. The layers stand innermost first: a request meets the size limit,
    /// then the check of its key. Rate limits, idempotency and conditional requests go in between here.
    pub fn with_key(mut self, api: &Api) -> MethodRouter<Api> {
        self.router = self
            .router
            .route_layer(from_fn_with_state(api.clone(), guards::authenticate))
            .route_layer(from_fn(guards::limit_size));
        self.finish()
    }

    /// A route for everybody.
    pub fn open(self) -> MethodRouter<Api> {
        self.finish()
    }

    /// After the layers, so that neither OPTIONS nor a 405 needs a key.
    fn finish(mut self) -> MethodRouter<Api> {
        self.names.sort_unstable();
        let names = self.names;
        // Method names are always acceptable in a header.
        let allow = HeaderValue::try_from(names.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"));
        let listed = allow.clone();
        self.router
            .options(move |_: Request| {
                let allow = listed.clone();
                async move { (StatusCode::NO_CONTENT, [(ALLOW, allow)]) }
            })
            .fallback(move |_: Request| {
                let error = ApiError::method(&names, allow.clone());
                async move { error }
            })
    }
}
