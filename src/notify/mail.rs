//! One mail to one address, given to the instance's mail server (RFC 5321).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::time::Instant;

use super::answer::Answer;
use super::attempt::class;
use crate::egress::{EgressError, Policy, SmtpStream};
use crate::model::announcement::mail::Letter;
use crate::model::delivery::{AttemptError, KEPT_BODY};
use crate::model::mail::{MailServer, mailbox};
use crate::model::timestamp::Timestamp;

/// How long a server may take to say goodbye, once it has the mail.
const GOODBYE: Duration = Duration::from_millis(500);

/// A mail that can be sent.
pub struct Mail {
    pub server: MailServer,
    /// The secret of the server's user.
    pub secret: Option<String>,
    /// One address.
    pub to: String,
    pub letter: Letter,
    /// Known again by it when it comes twice; letters, digits and dots.
    pub id: String,
    /// When what it tells of happened.
    pub at: Timestamp,
}

impl AsyncTokioStream for SmtpStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer())
    }
}

/// Why a mail was not taken: at which point of the dialogue a server refused, or nobody was there to do it.
enum Failure {
    Unreachable(EgressError),
    /// Before the mail was spoken of: what the server says there is about this instance.
    Before(Error),
    /// Sender, recipient or content.
    Mail(Error),
    /// It cannot be written: an address that is none.
    Unwritable,
}

/// Sends a mail within `timeout`. `own_name` is what this server calls itself.
pub async fn send(policy: &Policy, own_name: &str, mail: &Mail, timeout: Duration) -> Answer {
    let begun = Instant::now();
    let mut answer = match tokio::time::timeout(timeout, give(policy, own_name, mail)).await {
        Ok(Ok(taken)) => Answer {
            status: Some(taken.code().into()),
            body: kept(&taken.message().collect::<Vec<_>>().join("\n")),
            ..Answer::default()
        },
        Ok(Err(failure)) => failed(&failure),
        Err(_) => Answer { error: Some(AttemptError::Timeout), ..Answer::default() },
    };
    answer.mail = true;
    answer.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    answer
}

async fn give(policy: &Policy, own_name: &str, mail: &Mail) -> Result<Response, Failure> {
    let message = mail.message().ok_or(Failure::Unwritable)?;
    let server = &mail.server;
    let connected = policy.connect_smtp(&server.host, server.port, server.security, own_name);
    let stream = Box::new(connected.await.map_err(Failure::Unreachable)?);
    let secure = stream.is_secure();
    let own_name = ClientId::Domain(own_name.to_owned());
    let connected = AsyncSmtpConnection::connect_with_transport(stream, &own_name).await;
    let mut connection = connected.map_err(Failure::Before)?;
    if let Some(user) = &server.user {
        if !secure {
            return Err(Failure::Unreachable(EgressError::Tls(
                "the connection is not secured".to_owned(),
            )));
        }
        let secret = mail.secret.clone().unwrap_or_default();
        let login = Credentials::new(user.clone(), secret);
        let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &login).await;
        signed_in.map_err(Failure::Before)?;
    }
    // One command after the other, so that a refusal is the server's own and nothing that follows it.
    let envelope = message.envelope();
    let from = MailFrom::new(envelope.from().cloned(), Vec::new());
    connection.command(from).await.map_err(Failure::Mail)?;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(Failure::Mail)?;
    }
    connection.command(Data).await.map_err(Failure::Mail)?;
    let taken = connection.message(&message.formatted()).await.map_err(Failure::Mail)?;
    // It is taken, whatever comes now.
    let _ = tokio::time::timeout(GOODBYE, connection.command(Quit)).await;
    Ok(taken)
}

impl Mail {
    /// Everything but the server's own fields. `None` when an address is none.
    fn message(&self) -> Option<Message> {
        let (name, address) = mailbox(&self.server.sender)?;
        let domain = address.split_once('@')?.1;
        let from = Mailbox::new(name.map(str::to_owned), address.parse().ok()?);
        let at = u64::try_from(self.at.0).unwrap_or_default();
        // RFC 3834: nobody is to answer this by a machine.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(from)
            .to(Mailbox::new(None, self.to.parse().ok()?))
            .subject(self.letter.subject.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(at))
            .message_id(Some(format!("<{}@{domain}>", self.id)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(self.letter.text.clone())
            .ok()
    }
}

fn failed(failure: &Failure) -> Answer {
    let (error, about_mail) = match failure {
        Failure::Unreachable(error) => {
            let body = kept(&error.to_string());
            return Answer { error: Some(class(error)), body, ..Answer::default() };
        }
        Failure::Unwritable => {
            return Answer { error: Some(AttemptError::Protocol), ..Answer::default() };
        }
        Failure::Before(error) => (error, false),
        Failure::Mail(error) => (error, true),
    };
    let source = std::error::Error::source(error).map(ToString::to_string);
    let body = kept(&source.unwrap_or_else(|| error.to_string()));
    match error.status() {
        // A server that does not let this instance in says nothing about the mail: somebody can mend that.
        Some(code) => {
            let refused = about_mail && error.is_permanent();
            Answer { status: Some(code.into()), refused, body, ..Answer::default() }
        }
        None => {
            let class = if error.is_response() || error.is_client() {
                AttemptError::Protocol
            } else {
                AttemptError::ConnectFailed
            };
            Answer { error: Some(class), body, ..Answer::default() }
        }
    }
}

/// The first bytes of what a server says.
fn kept(text: &str) -> Vec<u8> {
    text.bytes().take(KEPT_BODY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mail::MailSecurity;

    fn mail(to: &str, subject: &str, text: &str) -> Mail {
        Mail {
            server: MailServer {
                host: "mail.example.com".to_owned(),
                port: 587,
                security: MailSecurity::StartTls,
                user: None,
                sender: "Orbitra, \u{fc}ber <orbitra@example.com>".to_owned(),
            },
            secret: None,
            to: to.to_owned(),
            letter: Letter { subject: subject.to_owned(), text: text.to_owned() },
            id: "evt_1.dlv_1".to_owned(),
            at: Timestamp(1_705_768_200_000),
        }
    }

    /// Names of the header fields, in order.
    fn fields(message: &str) -> Vec<&str> {
        let head = message.split("\r\n\r\n").next().unwrap();
        let first = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        first.map(|line| line.split(':').next().unwrap()).collect()
    }

    const FIELDS: [&str; 9] = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    #[test]
    fn a_mail_has_these_fields_and_no_others() {
        let hostile = "x\r\nBcc: all@example.com\r\n\r\nbody \u{0}\u{fc}";
        for subject in ["[Orbitra] shop: Deployment failed", hostile, &"\u{fc}".repeat(200)] {
            let written =
                mail("ops@example.com", subject, "a\n.\nb").message().unwrap().formatted();
            let text = String::from_utf8(written).unwrap();
            assert!(text.is_ascii(), "{text}");
            let mut found = fields(&text);
            found.sort_unstable();
            let mut wanted = FIELDS;
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{text}");
            assert!(text.contains("Message-ID: <evt_1.dlv_1@example.com>\r\n"), "{text}");
            assert!(text.contains("Date: Sat, 20 Jan 2024 16:30:00 +0000\r\n"), "{text}");
            assert!(text.lines().all(|line| line.len() < 998), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_written() {
        for to in ["", "a", "a@b.de\r\nRCPT TO:<x@y.de>", "a@b.de> SIZE=1"] {
            assert!(mail(to, "x", "y").message().is_none(), "{to:?}");
        }
    }
}
