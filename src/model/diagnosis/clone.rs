//! A source that cannot be fetched.

use super::{Cause, Diagnosis};

/// What went wrong while fetching.
#[derive(Clone, Copy, Debug)]
pub enum Problem<'a> {
    /// There is no such branch; the default one, where it is known.
    NoBranch {
        default: Option<&'a str>,
    },
    NoCommit,
    /// 401, 403, or 404 of a host that hides private repositories; a key that is not accepted.
    SignIn,
    AddressRefused,
    Redirect,
    TooLarge,
    TimedOut,
    /// The error's own words: name resolution, TLS, connection, a server that is not Git.
    Other(&'a str),
}

/// Why it could not be fetched, and what to do.
pub fn failed(problem: Problem<'_>) -> Diagnosis {
    let (cause, hint) = match problem {
        Problem::NoBranch { default: Some(name) } => (
            Cause::BranchMissing,
            format!("Deploy `{name}`, or push the branch first: names of branches are case-sensitive."),
        ),
        Problem::NoBranch { default: None } => (
            Cause::BranchMissing,
            "Push a first commit, or choose a branch that is there.".to_owned(),
        ),
        Problem::NoCommit => (
            Cause::CommitMissing,
            "Push the commit first. A short hash must be one of a branch's own commits.".to_owned(),
        ),
        Problem::SignIn => (
            Cause::SignInNeeded,
            "Give the project a token or its deploy key under its source, and check the address: a \
             private repository and one that does not exist look the same."
                .to_owned(),
        ),
        Problem::AddressRefused => (
            Cause::AddressRefused,
            "Use the repository's public address, or let the operator allow this one \
             (`ORBITRA_EGRESS_ALLOW`)."
                .to_owned(),
        ),
        Problem::Redirect => (
            Cause::RedirectRefused,
            "Use the address the repository has now: open it in a browser and copy it from there."
                .to_owned(),
        ),
        Problem::TooLarge => (
            Cause::TooLarge,
            "Take large files out of the repository's history or keep them in Git LFS.".to_owned(),
        ),
        Problem::TimedOut => (
            Cause::CloneTimeout,
            "Deploy again. If it stays, the repository is very large or its server very slow."
                .to_owned(),
        ),
        Problem::Other(text) => return other(text),
    };
    Diagnosis::new(cause, hint)
}

fn other(text: &str) -> Diagnosis {
    let lower = text.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let (cause, hint) = if has(&["resolve", "dns", "no such host", "name or service not known"]) {
        (
            Cause::NameUnresolved,
            "Check how the host is written in the repository's address, and the server's name \
             resolution.",
        )
    } else if has(&[
        "certificate",
        "secure connection",
        "tls",
        "handshake",
        "host key",
        "fingerprint",
    ]) {
        (
            Cause::TlsRefused,
            "The server's certificate or key is not one that is trusted: renew it there, or add its key \
             as the message says.",
        )
    } else if has(&[
        "git's protocol",
        "not a git",
        "no git",
        "unexpected content",
        "not git",
        "git-upload-pack",
    ]) {
        (
            Cause::NotGit,
            "Copy the address from the repository's `Clone` button: what answers there is no Git server.",
        )
    } else if has(&["space left", "no storage space", "storage full"]) {
        return super::files::full().shown_by(text);
    } else {
        (
            Cause::ServerUnreachable,
            "Check that the repository's server is up and can be reached from this server, and deploy \
             again.",
        )
    };
    Diagnosis::new(cause, hint).shown_by(text)
}
