//! Who is at the other end of a connection.

use std::net::SocketAddr;

/// The address a request came from, as the socket says it. The server puts it into the request's
/// extensions before the control plane sees the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);
