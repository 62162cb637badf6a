//! A browser without a screen: it keeps cookies and sends forms as people do.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use orbitra::model::peer::PeerAddr;
use scraper::{Html, Selector};
use tower::ServiceExt;

use super::site::PASSWORD;

/// A browser.
#[derive(Clone)]
pub struct Browser {
    router: axum::Router,
    pub origin: String,
    peer: SocketAddr,
    pub cookies: BTreeMap<String, String>,
}

/// What it got.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new(router: axum::Router, origin: &str, peer: SocketAddr) -> Self {
        Self { router, origin: origin.to_owned(), peer, cookies: BTreeMap::new() }
    }

    /// A request with the cookies, the address and nothing else.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let host = self.origin.split_once("://").unwrap().1;
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            request = request.header(COOKIE, pairs.collect::<Vec<_>>().join("; "));
        }
        request
    }

    /// Sends a request and begins to read.
    pub async fn open(&mut self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(PeerAddr(self.peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// Sends a request.
    pub async fn send(&mut self, request: Request<Body>) -> Page {
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Page { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Sends fields without having looked at the page: the token is what is given.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = encode(fields);
        let request = self.request("POST", path).header(ORIGIN, &self.origin);
        let request = request.header("sec-fetch-site", "same-origin");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Opens a page, fills in the form that goes to `action` and sends it.
    pub async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(page).await.token(action);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post(action, &all).await
    }

    /// Signs in.
    pub async fn sign_in(&mut self, email: &str) {
        let answer = self.log_in(email, PASSWORD, "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    /// Tries to sign in.
    pub async fn log_in(&mut self, email: &str, password: &str, next: &str) -> Page {
        let fields = [("email", email), ("password", password), ("next", next)];
        self.submit("/login", "/login", &fields).await
    }

    /// Makes a project with a first deployment, and gives the deployment's id.
    pub async fn project(&mut self, name: &str) -> String {
        let fields = [("git_url", "https://github.com/acme/web.git"), ("name", name)];
        let made = self.submit("/dashboard/new", "/dashboard/new", &fields).await;
        assert_eq!(made.status, 303, "{}", made.body);
        made.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned()
    }

    /// Opens a stream of events.
    pub async fn stream(&mut self, path: &str) -> Events {
        let request = self.request("GET", path).header("accept", "text/event-stream");
        let response = self.open(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        Events { status: parts.status, headers: parts.headers, chunks: body.into_data_stream() }
    }
}

/// Fields as a browser writes them.
pub fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Page {
    /// The token of the form that goes to `action`.
    #[track_caller]
    pub fn token(&self, action: &str) -> String {
        let selector = format!("form[action='{action}'] input[name=csrf]");
        self.attribute(&selector, "value")
    }

    /// An attribute of the first element that fits.
    #[track_caller]
    pub fn attribute(&self, selector: &str, name: &str) -> String {
        let html = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector).next().and_then(|element| element.attr(name));
        found.unwrap_or_else(|| panic!("no {selector:?} in\n{}", self.body)).to_owned()
    }

    /// The text of the first element that fits, or nothing.
    pub fn text(&self, selector: &str) -> String {
        let html = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        let words: Vec<_> = html.select(&selector).take(1).flat_map(|e| e.text()).collect();
        words.concat().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The names of the fields that fit.
    pub fn names(&self, selector: &str) -> Vec<String> {
        self.attributes(selector, "name")
    }

    /// An attribute of all elements that fit and have it.
    pub fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let html = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector).filter_map(|element| element.attr(name));
        found.map(str::to_owned).collect()
    }

    /// What is in the first field that fits.
    #[track_caller]
    pub fn value(&self, selector: &str) -> String {
        let html = Html::parse_document(&self.body);
        let chosen = Selector::parse(&format!("{selector} option[selected]")).unwrap();
        match html.select(&chosen).next() {
            Some(option) => option.attr("value").unwrap_or_default().to_owned(),
            None => self.attribute(selector, "value"),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }
}

/// A stream of events.
pub struct Events {
    pub status: StatusCode,
    pub headers: HeaderMap,
    chunks: BodyDataStream,
}

impl Events {
    /// The next frame; `None` once the stream is closed.
    pub async fn next(&mut self) -> Option<String> {
        let chunk = self.chunks.next().await?;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }
}
