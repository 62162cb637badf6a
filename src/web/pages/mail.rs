//! `/dashboard/system/mail`: the server that takes mail, and a mail to try it.

use axum::extract::State;
use http::StatusCode;

use super::objection::objection;
use super::respond::{self, Answer, see_other};
use super::show::form_errors;
use super::{Pages, Visitor, system};
use crate::app::AppError;
use crate::app::mail::{NewMail, TriedMail};
use crate::app::settings::{Settings, SettingsPatch};
use crate::app::terms::Terms;
use crate::model::delivery::AttemptError;
use crate::model::mail::MailSecurity;
use crate::model::problems::Problems;
use crate::web::csrf::Fields;
use crate::web::view::mail::MailForm;
use crate::web::view::shell::Notice;

/// The part of the page.
const PART: &str = "/dashboard/system#mail";
/// The API's names of what the form asks for.
const FIELDS: [(&str, &str); 6] = [
    ("mail.host", "host"),
    ("mail.port", "port"),
    ("mail.security", "security"),
    ("mail.user", "user"),
    ("mail.password", "password"),
    ("mail.sender", "sender"),
];

/// The form with what is set.
pub(super) fn form(settings: &Settings, visitor: &Visitor) -> MailForm {
    let to = visitor.signed_in.user.email.clone();
    let Some(mail) = &settings.mail else { return MailForm { to, ..MailForm::default() } };
    let server = mail.server.clone();
    MailForm {
        is_set: true,
        has_password: mail.secret.is_some(),
        host: server.host,
        port: server.port.to_string(),
        security: server.security,
        user: server.user.unwrap_or_default(),
        sender: server.sender,
        to,
        ..MailForm::default()
    }
}

/// Saves what was typed.
pub async fn save(State(pages): State<Pages>, visitor: Visitor, fields: Fields) -> Answer {
    let some = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    let password = Some(fields.get("password").to_owned()).filter(|text| !text.is_empty());
    let security = MailSecurity::parse(fields.get("security"));
    let new = NewMail {
        host: some("host"),
        // What is no number is none that fits.
        port: some("port").map(|port| port.parse().unwrap_or(0)),
        security,
        user: some("user"),
        password,
        sender: some("sender"),
    };
    let patch = SettingsPatch { mail: Some(Some(new)), ..SettingsPatch::default() };
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    match pages.app.change_settings(actor, patch, none, &Terms::none()).await {
        Ok(_) => {
            visitor.tell(Notice::good("Mail is set up. Send a test mail to see it.")).await?;
            Ok(see_other(PART))
        }
        Err(AppError::Invalid(problems)) => {
            let mut page = system::page(&pages, &visitor, visitor.bare_shell()).await?;
            page.mail = MailForm {
                host: fields.trimmed("host").to_owned(),
                port: fields.trimmed("port").to_owned(),
                security: security.unwrap_or(MailSecurity::StartTls),
                user: fields.trimmed("user").to_owned(),
                sender: fields.trimmed("sender").to_owned(),
                errors: form_errors(&problems, &FIELDS),
                ..page.mail
            };
            respond::html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST …/delete`: no mail any more.
pub async fn delete(State(pages): State<Pages>, visitor: Visitor) -> Answer {
    let patch = SettingsPatch { mail: Some(None), ..SettingsPatch::default() };
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    pages.app.change_settings(actor, patch, none, &Terms::none()).await?;
    visitor.tell(Notice::good("No mail is sent any more.")).await?;
    Ok(see_other(PART))
}

/// `POST …/test`: sends a mail and says what the mail server said.
pub async fn test(State(pages): State<Pages>, visitor: Visitor, fields: Fields) -> Answer {
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    let to = Some(fields.trimmed("to").to_owned());
    let notice = match pages.app.try_mail(actor, to, none, &Terms::none()).await {
        Ok(tried) if tried.taken => Notice::good(format!("The mail is sent. {}", said(&tried))),
        Ok(tried) => Notice::bad(format!("The mail was not sent. {}", said(&tried))),
        Err(error) => Notice::bad(objection(error)?),
    };
    visitor.tell(notice).await?;
    Ok(see_other(PART))
}

/// What the mail server said, in a sentence.
fn said(tried: &TriedMail) -> String {
    let answer: String = tried.answer.chars().take(500).collect();
    match (tried.status, tried.error) {
        (Some(status), _) => format!("The mail server answered: {status} {answer}"),
        (None, Some(AttemptError::Timeout)) => "The mail server did not answer in time.".to_owned(),
        (None, _) => format!("There was no answer: {answer}."),
    }
}
