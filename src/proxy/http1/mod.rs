//! HTTP/1.1 towards applications (RFC 9112), one request at a time on a connection.
//!
//! The task of the visitor's connection writes the request and reads the answer itself: nothing is handed from task to
//! task, and the head stays with whoever may have to send it once more.

mod connection;
mod content;
mod head;
mod output;
mod upload;

pub use connection::Connection;
pub use head::Head;

/// Why an exchange on a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection was closed before anything was sent.
    #[error("the connection was closed before the request was sent")]
    Unsent,
    /// The connection ended, or the request could not be sent whole.
    #[error("the connection ended in the middle of the exchange")]
    Broken,
    /// What came is not HTTP.
    #[error("the answer is not HTTP")]
    Malformed,
}
