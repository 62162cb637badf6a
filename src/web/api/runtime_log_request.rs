//! What runtime logs are asked for with, for the API's description.
#![allow(dead_code, reason = "parameters are read one at a time, with `Params`")]

use utoipa::IntoParams;

use super::deployment_request::{Ansi, LineNumber, LogOrder};
use super::schema::{described, text};
use crate::model::log_line::{LogLevel, LogSource};

/// Who writes into a runtime log.
pub const SOURCES: [LogSource; 3] = [LogSource::App, LogSource::Proxy, LogSource::System];

/// A moment or how long ago, in place of its text.
pub(super) struct Moment;
/// Statuses, in place of their text.
pub(super) struct Statuses;
/// One of [`SOURCES`], in place of itself.
pub(super) struct RuntimeSource;

described! {
    Moment => "MomentOrAgo", text().pattern(Some("^(\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z|[1-9]\\d{0,4}[smhd])$"));
    Statuses => "Statuses", text().pattern(Some("^([1-5]\\d\\d|[1-5]xx|>=[1-5]\\d\\d)$"));
    RuntimeSource => "RuntimeSource", super::schema::words(&SOURCES);
}

macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($more:tt)* }) => {
        $(#[$doc])*
        #[derive(IntoParams)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($more)*
            /// Only lines from this moment on: RFC 3339, or how long ago, such as `15m`, `2h` or `7d`.
            #[param(inline)]
            since: Option<Moment>,
            /// Only lines before this moment. Not with `follow`.
            #[param(inline)]
            until: Option<Moment>,
            /// Only lines of these levels.
            #[param(inline)]
            level: Option<Vec<LogLevel>>,
            /// Only lines of these sources.
            #[param(inline)]
            source: Option<Vec<RuntimeSource>>,
            /// Only lines that contain this, without regard to case.
            #[param(max_length = 256)]
            q: Option<String>,
            /// Only requests with this status: `500`, a class such as `5xx`, or a bound such as `>=400`.
            #[param(inline)]
            status: Option<Statuses>,
            /// Only lines of this container of a deployment.
            instance: Option<String>,
            /// Only lines after this one.
            #[param(inline)]
            after_seq: Option<LineNumber>,
            /// Most lines of a page. Not with `follow`.
            #[param(minimum = 1, maximum = 1000, default = 200)]
            limit: Option<u32>,
            /// From the first line on, or from the last one back. Not with `follow`.
            #[param(inline)]
            order: Option<LogOrder>,
            /// Whether colours and other terminal sequences are left in.
            #[param(inline)]
            ansi: Option<Ansi>,
            /// Sends lines as they are written, as server-sent events: from now on, or from `after_seq` or `since` on.
            /// `Accept: text/event-stream` does the same.
            follow: Option<bool>,
        }
    };
}

params! {
    /// Parameters of a deployment's runtime log.
    DeploymentLogParams {}
}

params! {
    /// Parameters of a project's runtime log.
    ProjectLogParams {
        /// Only lines of this deployment.
        #[param(pattern = "^dep_[0-9a-z]{6,32}$")]
        deployment_id: Option<String>,
    }
}
