//! The dashboard: one file a page. A handler asks `app` and fills the structs of `view`; it decides nothing itself.

pub mod compare;
pub mod delivery;
pub mod deployment;
mod deployment_log;
pub mod domains;
mod error;
mod failure;
pub mod forge;
pub mod headers;
pub mod home;
pub mod keys;
pub mod live;
mod log_stream;
mod log_text;
pub mod login;
pub mod logs;
mod logs_filter;
pub mod mail;
pub mod metrics;
mod new_key;
pub mod new_project;
mod objection;
mod params;
pub mod paste;
pub mod plain;
mod plan;
pub mod project;
pub mod push_hooks;
mod receipt;
pub mod recipient;
pub mod release;
mod respond;
pub mod settings;
mod settings_form;
mod settings_proxy;
mod settings_release;
pub mod setup;
mod show;
pub mod source;
mod streams;
pub mod system;
pub mod variable;
pub mod variables;
pub mod visit;
mod visitor;
pub mod webhook;
pub mod webhooks;
pub mod welcome;

pub use deployment_log::{stream as build_log_stream, text as build_log_text};
pub use error::{PageError, finish, method_not_allowed, not_found};
pub use visitor::Visitor;

use self::new_key::NewKeys;
use self::streams::Streams;
use super::api::Document;
use super::docs::Docs;
use super::session::Sessions;
use crate::app::App;

/// What the pages share.
#[derive(Clone)]
pub struct Pages {
    pub app: App,
    pub sessions: Sessions,
    streams: Streams,
    new_keys: NewKeys,
    pub docs: Docs,
}

impl Pages {
    /// The pages of an instance, whose API is described in `document`.
    pub fn new(app: App, document: Document) -> Self {
        let docs = Docs::new(document, app.hosts.dashboard_url());
        Self {
            docs,
            sessions: Sessions::new(app.clone()),
            streams: Streams::default(),
            new_keys: NewKeys::default(),
            app,
        }
    }
}
