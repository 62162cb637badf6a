//! Changes of a zone by its own name server: dynamic updates (RFC 2136), signed with a shared key (TSIG, RFC 8945).

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use hickory_resolver::proto::op::{Message, ResponseCode, update_message};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordSet, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the name server may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Seconds that the clocks of both may be apart.
const FUDGE: u16 = 300;
/// Seconds that a record may be kept by those who asked for it.
const TTL: u32 = 60;

/// A name server that takes changes. Cloning is cheap.
#[derive(Clone)]
pub struct DnsUpdates {
    server: SocketAddr,
    key: Option<TSigner>,
}

/// A change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UpdateFailed(String);

impl DnsUpdates {
    /// Sends changes to this server, signed with HMAC-SHA-256 under a key with this name and secret (base64), or not
    /// signed at all.
    ///
    /// # Errors
    /// The name or the secret cannot be read.
    pub fn new(server: SocketAddr, key: Option<(&str, &str)>) -> Result<Self, UpdateFailed> {
        let key = key.map(|(name, secret)| {
            let secret = base64::engine::general_purpose::STANDARD
                .decode(secret)
                .map_err(|_| UpdateFailed("the secret of the key is not base64".to_owned()))?;
            TSigner::new(secret, TsigAlgorithm::HmacSha256, parse(name)?, FUDGE)
                .map_err(|error| UpdateFailed(error.to_string()))
        });
        Ok(Self { server, key: key.transpose()? })
    }

    /// Adds a TXT record to what the name has. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn add(
        &self,
        zone: &str,
        name: &str,
        text: &str,
        now: u64,
    ) -> Result<(), UpdateFailed> {
        let message =
            update_message::append(records(name, text)?, within(zone, name)?, false, false);
        self.send(message, now).await
    }

    /// Takes one TXT record from what the name has. It need not be there.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn remove(
        &self,
        zone: &str,
        name: &str,
        text: &str,
        now: u64,
    ) -> Result<(), UpdateFailed> {
        let message =
            update_message::delete_by_rdata(records(name, text)?, within(zone, name)?, false);
        self.send(message, now).await
    }

    async fn send(&self, mut message: Message, now: u64) -> Result<(), UpdateFailed> {
        let failed = |error: &dyn std::fmt::Display| {
            UpdateFailed(format!("the name server {}: {error}", self.server))
        };
        let verifier = match &self.key {
            Some(key) => message.finalize(key, now).map_err(|error| failed(&error))?,
            None => None,
        };
        let bytes = message.to_vec().map_err(|error| failed(&error))?;
        let answer = tokio::time::timeout(TIMEOUT, exchange(self.server, &bytes));
        let answer = answer.await.map_err(|_| failed(&"it did not answer in time"))?;
        let answer = answer.map_err(|error| failed(&error))?;
        let code = match verifier {
            Some(mut verify) => verify.verify(&answer).map(|answer| answer.response_code),
            None => {
                Message::from_vec(&answer).map(|answer| answer.response_code).map_err(Into::into)
            }
        };
        match code {
            Ok(ResponseCode::NoError) => Ok(()),
            Ok(code) => Err(failed(&code)),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// One message each way over TCP (RFC 1035 section 4.2.2).
async fn exchange(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn parse(name: &str) -> Result<Name, UpdateFailed> {
    let mut name = Name::from_ascii(name).map_err(|error| UpdateFailed(error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// The zone's name, which the other one is to be below.
fn within(zone: &str, name: &str) -> Result<Name, UpdateFailed> {
    let (zone, name) = (parse(zone)?, parse(name)?);
    if !zone.zone_of(&name) {
        return Err(UpdateFailed(format!("{name} is not below {zone}")));
    }
    Ok(zone)
}

fn records(name: &str, text: &str) -> Result<RecordSet, UpdateFailed> {
    let data = RData::TXT(TXT::new(vec![text.to_owned()]));
    Ok(Record::from_rdata(parse(name)?, TTL, data).into())
}
