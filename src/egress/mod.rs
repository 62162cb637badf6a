//! The one guarded way out: address policy, checked resolver, HTTP client, plain connections.
//!
//! Webhooks, Git and registries are given addresses by users. Everything that leaves the machine on
//! their behalf goes through [`Client`], which connects only to addresses that [`Policy`] accepts.

pub mod address;
pub mod client;
pub mod dns_update;
pub mod error;
pub mod lookup;
pub mod policy;
mod reach;
mod resolver;
mod smtp;
mod tcp;

pub use client::{Client, Response};
pub use error::EgressError;
pub use policy::{Policy, PolicyError};
pub use smtp::SmtpStream;
