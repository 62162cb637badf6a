//! The authority that signs certificates by itself: ACME (RFC 8555).

use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, CertificateIdentifier,
    ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
    RevocationRequest,
};
use rustls::pki_types::CertificateDer;

use super::challenges::{Challenges, Shown};
use super::dns::{Record, Records};
use crate::model::timestamp::Timestamp;

/// How long an authority may take to look, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).timeout(Duration::from_secs(90));
/// How long everything may take together.
const LIMIT: Duration = Duration::from_secs(420);
/// How long it may take to say when it wants something to be renewed.
const ASK: Duration = Duration::from_secs(30);
/// How often a step is taken again whose nonces the authority does not take, beyond the three that the library asks for
/// each time: nothing has happened, and nobody is to wait for minutes for it (RFC 8555 section 6.5).
const AGAIN: usize = 10;
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
/// Most characters of what an authority says.
const LONGEST: usize = 300;

/// Takes a step again as long as the authority only minds its nonces. No function: the futures of its closures would not be
/// `Send` for every lifetime.
macro_rules! again {
    ($step:expr) => {{
        let mut times = 0;
        loop {
            match $step.await {
                Err(Error::Api(problem))
                    if times < AGAIN && problem.r#type.as_deref() == Some(BAD_NONCE) =>
                {
                    times += 1;
                }
                other => break other,
            }
        }
    }};
}

/// Who signs, and for whom.
#[derive(Clone)]
pub struct Authority {
    /// The URL of its directory.
    pub directory: String,
    /// An e-mail address for when something is the matter.
    pub contact: String,
    /// A file with the root of its own server's certificate; without it the machine's list counts.
    pub root: Option<PathBuf>,
    pub challenges: Challenges,
    /// Changes the DNS; without it there is no way over the DNS.
    pub records: Option<Records>,
    /// As whom it stands in CAA records, where the operator says so.
    pub caa: Option<String>,
}

/// How a name is shown to lead here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Http,
    Tls,
    Dns,
}

impl Way {
    fn challenge(self) -> ChallengeType {
        match self {
            Self::Http => ChallengeType::Http01,
            Self::Tls => ChallengeType::TlsAlpn01,
            Self::Dns => ChallengeType::Dns01,
        }
    }
}

/// What an authority is to find when it looks.
#[derive(Default)]
struct Laid {
    /// There as long as this.
    _shown: Vec<Shown>,
    records: Vec<Record>,
}

/// A chain and its key, both PEM.
pub struct Signed {
    pub chain: String,
    pub key: String,
}

/// The authority did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSigned(String);

impl NotSigned {
    /// For a reason, which becomes one short line.
    pub fn new(reason: &str) -> Self {
        let plain = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self(plain.take(LONGEST).collect())
    }
}

impl From<Error> for NotSigned {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => {
                Self::new(problem.detail.as_ref().unwrap_or(&problem.to_string()))
            }
            other => Self::new(&other.to_string()),
        }
    }
}

impl Authority {
    /// The account that these credentials are for, or without them a new one with its credentials.
    ///
    /// # Errors
    /// The authority cannot be reached or refuses.
    pub async fn account(
        &self,
        known: Option<&str>,
    ) -> Result<(Account, Option<String>), NotSigned> {
        if let Some(known) = known {
            let known: AccountCredentials =
                serde_json::from_str(known).map_err(|error| NotSigned::new(&error.to_string()))?;
            return Ok((self.builder()?.from_credentials(known).await?, None));
        }
        let contact = format!("mailto:{}", self.contact);
        let new = NewAccount {
            contact: &[&contact],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = || self.directory.clone();
        let (account, credentials) = again!(self.builder()?.create(&new, directory(), None))?;
        let credentials = serde_json::to_string(&credentials)
            .map_err(|error| NotSigned::new(&error.to_string()))?;
        Ok((account, Some(credentials)))
    }

    fn builder(&self) -> Result<AccountBuilder, Error> {
        match &self.root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        }
    }

    /// Has a name signed.
    ///
    /// # Errors
    /// What the authority says against it.
    pub async fn sign(
        &self,
        account: &Account,
        host: &str,
        way: Way,
        replaces: Option<&Replaced>,
    ) -> Result<Signed, NotSigned> {
        let signing = tokio::time::timeout(LIMIT, self.order(account, host, way, replaces));
        signing.await.unwrap_or_else(|_| Err(NotSigned::new("The authority took too long.")))
    }

    async fn order(
        &self,
        account: &Account,
        host: &str,
        way: Way,
        replaces: Option<&Replaced>,
    ) -> Result<Signed, NotSigned> {
        let names = [Identifier::Dns(host.to_owned())];
        let mut order = place(account, &names, replaces).await?;
        let mut laid = Laid::default();
        let ready = self.ready(&mut order, host, way, &mut laid).await;
        if let Some(records) = &self.records {
            for record in &laid.records {
                records.remove(record).await;
            }
        }
        ready?;
        let key = again!(order.finalize())?;
        let chain = again!(order.poll_certificate(&PATIENCE))?;
        Ok(Signed { chain, key })
    }

    /// Lays out what the authority looks for, and waits until it has looked.
    async fn ready(
        &self,
        order: &mut Order,
        host: &str,
        way: Way,
        laid: &mut Laid,
    ) -> Result<(), NotSigned> {
        again!(self.lay(order, host, way, laid))??;
        match again!(order.poll_ready(&PATIENCE)) {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(_) => {
                let told = why(order).await;
                Err(told.unwrap_or_else(|| NotSigned::new("The authority refused.")))
            }
            Err(error) => {
                let told = why(order).await;
                Err(told.unwrap_or_else(|| error.into()))
            }
        }
    }

    /// Lays it out, and says that it is there.
    async fn lay(
        &self,
        order: &mut Order,
        host: &str,
        way: Way,
        laid: &mut Laid,
    ) -> Result<Result<(), NotSigned>, Error> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(mut challenge) = authorization.challenge(way.challenge()) else {
                return Ok(Err(NotSigned::new("The authority does not offer to look this way.")));
            };
            let answer = challenge.key_authorization();
            match (way, &self.records) {
                (Way::Http, _) => {
                    let shown = self.challenges.show_token(&challenge.token, answer.as_str());
                    laid._shown.push(shown);
                }
                (Way::Tls, _) => {
                    match self.challenges.show_digest(host, answer.digest().as_ref()) {
                        Ok(shown) => laid._shown.push(shown),
                        Err(error) => return Ok(Err(NotSigned::new(&error))),
                    }
                }
                (Way::Dns, Some(records)) => match records.set(host, &answer.dns_value()).await {
                    Ok(record) => laid.records.push(record),
                    Err(error) => return Ok(Err(NotSigned::new(&error.to_string()))),
                },
                (Way::Dns, None) => {
                    let reason = "Nobody may change the DNS: acme_dns is not set.";
                    return Ok(Err(NotSigned::new(reason)));
                }
            }
            again!(challenge.set_ready())?;
        }
        Ok(Ok(()))
    }

    /// Has a certificate revoked, in DER (RFC 8555 section 7.6).
    ///
    /// # Errors
    /// What the authority says against it.
    pub async fn revoke(&self, account: &Account, certificate: &[u8]) -> Result<(), NotSigned> {
        let certificate = CertificateDer::from(certificate);
        let request = RevocationRequest { certificate: &certificate, reason: None };
        Ok(again!(account.revoke(&request))?)
    }

    /// When the authority wants a certificate to be renewed, and after how long it is asked again (RFC 9773). `None` when
    /// it does not say such things.
    ///
    /// # Errors
    /// It does not answer, or something else.
    pub async fn renewal(
        &self,
        account: &Account,
        certificate: &Replaced,
    ) -> Result<Option<(Timestamp, Timestamp, Duration)>, NotSigned> {
        let asking = tokio::time::timeout(ASK, account.renewal_info(&certificate.0));
        let answer = asking.await.map_err(|_| NotSigned::new("The authority took too long."))?;
        let (info, again) = match answer {
            Err(Error::Unsupported(_)) => return Ok(None),
            other => other?,
        };
        let at = |at: time::OffsetDateTime| Timestamp(at.unix_timestamp().saturating_mul(1000));
        let window = info.suggested_window;
        Ok(Some((at(window.start), at(window.end), again)))
    }

    /// As whom it stands in the DNS of those who say who may sign for them (CAA); `None` is not known.
    pub fn identity(&self) -> Option<&str> {
        if let Some(said) = &self.caa {
            return Some(said);
        }
        let host = self.directory.strip_prefix("https://")?.split(['/', ':']).next()?;
        let known = [
            ("letsencrypt.org", "letsencrypt.org"),
            ("pki.goog", "pki.goog"),
            ("zerossl.com", "sectigo.com"),
            ("buypass.com", "buypass.com"),
        ];
        let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        known.into_iter().find(|(domain, _)| of(domain)).map(|(_, identity)| identity)
    }
}

/// A certificate as its authority knows it (RFC 9773 section 4.1).
pub struct Replaced(CertificateIdentifier<'static>);

impl Replaced {
    /// The name of a certificate in DER; `None` when it does not say which key it was signed with.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from(certificate);
        let named = CertificateIdentifier::try_from(&certificate).ok()?;
        Some(Self(named.into_owned()))
    }
}

/// Places an order, which takes the place of a certificate where the authority knows such a thing: then it may not count.
async fn place(
    account: &Account,
    names: &[Identifier],
    replaces: Option<&Replaced>,
) -> Result<Order, NotSigned> {
    if let Some(Replaced(certificate)) = replaces {
        let new = NewOrder::new(names).replaces(certificate.clone());
        match again!(account.new_order(&new)) {
            Ok(order) => return Ok(order),
            // It has too much to do, or does not want us at all: asking once more would not help.
            Err(Error::Api(problem))
                if problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":rateLimited")) =>
            {
                return Err(Error::Api(problem).into());
            }
            Err(error) => tracing::debug!(%error, "the order says nothing of what it replaces"),
        }
    }
    let new = NewOrder::new(names);
    Ok(again!(account.new_order(&new))?)
}

/// What the authority has found when it looked.
async fn why(order: &mut Order) -> Option<NotSigned> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let told = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(detail) = told.and_then(|problem| problem.detail.as_ref()) {
            return Some(NotSigned::new(detail));
        }
    }
    None
}
