//! The proxy's limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::network::Network;

/// Time limits and log of the data plane. Limits are exact to a quarter of a second, always on
/// the long side.
#[derive(Clone, Debug)]
pub struct Options {
    /// From the first byte of a request head (or from the connection's start) to its last.
    pub head: Duration,
    /// How long a connection may stay open between two requests.
    pub keep_alive: Duration,
    /// How long a client may send nothing of a body it announced.
    pub client_body: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub client_write: Duration,
    /// To open a connection to an upstream; then 502.
    pub connect: Duration,
    /// From the last byte sent upstream to the head of its answer; then 504.
    pub first_byte: Duration,
    /// How long an upstream may send nothing in the middle of a body; then the client's
    /// connection is cut.
    pub upstream_body: Duration,
    /// How long an unused upstream connection is kept.
    pub upstream_idle: Duration,
    /// Unused connections kept per thread and upstream.
    pub upstream_idle_connections: usize,
    /// Requests of one deployment at a time, WebSockets among them; then 503.
    pub requests_per_deployment: usize,
    /// Proxies in front of this one whose word on the visitor counts.
    pub trusted_proxies: Vec<Network>,
    /// Where the access log goes; `None` writes none.
    pub access_log: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            client_body: Duration::from_secs(30),
            client_write: Duration::from_secs(60),
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(60),
            // Long polling and event streams are quiet for longer than a page ever is.
            upstream_body: Duration::from_secs(300),
            upstream_idle: Duration::from_secs(30),
            upstream_idle_connections: 256,
            requests_per_deployment: usize::MAX,
            trusted_proxies: Vec::new(),
            access_log: None,
        }
    }
}
