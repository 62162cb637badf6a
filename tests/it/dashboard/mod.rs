//! The dashboard through its router: real database, real logs, a browser that keeps cookies.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

pub mod browser;
mod docs;
mod domains;
mod forge;
mod forms;
mod guesses;
mod logs;
mod metrics;
mod pages;
mod plan;
mod push_hooks;
mod receipt;
mod release;
mod settings;
mod sign_in;
pub mod site;
mod source;
mod streams;
mod system;
mod variables;
mod webhooks;
mod welcome;
