//! The routes of the API: for each path its documented handlers, a 405 and an OPTIONS that list its methods,
//! and the layers of what needs a key.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, Paths};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::Api;
use super::conditional;
use super::error::ApiError;
use super::guards;
use super::meter;
use super::openapi::SECURITY;
use super::remembered;

/// The table of routes while it is made. What is in it is served and described.
pub struct Routes {
    api: Api,
    router: OpenApiRouter<Api>,
}

impl Routes {
    /// Without routes.
    pub fn new(api: &Api) -> Self {
        Self { api: api.clone(), router: OpenApiRouter::with_openapi(OpenApi::default()) }
    }

    /// A path that needs an API key. The layers stand innermost first: a request meets the size limit,
    /// then the check of its key and the rate limit.
    pub fn keyed(self, path: &str, operation: UtoipaMethodRouter<Api>) -> Self {
        let (schemas, paths, router) = self.authenticated(operation);
        self.at(path, (schemas, paths, router.route_layer(from_fn(guards::limit_size))))
    }

    /// A path that needs an API key and takes an archive.
    pub fn upload(self, path: &str, operation: UtoipaMethodRouter<Api>) -> Self {
        let (schemas, paths, router) = self.authenticated(operation);
        self.at(path, (schemas, paths, router.route_layer(from_fn(guards::limit_upload))))
    }

    fn authenticated(
        &self,
        (schemas, mut paths, router): UtoipaMethodRouter<Api>,
    ) -> UtoipaMethodRouter<Api> {
        for operation in paths.paths.values_mut().flat_map(operations) {
            // Without scopes, when the operation names none itself.
            operation.security.get_or_insert_with(|| vec![key()]);
        }
        let router = router
            .route_layer(from_fn(conditional::answer))
            .route_layer(from_fn_with_state(self.api.clone(), guards::authenticate));
        (schemas, paths, router)
    }

    /// A path that needs an API key and whose reads follow from the database and the caller alone.
    pub fn remembered(self, path: &str, (schemas, paths, router): UtoipaMethodRouter<Api>) -> Self {
        let layer = from_fn_with_state(self.api.clone(), remembered::answer);
        self.keyed(path, (schemas, paths, router.route_layer(layer)))
    }

    /// A path for everybody. Asking does not count.
    pub fn open(self, path: &str, operation: UtoipaMethodRouter<Api>) -> Self {
        let (schemas, paths, router) = unkeyed(operation);
        let router =
            router.route_layer(from_fn(conditional::answer)).route_layer(from_fn(meter::free));
        self.at(path, (schemas, paths, router))
    }

    /// The address of a push hook: its token is its key. The handler counts.
    pub fn push_hook(self, path: &str, operation: UtoipaMethodRouter<Api>) -> Self {
        let (schemas, paths, router) = unkeyed(operation);
        self.at(path, (schemas, paths, router.route_layer(from_fn(guards::limit_push))))
    }

    /// The address of a deploy hook, in the same way.
    pub fn deploy_hook(self, path: &str, operation: UtoipaMethodRouter<Api>) -> Self {
        let (schemas, paths, router) = unkeyed(operation);
        self.at(path, (schemas, paths, router.route_layer(from_fn(guards::limit_size))))
    }

    /// Adds what is the same for every path, after the layers, so that neither OPTIONS nor a 405 needs a key.
    fn at(mut self, path: &str, (schemas, paths, router): UtoipaMethodRouter<Api>) -> Self {
        let mut item = PathItem::default();
        paths.paths.into_values().for_each(|other| item.merge_operations(other));
        name_alias(&mut item);
        let router = with_allow(router, methods(&item));
        let mut paths = Paths::new();
        paths.paths.insert(path.to_owned(), item);
        self.router = self.router.routes((schemas, paths, router));
        self
    }

    /// The router, and the description of everything in it.
    pub fn finish(self) -> (Router<Api>, OpenApi) {
        let (router, document) = self.router.split_for_parts();
        (router.fallback(async || ApiError::no_route()), document)
    }
}

/// The same, described as needing no key.
fn unkeyed((schemas, mut paths, router): UtoipaMethodRouter<Api>) -> UtoipaMethodRouter<Api> {
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(Vec::new());
    }
    (schemas, paths, router)
}

fn key() -> SecurityRequirement {
    SecurityRequirement::new::<_, _, String>(SECURITY, [])
}

/// The operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// PUT is an alias of PATCH where both have one handler; an operation's name stays unique.
fn name_alias(item: &mut PathItem) {
    if let (Some(put), Some(patch)) = (&mut item.put, &item.patch)
        && put.operation_id == patch.operation_id
    {
        put.operation_id = patch.operation_id.as_ref().map(|id| format!("{id}_put"));
        put.description =
            Some("The same as `PATCH`: fields that are left out stay as they are.".to_owned());
    }
}

/// The methods of a path in alphabetical order, with those every path has.
fn methods(item: &PathItem) -> Vec<&'static str> {
    let sorted = [
        ("DELETE", item.delete.is_some()),
        ("GET", item.get.is_some()),
        ("HEAD", item.get.is_some()),
        ("OPTIONS", true),
        ("PATCH", item.patch.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
    ];
    sorted.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

fn with_allow(router: MethodRouter<Api>, names: Vec<&'static str>) -> MethodRouter<Api> {
    // Method names are always acceptable in a header.
    let allow = HeaderValue::try_from(names.join(", "))
        .unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"));
    let listed = allow.clone();
    router
        .options(move |_: Request| {
            let allow = listed.clone();
            async move { (StatusCode::NO_CONTENT, [(ALLOW, allow)]) }
        })
        .fallback(move |_: Request| {
            let error = ApiError::method(&names, allow.clone());
            async move { error }
        })
}
