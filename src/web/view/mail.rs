//! The part of `/dashboard/system` about mail.

use super::form::Errors;
use crate::model::mail::MailSecurity;

/// How connections are secured: value and words.
pub const SECURITY: [(MailSecurity, &str); 3] = [
    (MailSecurity::StartTls, "STARTTLS, as on port 587"),
    (MailSecurity::Tls, "TLS from the start, as on port 465"),
    (MailSecurity::None, "Not secured, and nobody signs in"),
];

/// What is set, or was typed.
#[derive(Clone, Debug)]
pub struct MailForm {
    /// There is a server, so that a mail can be tried.
    pub is_set: bool,
    pub has_password: bool,
    pub host: String,
    pub port: String,
    pub security: MailSecurity,
    pub user: String,
    pub sender: String,
    /// Where a test mail goes.
    pub to: String,
    pub errors: Errors,
}

impl Default for MailForm {
    fn default() -> Self {
        Self {
            is_set: false,
            has_password: false,
            host: String::new(),
            port: "587".to_owned(),
            security: MailSecurity::StartTls,
            user: String::new(),
            sender: String::new(),
            to: String::new(),
            errors: Errors::none(),
        }
    }
}

impl MailForm {
    pub(super) fn choices(&self) -> [(MailSecurity, &'static str); 3] {
        SECURITY
    }

    pub(super) fn sample() -> Self {
        Self {
            is_set: true,
            has_password: true,
            host: "mail.example.com".to_owned(),
            user: "orbitra".to_owned(),
            sender: "Orbitra <orbitra@example.com>".to_owned(),
            to: "ada@example.com".to_owned(),
            ..Self::default()
        }
    }
}
