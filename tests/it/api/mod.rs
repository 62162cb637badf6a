//! The REST API through its router: real database, real logs.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod accounts;
mod api_keys;
mod authentication;
mod bad_input;
mod compatibility;
mod conditional;
mod deployments;
mod domains;
mod env;
mod events;
mod forge;
mod garbage;
mod idempotency;
mod key_changes;
mod lifecycle;
mod logs;
mod matrix;
mod metrics;
mod openapi;
mod operations;
mod order;
mod project_tokens;
mod projects;
mod protocol;
mod pull_requests;
mod push_hooks;
mod pushes;
mod rates;
mod registries;
mod runtime_logs;
mod snapshot;
mod source;
mod system;
mod uploads;
mod users;
mod webhooks;
