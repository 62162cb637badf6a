//! `/docs`: the documentation of the API. Every page is made once, from the description that is served and from
//! the texts about errors, and is the same for everybody.

mod error_texts;
mod example;
mod reference;
mod schema;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::OnceCell;

use super::api::Document;
use super::assets::File;
use super::pages::{PageError, Pages};
use super::view::View;
use super::view::docs_errors::{ErrorCodePage, ErrorsPage};
use crate::crypto::token;

pub use error_texts::{ErrorText, Reason, TEXTS};

/// Where pages are asked for: as the API itself, under its base path and its alias as well.
pub const PREFIXES: [&str; 3] = ["", "/api/v1", "/v1"];

/// A browser may keep them and asks whether they are still the newest.
const CACHING: &str = "public, no-cache, no-transform";
const HTML: &str = "text/html; charset=utf-8";

/// The pages, once somebody asked for one. Clones share them.
#[derive(Clone)]
pub struct Docs(Arc<Inner>);

struct Inner {
    document: Document,
    /// Where the server is: `https://orbitra.example.com`.
    server: String,
    made: OnceCell<HashMap<String, Kept>>,
}

/// A page in the forms it is sent in, and its entity tag without quotes.
struct Kept {
    file: File,
    tag: String,
}

impl Docs {
    /// The documentation of what `document` describes, on the server at `server`.
    pub fn new(document: Document, server: String) -> Self {
        Self(Arc::new(Inner { document, server, made: OnceCell::new() }))
    }

    async fn pages(&self) -> Result<&HashMap<String, Kept>, PageError> {
        self.0
            .made
            .get_or_try_init(|| async {
                let inner = self.0.clone();
                // Compressing takes a moment, in which others want to be answered.
                let made = tokio::task::spawn_blocking(move || inner.make()).await;
                made.map_err(|error| PageError::internal(error.to_string()))?
                    .map_err(PageError::internal)
            })
            .await
    }

    async fn answer(&self, name: &str, headers: &HeaderMap) -> Result<Response, PageError> {
        let page = self.pages().await?.get(name).ok_or_else(PageError::not_found)?;
        let (encoding, mut response) = page.file.answer(headers, CACHING);
        let tag = match encoding {
            // Another representation has another tag.
            Some(encoding) => format!("\"{}-{encoding}\"", page.tag),
            None => format!("\"{}\"", page.tag),
        };
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut known = known.flat_map(|list| list.split(','));
        if known.any(|listed| {
            matches!(listed.trim(), "*") || listed.trim().trim_start_matches("W/") == tag
        }) {
            let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
            std::mem::swap(unchanged.headers_mut(), response.headers_mut());
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
                unchanged.headers_mut().remove(name);
            }
            response = unchanged;
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        Ok(response)
    }
}

impl Inner {
    /// Every page by its path below `/docs`.
    fn make(&self) -> Result<HashMap<String, Kept>, String> {
        let json = self.document.json().ok_or("the routes are not known yet")?;
        let description = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        let mut made = HashMap::new();
        let mut keep = |name: String, page: &dyn View| -> Result<(), String> {
            let html = page.html()?;
            let tag = token::hex(&token::hash(&html)[..8]);
            made.insert(name, Kept { file: File::new(HTML, html.into_bytes()), tag });
            Ok(())
        };
        keep(String::new(), &reference::page(&description, &self.server))?;
        keep("errors".to_owned(), &ErrorsPage::new(&TEXTS))?;
        for text in &TEXTS {
            keep(format!("errors/{}", text.code), &ErrorCodePage::new(text, &self.server))?;
        }
        Ok(made)
    }
}

/// `GET /docs`: every operation.
pub async fn index(State(pages): State<Pages>, headers: HeaderMap) -> Result<Response, PageError> {
    pages.docs.answer("", &headers).await
}

/// `GET /docs/errors`: every code.
pub async fn errors(State(pages): State<Pages>, headers: HeaderMap) -> Result<Response, PageError> {
    pages.docs.answer("errors", &headers).await
}

/// `GET /docs/errors/{code}`: where the `type` of a problem leads.
pub async fn error(
    State(pages): State<Pages>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    pages.docs.answer(&format!("errors/{code}"), &headers).await
}
