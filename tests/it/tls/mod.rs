//! TLS at the edge.

mod http2;
mod issuance;
mod listener;
mod operator;

pub use listener::Edge;
