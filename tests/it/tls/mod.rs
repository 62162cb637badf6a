//! TLS at the edge.

mod http2;
mod listener;
mod operator;
