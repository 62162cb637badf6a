//! The HTTP client for addresses that users chose.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::error::EgressError;
use super::policy::Policy;
use super::resolver::CheckedResolver;

/// How long a connection may take to be made, name resolution and TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends HTTP requests to addresses the policy accepts. Follows no redirect, uses no proxy of the environment,
/// keeps no cookies and decompresses nothing. Cloning is cheap and shares connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
    /// Plain HTTP is spoken whatever the policy says.
    plain: bool,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    host: String,
}

impl Client {
    /// Makes a client; root certificates come from the system or the file `SSL_CERT_FILE` names.
    pub fn new(policy: Policy) -> Result<Self, EgressError> {
        Self::connecting_within(policy, CONNECT_TIMEOUT)
    }

    /// The same, with a time of one's own for a connection to be made.
    pub fn connecting_within(policy: Policy, limit: Duration) -> Result<Self, EgressError> {
        // The HTTP client takes the process's provider. An error says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(limit)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .user_agent(concat!("Orbitra/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(CheckedResolver { policy: Arc::clone(&policy) })
            .build()
            .map_err(|error| {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                EgressError::Setup(source.unwrap_or_else(|| error.to_string()))
            })?;
        Ok(Self { http, policy, plain: false })
    }

    /// The same for answers that are signed themselves, so that they may come over plain HTTP.
    pub fn for_signed_answers(self) -> Self {
        Self { plain: true, ..self }
    }

    /// What this client may reach.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends a request and returns once the answer's headers are there, at most `timeout` later.
    /// Redirects are returned as they are.
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> Result<Response, EgressError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let scheme = request.uri().scheme_str();
        let port =
            request.uri().port_u16().unwrap_or(if scheme == Some("http") { 80 } else { 443 });
        let allowed = match scheme {
            Some("https") => true,
            Some("http") => self.plain || self.policy.allow_http(),
            _ => false,
        };
        // An IP literal never reaches the resolver, so hosts are checked here as well.
        if !allowed
            || self.policy.check_host(&host).is_err()
            || self.policy.check_port(&host, port).is_err()
        {
            return Err(EgressError::AddressNotAllowed);
        }
        let request = reqwest::Request::try_from(request)
            .map_err(|error| EgressError::from_http(&error, &host))?;
        match tokio::time::timeout(timeout, self.http.execute(request)).await {
            Err(_) => Err(EgressError::Timeout),
            Ok(Err(error)) => Err(EgressError::from_http(&error, &host)),
            Ok(Ok(inner)) => Ok(Response { inner, host }),
        }
    }
}

impl Response {
    /// Status code.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Header fields.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The next part of the body, `None` at its end; waits at most `idle`.
    pub async fn chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, EgressError> {
        match tokio::time::timeout(idle, self.inner.chunk()).await {
            Err(_) => Err(EgressError::Timeout),
            Ok(Err(error)) => Err(EgressError::from_http(&error, &self.host)),
            Ok(Ok(chunk)) => Ok(chunk),
        }
    }

    /// The body's first `limit` bytes at most; the rest is not read.
    pub async fn read(mut self, limit: usize, idle: Duration) -> Result<Bytes, EgressError> {
        let mut body = bytes::BytesMut::new();
        while body.len() < limit {
            let Some(chunk) = self.chunk(idle).await? else {
                break;
            };
            body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
        }
        Ok(body.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(client: &Client, url: &str) -> Result<Response, EgressError> {
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        client.send(request, Duration::from_secs(5)).await
    }

    /// A server that answers every connection with these bytes.
    async fn server(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn only_opened_addresses_are_reached() {
        let port = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
        let closed = Client::new(Policy::parse::<&str>(&[], true).unwrap()).unwrap();
        let open = Client::new(Policy::parse(&["127.0.0.1/32"], true).unwrap()).unwrap();
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(get(&closed, &url).await.unwrap_err(), EgressError::AddressNotAllowed);
        let answer = get(&open, &url).await.unwrap();
        assert_eq!(answer.read(3, Duration::from_secs(5)).await.unwrap(), "hel");
        for url in [
            format!("http://localhost:{port}/"),
            format!("http://127.1:{port}/"),
            "ftp://127.0.0.1/".into(),
        ] {
            assert!(get(&closed, &url).await.is_err(), "{url}");
        }
        let tls_only = Client::new(Policy::parse(&["127.0.0.1/32"], false).unwrap()).unwrap();
        assert_eq!(get(&tls_only, &url).await.unwrap_err(), EgressError::AddressNotAllowed);
        assert!(get(&tls_only.for_signed_answers(), &url).await.is_ok());
        assert!(get(&closed.clone().for_signed_answers(), &url).await.is_err());
        let by_name = Client::new(Policy::parse(&["localhost"], true).unwrap()).unwrap();
        assert!(get(&by_name, &format!("http://localhost:{port}/")).await.is_ok());
    }

    #[tokio::test]
    async fn redirects_come_back_and_faults_are_named() {
        let client = Client::new(Policy::parse(&["127.0.0.1/32"], true).unwrap()).unwrap();
        let port = server(
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        assert_eq!(get(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap().status(), 302);
        let port = server("nonsense\r\n\r\n").await;
        assert!(matches!(
            get(&client, &format!("http://127.0.0.1:{port}/")).await,
            Err(EgressError::Protocol(_))
        ));
        assert!(matches!(
            get(&client, &format!("https://127.0.0.1:{port}/")).await,
            Err(EgressError::Tls(_))
        ));
        assert!(matches!(
            get(&client, "http://127.0.0.1:1025/").await,
            Err(EgressError::Connect(_))
        ));
        let name = "http://no-such-name.invalid./";
        assert_eq!(get(&client, name).await.unwrap_err(), EgressError::AddressNotAllowed);
    }
}
