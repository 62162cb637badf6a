//! An application that answers, but not as it should.

use super::output::Family;
use super::{Cause, Diagnosis, Output, connection, files, modules, variables};

/// What the output of an application that answers with an error is asked for.
const WRITTEN: [Family; 7] = [
    variables::missing,
    connection::service,
    connection::unresolved,
    connection::host_not_allowed,
    modules::module,
    files::disk,
    files::denied,
];

/// What the health check asked and got.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub path: &'a str,
    /// Status or range that is wanted.
    pub expect: &'a str,
    pub timeout_seconds: u32,
    pub answer: Answer<'a>,
    pub output: Output<'a>,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Nothing in time.
    TimedOut,
    /// Something that is not HTTP; the reader's words.
    NotHttp(&'a str),
    /// A status, where it leads to if it is a redirect, and the start of the body.
    Status { status: u16, location: Option<&'a str>, body: &'a str },
}

/// Why the answer is not a healthy one.
pub fn unhealthy(asked: &Asked<'_>) -> Diagnosis {
    let path = asked.path;
    match asked.answer {
        Answer::TimedOut => Diagnosis::new(
            Cause::HealthTimeout,
            format!(
                "Let `{path}` answer within {} s without waiting for other services, or choose another \
                 path for the health check.",
                asked.timeout_seconds
            ),
        )
        .shown_by(&format!("GET {path}: connected, no whole answer in {} s", asked.timeout_seconds)),
        Answer::NotHttp(words) => Diagnosis::new(
            Cause::NotHttp,
            "Let the application speak plain HTTP/1.1 on its port: TLS is ended by Orbitra.",
        )
        .shown_by(words),
        Answer::Status { status, location, body } => {
            let answered = match location {
                Some(location) => format!("GET {path} → {status}, Location: {location}"),
                None => format!("GET {path} → {status}"),
            };
            by_status(asked, status).shown_by(&answered).shown_by(body)
        }
    }
}

/// An application that answers well now and then.
pub fn flapping(path: &str, last: u16, good: u32) -> Diagnosis {
    Diagnosis::new(
        Cause::HealthFlaps,
        format!(
            "Let `{path}` answer the same each time: look for parts that start late, and for several \
             processes of which one is broken."
        ),
    )
    .shown_by(&format!("GET {path}: {good} good answers, the last one {last}"))
}

fn by_status(asked: &Asked<'_>, status: u16) -> Diagnosis {
    let (path, expect) = (asked.path, asked.expect);
    let (cause, hint) = match status {
        300..=399 => (
            Cause::HealthRedirect,
            format!(
                "Let the health check ask the page that `{path}` leads to, or expect `200-399`. \
                 Redirects are not followed."
            ),
        ),
        401 | 403 | 407 => (
            Cause::HealthRefused,
            format!("Choose a path that answers without a sign-in in place of `{path}`."),
        ),
        404 | 405 | 410 => (
            Cause::HealthNotFound,
            format!(
                "Let the application answer `{path}`, or set the health check's path to one that it \
                 answers."
            ),
        ),
        500.. => {
            if let Some(written) = asked.output.recognised_by(&WRITTEN) {
                return written;
            }
            (
                Cause::HealthError,
                format!(
                    "Read what it wrote when it was asked for `{path}`: it answers with an error."
                ),
            )
        }
        400 if refuses_host(asked) => return connection::host_refused(),
        _ => (
            Cause::HealthUnexpected,
            format!("Let `{path}` answer {expect}, or change what the health check expects."),
        ),
    };
    Diagnosis::new(cause, hint)
}

fn refuses_host(asked: &Asked<'_>) -> bool {
    let Answer::Status { body, .. } = asked.answer else { return false };
    let lines = [body.to_owned()];
    let in_body = Output { lines: &lines, ..asked.output };
    [asked.output, in_body].iter().any(|output| connection::host_not_allowed(output).is_some())
}
