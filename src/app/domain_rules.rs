//! What a domain may be.

use crate::config::Hosts;
use crate::model::domain::REDIRECT_CODES;
use crate::model::domain_name::{is_related, normal};
use crate::model::problems::Problems;

/// The host name in its normal form, when a project may have it.
pub(super) fn hostname(text: &str, hosts: &Hosts, problems: &mut Problems) -> Option<String> {
    let name = checked("hostname", text, problems)?;
    let own = [Some(hosts.base_domain()), hosts.dashboard_host()];
    if own.into_iter().flatten().any(|own| is_related(&name, own)) {
        let base = hosts.base_domain();
        let message =
            format!("Names below and above {base} and of Orbitra itself cannot be added.");
        problems.invalid("hostname", "reserved", message);
        return None;
    }
    Some(name)
}

/// The host name requests go on to, in its normal form.
pub(super) fn target(text: &str, problems: &mut Problems) -> Option<String> {
    let name = checked("redirect_to", text, problems)?;
    if name.starts_with("*.") {
        problems.invalid("redirect_to", "format", "One host name, without `*`.");
        return None;
    }
    Some(name)
}

fn checked(field: &'static str, text: &str, problems: &mut Problems) -> Option<String> {
    match normal(text) {
        Ok(name) => Some(name),
        Err(problem) => {
            problems.invalid(field, "format", problem.message());
            None
        }
    }
}

/// The status of a redirect.
pub(super) fn code(sent: Option<i64>, problems: &mut Problems) -> Option<u16> {
    let sent = sent?;
    let code = u16::try_from(sent).ok().filter(|code| REDIRECT_CODES.contains(code));
    if code.is_none() {
        let invalid =
            problems.invalid("redirect_code", "unknown_value", "This value is not known.");
        invalid.allowed = REDIRECT_CODES.iter().map(ToString::to_string).collect();
    }
    code
}

/// A domain does not go on to itself.
pub(super) fn no_circle(hostname: Option<&str>, target: Option<&str>, problems: &mut Problems) {
    if let (Some(hostname), Some(target)) = (hostname, target)
        && crate::model::certificate::covers(hostname, target)
    {
        problems.invalid("redirect_to", "out_of_range", "Another host name than its own.");
    }
}
