//! From a TCP connection to a TLS one.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::challenges::ALPN;
use super::store::Certificates;

/// A TLS connection of a client.
pub type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Sessions of TLS 1.2 that can be resumed by their number; tickets need no memory.
const SESSIONS: usize = 4096;
/// HTTP/2 in ALPN.
const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Makes TLS connections. Cloning is cheap.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// TLS 1.2 and 1.3 with what the ring provider offers, which is forward secret and authenticated throughout.
    ///
    /// # Errors
    /// There is no randomness for the tickets' keys.
    pub fn new(certificates: &Certificates) -> Result<Self, rustls::Error> {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(certificates.clone()));
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec(), ALPN.to_vec()];
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// The handshake; `None` when it fails or takes too long.
    pub async fn accept(&self, stream: TcpStream) -> Option<TlsStream> {
        match tokio::time::timeout(HANDSHAKE, self.0.accept(stream)).await {
            // An authority has seen what it came for.
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(ALPN) => None,
            Ok(Ok(stream)) => Some(stream),
            // Scanners, and clients that do not trust the certificate; none of them is news.
            Ok(Err(error)) => {
                tracing::trace!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }
}

/// Whether the two ends agreed on HTTP/2.
pub fn is_http2(stream: &TlsStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

/// The name the client asked for in its handshake, in lower case.
pub fn server_name(stream: &TlsStream) -> Option<&str> {
    stream.get_ref().1.server_name()
}
