//! What plain HTTP and TLS mean for a request: who is sent to https, and whose certificate was shown.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Request, Response, StatusCode};

use super::body::Body;
use crate::model::certificate::covers;
use crate::proxy;
use crate::tls::acceptor::Acceptor;
use crate::tls::store::{Certificates, Served};

/// Two years, for the host alone: whoever is below it may not be ready.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// The TLS side of the server.
#[derive(Clone)]
pub struct Edge {
    /// Makes the connections.
    pub acceptor: Acceptor,
    /// What is served.
    pub certificates: Certificates,
    /// The port that visitors reach it at.
    pub port: u16,
}

/// How a connection's bytes come.
pub enum Transport {
    /// As they are; `Some` when there is a TLS side to send visitors to.
    Plain(Option<Rc<Edge>>),
    /// Through TLS.
    Tls {
        /// The TLS side.
        edge: Rc<Edge>,
        /// The certificate that was shown; `None` when there was none for the name.
        shown: Option<Arc<Served>>,
    },
    /// From the process before, which has looked at all of this.
    Relayed,
}

impl Transport {
    /// Whether a request for this host must go to another connection, because the certificate of this one is not
    /// the host's. Without one on either side the connection is as good as any.
    pub fn is_misdirected(&self, host: &str) -> bool {
        let Self::Tls { edge, shown } = self else { return false };
        // One that was replaced meanwhile is still the host's.
        if shown.as_ref().is_some_and(|shown| covers(&shown.name, host)) {
            return false;
        }
        match (shown, edge.certificates.of(host)) {
            (None, None) => false,
            // One certificate for several names.
            (Some(shown), Some(own)) => shown.key.cert != own.key.cert,
            _ => true,
        }
    }

    /// The TLS side that plain requests for this host are to be sent to.
    pub fn secure_side(&self, host: &str) -> Option<&Edge> {
        match self {
            Self::Plain(edge) => edge.as_deref().filter(|edge| edge.certificates.serves(host)),
            Self::Tls { .. } | Self::Relayed => None,
        }
    }

    /// What an authority that looks whether a name leads here gets for a path; over plain HTTP alone.
    pub fn challenge(&self, path: &str) -> Option<Response<Body>> {
        let Self::Plain(Some(edge)) = self else { return None };
        let answer = edge.certificates.challenges().answer(path)?;
        let mut response = Response::new(Body::Proxy(proxy::Body::full(answer.into())));
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Some(response)
    }

    /// Lets browsers know that the host is always reached by TLS, where everybody trusts its certificate. What the
    /// application says itself stays.
    pub fn mark(&self, response: &mut Response<Body>) {
        if let Self::Tls { shown: Some(shown), .. } = self
            && shown.public
        {
            response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
        }
    }
}

impl Edge {
    /// Sends a request to the same address by https. The method stays.
    pub fn redirect<B>(&self, host: &str, request: &Request<B>) -> Response<Body> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        // `OPTIONS *` is about the server.
        let path = if path.starts_with('/') { path } else { "/" };
        let location = match self.port {
            443 => format!("https://{host}{path}"),
            port => format!("https://{host}:{port}{path}"),
        };
        let mut response = Response::new(Body::Proxy(proxy::Body::full(Bytes::new())));
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        let headers = response.headers_mut();
        // A path that was read can be written.
        if let Ok(location) = HeaderValue::try_from(location) {
            headers.insert(LOCATION, location);
        }
        // A certificate may expire.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
