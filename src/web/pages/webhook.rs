//! `/dashboard/webhooks/{id}`: one webhook, its deliveries, and what can be done with it.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;

use super::delivery;
use super::objection::objection;
use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::show::moment;
use super::webhooks::{asked_too_often, projects, refused, standing, typed};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::terms::Terms;
use crate::app::webhook_changes::WebhookPatch;
use crate::app::webhook_replays::WantedReplay;
use crate::db::page::PageRequest;
use crate::db::webhook_deliveries::DeliveryFilter;
use crate::model::delivery::DeliveryStatus;
use crate::model::problems::Problems;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::webhook::{Chosen, WebhookPage};
use crate::web::view::webhooks::{Standing, WebhookForm};

/// Deliveries that are shown.
const SHOWN: u32 = 50;

/// The page, or one of its regions with `?part=`; with `?created` once the secret.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let chosen = Chosen::read(params.get("state"), params.get("before"), params.get("newest"));
    match params.get("part") {
        "" => {
            let mut page = page(&pages, &visitor, &id, chosen, visitor.shell().await?).await?;
            if params.has("created") {
                page.created = pages.new_keys.take(&visitor.signed_in.user.id, &page.id);
            }
            respond::html(&page)
        }
        part @ ("standing" | "deliveries") => {
            let page = page(&pages, &visitor, &id, chosen, visitor.bare_shell()).await?;
            match part {
                "standing" => respond::html(&page.as_standing()),
                _ => respond::html(&page.as_deliveries()),
            }
        }
        _ => Err(PageError::not_found()),
    }
}

async fn page(
    pages: &Pages,
    visitor: &Visitor,
    id: &str,
    chosen: Chosen,
    shell: Shell,
) -> Result<WebhookPage, PageError> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let shown = app.webhook(actor, id).await?;
    let request = PageRequest { page: 1, limit: SHOWN };
    let mut filter = DeliveryFilter { statuses: chosen.statuses(), ..DeliveryFilter::default() };
    // The newest ones where one that is named is no longer kept.
    let mut unseen = 0;
    if let Some(before) = &chosen.before {
        filter.before = app.delivery_place(actor, id, before).await?;
    } else if let Some(newest) = &chosen.newest
        && let Some(place) = app.delivery_place(actor, id, newest).await?
    {
        let since = DeliveryFilter { after: Some(place), ..filter.clone() };
        let one = PageRequest { page: 1, limit: 1 };
        let found = app.webhook_deliveries(actor, id, since, one, Problems::default()).await?;
        unseen = found.total;
        filter.before = Some(place + 1);
    }
    let none = Problems::default();
    let deliveries = app.webhook_deliveries(actor, id, filter, request, none).await?;
    let webhook = shown.webhook;
    let now = app.clock.now();
    let standing = standing(&webhook);
    let asked = webhook.recipient.as_ref().filter(|_| standing == Standing::Asked);
    let asked = asked.and_then(|asked| asked.asked_at.zip(asked.expires_at));
    Ok(WebhookPage {
        shell,
        standing,
        asked: asked.map(|(at, until)| (moment(at), moment(until))),
        form: WebhookForm {
            url: shown.url,
            format: webhook.format,
            is_new: false,
            description: webhook.description.clone().unwrap_or_default(),
            project: webhook.project_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            chosen: webhook.events.clone(),
            projects: projects(pages, visitor).await?,
        },
        id: webhook.id.to_string(),
        address: webhook.address,
        format: webhook.format,
        description: webhook.description,
        hint: webhook.secret_hint,
        previous_until: webhook.previous_secret_expires_at.filter(|until| *until > now).map(moment),
        created: None,
        older: deliveries.total.saturating_sub(u64::from(SHOWN)),
        unseen,
        chosen,
        deliveries: deliveries.items.iter().map(delivery::row).collect(),
        errors: Errors::none(),
    })
}

/// Saves address, events, project and description.
pub async fn save(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let form = typed(&fields, projects(&pages, &visitor).await?);
    let patch = WebhookPatch {
        url: Some(form.url.clone()),
        events: Some(form.chosen.clone()),
        description: Some(Some(form.description.clone())),
        project_id: Some(Some(form.project.clone()).filter(|project| !project.is_empty())),
        ..WebhookPatch::default()
    };
    match pages.app.update_webhook(actor, &id, patch, Problems::default(), &Terms::none()).await {
        Ok(_) => back(&visitor, &id, Notice::good("The webhook is saved.")).await,
        Err(error) => {
            let (status, errors) = refused(error)?;
            let shell = visitor.bare_shell();
            let page = page(&pages, &visitor, &id, Chosen::default(), shell).await?;
            respond::html_with(status, &WebhookPage { form, errors, ..page })
        }
    }
}

/// `POST …/ping`: sends one and shows what came of it.
pub async fn ping(State(pages): State<Pages>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let actor = &visitor.signed_in.actor;
    let pinged = pages.app.ping_webhook(actor, &id, Problems::default(), &Terms::none()).await;
    let done = match pinged {
        Ok(done) => done,
        Err(error) => return back(&visitor, &id, Notice::bad(objection(error)?)).await,
    };
    let attempt = done.attempts.last();
    let said = attempt.map(delivery::said).unwrap_or_default();
    let notice = match done.delivery.status {
        DeliveryStatus::Succeeded => Notice::good(format!("The receiver answered {said}.")),
        _ => Notice::bad(attempt.map_or_else(
            || "The ping is still on its way.".to_owned(),
            |attempt| delivery::advice(attempt, done.format, pages.app.config.webhook_timeout),
        )),
    };
    visitor.tell(notice).await?;
    Ok(see_other(&format!("/dashboard/webhooks/{id}/deliveries/{}", done.delivery.id)))
}

/// `POST …/confirmation`: one more mail that asks.
pub async fn ask(State(pages): State<Pages>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let actor = &visitor.signed_in.actor;
    let none = Problems::default();
    let notice = match pages.app.ask_recipient_again(actor, &id, none, &Terms::none()).await {
        Ok(_) => Notice::good("One more mail asks. The link of the one before ends."),
        Err(error @ AppError::TooMany { .. }) => Notice::bad(asked_too_often(&error)),
        Err(error) => Notice::bad(objection(error)?),
    };
    back(&visitor, &id, notice).await
}

/// `POST …/enabled`.
pub async fn enable(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let enabled = fields.get("enabled") == "yes";
    let patch = WebhookPatch { enabled: Some(enabled), ..WebhookPatch::default() };
    let none = Problems::default();
    match pages.app.update_webhook(actor, &id, patch, none, &Terms::none()).await {
        Ok(_) => {}
        Err(error @ AppError::TooMany { .. }) => {
            return back(&visitor, &id, Notice::bad(asked_too_often(&error))).await;
        }
        Err(error) => return back(&visitor, &id, Notice::bad(objection(error)?)).await,
    }
    let said = if enabled {
        "The webhook is enabled. Replay below what it missed."
    } else {
        "The webhook is disabled. What waited to be sent is canceled."
    };
    back(&visitor, &id, Notice::good(said)).await
}

/// `POST …/rotate`. The secret waits in memory for the page that shows it.
pub async fn rotate(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let grace = fields.get("grace").parse().ok();
    let none = Problems::default();
    let made = pages.app.rotate_webhook_secret(actor, &id, grace, none, &Terms::none()).await;
    match made {
        Ok(made) => Ok(shown_once(&pages, &visitor, &id, made.secret.unwrap_or_default())),
        Err(error) => back(&visitor, &id, Notice::bad(objection(error)?)).await,
    }
}

fn shown_once(pages: &Pages, visitor: &Visitor, id: &str, secret: String) -> Response {
    pages.new_keys.put(visitor.signed_in.user.id.clone(), id.to_owned(), secret);
    see_other(&format!("/dashboard/webhooks/{id}?created=1"))
}

/// `POST …/replay`.
pub async fn replay(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let hours = match fields.get("since") {
        "hour" => 1,
        "week" => 7 * 24,
        "month" => 30 * 24,
        _ => 24,
    };
    let now = pages.app.clock.now().0;
    let since = i64::try_from(Duration::from_secs(hours * 3600).as_millis()).unwrap_or_default();
    let since = crate::model::timestamp::Timestamp(now - since).to_string();
    let wanted = WantedReplay { since: Some(since), ..WantedReplay::default() };
    let replayed =
        pages.app.replay_webhook(actor, &id, wanted, Problems::default(), &Terms::none()).await;
    let notice = match replayed {
        Ok(0) => Notice::good("Everything has arrived. Nothing is sent again."),
        Ok(1) => Notice::good("1 event is sent."),
        Ok(count) => Notice::good(format!("{count} events are sent.")),
        Err(error) => Notice::bad(objection(error)?),
    };
    back(&visitor, &id, notice).await
}

/// `POST …/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    pages.app.delete_webhook(&visitor.signed_in.actor, &id, &Terms::none()).await?;
    visitor.tell(Notice::good("The webhook is deleted.")).await?;
    Ok(see_other("/dashboard/team/webhooks"))
}

async fn back(visitor: &Visitor, id: &str, notice: Notice) -> Answer {
    visitor.tell(notice).await?;
    // What is no id was not found before.
    Ok(see_other(&format!("/dashboard/webhooks/{id}")))
}
