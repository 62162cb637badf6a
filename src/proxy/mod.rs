//! The data plane: answers the visitors of the deployed applications.
//!
//! Everything here belongs to one thread (`Core`) and is never locked. A request passes through
//! `handler`, which calls one file a phase: `host`, `resolve`, `headers`, then `forward`,
//! `upgrade` or `static_site`; `body` carries the answer out.

mod access_log;
mod body;
mod client;
mod core;
pub mod error_page;
mod forward;
mod handler;
pub mod headers;
pub mod host;
mod options;
mod pool;
mod reference;
mod request_body;
pub mod resolve;
mod static_site;
mod ticker;
mod tunnel;
mod upgrade;

pub use body::{Body, BodyError};
pub use client::Client;
pub use core::{Core, Limits, Shared};
pub use handler::handle;
pub use options::Options;
pub use ticker::{Ticks, Wait, Watch};
pub use tunnel::Tunnel;
