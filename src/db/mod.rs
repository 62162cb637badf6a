//! The only SQL. One file per table; functions take a connection, so that several make one transaction.

mod connection;
mod error;
mod filter;
pub mod migrate;
mod read;

pub mod api_keys;
pub mod audit_log;
pub mod branch_hosts;
pub mod build_cache;
pub mod certificates;
pub mod challenge_records;
pub mod checks;
pub mod commit_statuses;
pub mod counts;
pub mod deploy_keys;
pub mod deployment_env;
pub mod deployment_phases;
pub mod deployments;
pub mod domains;
pub mod env_vars;
pub mod events;
pub mod forges;
pub mod gc_ledger;
pub mod gc_wishes;
pub mod holds;
pub mod idempotency;
pub mod issuance;
pub mod meta;
pub mod page;
pub mod pauses;
pub mod pins;
pub mod previews;
pub mod projects;
pub mod push_hooks;
pub mod pushed_refs;
pub mod rate_windows;
pub mod receipts;
pub mod registries;
pub mod releases;
pub mod removals;
pub mod replicas;
pub mod retention;
pub mod routes;
pub mod series;
pub mod sessions;
pub mod sleep;
pub mod snapshot;
pub mod source_credentials;
pub mod transitions;
pub mod uploads;
pub mod users;
pub mod watches;
pub mod webhook_attempts;
pub mod webhook_deliveries;
pub mod webhook_messages;
pub mod webhooks;
pub mod welcome;

pub use connection::Db;
pub use error::DbError;
pub use rusqlite::Connection;

#[cfg(test)]
mod tests;
