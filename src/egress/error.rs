//! Why a request did not get an answer.

use std::error::Error as StdError;
use std::io;

use super::policy::AddressRefused;

/// A request without an answer. The texts name the other side's fault and no address of this side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The host, or one of the addresses its name has, is not one this server may reach.
    #[error("this address may not be reached from this server")]
    AddressNotAllowed,
    #[error("the name {0} could not be resolved")]
    Dns(String),
    #[error("no connection could be made: {0}")]
    Connect(String),
    /// The certificate is not accepted, or no TLS could be spoken.
    #[error("the secure connection failed: {0}")]
    Tls(String),
    #[error("no answer came in time")]
    Timeout,
    /// The answer broke off or is not HTTP.
    #[error("the answer could not be read: {0}")]
    Protocol(String),
    /// The answer's header fields are larger than is read.
    #[error("the answer is too large")]
    TooLarge,
    /// The client could not be set up: no root certificates on this machine, for one.
    #[error("outgoing connections could not be set up: {0}")]
    Setup(String),
}

/// A name without an address; made by the resolver, found again below the HTTP client's own errors.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved")]
pub(super) struct NameNotResolved;

impl EgressError {
    pub(super) fn from_http(error: &reqwest::Error, host: &str) -> Self {
        let mut refused_tls = None;
        let mut io_kind = None;
        let mut last = error.to_string();
        let mut source: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(inner) = source {
            if inner.is::<AddressRefused>() {
                return Self::AddressNotAllowed;
            }
            if inner.is::<NameNotResolved>() {
                return Self::Dns(host.to_owned());
            }
            let hyper = inner.downcast_ref::<hyper::Error>();
            if hyper.is_some_and(hyper::Error::is_parse_too_large) {
                return Self::TooLarge;
            }
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                refused_tls = Some(tls_reason(tls));
            }
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                io_kind = Some(io.kind());
                if let Some(tls) = tls_inside(io) {
                    refused_tls = Some(tls_reason(tls));
                }
            }
            last = inner.to_string();
            source = inner.source();
        }
        if let Some(reason) = refused_tls {
            return Self::Tls(reason);
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        if error.is_connect() {
            return Self::Connect(
                match io_kind {
                    Some(io::ErrorKind::ConnectionRefused) => "the server refused it",
                    Some(io::ErrorKind::ConnectionReset) => "the server broke it off",
                    Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                        "the network is not reachable"
                    }
                    Some(io::ErrorKind::TimedOut) => return Self::Timeout,
                    Some(io::ErrorKind::UnexpectedEof) => "the server closed it",
                    _ => "the server cannot be reached",
                }
                .to_owned(),
            );
        }
        Self::Protocol(last)
    }
}

/// A TLS handshake that failed, of a connection that is not HTTP's.
pub(super) fn from_handshake(error: &io::Error) -> EgressError {
    let reason = tls_inside(error).map(tls_reason);
    EgressError::Tls(reason.unwrap_or_else(|| "the server broke it off".to_owned()))
}

/// The TLS fault an I/O error wraps: `source` of an I/O error skips the error it holds, so nested ones are opened here.
fn tls_inside(mut error: &io::Error) -> Option<&rustls::Error> {
    loop {
        let inner = error.get_ref()?;
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        error = inner.downcast_ref::<io::Error>()?;
    }
}

fn tls_reason(error: &rustls::Error) -> String {
    use rustls::{CertificateError as Certificate, Error};
    match error {
        Error::InvalidCertificate(reason) => match reason {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            Certificate::UnknownIssuer => {
                "its certificate is self-signed or from an unknown authority"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            Certificate::Revoked => "its certificate was revoked",
            _ => "its certificate is not valid",
        }
        .to_owned(),
        Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Error::AlertReceived(alert) => format!("the server ended it ({alert:?})"),
        other => other.to_string(),
    }
}
