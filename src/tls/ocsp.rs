//! What the responder of a certificate's authority is asked and answers (OCSP, RFC 6960, in the profile of RFC 5019).

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Sequence, SliceReader, Tag, TagNumber, Tagged};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::crypto::digest::sha1;
use crate::model::timestamp::Timestamp;

/// The address of a responder in a certificate (id-ad-ocsp), and what an answer is (id-pkix-ocsp-basic).
const RESPONDER: &str = "1.3.6.1.5.5.7.48.1";
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// The usage of who answers in an authority's place (id-kp-OCSPSigning), without its tag.
const SIGNS_ANSWERS: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 9];
/// Certificates of an answer that are looked at; it needs one at most.
const SIGNERS: usize = 4;
/// How far the clocks of a responder and of this machine may differ.
const SKEW: std::time::Duration = std::time::Duration::from_secs(300);
/// How long an answer holds that does not say until when: as long as browsers take it for new.
const OPEN_END: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Why there is no answer to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspProblem {
    #[error("the chain does not have its authority's certificate")]
    NoIssuer,
    #[error("the responder sent something else than an answer")]
    Malformed,
    #[error("the responder refused to answer ({0})")]
    Refused(&'static str),
    #[error("the answer is not signed by the authority or by who it has named for it")]
    Signature,
    #[error("the answer is about another certificate")]
    Other,
    #[error("the responder does not know the certificate")]
    Unknown,
    #[error("the answer is not of now")]
    Date,
}

/// A question about a certificate.
#[derive(Debug)]
pub struct Question {
    /// Whom to ask, as the certificate says.
    pub responder: String,
    /// What is sent, DER.
    pub request: Vec<u8>,
    issuer: CertificateDer<'static>,
    name_hash: [u8; 20],
    key_hash: [u8; 20],
    serial: Vec<u8>,
}

/// An answer that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// It was so at this time.
    pub from: Timestamp,
    /// It may be shown until then.
    pub until: Timestamp,
    /// Since when the certificate is revoked; `None` is good.
    pub revoked: Option<Timestamp>,
}

impl Question {
    /// The question about the first certificate of a chain; `None` when it names no responder.
    ///
    /// # Errors
    /// The chain cannot be read or lacks the certificate that signed the first one.
    pub fn about(chain: &[CertificateDer<'static>]) -> Result<Option<Self>, OcspProblem> {
        let own = chain.first().ok_or(OcspProblem::NoIssuer)?;
        let (_, own) = X509Certificate::from_der(own).map_err(|_| OcspProblem::NoIssuer)?;
        let Some(responder) = responder(&own) else { return Ok(None) };
        let der = chain.get(1).ok_or(OcspProblem::NoIssuer)?;
        let (_, issuer) = X509Certificate::from_der(der).map_err(|_| OcspProblem::NoIssuer)?;
        if issuer.subject().as_raw() != own.issuer().as_raw() {
            return Err(OcspProblem::NoIssuer);
        }
        let name_hash = sha1(own.issuer().as_raw());
        let key_hash = sha1(&issuer.public_key().subject_public_key.data);
        let serial = own.raw_serial().to_vec();
        let request = request(&name_hash, &key_hash, &serial).map_err(|_| OcspProblem::NoIssuer)?;
        let issuer = der.clone();
        Ok(Some(Self { responder, request, issuer, name_hash, key_hash, serial }))
    }

    /// Reads and checks what the responder sent.
    ///
    /// # Errors
    /// See [`OcspProblem`].
    pub fn check(&self, sent: &[u8], now: Timestamp) -> Result<Answer, OcspProblem> {
        let malformed = |_: der::Error| OcspProblem::Malformed;
        let response = Response::from_der(sent).map_err(malformed)?;
        if response.status.tag() != Tag::Enumerated {
            return Err(OcspProblem::Malformed);
        }
        match response.status.value() {
            [0] => {}
            [1] => return Err(OcspProblem::Refused("malformedRequest")),
            [2] => return Err(OcspProblem::Refused("internalError")),
            [3] => return Err(OcspProblem::Refused("tryLater")),
            [5] => return Err(OcspProblem::Refused("sigRequired")),
            [6] => return Err(OcspProblem::Refused("unauthorized")),
            _ => return Err(OcspProblem::Malformed),
        }
        let bytes = response.bytes.filter(|bytes| bytes.kind == BASIC);
        let bytes = bytes.ok_or(OcspProblem::Malformed)?.response;
        let basic = Basic::from_der(bytes.as_bytes()).map_err(malformed)?;
        // Nothing of it counts before this.
        if !self.is_signed(&basic, now).map_err(malformed)? {
            return Err(OcspProblem::Signature);
        }
        let data: Data<'_> = basic.data.decode_as().map_err(malformed)?;
        if has_critical(data.extensions.as_deref()) {
            return Err(OcspProblem::Malformed);
        }
        let mut single = data.responses.iter().filter(|one| self.is_about(&one.certificate));
        let single = single.next().ok_or(OcspProblem::Other)?;
        if has_critical(single.extensions.as_deref()) {
            return Err(OcspProblem::Malformed);
        }
        let from = moment(single.this_update);
        let until = single.next_update.map_or_else(|| from.plus(OPEN_END), moment);
        if from > now.plus(SKEW) || until <= now || until <= from {
            return Err(OcspProblem::Date);
        }
        let revoked = match single.status.tag() {
            Tag::ContextSpecific { number: TagNumber(0), .. } => None,
            Tag::ContextSpecific { number: TagNumber(1), .. } => {
                let mut reader = SliceReader::new(single.status.value()).map_err(malformed)?;
                Some(moment(GeneralizedTime::decode(&mut reader).map_err(malformed)?))
            }
            Tag::ContextSpecific { number: TagNumber(2), .. } => return Err(OcspProblem::Unknown),
            _ => return Err(OcspProblem::Malformed),
        };
        Ok(Answer { from, until, revoked })
    }

    fn is_about(&self, id: &CertificateId<'_>) -> bool {
        id.hash.algorithm == SHA1
            && id.name_hash.as_bytes() == self.name_hash
            && id.key_hash.as_bytes() == self.key_hash
            && id.serial.value() == self.serial
    }

    /// Whether the authority has signed it, or somebody it has given a certificate for that and nothing else.
    fn is_signed(&self, basic: &Basic<'_>, now: Timestamp) -> der::Result<bool> {
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let data = basic.data.to_der()?;
        let algorithm = basic.algorithm.value();
        let signature = basic.signature.as_bytes().unwrap_or_default();
        if signed_by(&self.issuer, known, algorithm, &data, signature) {
            return Ok(true);
        }
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let Ok(anchor) = anchor_from_trusted_cert(&self.issuer) else { return Ok(false) };
        for signer in basic.certificates.iter().flatten().take(SIGNERS) {
            let signer = CertificateDer::from(signer.to_der()?);
            let named = EndEntityCert::try_from(&signer).is_ok_and(|signer| {
                let usage = KeyUsage::required(SIGNS_ANSWERS);
                let anchors = std::slice::from_ref(&anchor);
                signer.verify_for_usage(known.all, anchors, &[], now, usage, None, None).is_ok()
            });
            if named && signed_by(&signer, known, algorithm, &data, signature) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The first address of a responder that a certificate names.
fn responder(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut places =
        certificate.extensions().iter().filter_map(|one| match one.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(&access.accessdescs),
            _ => None,
        });
    places.next()?.iter().find_map(|place| match place.access_location {
        GeneralName::URI(address) if place.access_method.to_id_string() == RESPONDER => {
            Some(address.to_owned())
        }
        _ => None,
    })
}

fn signed_by(
    signer: &CertificateDer<'_>,
    known: WebPkiSupportedAlgorithms,
    algorithm: &[u8],
    data: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(signer) = EndEntityCert::try_from(signer) else { return false };
    let mut fitting = known.all.iter().filter(|one| one.signature_alg_id().as_ref() == algorithm);
    fitting.any(|one| signer.verify_signature(*one, data, signature).is_ok())
}

fn has_critical(extensions: Option<&[Extension<'_>]>) -> bool {
    extensions.unwrap_or_default().iter().any(|one| one.critical)
}

fn moment(time: GeneralizedTime) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn request(name_hash: &[u8], key_hash: &[u8], serial: &[u8]) -> der::Result<Vec<u8>> {
    let certificate = CertificateId {
        hash: Algorithm { algorithm: SHA1, parameters: Some(AnyRef::NULL) },
        name_hash: OctetStringRef::new(name_hash)?,
        key_hash: OctetStringRef::new(key_hash)?,
        serial: AnyRef::new(Tag::Integer, serial)?,
    };
    Request { content: RequestContent { list: vec![OneRequest { certificate }] } }.to_der()
}

// As RFC 6960 has them, section 4 and appendix B. What is not looked at is left unread.

#[derive(Sequence)]
struct Request<'a> {
    content: RequestContent<'a>,
}

#[derive(Sequence)]
struct RequestContent<'a> {
    list: Vec<OneRequest<'a>>,
}

#[derive(Sequence)]
struct OneRequest<'a> {
    certificate: CertificateId<'a>,
}

#[derive(Sequence)]
struct CertificateId<'a> {
    hash: Algorithm<'a>,
    name_hash: &'a OctetStringRef,
    key_hash: &'a OctetStringRef,
    /// An integer, as its bytes.
    serial: AnyRef<'a>,
}

#[derive(Sequence)]
struct Algorithm<'a> {
    algorithm: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct Response<'a> {
    status: AnyRef<'a>,
    #[asn1(context_specific = "0", optional = "true")]
    bytes: Option<ResponseBytes<'a>>,
}

#[derive(Sequence)]
struct ResponseBytes<'a> {
    kind: ObjectIdentifier,
    response: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Basic<'a> {
    /// [`Data`], which is signed as it stands.
    data: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", optional = "true")]
    certificates: Option<Vec<AnyRef<'a>>>,
}

#[derive(Sequence)]
struct Data<'a> {
    #[asn1(context_specific = "0", optional = "true")]
    version: Option<AnyRef<'a>>,
    responder: AnyRef<'a>,
    produced_at: GeneralizedTime,
    responses: Vec<Single<'a>>,
    #[asn1(context_specific = "1", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
struct Single<'a> {
    certificate: CertificateId<'a>,
    status: AnyRef<'a>,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true")]
    next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
struct Extension<'a> {
    id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}
