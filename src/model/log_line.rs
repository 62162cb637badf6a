//! One line of a build log or a runtime log, as it is stored and as the API answers it.

use serde::{Deserialize, Serialize};

use super::ids::DeploymentId;
use super::timestamp::Timestamp;

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    Build,
    App,
    Proxy,
    System,
}

impl LogSource {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Build, Self::App, Self::Proxy, Self::System];

    /// The name the API uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::App => "app",
            Self::Proxy => "proxy",
            Self::System => "system",
        }
    }
}

/// The stream a process wrote the line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Stdout,
    Stderr,
}

impl LogStream {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];
}

/// How much a line matters to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    /// The name the API uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line on its way into a log; the log gives it its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    pub ts: Timestamp,
    pub source: LogSource,
    pub stream: LogStream,
    pub level: LogLevel,
    /// Phase of the deployment, such as `building`; `None` in runtime logs.
    pub phase: Option<String>,
    /// Text without its line end. ANSI sequences are kept; taking them out is the reader's job.
    pub message: String,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Number in its log, from 1, without gaps.
    pub seq: u64,
    #[serde(with = "millis")]
    pub ts: Timestamp,
    pub source: LogSource,
    pub stream: LogStream,
    pub level: LogLevel,
    pub phase: Option<String>,
    pub message: String,
    pub deployment_id: Option<DeploymentId>,
    /// Which of several containers of the deployment; `None` in build logs.
    pub instance: Option<String>,
    /// The request, in lines of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpLine>>,
}

/// A request that the proxy answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpLine {
    pub method: String,
    /// Without the query: that is where tokens travel.
    pub path: String,
    pub status: u16,
    /// From the head of the request to the last byte of its answer.
    pub duration_ms: u64,
    /// Of the answer's body.
    pub bytes: u64,
    /// The visitor's address.
    pub ip: String,
    pub request_id: String,
}

/// RFC 3339 with milliseconds, both ways.
mod millis {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.with_millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(input)?;
        Timestamp::parse(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 date-time"))
    }
}
