//! What is known about one client connection, worked out once and used by all its requests.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use http::HeaderValue;

use super::ticker::Watch;
use super::tunnel::Tunnel;

/// One client connection.
#[derive(Debug)]
pub struct Client {
    /// The other end.
    pub peer: SocketAddr,
    /// The other end's address, as `X-Forwarded-For` has it.
    pub address: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
    /// The time limits.
    pub watch: Rc<Watch>,
    /// What takes the connection over once the 101 answer is written.
    pub tunnel: RefCell<Option<Tunnel>>,
    /// Whether a body is on its way to an upstream.
    pub uploading: Cell<bool>,
    /// It is one of several on its connection, so that the socket tells nothing of it.
    pub multiplexed: bool,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(peer: SocketAddr, watch: Rc<Watch>) -> Self {
        Self {
            peer,
            // An address is always a valid header value.
            address: HeaderValue::try_from(peer.ip().to_canonical().to_string())
                .unwrap_or(HeaderValue::from_static("unknown")),
            scheme: HeaderValue::from_static("http"),
            watch,
            tunnel: RefCell::new(None),
            uploading: Cell::new(false),
            multiplexed: false,
        }
    }

    /// The same connection, whose bytes come through TLS.
    pub fn secured(self) -> Self {
        Self { scheme: HeaderValue::from_static("https"), ..self }
    }

    /// One stream of a connection that carries several, with time limits of its own.
    pub fn of_stream(connection: &Self, watch: Rc<Watch>) -> Self {
        Self {
            peer: connection.peer,
            address: connection.address.clone(),
            scheme: connection.scheme.clone(),
            watch,
            tunnel: RefCell::new(None),
            uploading: Cell::new(false),
            multiplexed: true,
        }
    }
}
