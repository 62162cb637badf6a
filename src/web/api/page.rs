//! Pages of lists: `page`, `limit`, the envelope and the `Link` header.

use std::borrow::Cow;

use http::HeaderValue;
use http::header::LINK;
use serde::Serialize;
use url::form_urlencoded;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Schema};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Api;
use super::params::Params;
use super::respond::{self, Answer};
use crate::db::page::PageRequest;

/// `page` and `limit`, as they are described.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Read one by one, with `Paging`.
pub struct PageParams {
    /// Which page. One past the end is empty.
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<u32>,
    /// Most items of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

/// `after`, as it is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // Read with `Paging::read_after`.
pub struct AfterParams {
    /// The id of an item: only newer ones, the oldest first. Not together with `page`.
    #[param(min_length = 1, max_length = 64)]
    after: Option<String>,
}

/// Where in a list a page stands.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pagination {
    #[schema(minimum = 1, example = 1)]
    page: u32,
    #[schema(minimum = 1, maximum = 100, example = 20)]
    limit: u32,
    /// Items on all pages.
    #[schema(example = 45)]
    total: u64,
}

/// A page of a list.
#[derive(Serialize)]
pub struct Page<T> {
    data: Vec<T>,
    pagination: Pagination,
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .property("data", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property("pagination", Ref::from_schema_name(Pagination::name()))
            .required("data")
            .required("pagination")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    /// `ProjectPage` for pages of `ProjectItem`.
    fn name() -> Cow<'static, str> {
        let item = T::name();
        Cow::Owned(format!("{}Page", item.strip_suffix("Item").unwrap_or(&item)))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        schemas.push((Pagination::name().into_owned(), Pagination::schema()));
        T::schemas(schemas);
    }
}

/// The page that was asked for, and how to ask for another one.
pub struct Paging {
    pub request: PageRequest,
    path: String,
    others: Vec<(String, String)>,
    /// Whether other pages can be asked for.
    linked: bool,
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
        Self { request, path: params.path().to_owned(), others, linked: true }
    }

    /// Reads `page`, `limit` and `after` of a list that only grows.
    pub fn read_after(params: &mut Params) -> (Self, Option<String>) {
        let paged = params.sent().iter().any(|(name, _)| name == "page");
        let paging = Self::read(params);
        let after = params.text("after");
        if paged && after.is_some() {
            let message = "Not together with `after`.";
            params.problems.invalid("page", "mutually_exclusive", message);
        }
        (Self { linked: after.is_none(), ..paging }, after)
    }

    /// The answer for this page.
    ///
    /// # Errors
    /// As [`respond::object`].
    pub fn answer(&self, api: &Api, total: u64, data: Vec<impl Serialize>) -> Answer {
        let PageRequest { page, limit } = self.request;
        let page = Page { data, pagination: Pagination { page, limit, total } };
        let mut response = respond::object(&page)?;
        let links = self.links(&api.app.hosts.dashboard_url(), total);
        // Everything in it is percent-encoded.
        if let Some(links) = links.and_then(|links| HeaderValue::try_from(links).ok()) {
            response.headers_mut().insert(LINK, links);
        }
        Ok(response)
    }

    /// Nothing when one page holds everything.
    fn links(&self, server: &str, total: u64) -> Option<String> {
        let page = u64::from(self.request.page);
        let last = total.div_ceil(u64::from(self.request.limit)).max(1);
        if !self.linked || (last == 1 && page == 1) {
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
