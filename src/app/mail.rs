//! The server that takes this instance's mail: its settings, and a mail to try it.

use std::time::Duration;

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::may::{Action, require_instance_admin, require_scope};
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::random;
use crate::db;
use crate::egress::Policy;
use crate::model::actor::Actor;
use crate::model::announcement::mail::Letter;
use crate::model::audit::{self, Party};
use crate::model::delivery::AttemptError;
use crate::model::ids::DeliveryId;
use crate::model::mail::{
    LONGEST_LOGIN, MailSecurity, MailServer, SECRET, StoredMail, is_address, mailbox,
};
use crate::model::problems::Problems;
use crate::notify::{Answer, Mail, send_mail};

/// The longest somebody waits for a mail to be taken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server to choose. What was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewMail {
    pub host: Option<String>,
    pub port: Option<i64>,
    /// `starttls` when nothing is said.
    pub security: Option<MailSecurity>,
    pub user: Option<String>,
    /// Left out it stays as it is, as long as it goes to the same server.
    pub password: Option<String>,
    pub sender: Option<String>,
}

/// What came of a mail that was sent to try it.
#[derive(Clone, Debug)]
pub struct TriedMail {
    pub taken: bool,
    /// The mail server's code (RFC 5321 §4.2).
    pub status: Option<u16>,
    /// What it said with it, or why there is nothing.
    pub answer: String,
    pub error: Option<AttemptError>,
    pub duration_ms: u64,
}

impl From<Answer> for TriedMail {
    fn from(answer: Answer) -> Self {
        Self {
            taken: answer.arrived(),
            status: answer.status,
            answer: String::from_utf8_lossy(&answer.body).into_owned(),
            error: answer.error,
            duration_ms: answer.duration_ms,
        }
    }
}

/// There is no server that takes mail.
pub(super) fn not_configured() -> AppError {
    AppError::conflict(
        "mail_not_configured",
        "This server sends no mail yet. An instance admin sets that up under System.",
    )
}

/// A server as it is stored, from what is wanted and what there was.
pub(super) fn checked(
    app: &App,
    policy: &Policy,
    new: NewMail,
    before: Option<&StoredMail>,
    problems: &mut Problems,
) -> Option<StoredMail> {
    problems.require("mail.host", new.host.as_ref());
    problems.require("mail.port", new.port.as_ref());
    problems.require("mail.sender", new.sender.as_ref());
    let security = new.security.unwrap_or(MailSecurity::StartTls);
    let port = new.port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    if let Some(sent) = new.port {
        problems.range("mail.port", sent, 1, i64::from(u16::MAX));
    }
    let host = new.host.map(|host| host.trim().to_ascii_lowercase());
    if let Some(host) = &host {
        let port = port.unwrap_or(587);
        let plain = host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte));
        if !plain {
            problems.invalid("mail.host", "format", "A name or an address, without a port.");
        } else if policy.check_host(host).is_err() || policy.check_mail_port(host, port).is_err() {
            let message = "This server may not be reached: only public hosts, on port 25, 465, 587 or from 1024 up, and \
                what `egress_allow` opens.";
            problems.invalid("mail.host", "url_not_allowed", message);
        }
    }
    let sender = new.sender.map(|sender| sender.trim().to_owned());
    if sender.as_deref().is_some_and(|sender| mailbox(sender).is_none()) {
        let message = "An address, or a name and an address: `Orbitra <orbitra@example.com>`.";
        problems.invalid("mail.sender", "format", message);
    }
    let user = new.user.filter(|user| !user.is_empty());
    for (field, text) in [("mail.user", &user), ("mail.password", &new.password)] {
        let Some(text) = text else { continue };
        if text.len() > LONGEST_LOGIN {
            problems.invalid(field, "too_long", format!("At most {LONGEST_LOGIN} bytes."));
        } else if text.chars().any(char::is_control) {
            problems.invalid(field, "format", "No control characters.");
        }
    }
    if user.is_some() && security == MailSecurity::None {
        let message = "A password is not sent in clear. Choose `starttls` or `tls`, or no user.";
        problems.invalid("mail.security", "mutually_exclusive", message);
    }
    let server = MailServer { host: host?, port: port?, security, user, sender: sender? };
    let secret = match (&server.user, new.password) {
        (None, _) => None,
        (Some(_), Some(password)) => Some(app.secrets.seal(SECRET, password.as_bytes())),
        (Some(_), None) => {
            // What was entered for one server is told to no other.
            let same = |known: &&StoredMail| {
                let MailServer { host, port, security, user, .. } = &known.server;
                (host, port, security, user)
                    == (&server.host, &server.port, &server.security, &server.user)
            };
            let kept = before.filter(same).and_then(|known| known.secret.clone());
            problems.require("mail.password", kept.as_ref());
            kept
        }
    };
    Some(StoredMail { server, secret })
}

/// What of the settings the audit log shows.
pub(super) fn shown(mail: Option<&StoredMail>) -> Value {
    mail.map_or(Value::Null, |mail| {
        let MailServer { host, port, security, user, sender } = &mail.server;
        json!({ "host": host, "port": port, "security": security, "user": user, "sender": sender })
    })
}

impl App {
    /// Sends a mail to try the settings, and answers what the mail server said.
    ///
    /// # Errors
    /// The actor is no instance admin, the key lacks `system:write`, `Invalid`, or a conflict `mail_not_configured`.
    pub async fn try_mail(
        &self,
        actor: &Actor,
        to: Option<String>,
        mut problems: Problems,
        terms: &Terms<TriedMail>,
    ) -> Result<TriedMail, AppError> {
        require_scope(actor, Action::SystemWrite)?;
        require_instance_admin(actor)?;
        terms.admit(self, None).await?;
        problems.require("to", to.as_ref());
        if to.as_deref().is_some_and(|to| !is_address(to)) {
            problems.invalid("to", "format", "One plain address: `ada@example.com`.");
        }
        AppError::check(problems)?;
        let stored = self.db.read(db::mail::find).await?.ok_or_else(not_configured)?;
        let secret = stored.secret.map(|sealed| self.open(SECRET, &sealed)).transpose()?;
        let now = self.clock.now();
        let mail = Mail {
            server: stored.server,
            secret,
            to: to.unwrap_or_default(),
            letter: Letter {
                subject: "[Orbitra] A test".to_owned(),
                text: "Hello from Orbitra. Mail is set up.\n".to_owned(),
            },
            id: format!("test.{}", DeliveryId::from_random(random::bytes())),
            at: now,
        };
        let patience = self.config.webhook_timeout.min(PATIENCE);
        let name = self.hosts.base_domain();
        let tried = TriedMail::from(send_mail(&self.egress, name, &mail, patience).await);
        let (app, actor, terms, answer) =
            (self.clone(), actor.clone(), terms.clone(), tried.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let asked = json!({ "to": mail.to, "taken": answer.taken });
                let deed = Deed {
                    action: "system.mail.tested",
                    team: &actor.team_id,
                    project: None,
                    target: Party::new("system", "mail", "mail"),
                    changes: audit::changes(&json!({}), &asked),
                    data: None,
                };
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        Ok(tried)
    }
}
