//! The data plane: answers the visitors of the deployed applications.
//!
//! Everything here belongs to one thread (`Core`) and is never locked. A request passes through
//! `handler`, which calls one file a phase: `host`, `resolve` (and `wake`, for what sleeps), `headers`,
//! then `forward` (`forward_multiplexed` for HTTP/2, and `another`, when a replica does not answer), `upgrade` or
//! `static_site`, and `kept` for what the newest deployment does not have; `http1` is what is spoken with applications, and
//! `body` carries the answer out. What the proxy says itself has the form that was `asked` for: `error_page` or `grpc`.

mod access_log;
mod another;
mod asked;
mod body;
mod client;
mod compress;
mod core;
pub mod error_page;
mod forward;
mod forward_multiplexed;
mod grpc;
mod handler;
pub mod headers;
pub mod host;
mod http1;
mod kept;
mod multiplex;
mod options;
mod policy;
mod pool;
mod redirect;
mod reference;
pub mod relay;
mod request_body;
pub mod resolve;
mod sign_in;
mod static_site;
mod ticker;
mod tunnel;
mod upgrade;
mod wake;

pub use body::{Body, BodyError};
pub use client::Client;
pub use core::{Core, Limits, Shared};
pub use handler::handle;
pub use options::Options;
pub use ticker::{Ticks, Wait, Watch};
pub use tunnel::Tunnel;
