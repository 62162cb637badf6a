//! The forge of a project in its settings, and how the project is pushed to.

use axum::extract::{Path, State};
use http::StatusCode;

use super::respond::{self, Answer, see_other};
use super::settings;
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::forge::NewForge;
use crate::app::terms::Terms;
use crate::model::forge::{ForgeKind, kind_of};
use crate::model::git_url::pushed_to;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::web::csrf::Fields;
use crate::web::view::forge::{ForgeCard, PushCard};
use crate::web::view::shell::Notice;

/// The API's names of what the form asks for.
const FIELDS: [(&str, &str); 3] =
    [("kind", "forge_kind"), ("api_url", "forge_api"), ("token", "forge_token")];

/// What there is.
pub async fn card(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
) -> Result<ForgeCard, PageError> {
    match pages.app.forge(&visitor.signed_in.actor, project.id.as_str()).await {
        Ok(shown) => Ok(ForgeCard {
            is_set: true,
            kind: shown.forge.kind.as_str().to_owned(),
            api_url: shown.forge.api_url,
            trouble: shown.forge.trouble,
            told: shown.forge.told_at.map(moment),
            ..ForgeCard::default()
        }),
        Err(AppError::NotFound { .. }) => {
            let url = project.source.git_url.as_deref();
            let url = url.and_then(|url| pages.app.egress.git_url(url).ok());
            let kind = url.and_then(|url| kind_of(&url.host())).unwrap_or(ForgeKind::Github);
            Ok(ForgeCard { kind: kind.as_str().to_owned(), ..ForgeCard::default() })
        }
        Err(other) => Err(other.into()),
    }
}

/// The address to push to, and what follows from a push.
pub fn push(pages: &Pages, project: &Project) -> PushCard {
    let address = pages.app.hosts.push_address(&project.name);
    let branch = project.source.branch.as_deref();
    let production = match branch {
        Some(branch) => format!("`{branch}` goes to production"),
        None => "`main` or `master` goes to production".to_owned(),
    };
    let own = pushed_to(&project.id);
    let other = project.source.git_url.as_ref().filter(|url| **url != own);
    PushCard {
        remote: format!("git remote add orbitra {address}"),
        push: format!("git push orbitra {}", branch.unwrap_or("main")),
        address,
        branches: if project.preview_deployments {
            format!("{production}, each of the others gets a preview.")
        } else {
            format!("{production}. Others are kept and not deployed.")
        },
        other: other.map(|url| {
            format!(
                "It stays `{url}`. What is pushed here is deployed once, over what came from there."
            )
        }),
    }
}

/// `POST …/settings/forge`.
pub async fn save(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    let text = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    let new = NewForge {
        kind: text("forge_kind"),
        api_url: text("forge_api"),
        token: text("forge_token"),
    };
    let (none, terms) = (Problems::default(), Terms::none());
    match pages.app.set_forge(actor, project.id.as_str(), new, none, &terms).await {
        Ok(shown) => {
            let name = shown.forge.kind.name();
            let said = format!("{name} is told of the next deployment's commit.");
            visitor.tell(Notice::good(said)).await?;
            Ok(see_other(&format!("/dashboard/projects/{}/settings#forge", project.name)))
        }
        Err(AppError::Invalid(problems)) => {
            let mut page = settings::page(&pages, &visitor, &project, visitor.bare_shell()).await?;
            page.forge.kind = fields.trimmed("forge_kind").to_owned();
            page.forge.api_url = fields.trimmed("forge_api").to_owned();
            page.forge.errors = form_errors(&problems, &FIELDS);
            respond::html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST …/settings/forge/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    pages.app.remove_forge(actor, project.id.as_str(), &Terms::none()).await?;
    visitor.tell(Notice::good("The token is forgotten. No commit is told of any more.")).await?;
    Ok(see_other(&format!("/dashboard/projects/{}/settings#forge", project.name)))
}
