mod ansi;
mod assemble;
mod redact;
mod store;

use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use crate::model::timestamp::Timestamp;

/// A line of build output.
fn line(message: impl Into<String>) -> NewLine {
    NewLine {
        ts: Timestamp(1_705_768_155_123),
        source: LogSource::Build,
        stream: LogStream::Stdout,
        level: LogLevel::Info,
        phase: Some("building".to_owned()),
        message: message.into(),
    }
}
