//! `/dashboard`: all projects.

use axum::extract::State;
use http::StatusCode;

use super::params::Params;
use super::respond::{self, Answer};
use super::show;
use super::{PageError, Pages, Visitor};
use crate::app::overview::Overview;
use crate::db::page::PageRequest;
use crate::db::projects::ProjectFilter;
use crate::db::webhooks::WebhookFilter;
use crate::model::webhook::DisabledReason;
use crate::web::view::projects::{ProjectCard, ProjectsPage, SilentWebhook};
use crate::web::view::time::Millis;

/// Most projects on one page.
const SHOWN: u32 = 100;

/// The page, or with `?part=project-{id}` one card.
pub async fn show(State(pages): State<Pages>, visitor: Visitor, params: Params) -> Answer {
    let actor = &visitor.signed_in.actor;
    if params.has("part") {
        let id = params.get("part").strip_prefix("project-").ok_or_else(PageError::not_found)?;
        let overview = pages.app.overview(actor, id).await?;
        return respond::html(&card(&pages, &overview));
    }
    let query = params.get("q").trim().chars().take(60).collect::<String>();
    let filter = ProjectFilter {
        query: (!query.is_empty()).then(|| query.clone()),
        ..ProjectFilter::default()
    };
    let page = PageRequest { page: 1, limit: SHOWN };
    let mut found = pages.app.overviews(actor, filter, page).await?;
    let total = if query.is_empty() {
        found.total
    } else {
        let one = PageRequest { page: 1, limit: 1 };
        pages.app.projects(actor, ProjectFilter::default(), one).await?.total
    };
    let mut warnings = Vec::new();
    if found.total > u64::from(SHOWN) {
        warnings.push(format!(
            "The first {SHOWN} of {} projects are shown. Use the filter to find others.",
            found.total
        ));
    }
    found.items.sort_by_key(|overview| {
        let at = overview.latest.as_ref().map_or(overview.project.created_at, |d| d.created_at);
        (show::project_state(overview).0.rank(), std::cmp::Reverse(at))
    });
    let page = ProjectsPage {
        shell: visitor.shell().await?,
        cards: found.items.iter().map(|overview| card(&pages, overview)).collect(),
        query,
        total: usize::try_from(total).unwrap_or(usize::MAX),
        warnings,
        silent: silent(&pages, &visitor).await?,
    };
    respond::html_with(StatusCode::OK, &page)
}

/// Webhooks that Orbitra has disabled: whoever made them learns of it here.
async fn silent(pages: &Pages, visitor: &Visitor) -> Result<Vec<SilentWebhook>, PageError> {
    let filter = WebhookFilter { enabled: Some(false), ..WebhookFilter::default() };
    let page = PageRequest { page: 1, limit: SHOWN };
    let actor = &visitor.signed_in.actor;
    let found = pages.app.webhooks(actor, filter, page).await?.items.into_iter();
    // An instance admin sees everybody's; what stands here is one's own.
    let own = found.filter(|webhook| webhook.team_id == actor.team_id);
    let silent = own.filter_map(|webhook| {
        let gone = webhook.disabled_reason? == DisabledReason::Gone;
        Some(SilentWebhook { id: webhook.id.to_string(), address: webhook.address, gone })
    });
    Ok(silent.collect())
}

fn card(pages: &Pages, overview: &Overview) -> ProjectCard {
    let (project, latest) = (&overview.project, overview.latest.as_ref());
    let (status, sentence) = show::project_state(overview);
    let now = pages.app.clock.now();
    ProjectCard {
        id: project.id.to_string(),
        name: project.name.clone(),
        status,
        sentence,
        site: overview.live.as_ref().map(|_| show::project_site(&pages.app, project)),
        deployment: latest.map(|latest| latest.id.to_string()),
        commit: latest.and_then(show::commit),
        at: latest.map(|latest| show::moment(latest.created_at)),
        duration: latest.and_then(|latest| latest.duration_ms()).map(Millis),
        progress: latest.and_then(|latest| show::progress(latest, overview.usual_ms, now)),
    }
}
