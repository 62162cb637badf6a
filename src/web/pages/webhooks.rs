//! `/dashboard/team/webhooks`: addresses that are told of events, and one more.

use axum::extract::State;
use http::StatusCode;

use super::respond::{self, Answer, see_other};
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::terms::Terms;
use crate::app::webhooks::NewWebhook;
use crate::db::page::PageRequest;
use crate::db::projects::ProjectFilter;
use crate::db::webhooks::WebhookFilter;
use crate::model::event_type::EVERYTHING;
use crate::model::mail::RecipientStatus;
use crate::model::problems::Problems;
use crate::model::webhook::{DisabledReason, Format, LastDelivery, Webhook, WebhookStatus};
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::webhooks::{Standing, WebhookForm, WebhookRow, WebhooksPage};

/// The API's names of what the form asks for.
pub(super) const FIELDS: [(&str, &str); 5] = [
    ("url", "url"),
    ("format", "format"),
    ("events", "events"),
    ("project_id", "project"),
    ("description", "description"),
];
/// As many as are shown, and projects to choose from.
const ALL: PageRequest = PageRequest { page: 1, limit: 100 };

/// The page.
pub async fn show(State(pages): State<Pages>, visitor: Visitor) -> Answer {
    respond::html(&page(&pages, &visitor, visitor.shell().await?).await?)
}

async fn page(pages: &Pages, visitor: &Visitor, shell: Shell) -> Result<WebhooksPage, PageError> {
    let actor = &visitor.signed_in.actor;
    let found = pages.app.webhooks(actor, WebhookFilter::default(), ALL).await?;
    let projects = projects(pages, visitor).await?;
    let form = WebhookForm { projects, is_new: true, ..WebhookForm::default() };
    let rows = found.items.into_iter().map(|webhook| row(webhook, &form.projects)).collect();
    Ok(WebhooksPage { shell, rows, form, errors: Errors::none() })
}

/// Projects a webhook can be for: id and name.
pub(super) async fn projects(
    pages: &Pages,
    visitor: &Visitor,
) -> Result<Vec<(String, String)>, PageError> {
    let sort = Some(("name".to_owned(), false));
    let filter = ProjectFilter { sort, ..ProjectFilter::default() };
    let found = pages.app.projects(&visitor.signed_in.actor, filter, ALL).await?.items;
    Ok(found.into_iter().map(|project| (project.id.to_string(), project.name)).collect())
}

fn row(webhook: Webhook, projects: &[(String, String)]) -> WebhookRow {
    let project = webhook.project_id.as_ref().map(|id| {
        let known = projects.iter().find(|(known, _)| known == id.as_str());
        known.map_or_else(|| id.to_string(), |(_, name)| name.clone())
    });
    WebhookRow {
        standing: standing(&webhook),
        id: webhook.id.to_string(),
        address: webhook.address,
        format: webhook.format,
        events: match webhook.events.as_slice() {
            [one] if one == EVERYTHING => "everything".to_owned(),
            chosen => chosen.join(", "),
        },
        project,
        last: webhook.last.map(|last| (said(&last), moment(last.at))),
    }
}

fn said(last: &LastDelivery) -> String {
    last.response_status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}

/// How a webhook does.
pub(super) fn standing(webhook: &Webhook) -> Standing {
    let answer = webhook.recipient.as_ref().map(|recipient| recipient.status());
    match (webhook.enabled, answer) {
        (true, Some(RecipientStatus::Pending)) => return Standing::Asked,
        (true, Some(RecipientStatus::Declined)) => return Standing::Declined,
        _ => {}
    }
    match (webhook.status(), webhook.disabled_reason) {
        (WebhookStatus::Active, _) => Standing::Active,
        (WebhookStatus::Failing, _) => Standing::Failing,
        (WebhookStatus::Disabled, Some(DisabledReason::Gone)) => Standing::Gone,
        (WebhookStatus::Disabled, Some(DisabledReason::Failing)) => Standing::Lost,
        (WebhookStatus::Disabled, None) => Standing::Off,
    }
}

/// What was typed.
pub(super) fn typed(fields: &Fields, projects: Vec<(String, String)>) -> WebhookForm {
    WebhookForm {
        url: fields.trimmed("url").to_owned(),
        format: Format::parse(fields.get("format")).unwrap_or(Format::Orbitra),
        is_new: fields.has("format"),
        description: fields.get("description").to_owned(),
        project: fields.get("project").to_owned(),
        chosen: fields.all("event"),
        projects,
    }
}

/// Said when an address of mail cannot be asked now.
pub(super) fn asked_too_often(error: &AppError) -> String {
    match error {
        AppError::TooMany { retry_after_seconds } => {
            let minutes = retry_after_seconds.div_ceil(60);
            format!("This address was asked a short time ago. Ask again in {minutes} min.")
        }
        other => other.to_string(),
    }
}

/// What is wrong, beside the fields.
pub(super) fn refused(error: AppError) -> Result<(StatusCode, Errors), PageError> {
    match error {
        AppError::Invalid(problems) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, form_errors(&problems, &FIELDS)))
        }
        AppError::Conflict { message, .. } => Ok((StatusCode::CONFLICT, Errors::one("", message))),
        AppError::TooMany { .. } => {
            Ok((StatusCode::TOO_MANY_REQUESTS, Errors::one("url", asked_too_often(&error))))
        }
        other => Err(other.into()),
    }
}

/// Makes a webhook. Its secret waits in memory for the page that shows it.
pub async fn create(State(pages): State<Pages>, visitor: Visitor, fields: Fields) -> Answer {
    let actor = &visitor.signed_in.actor;
    let form = typed(&fields, projects(&pages, &visitor).await?);
    let new = NewWebhook {
        url: Some(form.url.clone()),
        format: Some(form.format),
        events: Some(form.chosen.clone()),
        description: Some(form.description.clone()),
        project_id: Some(form.project.clone()).filter(|project| !project.is_empty()),
        enabled: None,
        secret: None,
    };
    match pages.app.create_webhook(actor, new, Problems::default(), &Terms::none()).await {
        Ok(made) => {
            let id = made.webhook.id.to_string();
            if standing(&made.webhook) == Standing::Asked {
                let said = "A mail asks whoever reads this address. Nothing else is sent before.";
                visitor.tell(Notice::good(said)).await?;
            }
            if made.webhook.format != Format::Orbitra {
                return Ok(see_other(&format!("/dashboard/webhooks/{id}")));
            }
            let address = format!("/dashboard/webhooks/{id}?created=1");
            let owner = visitor.signed_in.user.id.clone();
            pages.new_keys.put(owner, id, made.secret.unwrap_or_default());
            Ok(see_other(&address))
        }
        Err(error) => {
            let (status, errors) = refused(error)?;
            let page = page(&pages, &visitor, visitor.bare_shell()).await?;
            respond::html_with(status, &WebhooksPage { form, errors, ..page })
        }
    }
}
