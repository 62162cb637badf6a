//! bollard's errors in the port's words.

use bollard::errors::Error;

use crate::docker::EngineError;

/// Turns an error of a call into the port's.
pub fn engine(error: Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code: 404, message } => {
            EngineError::NotFound(message)
        }
        Error::DockerResponseServerError { message, .. } => EngineError::Refused(message),
        Error::DockerStreamError { error } => EngineError::Refused(error),
        Error::RequestTimeoutError => EngineError::TimedOut("answer"),
        Error::SocketNotFoundError(path) => {
            EngineError::Unreachable(format!("there is no socket {path}; is Docker installed?"))
        }
        other => EngineError::Unreachable(chain(&other)),
    }
}

/// An error and its causes in one line: the outermost alone says only "client error (Connect)".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
