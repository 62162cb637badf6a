//! Lines of logs as the API shows them.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::schema::{Schemas, add_schema, part_of_stream};
use crate::logs::{LogPage, strip_ansi};
use crate::model::deployment::{Phase, Status};
use crate::model::ids::DeploymentId;
use crate::model::log_line::{HttpLine, LogLevel, LogLine, LogSource, LogStream};

/// A part of a log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogPage)]
pub struct LogPageView {
    data: Vec<LogLineView>,
    /// The `after_seq` to ask with for what comes after this page.
    #[schema(example = 12)]
    next_after_seq: u64,
    /// The log is finished and nothing comes after this page.
    complete: bool,
}

/// A line of a log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LogLineView {
    /// Number in its log, from 1, without gaps.
    #[schema(minimum = 1, example = 12)]
    seq: u64,
    #[schema(format = DateTime, example = "2024-01-20T16:29:15.123Z")]
    ts: String,
    source: LogSource,
    stream: LogStream,
    level: LogLevel,
    /// Phase of the deployment; `null` in runtime logs.
    #[schema(example = "building")]
    phase: Option<String>,
    #[schema(example = "added 214 packages in 6s")]
    message: String,
    deployment_id: Option<DeploymentId>,
    /// Which of several containers; `null` in build logs.
    instance: Option<String>,
    /// The request; only in lines of the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    http: Option<Box<HttpLineView>>,
}

/// A request that an application got.
#[derive(Serialize, ToSchema)]
#[schema(as = LogRequest)]
pub struct HttpLineView {
    #[schema(example = "GET")]
    method: String,
    /// Without the query.
    #[schema(example = "/")]
    path: String,
    #[schema(minimum = 100, maximum = 599, example = 200)]
    status: u16,
    duration_ms: u64,
    /// Of the answer's body.
    bytes: u64,
    /// The visitor's address.
    #[schema(example = "203.0.113.9")]
    ip: String,
    request_id: String,
}

impl From<HttpLine> for HttpLineView {
    fn from(line: HttpLine) -> Self {
        let HttpLine { method, path, status, duration_ms, bytes, ip, request_id } = line;
        Self { method, path, status, duration_ms, bytes, ip, request_id }
    }
}

/// What `event: status` carries.
#[derive(Serialize, ToSchema)]
#[schema(as = LogStatus)]
pub struct LogStatusView {
    pub status: Status,
    pub phase: Phase,
}

/// What `event: end` carries.
#[derive(Serialize, ToSchema)]
#[schema(as = LogEnd)]
pub struct LogEndView {
    pub status: Status,
    pub duration_ms: Option<u64>,
}

/// What a log that is followed consists of, for its description.
pub struct LogEvent;

impl PartialSchema for LogEvent {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(part_of_stream::<LogLineView>("log"))
            .item(part_of_stream::<LogStatusView>("status"))
            .item(part_of_stream::<LogEndView>("end"))
            .into()
    }
}

impl ToSchema for LogEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LogEvent")
    }

    fn schemas(schemas: &mut Schemas) {
        add_schema::<LogLineView>(schemas);
        add_schema::<LogStatusView>(schemas);
        add_schema::<LogEndView>(schemas);
    }
}

/// What a runtime log that is followed consists of, for its description.
pub struct RuntimeLogEvent;

impl PartialSchema for RuntimeLogEvent {
    fn schema() -> RefOr<Schema> {
        part_of_stream::<LogLineView>("log").into()
    }
}

impl ToSchema for RuntimeLogEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RuntimeLogEvent")
    }

    fn schemas(schemas: &mut Schemas) {
        add_schema::<LogLineView>(schemas);
    }
}

impl LogLineView {
    /// The view of a line, without terminal sequences when `plain`.
    pub fn new(line: LogLine, plain: bool) -> Self {
        Self {
            seq: line.seq,
            ts: line.ts.with_millis(),
            source: line.source,
            stream: line.stream,
            level: line.level,
            phase: line.phase,
            message: if plain { strip_ansi(&line.message) } else { line.message },
            deployment_id: line.deployment_id,
            instance: line.instance,
            http: line.http.map(|http| Box::new(HttpLineView::from(*http))),
        }
    }
}

impl LogPageView {
    /// The view of a page, without terminal sequences when `plain`.
    pub fn new(page: LogPage, plain: bool) -> Self {
        Self {
            data: page.lines.into_iter().map(|line| LogLineView::new(line, plain)).collect(),
            next_after_seq: page.next_after_seq,
            complete: page.complete,
        }
    }
}
