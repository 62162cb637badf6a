//! Connections to mail servers, secured before anything is said on them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{EgressError, from_handshake};
use super::policy::Policy;
use super::tcp;
use crate::model::mail::MailSecurity;

/// Most bytes that a server may say on one connection.
const READ: usize = 64 * 1024;
/// Most bytes of one reply before TLS.
const REPLY: usize = 8 * 1024;

/// A connection to a mail server, at its greeting. No more than 64 KiB are read from it.
#[derive(Debug)]
pub struct SmtpStream {
    /// What the server said first, for whoever speaks with it.
    greeting: Bytes,
    inner: Inner,
    peer: SocketAddr,
    left: usize,
}

#[derive(Debug)]
enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Policy {
    /// Connects to a mail server. With `StartTls` and `Tls` nothing but a greeting and the wish for TLS crosses before
    /// the server's certificate was accepted, for `host`. `own_name` is what this side calls itself.
    ///
    /// # Errors
    /// The address is refused, nobody answers, the server offers no TLS or its certificate is not accepted.
    pub async fn connect_smtp(
        &self,
        host: &str,
        port: u16,
        security: MailSecurity,
        own_name: &str,
    ) -> Result<SmtpStream, EgressError> {
        if self.check_host(host).is_err() || self.check_mail_port(host, port).is_err() {
            return Err(EgressError::AddressNotAllowed);
        }
        let mut tcp = tcp::open(self, host, port).await?;
        let unreachable = |_| EgressError::Connect("the server broke it off".to_owned());
        let peer = tcp.peer_addr().map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let mut greeting = Bytes::new();
        let inner = match security {
            MailSecurity::None => Inner::Plain(tcp),
            MailSecurity::Tls => Inner::Tls(handshake(tcp, host).await?),
            MailSecurity::StartTls => {
                greeting = reply(&mut tcp).await?;
                match greeting.first() {
                    Some(b'2') => {
                        start_tls(&mut tcp, own_name).await?;
                        Inner::Tls(handshake(tcp, host).await?)
                    }
                    // One that refuses says so to whoever speaks next, who then says nothing.
                    Some(b'4' | b'5') => Inner::Plain(tcp),
                    // Anything else might be taken for a welcome, and a password would follow in clear.
                    _ => {
                        return Err(EgressError::Tls(
                            "this is no mail server's greeting".to_owned(),
                        ));
                    }
                }
            }
        };
        Ok(SmtpStream { greeting, inner, peer, left: READ })
    }
}

impl SmtpStream {
    /// Whom it leads to.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether what is said on it is secret.
    pub fn is_secure(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }
}

/// Asks for TLS (RFC 3207).
async fn start_tls(tcp: &mut TcpStream, own_name: &str) -> Result<(), EgressError> {
    let offers = ask(tcp, &format!("EHLO {own_name}\r\n")).await?;
    let offered = offers.split(|byte| *byte == b'\n').any(|line| {
        line.get(4..).is_some_and(|word| word.trim_ascii().eq_ignore_ascii_case(b"STARTTLS"))
    });
    let missing = || EgressError::Tls("the server does not offer STARTTLS".to_owned());
    if !offers.starts_with(b"2") || !offered {
        return Err(missing());
    }
    let ready = ask(tcp, "STARTTLS\r\n").await?;
    if ready.starts_with(b"220") { Ok(()) } else { Err(missing()) }
}

async fn ask(tcp: &mut TcpStream, command: &str) -> Result<Bytes, EgressError> {
    let broken = |_| EgressError::Connect("the server broke it off".to_owned());
    tcp.write_all(command.as_bytes()).await.map_err(broken)?;
    reply(tcp).await
}

/// One reply, to its last line (RFC 5321 §4.2.1). Read byte by byte: what somebody slips in behind it is then read as
/// TLS, which it is not.
async fn reply(tcp: &mut TcpStream) -> Result<Bytes, EgressError> {
    let mut text: Vec<u8> = Vec::new();
    let mut line = 0;
    loop {
        let closed = |_| EgressError::Connect("the server closed it".to_owned());
        text.push(tcp.read_u8().await.map_err(closed)?);
        if text.last() == Some(&b'\n') {
            if text.get(line + 3) != Some(&b'-') {
                return Ok(text.into());
            }
            line = text.len();
        }
        if text.len() > REPLY {
            return Err(EgressError::TooLarge);
        }
    }
}

async fn handshake(tcp: TcpStream, host: &str) -> Result<Box<TlsStream<TcpStream>>, EgressError> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| EgressError::Tls("this is no name of a server".to_owned()))?;
    let connected = TlsConnector::from(config()?).connect(name, tcp).await;
    connected.map(Box::new).map_err(|error| from_handshake(&error))
}

/// The authorities of this machine, or those of the file `SSL_CERT_FILE`; read once, when mail is first sent.
fn config() -> Result<Arc<ClientConfig>, EgressError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(known) = CONFIG.get() {
        return Ok(known.clone());
    }
    let setup = |error: rustls::Error| EgressError::Setup(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(provider.clone()).map_err(setup)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

impl AsyncRead for SmtpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.greeting.has_remaining() {
            let length = this.greeting.len().min(buffer.remaining());
            buffer.put_slice(&this.greeting.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if this.left == 0 {
            let kind = io::ErrorKind::InvalidData;
            return Poll::Ready(Err(io::Error::new(kind, "the server says too much")));
        }
        let most = this.left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_read(context, &mut part),
            Inner::Tls(tls) => Pin::new(tls).poll_read(context, &mut part),
        })?;
        let read = part.filled().len();
        this.left -= read;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SmtpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Inner::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that says these, each after a line has come.
    async fn server(lines: &'static [&'static str]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                for line in lines {
                    stream.write_all(line.as_bytes()).await.unwrap();
                    let mut buffer = [0; 512];
                    if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
            }
        });
        port
    }

    async fn connect(
        allow: &[&str],
        port: u16,
        security: MailSecurity,
    ) -> Result<SmtpStream, EgressError> {
        let policy = Policy::parse(allow, false).unwrap();
        policy.connect_smtp("127.0.0.1", port, security, "orbitra.test").await
    }

    const OPEN: &[&str] = &["127.0.0.1/32"];

    #[tokio::test]
    async fn only_opened_addresses_and_mail_ports_are_reached() {
        let port = server(&["220 hello\r\n"]).await;
        let refused = connect(&[], port, MailSecurity::None).await.unwrap_err();
        assert_eq!(refused, EgressError::AddressNotAllowed);
        let mut open = connect(OPEN, port, MailSecurity::None).await.unwrap();
        assert_eq!(open.peer().port(), port);
        let mut buffer = [0; 3];
        open.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"220");
        let policy = Policy::default();
        assert!(policy.check_mail_port("mail.example.com", 587).is_ok());
        assert!(policy.check_mail_port("mail.example.com", 22).is_err());
    }

    #[tokio::test]
    async fn without_tls_where_it_is_wanted_nothing_goes_on() {
        let port = server(&["220 hello\r\n", "250-hello\r\n250 SIZE\r\n"]).await;
        let error = connect(OPEN, port, MailSecurity::StartTls).await.unwrap_err();
        assert_eq!(error, EgressError::Tls("the server does not offer STARTTLS".to_owned()));
        let port = server(&["220 hello\r\n", "250 STARTTLS\r\n", "454 not now\r\n"]).await;
        assert!(matches!(
            connect(OPEN, port, MailSecurity::StartTls).await,
            Err(EgressError::Tls(_))
        ));
        // What some take for a welcome, and what is none at all.
        const STRANGE: [&[&str]; 4] =
            [&["354 go on\r\n"], &["100 wait\r\n"], &["hello\r\n"], &["\r\n"]];
        for greeting in STRANGE {
            let port = server(greeting).await;
            let connected = connect(OPEN, port, MailSecurity::StartTls).await;
            assert!(matches!(connected, Err(EgressError::Tls(_))), "{greeting:?}");
        }
        // What is slipped in behind the reply is read as TLS.
        let slipped =
            &["220 hello\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 AUTH PLAIN\r\n"];
        let port = server(slipped).await;
        assert!(matches!(
            connect(OPEN, port, MailSecurity::StartTls).await,
            Err(EgressError::Tls(_))
        ));
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_heard_and_one_that_does_not_end_is_not() {
        let port = server(&["554 not you\r\n"]).await;
        let mut refused = connect(OPEN, port, MailSecurity::StartTls).await.unwrap();
        assert!(!refused.is_secure());
        let mut buffer = [0; 11];
        refused.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"554 not you");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
            }
        });
        let error = connect(OPEN, port, MailSecurity::StartTls).await.unwrap_err();
        assert_eq!(error, EgressError::TooLarge);
        let mut endless = connect(OPEN, port, MailSecurity::None).await.unwrap();
        let mut all = Vec::new();
        assert!(endless.read_to_end(&mut all).await.is_err());
        assert_eq!(all.len(), READ);
    }
}
