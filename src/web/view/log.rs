//! Rows of a log, the same in the page and in the frames of the stream.

use askama::Template;

use super::ansi;
use super::time::Moment;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counts from 1 within the log; it is the line number and the address `#L188`.
    pub seq: u64,
    pub at: Moment,
    /// The text as HTML, made by [`ansi::to_html`] only.
    html: String,
    /// The line looks like an error.
    pub error: bool,
}

impl LogLine {
    /// Converts one line as it was stored.
    pub fn new(seq: u64, at: Moment, text: &str, error: bool) -> Self {
        Self { seq, at, html: ansi::to_html(text), error }
    }

    /// The text with colours.
    pub fn html(&self) -> &str {
        &self.html
    }
}

/// Rows without the list around them: the `html` of a stream frame.
#[derive(Template)]
#[template(path = "parts/log_rows.html")]
pub struct LogRows<'a> {
    pub lines: &'a [LogLine],
}
