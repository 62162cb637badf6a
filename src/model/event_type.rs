//! The catalogue of events: every name, and how names are chosen.

/// A kind of event.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    pub name: &'static str,
    /// When it happens, in one sentence.
    pub when: &'static str,
}

const fn event(name: &'static str, when: &'static str) -> EventType {
    EventType { name, when }
}

/// Every kind of event, in the order of the documentation; those of one family stand together.
pub const ALL: [EventType; 36] = [
    event("deployment.created", "A deployment was accepted."),
    event(
        "deployment.succeeded",
        "A deployment became `live` or, when it is not promoted, `staged` for the first time.",
    ),
    event("deployment.failed", "A deployment became `failed`."),
    event("deployment.canceled", "A deployment became `canceled`."),
    event("deployment.crashed", "A deployment that was live crashed too often."),
    event("deployment.recovered", "A crashed deployment runs again."),
    event("deployment.promoted", "A deployment that was there got the production traffic."),
    event("deployment.rolled_back", "The production traffic went back to an earlier deployment."),
    event("deployment.deleted", "A deployment was deleted."),
    event("project.created", "A project was made."),
    event("project.updated", "Settings of a project were changed."),
    event("project.paused", "A project was paused."),
    event("project.resumed", "A paused project was resumed."),
    event("project.restarted", "A project's containers were replaced."),
    event("project.deleted", "A project was deleted."),
    event("domain.created", "A domain was added."),
    event("domain.updated", "A domain was changed."),
    event("domain.verified", "The DNS leads a domain here."),
    event("domain.deleted", "A domain was deleted."),
    event("domain.certificate.issued", "A domain got its certificate, or a new one."),
    event("domain.certificate.failed", "A certificate could not be had; `GET` tells why."),
    event("domain.certificate.expiring", "A certificate runs out in 21 days, or in 7."),
    event("domain.certificate.revoked", "A certificate is revoked, its authority says."),
    event("env.updated", "Variables of a project were changed."),
    event("api_key.created", "An API key was made."),
    event("api_key.updated", "An API key was changed."),
    event("api_key.rotated", "An API key was replaced by a new one."),
    event("api_key.revoked", "An API key was revoked."),
    event("user.created", "An account was made."),
    event("user.updated", "An account was changed."),
    event("user.deleted", "An account was deleted."),
    event("billing.invoice.created", "An invoice was made."),
    event(
        "system.disk.low",
        "The server's disk has less free than a build needs. For instance admins.",
    ),
    event(
        "system.engine.down",
        "The container engine does not answer; what runs, runs on. For instance admins.",
    ),
    event("webhook.disabled", "A webhook was disabled because its receiver does not take events."),
    event("webhook.ping", "Somebody wants to see whether a webhook works. Sent to it alone."),
];

/// Stands for every event.
pub const EVERYTHING: &str = "*";

/// Whether a choice (a name, a beginning with `.*`, or `*`) means this event.
pub fn chooses(choice: &str, name: &str) -> bool {
    match choice.strip_suffix('*') {
        Some("") => true,
        Some(start) => start.ends_with('.') && name.starts_with(start),
        None => choice == name,
    }
}

/// Whether a choice means any event of the catalogue.
pub fn is_choice(choice: &str) -> bool {
    ALL.iter().any(|event| chooses(choice, event.name))
}

/// Every choice: the names, the beginnings they have in common, and everything.
pub fn choices() -> Vec<String> {
    let mut all = vec![EVERYTHING.to_owned()];
    for event in ALL {
        let ends = event.name.match_indices('.').map(|(at, _)| at);
        for start in ends.map(|at| format!("{}.*", &event.name[..at])) {
            if !all.contains(&start) {
                all.push(start);
            }
        }
        all.push(event.name.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beginnings_and_everything_are_choices() {
        for good in ["*", "deployment.*", "domain.certificate.*", "project.created"] {
            assert!(is_choice(good), "{good}");
            assert!(choices().iter().any(|choice| choice == good), "{good}");
        }
        for bad in ["", ".*", "dep*", "deployment", "deployment.", "**", "project.created.*", "x.*"]
        {
            assert!(!is_choice(bad), "{bad}");
        }
        assert!(chooses("domain.*", "domain.certificate.issued"));
        assert!(!chooses("domain.certificate.*", "domain.created"));
        assert!(choices().iter().all(|choice| is_choice(choice)));
    }
}
