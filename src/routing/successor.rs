//! The process that takes over from this one, for requests that only it can answer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Opens a connection for one request of a visitor.
type Connect = dyn Fn(SocketAddr, bool) -> io::Result<UnixStream> + Send + Sync;

/// The way to the process that has taken over. Clones share it.
#[derive(Clone)]
pub struct Successor(Arc<Connect>);

impl Successor {
    /// `connect` gets the visitor's address and whether the visitor came over TLS.
    pub fn new(
        connect: impl Fn(SocketAddr, bool) -> io::Result<UnixStream> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(connect))
    }

    /// A connection for one request of this visitor.
    ///
    /// # Errors
    /// The other process is gone, or there are no descriptors left.
    pub fn connect(&self, peer: SocketAddr, secure: bool) -> io::Result<UnixStream> {
        (self.0)(peer, secure)
    }
}

impl fmt::Debug for Successor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Successor")
    }
}
