//! What is known about one client connection, worked out once and used by all its requests.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use http::{HeaderMap, HeaderValue};

use super::core::Limits;
use super::headers::{X_FORWARDED_FOR, X_FORWARDED_PROTO};
use super::ticker::Watch;
use super::tunnel::Tunnel;
use crate::model::network::Network;

/// One client connection.
#[derive(Debug)]
pub struct Client {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether the other end is a proxy that is believed.
    pub trusted: bool,
    /// What the application is told of the visitor.
    told: RefCell<Told>,
    /// The time limits.
    pub watch: Rc<Watch>,
    /// What takes the connection over once the 101 answer is written.
    pub tunnel: RefCell<Option<Tunnel>>,
    /// Whether a body is on its way to an upstream.
    pub uploading: Cell<bool>,
    /// Whether a request's content was larger than it may be.
    pub oversized: Cell<bool>,
    /// Time limits of the request's project in the place of the usual ones.
    pub limits: Cell<Option<Limits>>,
    /// It is one of several on its connection, so that the socket tells nothing of it.
    pub multiplexed: bool,
}

/// Who the visitor is.
#[derive(Clone, Debug)]
struct Told {
    visitor: IpAddr,
    /// `X-Forwarded-For`.
    chain: HeaderValue,
    /// `X-Real-IP`.
    address: HeaderValue,
    /// `http` or `https`.
    scheme: HeaderValue,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(peer: SocketAddr, watch: Rc<Watch>) -> Self {
        let visitor = peer.ip().to_canonical();
        let address = value_of(visitor);
        let scheme = HeaderValue::from_static("http");
        Self {
            peer,
            trusted: false,
            told: RefCell::new(Told { visitor, chain: address.clone(), address, scheme }),
            watch,
            tunnel: RefCell::new(None),
            uploading: Cell::new(false),
            oversized: Cell::new(false),
            limits: Cell::new(None),
            multiplexed: false,
        }
    }

    /// The same connection, whose bytes come through TLS.
    pub fn secured(self) -> Self {
        self.told.borrow_mut().scheme = HeaderValue::from_static("https");
        self
    }

    /// The same connection, whose other end is believed when it is in one of these networks.
    pub fn trusting(self, proxies: &[Network]) -> Self {
        let trusted = proxies.iter().any(|one| one.contains(self.peer.ip()));
        Self { trusted, ..self }
    }

    /// One stream of a connection that carries several, with time limits of its own.
    pub fn of_stream(connection: &Self, watch: Rc<Watch>) -> Self {
        Self {
            peer: connection.peer,
            trusted: connection.trusted,
            told: connection.told.clone(),
            watch,
            tunnel: RefCell::new(None),
            uploading: Cell::new(false),
            oversized: Cell::new(false),
            limits: Cell::new(None),
            multiplexed: true,
        }
    }

    /// Reads who the visitor is out of what a proxy that is believed says: the last address of `X-Forwarded-For` that is
    /// none of those proxies, and `X-Forwarded-Proto`.
    pub fn read_forwarded(&self, headers: &HeaderMap, proxies: &[Network]) {
        let mut told = self.told.borrow_mut();
        let peer = self.peer.ip().to_canonical();
        let mut hops: Vec<&str> = Vec::new();
        for value in headers.get_all(X_FORWARDED_FOR) {
            hops.extend(value.to_str().unwrap_or_default().split(',').map(str::trim));
        }
        let mut visitor = peer;
        for hop in hops.iter().rev() {
            // What cannot be read was not written by such a proxy.
            let Ok(address) = hop.parse::<IpAddr>() else { break };
            visitor = address.to_canonical();
            if !proxies.iter().any(|one| one.contains(visitor)) {
                break;
            }
        }
        hops.retain(|hop| !hop.is_empty());
        let chain = match hops.is_empty() {
            true => peer.to_string(),
            false => format!("{}, {peer}", hops.join(", ")),
        };
        told.visitor = visitor;
        told.address = value_of(visitor);
        told.chain = HeaderValue::try_from(chain).unwrap_or_else(|_| value_of(peer));
        let said = headers.get(X_FORWARDED_PROTO).map_or(&b""[..], HeaderValue::as_bytes);
        match said {
            b"http" => told.scheme = HeaderValue::from_static("http"),
            b"https" => told.scheme = HeaderValue::from_static("https"),
            _ => {}
        }
    }

    /// The visitor's address.
    pub fn visitor(&self) -> IpAddr {
        self.told.borrow().visitor
    }

    /// Whether the visitor's bytes came through TLS, here or at a proxy that is believed.
    pub fn is_secure(&self) -> bool {
        self.told.borrow().scheme == "https"
    }

    /// Tells `X-Forwarded-For`, `X-Real-IP` and `X-Forwarded-Proto` for the application.
    pub fn tell<T>(&self, what: impl FnOnce([&HeaderValue; 3]) -> T) -> T {
        let told = self.told.borrow();
        what([&told.chain, &told.address, &told.scheme])
    }
}

/// An address is always a valid header value.
fn value_of(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}
