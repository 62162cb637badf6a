//! Pages as plain data and a template each. Nothing here reads a database or a clock: a handler fills the structs.
//!
//! Every page has `sample()`, which the tests render: full, empty and with errors.
//! A region that updates itself is a block of the page's own template, so it is rendered in one way only.

pub mod ansi;
pub mod chart;
pub mod compare;
pub mod delivery;
pub mod deployment;
mod deployment_samples;
pub mod docs;
pub mod docs_errors;
pub mod domains;
pub mod error;
pub mod forge;
pub mod form;
pub mod keys;
pub mod log;
pub mod login;
pub mod logs;
pub mod mail;
pub mod mark;
pub mod metrics;
pub mod new_project;
pub mod parts;
pub mod plan;
pub mod previews;
pub mod project;
pub mod projects;
pub mod push_hooks;
pub mod receipt;
pub mod recipient;
pub mod sample;
pub mod settings;
pub mod setup;
pub mod shell;
pub mod size;
pub mod snippets;
pub mod status;
pub mod system;
pub mod text;
pub mod time;
pub mod variable;
pub mod variables;
pub mod visit;
pub mod webhook;
pub mod webhooks;
pub mod welcome;

/// Something that is HTML once it is rendered: a page, or a region of one.
pub trait View {
    /// The HTML.
    ///
    /// # Errors
    /// The template failed; the text is for the log only.
    fn html(&self) -> Result<String, String>;
}

impl<T: askama::Template> View for T {
    fn html(&self) -> Result<String, String> {
        self.render().map_err(|error| error.to_string())
    }
}
