//! What a project may set for its visitors.

use super::project_rules::ProjectPatch;
use crate::model::problems::Problems;
use crate::model::proxy_settings::{
    LONGEST_LOGIN, LONGEST_RULES, Login, MOST_NETWORKS, ProxySettings, SignIn, is_login_name,
};
use crate::model::site_rules::SiteRules;

/// A name and a password for visitors, as they were sent.
#[derive(Clone, Debug, Default)]
pub struct NewLogin {
    pub user: String,
    /// Left out where the name stays as it is.
    pub password: Option<String>,
}

/// Changes what a project has set for its visitors.
pub(super) fn apply(patch: &ProjectPatch, proxy: &mut ProxySettings, problems: &mut Problems) {
    for (field, sent, slot, most) in [
        ("proxy.max_body_mb", patch.max_body_mb, &mut proxy.max_body_mb, 102_400),
        ("proxy.first_byte_seconds", patch.first_byte_seconds, &mut proxy.first_byte_seconds, 3600),
        ("proxy.idle_seconds", patch.idle_seconds, &mut proxy.idle_seconds, 86_400),
    ] {
        let Some(sent) = sent else { continue };
        if let Some(value) = sent {
            problems.range(field, value, 1, most);
        }
        *slot = sent.and_then(|value| u32::try_from(value).ok());
    }
    proxy.maintenance = patch.maintenance.unwrap_or(proxy.maintenance);
    proxy.compress = patch.compress.unwrap_or(proxy.compress);
    if let Some(word) = &patch.sign_in {
        match SignIn::parse(word) {
            Some(sign_in) => proxy.sign_in = sign_in,
            None => {
                let known = SignIn::ALL.iter().map(|sign_in| sign_in.as_str());
                problems.unknown_value("proxy.sign_in", known);
            }
        }
    }
    for (field, sent, slot) in [
        ("proxy.redirects", &patch.redirects, &mut proxy.redirects),
        ("proxy.headers", &patch.headers, &mut proxy.headers),
    ] {
        let Some(sent) = sent else { continue };
        if sent.len() > LONGEST_RULES {
            let message = format!("At most {LONGEST_RULES} bytes.");
            problems.invalid(field, "too_long", message);
        }
        slot.clone_from(sent);
        let (redirects, headers) = match field {
            "proxy.redirects" => (sent.as_str(), ""),
            _ => ("", sent.as_str()),
        };
        if let Some(warning) = SiteRules::parse(redirects, headers).1.into_iter().next() {
            problems.invalid(field, "format", warning);
        }
    }
    for (field, sent, slot) in [
        ("proxy.allow", &patch.allow, &mut proxy.allow),
        ("proxy.deny", &patch.deny, &mut proxy.deny),
    ] {
        let Some(sent) = sent else { continue };
        if sent.len() > MOST_NETWORKS {
            problems.invalid(field, "out_of_range", format!("At most {MOST_NETWORKS} entries."));
        } else if let Err(at) = ProxySettings::networks(sent) {
            let message = format!(
                "Entry {} is no address or network, such as 203.0.113.7 or 10.0.0.0/8.",
                at + 1
            );
            problems.invalid(field, "format", message);
        }
        slot.clone_from(sent);
    }
    if let Some(sent) = &patch.login {
        if let Some(login) = sent {
            if !is_login_name(&login.user) {
                let message = "1 to 128 characters without `:` and control characters.";
                problems.invalid("proxy.login.user", "format", message);
            }
            let kept = proxy.login.as_ref().is_some_and(|before| before.user == login.user);
            match &login.password {
                Some(password) => {
                    problems.length("proxy.login.password", password, 8, LONGEST_LOGIN);
                }
                None if kept => return,
                None => problems.missing_fields.push("proxy.login.password".to_owned()),
            }
        }
        // The hash takes its time and is made once everything else is acceptable.
        proxy.login =
            sent.as_ref().map(|login| Login { user: login.user.clone(), hash: String::new() });
    }
}
