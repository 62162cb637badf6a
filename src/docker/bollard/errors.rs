//! bollard's errors in the port's words.

use std::io;

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
        other => unreachable(&other),
    }
}

/// Why it cannot be reached, with what to do about it where that is known.
pub fn unreachable(error: &(dyn std::error::Error + 'static)) -> EngineError {
    let mut next = Some(error);
    let kind = std::iter::from_fn(|| {
        let one = next?;
        next = one.source();
        Some(one.downcast_ref::<io::Error>().map(io::Error::kind))
    });
    let advice = match kind.flatten().next() {
        Some(io::ErrorKind::PermissionDenied) => {
            "; this user may not use its socket: run Orbitra as root or as a member of the group `docker`"
        }
        Some(io::ErrorKind::ConnectionRefused) => {
            "; its socket is there and nobody listens: start it"
        }
        _ => "",
    };
    EngineError::Unreachable(format!("{}{advice}", chain(error)))
}

/// An error and its causes in one line: the outermost alone says only "client error (Connect)".
fn chain(error: &dyn std::error::Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Outer(#[source] io::Error);

    #[test]
    fn what_can_be_done_about_it_is_said() {
        let said = |kind: io::ErrorKind| unreachable(&Outer(kind.into())).to_string();
        let denied = said(io::ErrorKind::PermissionDenied);
        assert!(
            denied.contains("(Connect): permission denied; ") && denied.contains("group `docker`")
        );
        assert!(said(io::ErrorKind::ConnectionRefused).contains("nobody listens"));
        assert_eq!(
            said(io::ErrorKind::TimedOut),
            "Docker does not answer: client error (Connect): timed out"
        );
    }
}
