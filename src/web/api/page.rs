//! Pages of lists: `page`, `limit`, the envelope and the `Link` header.

use axum::response::Response;
use http::HeaderValue;
use http::header::LINK;
use url::form_urlencoded;

use super::Api;
use super::object::Object;
use super::params::Params;
use super::respond;
use crate::db::page::PageRequest;

/// The page that was asked for, and how to ask for another one.
pub struct Paging {
    pub request: PageRequest,
    path: String,
    others: Vec<(String, String)>,
}

impl Paging {
    /// Reads `page` and `limit`.
    pub fn read(params: &mut Params) -> Self {
        let number = |value: Option<u64>, usual| {
            value.and_then(|value| u32::try_from(value).ok()).unwrap_or(usual)
        };
        let usual = PageRequest::default();
        let request = PageRequest {
            page: number(params.number("page", 1, 1_000_000), usual.page),
            limit: number(params.number("limit", 1, 100), usual.limit),
        };
        let others = params.sent().iter().filter(|(name, _)| name != "page").cloned().collect();
        Self { request, path: params.path().to_owned(), others }
    }

    /// The answer for this page.
    pub fn answer(&self, api: &Api, total: u64, items: &[Object]) -> Response {
        let PageRequest { page, limit } = self.request;
        let pagination =
            Object::new().with("page", &page).with("limit", &limit).with("total", &total);
        let body = Object::new().objects("data", items).object("pagination", pagination);
        let mut response = respond::object(&body);
        let links = self.links(&api.app.hosts.dashboard_url(), total);
        // Everything in it is percent-encoded.
        if let Some(links) = links.and_then(|links| HeaderValue::try_from(links).ok()) {
            response.headers_mut().insert(LINK, links);
        }
        response
    }

    /// Nothing when one page holds everything.
    fn links(&self, server: &str, total: u64) -> Option<String> {
        let page = u64::from(self.request.page);
        let last = total.div_ceil(u64::from(self.request.limit)).max(1);
        if last == 1 && page == 1 {
            return None;
        }
        let link = |page: u64, rel: &str| {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.others)
                .append_pair("page", &page.to_string())
                .finish();
            format!("<{server}/api/v1{}?{query}>; rel=\"{rel}\"", self.path)
        };
        let mut links = vec![link(1, "first")];
        if page > 1 {
            links.push(link((page - 1).min(last), "prev"));
        }
        if page < last {
            links.push(link(page + 1, "next"));
        }
        links.push(link(last, "last"));
        Some(links.join(", "))
    }
}
