//! Where the engine listens.

use std::io;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::docker::EngineError;

/// An engine's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Path of a socket.
    Unix(String),
    /// `host:port`, unencrypted.
    Tcp(String),
}

/// A connection to an engine.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Endpoint {
    /// Reads the text of `DOCKER_HOST`; absent and empty are Docker's default socket.
    pub fn parse(text: Option<&str>) -> Result<Self, EngineError> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or("unix:///var/run/docker.sock");
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.to_owned()));
        }
        let address = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://"));
        match address {
            Some(address) => Ok(Self::Tcp(address.trim_end_matches('/').to_owned())),
            None => Err(EngineError::Unreachable(format!(
                "the address {text:?} is not of the form unix:///path or tcp://host:port"
            ))),
        }
    }

    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<TokioIo<Box<dyn Connection>>> {
        let connection: Box<dyn Connection> = match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        };
        Ok(TokioIo::new(connection))
    }
}
