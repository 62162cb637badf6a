//! TLS at the edge.

mod dns;
mod dns_providers;
pub mod handshakes;
mod http2;
mod issuance;
mod listener;
mod ocsp;
mod operator;
mod renewal;
mod stapling;

pub use listener::{Edge, trusting_anybody};
