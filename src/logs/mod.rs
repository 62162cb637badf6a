//! Append-only logs: build logs and runtime logs, as numbered lines in segment files.
//!
//! A log is a directory of segments, each named by the number of its first line, one JSON object a
//! line. Chunks of bytes become lines ([`LineAssembler`]), secrets are taken out of a line before a
//! byte of it is stored ([`Redactor`]), and every number of readers may page through a log or
//! follow it while it grows.

pub mod ansi;
mod assemble;
mod follow;
mod name;
mod read;
mod redact;
mod retention;
mod segment;
mod selection;
mod store;
mod stream;
mod writer;

#[cfg(test)]
mod tests;

pub use ansi::strip_ansi;
pub use assemble::LineAssembler;
pub use name::LogName;
pub use read::{LogPage, Order};
pub use redact::Redactor;
pub use retention::Retention;
pub use selection::Selection;
pub use store::LogStore;
pub use writer::LogWriter;
