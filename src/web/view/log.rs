//! Rows of a log, the same in the page and in the frames of the stream.

use std::fmt::Write;

use askama::Template;

use super::ansi;
use super::text::write_escaped;
use super::time::{Millis, Moment};

/// Bytes of a row around its text, at most.
pub const ROW_BYTES: usize = 180;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counts from 1 within the log; it is the line number and the address `#L188`.
    pub seq: u64,
    pub at: Moment,
    /// Who wrote it: `app`; empty in build logs.
    pub from: &'static str,
    /// The text as HTML, made by [`ansi::to_html`] and [`write_escaped`] only.
    html: String,
    /// The line looks like an error.
    pub error: bool,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    pub status: u16,
    pub took: Millis,
}

impl LogLine {
    /// Converts one line of a build log as it was stored.
    pub fn new(seq: u64, at: Moment, text: &str, error: bool) -> Self {
        Self::output(seq, at, "", text, error)
    }

    /// Converts one line of a runtime log as it was stored.
    pub fn output(seq: u64, at: Moment, from: &'static str, text: &str, error: bool) -> Self {
        Self { seq, at, from, html: ansi::to_html(text), error }
    }

    /// The line of a request; its status has a colour.
    pub fn request(seq: u64, at: Moment, request: &Request<'_>, error: bool) -> Self {
        let mut html = String::new();
        let characters = request.method.chars().chain([' ']).chain(request.path.chars());
        for c in characters.filter(|c| !c.is_control()) {
            // Writing to a String cannot fail.
            let _ = write_escaped(&mut html, c);
        }
        let colour = match request.status {
            500.. => "r",
            400.. => "y",
            300.. => "c",
            _ => "g",
        };
        let _ =
            write!(html, " <b class=\"{colour} h\">{}</b> {} ms", request.status, request.took.0);
        Self { seq, at, from: "proxy", html, error }
    }

    /// The text with colours.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// The time; of a runtime log, which goes over days, with the day.
    pub fn time(&self) -> String {
        if self.from.is_empty() { self.at.clock() } else { self.at.stamp() }
    }
}

/// Rows without the list around them: the `html` of a stream frame.
#[derive(Template)]
#[template(path = "parts/log_rows.html")]
pub struct LogRows<'a> {
    pub lines: &'a [LogLine],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_become_markup_and_a_status_has_its_colour() {
        let line = |path, status| {
            let request = Request { method: "GET", path, status, took: Millis(12) };
            LogLine::request(1, Moment(0), &request, false).html
        };
        assert_eq!(
            line("/<b>\u{1b}[31m\u{202e}", 200),
            "GET /&lt;b&gt;[31m<b class=\"chip\">U+202E</b> <b class=\"g h\">200</b> 12 ms"
        );
        for (status, colour) in [(101, "g"), (304, "c"), (404, "y"), (500, "r"), (599, "r")] {
            assert!(line("/", status).contains(&format!("<b class=\"{colour} h\">{status}</b>")));
        }
    }
}
