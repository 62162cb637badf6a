//! What counts as an answer about a certificate: OpenSSL signs, what is ours checks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orbitra::model::timestamp::Timestamp;
use orbitra::tls::chain;
use orbitra::tls::ocsp::{Answer, OcspProblem, Question};

use crate::support::openssl::OpenSsl;

const HOST: &str = "www.example.org";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0 - i64::try_from(by.as_millis()).unwrap())
}

fn question(chain: &str) -> Result<Option<Question>, OcspProblem> {
    Question::about(&chain::certificates(chain).unwrap())
}

fn about(chain: &str) -> Question {
    question(chain).unwrap().unwrap()
}

#[test]
fn who_may_answer_and_what_it_says() {
    let authority = OpenSsl::new();
    let own = about(&authority.issue("own", HOST, 4321, "").chain);
    assert_eq!(own.responder, "http://127.0.0.1:4321/");
    authority.sign("delegate", "answers");
    authority.sign("anybody", "plain");
    let days = "-ndays 1";
    for signer in ["ca", "delegate"] {
        let answer = own.check(&authority.answer(&own.request, signer, days), now()).unwrap();
        let Answer { from, until, revoked } = answer;
        assert_eq!((until.millis_since(from), revoked), (24 * 3600 * 1000, None), "{signer}");
    }
    let check = |answer: &[u8]| own.check(answer, now()).unwrap_err();
    // One of its customers, and another authority, whoever it gives a certificate for this.
    assert_eq!(check(&authority.answer(&own.request, "anybody", days)), OcspProblem::Signature);
    let other = OpenSsl::new();
    other.sign("delegate", "answers");
    std::fs::copy(authority.path("index.txt"), other.path("index.txt")).unwrap();
    for signer in ["ca", "delegate"] {
        std::fs::copy(authority.path("ca.pem"), other.path("theirs.pem")).unwrap();
        let line = format!(
            "ocsp -index index.txt -CA theirs.pem -rsigner {signer}.pem -rkey {signer}.key -reqin request -respout answer -ndays 1"
        );
        std::fs::write(other.path("request"), &own.request).unwrap();
        other.run(&line);
        let answer = std::fs::read(other.path("answer")).unwrap();
        assert_eq!(check(&answer), OcspProblem::Signature, "{signer}");
    }
    // Without its certificate, an answer of the delegate's is one of nobody.
    let nobodys = authority.answer(&own.request, "delegate", "-ndays 1 -resp_no_certs");
    assert_eq!(check(&nobodys), OcspProblem::Signature);
    // It is about somebody else, or about nobody the authority knows.
    let second = about(&authority.issue("second", HOST, 4321, "").chain);
    assert_eq!(check(&authority.answer(&second.request, "ca", days)), OcspProblem::Other);
    let index = authority.read("index.txt");
    std::fs::write(authority.path("index.txt"), "").unwrap();
    assert_eq!(check(&authority.answer(&own.request, "ca", days)), OcspProblem::Unknown);
    std::fs::write(authority.path("index.txt"), index).unwrap();
    authority.revoke("own");
    let revoked = own.check(&authority.answer(&own.request, "ca", days), now()).unwrap();
    assert!(revoked.revoked.is_some_and(|at| now().millis_since(at) < 3_600_000));
    assert_eq!(
        second.check(&authority.answer(&second.request, "ca", days), now()).unwrap().revoked,
        None
    );
}

#[test]
fn an_answer_holds_for_its_time() {
    let authority = OpenSsl::new();
    let own = about(&authority.issue("own", HOST, 4321, "").chain);
    let begin = now();
    let answer = authority.answer(&own.request, "ca", "-ndays 2");
    let open_ended = authority.answer(&own.request, "ca", "");
    let hour = Duration::from_secs(3600);
    let at = |answer: &[u8], at: Timestamp| own.check(answer, at).map(|one| one.revoked);
    assert_eq!(at(&answer, begin.plus(2 * DAY - hour)), Ok(None));
    assert_eq!(at(&answer, begin.plus(2 * DAY + hour)), Err(OcspProblem::Date));
    assert_eq!(at(&answer, before(begin, Duration::from_secs(60))), Ok(None), "clocks differ");
    assert_eq!(at(&answer, before(begin, hour)), Err(OcspProblem::Date));
    // One that does not say until when holds a day.
    assert_eq!(at(&open_ended, begin.plus(DAY - hour)), Ok(None));
    assert_eq!(at(&open_ended, begin.plus(DAY + hour)), Err(OcspProblem::Date));
}

#[test]
fn what_was_changed_on_the_way_is_no_answer() {
    let authority = OpenSsl::new();
    let own = about(&authority.issue("own", HOST, 4321, "").chain);
    authority.sign("delegate", "answers");
    for signer in ["ca", "delegate"] {
        let good = authority.answer(&own.request, signer, "-ndays 1 ");
        let answer = own.check(&good, now()).unwrap();
        for length in 0..good.len() {
            assert!(own.check(&good[..length], now()).is_err(), "{length} bytes of it");
        }
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 0x41;
            // Certificates that go along and are not needed may be whatever they are.
            if let Ok(read) = own.check(&changed, now()) {
                assert_eq!(read, answer, "byte {at}");
            }
        }
        assert!(own.check(&[good.as_slice(), b"\0"].concat(), now()).is_err());
    }
    for (refusal, word) in [(1, "malformedRequest"), (3, "tryLater"), (6, "unauthorized")] {
        let refused = own.check(&[0x30, 3, 0x0a, 1, refusal], now());
        assert_eq!(refused, Err(OcspProblem::Refused(word)));
    }
    for garbage in [&b""[..], b"<html>", &[0x30, 3, 0x0a, 1, 0], &[0x30, 0x80, 0, 0], &[0xff; 3000]]
    {
        assert_eq!(own.check(garbage, now()), Err(OcspProblem::Malformed));
    }
}

#[test]
fn nobody_is_asked_where_nobody_is_named() {
    let authority = OpenSsl::new();
    let own = authority.issue("own", HOST, 4321, "");
    let alone = authority.read("own.pem");
    assert_eq!(question(&alone).unwrap_err(), OcspProblem::NoIssuer);
    let other = OpenSsl::new();
    other.key_of_another_name();
    assert_eq!(question(&(alone + &other.read("ca.pem"))).unwrap_err(), OcspProblem::NoIssuer);
    assert!(question(&authority.read("ca.pem")).unwrap().is_none());
    assert!(question(&own.chain).unwrap().is_some());
    let read = |issued: &crate::support::tls::Issued| {
        chain::Chain::read(&issued.chain, &issued.key).unwrap().must_staple
    };
    let strict = authority.issue("strict", HOST, 4321, "tlsfeature = status_request");
    assert_eq!((read(&own), read(&strict)), (false, true));
}
