//! The REST API through its router: real database, real logs.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod api_keys;
mod deployments;
mod logs;
mod order;
mod projects;
mod protocol;
mod users;
